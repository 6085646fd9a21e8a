"""Write the orders of a data set into a Parquet file that `loader replay` sends; a child of the benchmark.

    python -m tests.benchmarks.dataset FILE --records 2000000 [--size 1024] [--poison 0.1] [--duplicates 0.05]

Orders of more than the usual size get a note of random words, which the contract's table has no column
for: the bytes are read, carried and parsed, as where a producer sends more than the warehouse wants.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import replace
from pathlib import Path

from loader.replay.files import open_sink
from loader.replay.generate import Chunk, GenerateOptions, generate
from tests.benchmarks.sets import SMALL

WORD = 6  # letters
NOTES = 1_000  # different notes
FRAME = len(',"note":""')


def notes(size: int, count: int = NOTES) -> list[str]:
    """Texts that make an order of SMALL bytes one of `size`, as members of its JSON object."""
    chance = random.Random(1)
    length = size - SMALL - FRAME
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=WORD)) for _ in range(5 * NOTES)]
    texts = (" ".join(chance.choices(words, k=length // WORD + 1))[:length] for _ in range(count))
    return [f',"note":"{text}"}}' for text in texts]


def padded(chunk: Chunk, more: list[str]) -> Chunk:
    """The chunk with a note in each of its orders; those that are changed stay as they are."""
    texts = [text[:-1] + more[place % len(more)] for place, text in enumerate(chunk.texts)]
    return replace(chunk, texts=texts)


def main() -> None:
    """Write the file and say how many bytes its values have."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.dataset")
    parser.add_argument("file", type=Path)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--size", type=int, default=SMALL)
    parser.add_argument("--poison", type=float, default=0.0)
    parser.add_argument("--duplicates", type=float, default=0.0)
    given = parser.parse_args()
    faults = {"malformed": given.poison, "duplicates": given.duplicates}
    more = notes(given.size) if given.size > SMALL else []
    size = 0
    with open_sink(given.file) as sink:
        for made in generate(GenerateOptions(given.records, faults=faults)):
            chunk = padded(made, more) if more else made
            size += sum(map(len, chunk.texts))
            sink.write(chunk)
    print(json.dumps({"records": given.records, "bytes": size}))


if __name__ == "__main__":
    main()
