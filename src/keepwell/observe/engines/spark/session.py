"""A Spark session as keepwell needs it, and the faults of getting one in words."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from keepwell.core.errors import DataError, UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WAIT: Final = 120.0
"""Seconds to wait for the first executor of a cluster."""

_FIXED: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.ui.showConsoleProgress": "false",
}


def open_session(master: str, settings: Mapping[str, str] | None = None) -> SparkSession:
    """A session on a cluster whose executors run this Python and see this machine's folders.

    Args:
        master: Spark's master, such as `spark://host:7077` or `local[*]`.
        settings: further settings of Spark, by name; those set in the environment's
            spark-defaults.conf hold too.

    Raises:
        UsageError: pyspark is not installed, or the master cannot be read.
        DataError: no executor came within two minutes.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise UsageError("spark.library-missing") from error
    _reach(master)
    builder: Any = SparkSession.builder
    builder = builder.appName("keepwell").master(master)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    given = {"spark.ui.enabled": "false", **(settings or {}), **_FIXED}
    if os.environ.get("PYTHONPATH"):
        given.setdefault("spark.executorEnv.PYTHONPATH", os.environ["PYTHONPATH"])
    for name, value in given.items():
        builder = builder.config(name, value)
    try:
        session: SparkSession = builder.getOrCreate()
    except Exception as error:
        raise UsageError("spark.master-unreachable", master=master, why=_brief(error)) from error
    session.sparkContext.setLogLevel("ERROR")
    _await_executor(session, master)
    return session


def _reach(master: str) -> None:
    """A master of Spark's own that does not answer would be asked for a minute."""
    if not master.startswith("spark://"):
        return
    fault = None
    for place in master.removeprefix("spark://").split(","):
        host, _, port = place.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except (OSError, ValueError) as error:
            fault = error
        else:
            return
    raise UsageError("spark.master-unreachable", master=master, why=str(fault)) from fault


def _await_executor(session: SparkSession, master: str) -> None:
    """A cluster without workers would keep the first job waiting for ever."""
    if master.startswith("local"):
        return
    context: Any = session.sparkContext
    until = time.monotonic() + WAIT
    while context._jsc.sc().getExecutorMemoryStatus().size() < 2:  # the driver counts as one
        stopped = context._jsc.sc().isStopped()
        if stopped or time.monotonic() > until:
            session.stop()
            raise DataError("spark.workers-missing", master=master)
        time.sleep(0.2)


def _brief(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def failed(error: BaseException) -> DataError:
    """A job's failure in words: the last line of what the executor's Python said, if it did."""
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    python = [line for line in said if "Error" in line and not line.startswith("at ")]
    return DataError("spark.job-failed", why=(python or said or [type(error).__name__])[-1][:500])


__all__ = ["WAIT", "failed", "open_session"]
