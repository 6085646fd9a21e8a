"""A contract from records that were seen: pure, knows neither Kafka nor a warehouse."""

from loader.inference.contract import Draft, DraftColumn, draft
from loader.inference.outliers import without_outliers
from loader.inference.seen import Number, Sample, Seen, sample
from loader.inference.write import Origin, as_toml

__all__ = [
    "Draft",
    "DraftColumn",
    "Number",
    "Origin",
    "Sample",
    "Seen",
    "as_toml",
    "draft",
    "sample",
    "without_outliers",
]
