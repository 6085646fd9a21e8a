"""Kafka: client settings, identity of a topic, and the source. The only place with `confluent_kafka`."""
