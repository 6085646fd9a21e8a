"""The judge. It asks Kafka with another client library and the warehouse with plain DuckDB.

It imports nothing from `loader`, and shares no SQL with it: a mistake there cannot be a mistake here.
The names O1 to O5 below are the facts that it decides:

    O1  complete: every committed record below the final position is a row, a duplicate of a row, or
        in quarantine (or skipped, where the test says so), exactly once
    O2  no (partition, offset) twice, no id twice
    O3  no ghost: nothing in the warehouse that the topic does not hold
    O4  equal: each column as it was sent, each refused record byte by byte
    O5  spans chain without gap or overlap from the baseline to the position, and their sums agree
"""

from tests.oracle.checks import Counts, check_exact
from tests.oracle.store import Store, database, lake
from tests.oracle.topic import Record, read_topic

__all__ = ["Counts", "Record", "Store", "check_exact", "database", "lake", "read_topic"]
