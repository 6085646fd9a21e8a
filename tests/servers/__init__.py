"""Servers that tests start and stop, and helpers that change what is in them."""
