"""Configuration: `load_config` reads and checks it, `Config` is what the rest of the loader gets."""

from loader.config.derive import Derive
from loader.config.jobs import Freshness, Job, Maintain, Retention
from loader.config.keys import Key, documented_keys
from loader.config.load import config_from, config_over, default_file, load_config
from loader.config.model import Batch, Column, Config, Kafka, Limits, Table, Warehouse

__all__ = [
    "Batch", "Column", "Config", "Derive", "Freshness", "Job", "Kafka", "Key", "Limits", "Maintain",
    "Retention", "Table", "Warehouse", "config_from", "config_over", "default_file", "documented_keys",
    "load_config",
]  # fmt: skip
