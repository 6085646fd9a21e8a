"""When jobs are due, whose turn it is, and how one is run: nothing here knows Kafka or the warehouse."""
