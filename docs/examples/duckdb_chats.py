"""Metrics of chats with DuckDB: it sorts the events, chatfsm reduces them, and it counts."""

import sys

import duckdb
import pyarrow as pa

from chatfsm.replay.batches import reduce_batches, table_schema

SORTED = """
    SELECT chat_id, received_at, seq, event FROM read_parquet(?)
    ORDER BY chat_id, received_at NULLS FIRST, seq
"""


def metrics(path: str) -> pa.RecordBatchReader:
    """Return the metrics of all chats of a Parquet file, batch by batch."""
    events = duckdb.connect().sql(SORTED, params=[path]).to_arrow_reader(10_000)
    chats = reduce_batches(events, "metrics")
    return pa.RecordBatchReader.from_batches(table_schema("metrics"), chats)


if __name__ == "__main__":
    chats = metrics(sys.argv[1])
    print(duckdb.sql("SELECT outcome, count(*), avg(queue_seconds) FROM chats GROUP BY ALL"))
