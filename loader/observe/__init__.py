"""Hooks that the engine calls without knowing them: log lines and progress."""
