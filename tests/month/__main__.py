"""Simulate a month and print the verdict as JSON; exit 0 when nothing was wrong.

    python -m tests.month [--days 30] [--per-day 12000]

Loads come every five minutes, upkeep every hour, on a lake with partitions by day and with retention; clock
and topic are simulated, the warehouse is real. The day's numbers in it are the largest that upkeep left.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.month.clock import FILE, run_simulated


def main() -> int:
    """The command line of this module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--per-day", type=int, default=12_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="month-") as name:
        if FILE not in os.environ:
            words = ("tests.month", "--days", str(wanted.days), "--per-day", str(wanted.per_day))
            done = run_simulated(Path(name), *words)
            sys.stdout.write(done.stdout)
            return done.returncode
        from tests.month.simulate import Month

        result = Month(Path(name), wanted.days, wanted.per_day).run()
    print(json.dumps(result, indent=1))
    return 1 if result["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
