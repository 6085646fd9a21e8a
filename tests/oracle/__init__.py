"""The judge. It asks Kafka with another client library and the warehouse with plain DuckDB.

It imports nothing from `loader`, and shares no SQL with it: a mistake there cannot be a mistake here.
The names below are the facts that it decides:

    O1  complete: every committed record below the final position is a row, a duplicate of a row, or
        in quarantine (or skipped, where the test says so), exactly once
    O2  no (partition, offset) twice, no id twice
    O3  no ghost: nothing in the warehouse that the topic does not hold
    O4  equal: each column as it was sent, each refused record byte by byte
    O5  spans chain without gap or overlap from the baseline to the position, and their sums agree
    O6  live: what Kafka's group has on record is never ahead of the warehouse, and neither goes back
    O7  live: a reader sees unions of whole batches only
    O8  all that Kafka was ever told is in the warehouse, whatever died since
    O9  every file that is named is there and readable; after upkeep no other is
    O10 in the end nothing is left to load
    O11 the loader's own numbers are the oracle's

`check_exact` asserts O1 to O5 for any test; `judge` says of all of them whether they hold.
"""

from tests.oracle.checks import Case, case, check_exact
from tests.oracle.held import Counts, of_generation
from tests.oracle.judge import Check, Evidence, judge
from tests.oracle.store import Store, database, lake
from tests.oracle.topic import Record, read_topic

__all__ = [
    "Case",
    "Check",
    "Counts",
    "Evidence",
    "Record",
    "Store",
    "case",
    "check_exact",
    "database",
    "judge",
    "lake",
    "of_generation",
    "read_topic",
]
