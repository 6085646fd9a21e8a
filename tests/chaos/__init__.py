"""`make chaos`: faults of all kinds by seed, then a verdict (see `__main__.py`)."""
