"""Kafka to warehouse, exactly once: typed, checked, de-duplicated, and provable."""
