"""The companion producer without Kafka: sample orders with faults, datasets, pacing, answer keys, scores."""
