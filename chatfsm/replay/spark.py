"""Spark: chats of a DataFrame of events, replayed by all workers at once.

    from pyspark.sql import SparkSession
    from chatfsm.replay import spark as chats

    events = SparkSession.builder.getOrCreate().read.parquet("events.parquet")
    chats.metrics(events).groupBy("outcome").count().show()

The columns of the events are `chatfsm.replay.batches.EVENT_COLUMNS`; further ones are ignored, and
their order is of no importance: the chats are distributed by chat_id, and the events of each are
sorted by received_at and seq. A row of the result is a chat, as `chatfsm.replay.batches.TABLES`
describes it. Events without a chat_id are in one row without a chat_id, which counts them.

A worker has one chat in memory at a time. It needs chatfsm, and pyarrow and pandas of the extra
`spark`. For a stream of events that has no end, see `chatfsm.replay.spark_streaming`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from chatfsm.errors import ChatError
from chatfsm.replay.batches import ArrowBatch, Table, reduce_batches, table_schema
from chatfsm.settings import Settings

__all__ = ["DataFrame", "metrics", "replay", "spark_module"]

DataFrame = Any
"""A `pyspark.sql.DataFrame`."""


def spark_module(name: str) -> Any:
    """Return a module of pyspark. Raises `ChatError` if it is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ChatError(f"Spark needs {error.name}: pip install 'chatfsm[spark]'") from None


def replay(events: DataFrame, *, settings: Settings | None = None) -> DataFrame:
    """Return a DataFrame with the state and the statistics of each chat, as `ChatSummary`.

    It is lazy, as all of Spark: `ViolationError` of strict settings, like all errors of a worker,
    is the cause of the error of the action that computes it. Raises `ChatError` if pyspark is
    missing.
    """
    return _reduced(events, "replay", settings)


def metrics(events: DataFrame, *, settings: Settings | None = None) -> DataFrame:
    """Return a DataFrame with the metrics of each chat, as `MeasuredChat`; as lazy as `replay`."""
    return _reduced(events, "metrics", settings)


def _reduced(events: DataFrame, table: Table, settings: Settings | None) -> DataFrame:
    col = spark_module("pyspark.sql.functions").col
    types = spark_module("pyspark.sql.pandas.types")

    def reduced(batches: Iterable[ArrowBatch]) -> Iterator[ArrowBatch]:
        return reduce_batches(batches, table, settings=settings)

    chosen = events.select(
        col("chat_id").cast("string"),
        col("received_at").cast("double"),
        col("seq").cast("long"),
        col("event").cast("string"),
    )
    chats = chosen.repartition("chat_id").sortWithinPartitions("chat_id", "received_at", "seq")
    return chats.mapInArrow(reduced, types.from_arrow_schema(table_schema(table)))
