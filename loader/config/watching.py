"""How a process that stays can be watched."""

from __future__ import annotations

from loader.config import values
from loader.config.section import Section, key


class Metrics(Section):
    """`[metrics]`: the page with metrics and health of `loader run` and `loader schedule`."""

    port: int | None = key(
        "Port on which run and schedule show Prometheus metrics, /healthz and /readyz.",
        "whole number", default=None, ge=1, le=65535, shown="unset: no page",
    )  # fmt: skip
    host: values.Text = key(
        "Address of this machine that the page listens on; others reach it only if it is not loopback.",
        "text", default="127.0.0.1",
    )  # fmt: skip
