"""Fresh processes that have done their imports: a kill then falls into the work, not before it.

One server forks them for all tests of a process, and it loads the modules that were named last:
so they are named once, here.
"""

from __future__ import annotations

import multiprocessing

from sqlalchemy import event

from keepwell.frame.context import Frame

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "babel.numbers",
        "pandas",
        "pyarrow.dataset",
        "catboost",
        "numba",
        "keepwell.cli",
        "keepwell.learn.run",
        "keepwell.observe.ingest",
        "keepwell.observe.spool_ingest",
        "keepwell.observe.workspace",
        "keepwell.web.app",
        "tests.crash.desk_child",
        "tests.crash.upkeep_child",
        "tests.crash.worker_child",
        "tests.crash.settled",
    ]
)


def ready() -> None:
    """Have the server run, all it needs loaded: whoever measures a child waits for that alone."""
    process = CONTEXT.Process(target=int)
    process.start()
    process.join(300)
    assert process.exitcode == 0


def hurry(frame: Frame) -> Frame:
    """Let SQLite not wait for the disk: that matters to a power cut, not to a killed process."""
    if frame.database.is_sqlite:

        @event.listens_for(frame.database.engine, "connect")
        def _hurry(connection, _record):
            connection.execute("pragma synchronous=off")

    return frame
