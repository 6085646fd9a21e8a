"""The tests, and what they stand on: `servers` (a real Kafka) and `oracle` (the judge)."""
