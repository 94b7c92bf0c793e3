"""Spark as an engine: buckets of clients, the same SQL for tiles, the same kernels for answers."""

from keepwell.observe.engines.spark.engine import SparkEngine

__all__ = ["SparkEngine"]
