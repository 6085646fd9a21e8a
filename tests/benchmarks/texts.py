"""What docs/benchmarks.md says around the figures."""

HEAD = """\
# Benchmarks

Made by `python -m tests.benchmarks.page` from [tests/benchmarks/results](../tests/benchmarks/results); \
a test proves that it says what they say. Every figure is a median, with the range of all rounds in \
parentheses; in a round everything is measured once, in turn, on a broker on the same machine. Absolute \
figures move with the neighbours of a machine: compare ratios. Records are orders of config/orders.toml; \
MB are millions of bytes.

*Ceiling A* is what the Kafka client can do at all: the same topic consumed with the public API and the \
loader's settings, value, key, partition, offset and time put into Arrow arrays, and nothing else.
"""

ABOUT = {
    "sets": """\
Each set differs from *base* in one thing. *Base*: orders of about 234 bytes, 4 partitions, lz4, all of \
them good and new. *100% duplicates*: the topic is sent and loaded a second time. *1 KB*: with a note \
that the table has no column for. *Of base* compares with the load of the base set in the same round. \
The picture shows what a batch of the base set spends in each phase; parsing runs beside the others.""",
    "batch-size": """\
The base set with other values of `batch.records`, and `batch.bytes` out of the way.""",
    "backlog": """\
The base set in topics of several lengths, loaded from their begin.""",
    "history": """\
A table is filled with ids of other orders, then the base set is loaded in 40 batches; the time is from \
one commit to the next. At first the whole table is asked about the ids of a batch. When that has cost \
about as much as reading all ids would, the set of known ids is made: in memory up to a quarter of \
`limits.memory`, the rest on disk. A `load` of few batches never makes it.""",
    "many-ids": """\
As before, in a table of 200 million ids, with the default of `limits.memory`, 1 GiB: the set stands \
in a file that is mapped into memory. The peak counts its pages too, which the system takes back when \
others need the room.""",
    "latency": """\
100 records a second, `loader run` with `batch.wait` of 1 s. What is late: from the sending of a batch's \
oldest record until the batch is durable and visible, beyond the second that it waits.""",
    "start": """\
`loader load` where nothing is new, from the start of the process to its end. Imports are measured by \
`-X importtime` in a run of their own.""",
    "producer": """\
`loader replay` of a Parquet dataset: flat out by its own count, to the last acknowledgement; paced by the \
times of the first and the last record in the topic.""",
    "peers": """\
The base set (the slow ones get fewer records of it), start-up included, each in an empty place. \
Packages are set up as their documentation shows; dlt writes Parquet, Quix Streams commits every 50,000 \
records.""",
}
