"""Programs that count the chats of a log without a state machine.

`python -m tests.bench.workers.chat_counters WAY FILE` prints the numbers as JSON: chats, chats that
ended, and messages, without duplicates. Two messages are duplicates if party and msg_id are equal;
the programs know nothing else of a chat.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

__all__ = ["WAYS", "main"]

ENDS: Final = ("chat_session_ended", "chat_session_inactivity_timeout")
COLUMNS: Final = ("chat_id", "event", "party_id", "msg_id")
QUERY: Final = """
    select count(distinct chat_id),
           count(distinct chat_id)
               filter (event in ('chat_session_ended', 'chat_session_inactivity_timeout')),
           count(distinct (chat_id, upper(party_id), msg_id))
               filter (event = 'chat_session_message')
    from read_json(?, format = 'newline_delimited', columns = ?)
"""


def with_loop(path: str) -> tuple[int, ...]:
    """Count in a loop with orjson and sets."""
    import orjson  # noqa: PLC0415  # may not be installed

    chats, ended, messages = set(), set(), set()
    with Path(path).open("rb") as log:
        for line in log:
            event = orjson.loads(line)
            chat_id, name = event["chat_id"], event["event"]
            chats.add(chat_id)
            if name == "chat_session_message":
                messages.add((chat_id, event["party_id"].upper(), event["msg_id"]))
            elif name in ENDS:
                ended.add(chat_id)
    return len(chats), len(ended), len(messages)


def with_duckdb(path: str) -> tuple[int, ...]:
    """Count by a query of DuckDB on the file, with one thread."""
    import duckdb  # noqa: PLC0415  # may not be installed

    connection = duckdb.connect(config={"threads": 1})
    found: Any = connection.execute(QUERY, [path, dict.fromkeys(COLUMNS, "VARCHAR")]).fetchone()
    return tuple(found)


def with_polars(path: str) -> tuple[int, ...]:
    """Count by a lazy query of Polars on the file; the environment has POLARS_MAX_THREADS=1."""
    import polars as pl  # noqa: PLC0415  # may not be installed

    event, chat = pl.col("event"), pl.col("chat_id")
    message = pl.struct("chat_id", pl.col("party_id").str.to_uppercase(), "msg_id")
    found = (
        pl.scan_ndjson(path, schema=dict.fromkeys(COLUMNS, pl.String))
        .select(
            chat.n_unique().alias("chats"),
            chat.filter(event.is_in(ENDS)).n_unique().alias("ended"),
            message.filter(event == "chat_session_message").n_unique().alias("messages"),
        )
        .collect()
    )
    return tuple(int(number) for number in found.row(0))


WAYS: Final[dict[str, Callable[[str], tuple[int, ...]]]] = {
    "orjson": with_loop,
    "duckdb": with_duckdb,
    "polars": with_polars,
}


def main(way: str, path: str) -> None:
    """Print the counts of a file by one of the programs."""
    print(json.dumps(WAYS[way](path)))


if __name__ == "__main__":
    main(*sys.argv[1:])
