"""`loader status --watch`: the status in a terminal, again and again until it is stopped."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from loader.cli.overview import parts
from loader.errors import Temporary

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

EVERY = 2.0  # seconds between two looks
REST = 16  # lines of the page that are not partitions
COLOURS = {"idle": "green", "behind": "yellow", "new": "cyan", "stalled": "bold red", "failed": "bold red"}

Result = dict[str, Any]


def watch(look: Callable[[], Result], console: Console) -> None:
    """Show what each look finds until Ctrl-C or SIGTERM; the last page stays.

    The first look raises as `look` does; later, what is away for a while is a line of the page.
    """
    from rich.live import Live

    rate = Rate()
    with _until_stopped():
        page = _page(look, rate)
        with Live(page.shown(console), console=console, auto_refresh=False) as live:
            live.refresh()
            while True:
                time.sleep(EVERY)  # a signal ends it
                page = _again(look, rate, page)
                live.update(page.shown(console), refresh=True)


class Rate:
    """Records per second between two looks, by what was consumed at each."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._before: tuple[float, int] | None = None

    def seen(self, totals: dict[str, int]) -> float | None:
        """The rate since the look before; None at the first one."""
        now, consumed, before = self._clock(), sum(totals.values()), self._before
        self._before = (now, consumed)
        return max(0, consumed - before[1]) / (now - before[0]) if before and now > before[0] else None


@dataclass(frozen=True, slots=True)
class Page:
    """One look, as it is shown; `trouble` is what kept the looks after it from succeeding."""

    result: Result
    speed: float | None
    at: str
    trouble: str = ""

    def shown(self, console: Console) -> RenderableType:
        """What fits into the terminal."""
        from rich.console import Group
        from rich.text import Text

        first, *rest = parts(self.result, max(1, console.height - REST), console.width)
        speed = "" if self.speed is None else f", {self.speed:,.0f} records/s"
        title = Text.assemble(
            (str(first), COLOURS.get(self.result["state"], "")), f"{speed}, at {self.at}; Ctrl-C ends"
        )
        trouble = [Text(self.trouble, style="bold red")] if self.trouble else []
        return Group(title, *trouble, *rest)


def _page(look: Callable[[], Result], rate: Rate) -> Page:
    result = look()
    return Page(result, rate.seen(result["totals"]), time.strftime("%H:%M:%S"))


def _again(look: Callable[[], Result], rate: Rate, page: Page) -> Page:
    try:
        return _page(look, rate)
    except Temporary as away:
        return replace(page, trouble=str(away))


@contextmanager
def _until_stopped() -> Iterator[None]:
    """End the block at SIGINT or SIGTERM; inside DuckDB or the client the interruption is another error."""
    stopped: list[int] = []

    def stop(number: int, _frame: object) -> None:
        stopped.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except BaseException:
        if not stopped:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
