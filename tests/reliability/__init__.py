"""What has been shown about each fault: tests/RELIABILITY.md, made by `python -m tests.reliability`."""
