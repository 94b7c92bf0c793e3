"""Which engine computes: the options that commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keepwell.core.errors import UsageError

if TYPE_CHECKING:
    from keepwell.observe.engines.base import Engine

Opener = Callable[[Any], "Engine"]


class EngineName(StrEnum):
    """Engines by name."""

    LOCAL = "local"
    SPARK = "spark"


EngineOption = Annotated[
    EngineName, typer.Option("--engine", help="Where to compute: this machine, or Spark.")
]
MasterOption = Annotated[
    str | None,
    typer.Option("--master", help="Spark's master; default: local[*].", metavar="URL"),
]
BucketsOption = Annotated[
    int | None,
    typer.Option(
        "--buckets", min=1, help="Parts of the clients on Spark; default: by cores and rows."
    ),
]


@contextmanager
def chosen(engine: EngineName, master: str | None, buckets: int | None) -> Iterator[Opener | None]:
    """What opens the engine that the options name; None for the local one.

    Raises:
        UsageError: an option of Spark's is given without Spark.
    """
    if engine is EngineName.LOCAL:
        for option, given in (("master", master), ("buckets", buckets)):
            if given is not None:
                raise UsageError("spark.option-alone", option=option)
        yield None
        return
    from keepwell.api import spark

    with spark(master or "local[*]", buckets) as opener:
        yield opener


__all__ = ["BucketsOption", "EngineName", "EngineOption", "MasterOption", "chosen"]
