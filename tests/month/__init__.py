"""A month of scheduled loads and upkeep in simulated time, on a real warehouse: `python -m tests.month`."""
