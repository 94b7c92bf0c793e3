"""Jobs of proofs."""

from __future__ import annotations

from typing import Any

from keepwell.core.errors import KeepwellError
from keepwell.frame.context import Frame
from keepwell.frame.logs import logger
from keepwell.jobs.registry import Lease, external
from keepwell.learn.kept.service import prove_kept

_log = logger("keepwell.kept")


@external("kept.prove", lease=3600)
def prove(frame: Frame, payload: dict[str, Any], lease: Lease) -> None:
    """Compute what was kept; where the lake or the draw do not suffice yet, the log says why."""
    from keepwell.observe.engines.local import LocalEngine

    del lease
    try:
        prove_kept(frame, LocalEngine.open(frame.workspace), period=payload.get("period"))
    except KeepwellError as error:
        _log.info("kept.not-proved", code=error.code, words=error.words("en"))
