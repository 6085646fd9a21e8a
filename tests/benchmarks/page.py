"""docs/benchmarks.md, its pictures and the README's paragraph about speed, made of the committed results.

python -m tests.benchmarks.page
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from loader.cli.plot import picture
from tests.benchmarks.charts import charts
from tests.benchmarks.children import REPOSITORY
from tests.benchmarks.experiments import EXPERIMENTS
from tests.benchmarks.figures import MB, grouped, median, table
from tests.benchmarks.machine import described
from tests.benchmarks.peers.known import COLUMNS, PEERS, TITLE
from tests.benchmarks.results import Result, committed
from tests.benchmarks.sets import BASE
from tests.benchmarks.targets import verdicts
from tests.benchmarks.texts import ABOUT, HEAD

PAGE = REPOSITORY / "docs" / "benchmarks.md"
PICTURES = PAGE.with_suffix("")  # a folder beside it
TRIES = Path(__file__).with_name("tries")  # what was tried, shown where a target is missed
README = REPOSITORY / "README.md"
SPEED = re.compile(r"^Speed[:,] .*$", re.MULTILINE)
WORDS = {"ducklake": "into a lake", "duckdb": "into a DuckDB file"}


def page(results: Mapping[str, Result]) -> str:
    """The whole page; empty without results."""
    ordered = [name for name in ABOUT if name in results]
    return "\n".join([HEAD, *(_section(results[name]) for name in ordered)]) if ordered else ""


def _section(result: Result) -> str:
    name = result.experiment
    title, columns = (
        (TITLE, COLUMNS) if name == "peers" else (EXPERIMENTS[name].title, EXPERIMENTS[name].columns)
    )
    parts = [f"## {title}", ABOUT[name], markdown(table(result.runs, columns))]
    if name == "peers":
        parts.append(markdown([["", "guarantees"], *([peer.name, peer.guarantee] for peer in PEERS)]))
    if name in charts({name: result}):
        parts.append(f"![{title}]({PICTURES.name}/{name}.png)")
    if judged := verdicts(name, result.runs):
        parts.append("Targets:\n\n" + "\n".join(f"* {verdict.text}" for verdict in judged))
    tries = TRIES / f"{name}.md"
    if tries.exists() and not all(verdict.ok for verdict in judged):
        parts.append(tries.read_text(encoding="utf-8").strip())
    parts.append(f"Again: `{result.command}`. Measured on: {described(result.machine)}.")
    return "\n\n".join(parts) + "\n"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table; columns with nothing under their heading are left out."""
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    lines = [list(line) for line in zip(*columns, strict=True)]
    lines.insert(1, ["---"] * len(columns))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def speed(results: Mapping[str, Result]) -> str:
    """The README's paragraph."""
    if "sets" not in results:
        return "Speed: `make bench`."
    result = results["sets"]
    groups = {who: some for (what, who), some in grouped(result.runs).items() if what == BASE.name}
    ours = {who: groups[who] for who in WORDS if who in groups}
    rates = (f"{round(median(runs, 'rate') or 0, -3):,.0f} {WORDS[who]}" for who, runs in ours.items())
    ratios = (f"{median(runs, 'ratio') or 0:.2f}" for runs in ours.values())
    peak = max(run.figures["peak"] for runs in ours.values() for run in runs)
    return (
        f"Speed, on {result.machine['cores']} cores that the broker shares: of orders of about {BASE.size} "
        f"bytes {' and '.join(rates)} a second, {' and '.join(ratios)} of what the Kafka client can read at "
        f"all, in at most {peak / MB:,.0f} MB of memory. `{result.command}` repeats it; the rest: "
        "[docs/benchmarks.md](docs/benchmarks.md)."
    )


def draw(results: Mapping[str, Result], folder: Path) -> None:
    """Draw all pictures into a folder."""
    folder.mkdir(exist_ok=True)
    for name, (title, chart) in charts(results).items():
        picture.draw(chart, title, folder / f"{name}.png")


def main() -> None:
    """Make page, pictures and paragraph anew."""
    results = committed()
    if not results:
        sys.exit("no results yet: python -m tests.benchmarks --save")
    PAGE.write_text(page(results), encoding="utf-8")
    draw(results, PICTURES)
    README.write_text(
        SPEED.sub(lambda _: speed(results), README.read_text(encoding="utf-8")), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
