"""A standalone Spark cluster on this machine: a master and workers, each a process of its own.

For tests and benchmarks of engines; it needs `pyspark` and Java, and listens on loopback only.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

WAIT: Final = 120.0
"""Seconds to wait for the master."""

SETTINGS: Final = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
"""What a session on such a cluster needs."""


@dataclass
class Cluster:
    """A running cluster.

    Attributes:
        master: its address.
        workers: the workers' processes.
    """

    master: str
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)


@contextmanager
def standalone(
    folder: Path, workers: int = 2, memory: str = "1g", java: str = ""
) -> Iterator[Cluster]:
    """Start a cluster whose workers have one core each; it ends with the block.

    Args:
        folder: for logs and the workers' files.
        workers: how many.
        memory: of each worker, for its executors' JVM.
        java: options of all its JVMs.

    Raises:
        RuntimeError: the master does not come up.
    """
    import pyspark

    home = str(Path(pyspark.__file__).parent)
    environment = {
        **os.environ, "SPARK_HOME": home, "SPARK_WORKER_DIR": str(folder),
        "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable, "JAVA_TOOL_OPTIONS": java,
    }  # fmt: skip
    port = _free_port()
    cluster = Cluster(f"spark://127.0.0.1:{port}")

    def start(name: str, role: str, *options: str) -> subprocess.Popen[bytes]:
        script = f"{home}/bin/spark-class"
        command = [script, f"org.apache.spark.deploy.{role}", "--host", "127.0.0.1",
                   "--webui-port", "0", *options]  # fmt: skip
        with (folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603

    head = start("master", "master.Master", "--port", str(port))
    try:
        _await_port(port, head)
        for n in range(workers):
            worker = start(
                f"worker{n}", "worker.Worker", "--cores", "1", "--memory", memory, cluster.master
            )
            cluster.workers.append(worker)
        yield cluster
    finally:
        for process in (*cluster.workers, head):
            process.terminate()
        for process in (*cluster.workers, head):
            process.wait(WAIT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + WAIT
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the master of the cluster does not listen")


__all__ = ["SETTINGS", "Cluster", "standalone"]
