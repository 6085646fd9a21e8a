"""The loader with one thing spoilt at a time: does the suite notice? `python -m tests.mutants`."""
