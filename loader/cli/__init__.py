"""The command line: one file per verb; each wires the layers below and prints what they return."""
