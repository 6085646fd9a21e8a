"""`loader` for a shell: `python -IS typed.py ADDRESS WORD…` has a nursery run it, with our files and folder.

A shell that types twenty commands then does the imports of none.
"""

from __future__ import annotations

import json
import os
import socket
import sys

if __name__ == "__main__":
    address, *words = sys.argv[1:]
    order = {"words": words, "env": dict(os.environ), "folder": os.getcwd(), "before": None}  # noqa: PTH109
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [json.dumps(order).encode() + b"\n"], [0, 1, 2])
        answers = connection.makefile()
        answers.readline()  # its process id
        code = int(answers.readline())
    sys.exit(code if code >= 0 else 128 - code)  # as a shell tells of a signal
