"""Metrics of chats with Polars: it sorts the events, chatfsm reduces them, and it counts."""

import sys

import polars as pl
import pyarrow as pa

from chatfsm.replay.batches import reduce_batches, table_schema


def metrics(path: str) -> pl.DataFrame:
    """Return the metrics of all chats of a Parquet file."""
    events = pl.scan_parquet(path).sort("chat_id", "received_at", "seq").collect().to_arrow()
    chats = reduce_batches(events.to_batches(), "metrics")
    return pl.from_arrow(pa.Table.from_batches(chats, table_schema("metrics")))


if __name__ == "__main__":
    chats = metrics(sys.argv[1])
    print(chats.group_by("outcome").agg(pl.len(), pl.col("queue_seconds").mean()))
