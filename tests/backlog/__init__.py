"""A long backlog against a real broker: memory stays flat (fault 57)."""
