"""The data contract: columns and rules as SQL expressions. Pure."""

from loader.contract.column import Column, Source
from loader.contract.contract import Contract

__all__ = ["Column", "Contract", "Source"]
