"""A real standalone cluster: a master and two workers, each a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

SETTINGS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.executor.memory": "512m",
    # What these tests ask is small: compiled plans would cost more than they save.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@dataclass
class Cluster:
    """Where the master listens, and the workers' processes."""

    master: str
    workers: list[subprocess.Popen[bytes]]

    def executors(self) -> list[psutil.Process]:
        """The executors' processes, children of the workers."""
        return [
            child
            for worker in self.workers
            for child in psutil.Process(worker.pid).children(recursive=True)
            if any("CoarseGrainedExecutorBackend" in word for word in child.cmdline())
        ]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Started once, ended with what it started."""
    import pyspark

    folder = tmp_path_factory.mktemp("spark")
    home = str(Path(pyspark.__file__).parent)
    os.environ.update(
        SPARK_LOCAL_IP="127.0.0.1", JAVA_TOOL_OPTIONS=JAVA, PYSPARK_PYTHON=sys.executable
    )
    environment = {**os.environ, "SPARK_HOME": home, "SPARK_WORKER_DIR": str(folder)}
    port = _free_port()
    master = f"spark://127.0.0.1:{port}"

    def start(name: str, role: str, *options: str) -> subprocess.Popen[bytes]:
        command = [f"{home}/bin/spark-class", f"org.apache.spark.deploy.{role}", *options]
        with (folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    processes = [
        start("master", "master.Master", "--host", "127.0.0.1", "--port", str(port),
              "--webui-port", "0")
    ]  # fmt: skip
    try:
        _answers(port, processes[0])
        processes += [
            start(f"worker{n}", "worker.Worker", "--host", "127.0.0.1", "--webui-port", "0",
                  "--cores", "1", "--memory", "1g", master)
            for n in (1, 2)
        ]  # fmt: skip
        yield Cluster(master, processes[1:])
    finally:
        _stop_session()
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None, "the master ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the master does not listen")


def _stop_session() -> None:
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if session is not None:
        session.stop()
