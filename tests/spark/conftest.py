"""A real standalone cluster: a master and two workers, each a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from keepwell.testing.spark_cluster import SETTINGS as LOOPBACK
from keepwell.testing.spark_cluster import Cluster, standalone

SETTINGS = {
    **LOOPBACK,
    "spark.executor.memory": "512m",
    # What these tests ask is small: compiled plans would cost more than they save.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Started once, ended with what it started."""
    from pyspark.sql import SparkSession

    os.environ.update(
        SPARK_LOCAL_IP="127.0.0.1", JAVA_TOOL_OPTIONS=JAVA, PYSPARK_PYTHON=sys.executable
    )
    with standalone(tmp_path_factory.mktemp("spark"), java=JAVA) as found:
        yield found
        session = SparkSession.getActiveSession()
        if session is not None:
            session.stop()


@pytest.fixture
def executors(cluster: Cluster) -> list[psutil.Process]:
    """The executors' processes, children of the workers."""
    found = []
    for worker in cluster.workers:
        for child in psutil.Process(worker.pid).children(recursive=True):
            with suppress(psutil.Error):  # it has just ended
                if any("CoarseGrainedExecutorBackend" in word for word in child.cmdline()):
                    found.append(child)
    return found
