"""keepwell: keeps a broker's clients from leaving.

One loop: observe, warn, intervene, learn. As a library::

    import keepwell as kw

    workspace = kw.open("examples/fartrans")
    kw.ingest(workspace)
    result = kw.run(workspace)

`kw.experiment` holds the statistics of experiments; it needs no workspace. The verbs live in
`keepwell.api` and are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keepwell.core.version import __version__

if TYPE_CHECKING:
    from keepwell.api import compute, experiment, explain, ingest, open, prove, run, value

__all__ = [
    "__version__", "compute", "experiment", "explain", "ingest", "open", "prove", "run", "value",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:
        from keepwell import api

        return getattr(api, name)
    raise AttributeError(f"module 'keepwell' has no attribute {name!r}")
