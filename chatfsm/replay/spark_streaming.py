"""Spark Structured Streaming: the effects of live chats, as the events come.

    from chatfsm.replay.spark_streaming import watch

    effects = watch(spark.readStream.table("events"), delay="30 seconds")
    query = effects.writeStream.option("checkpointLocation", folder).toTable("effects")

The columns of the events are those of a batch (`chatfsm.replay.batches.EVENT_COLUMNS`), and those
of the result are `chatfsm.replay.watched_chat.EFFECT_COLUMNS`: a row an effect.

Events may come late, by up to `delay`, in any order and more than once: a chat handles them in the
order of received_at and seq when the watermark is past them, so its effects are those of a sorted
log, `delay` later. Deadlines, such as that of a form, are event-time timers: they fire when the
watermark is past them, even if no event of their chat follows. The state of a chat is a
`WatchedChat`, with the snapshot of its session; it is kept from the first event until no event has
come for `close_after` seconds.

Events that come later than `delay` are dropped and counted by Spark, in `numRowsDroppedByWatermark`
of the query's progress. Those without a chat_id are counted in its observed metrics, as
`without_chat_id` of `chatfsm`. An event without a received_at is received when Spark reads it.

Spark 4 keeps the state by `transformWithStateInPandas`, which needs protobuf, and the state store
RocksDB; earlier versions by `applyInPandasWithState`:

    spark.conf.set(
        "spark.sql.streaming.stateStore.providerClass",
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
    )
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from math import ceil
from typing import Any, Final

from attrs import frozen

from chatfsm._protocol.structuring import LONGEST_ID
from chatfsm.replay.arrow_schema import arrow_library, column_schema
from chatfsm.replay.spark import DataFrame, spark_module
from chatfsm.replay.watched_chat import CLOSE_AFTER, EFFECT_COLUMNS, WatchedChat, WatchedEvent
from chatfsm.settings import Settings

__all__ = ["watch"]

_STATE: Final = "chat string, timer long"
_State = tuple[str, int]
"""A chat as JSON, and its timer in milliseconds since 1970."""


def watch(
    events: DataFrame,
    *,
    delay: str = "10 seconds",
    close_after: float = CLOSE_AFTER,
    settings: Settings | None = None,
) -> DataFrame:
    """Return a streaming DataFrame with the effects of all chats of a streaming DataFrame.

    `delay`: how much later than others an event may come, as an interval of Spark. `close_after`:
    seconds, more than 0, without an event after which a chat is forgotten. `settings`: strict ones
    end the query at the first violation of the protocol. Use the output mode `append`.

    Raises `ChatError` if pyspark is missing.
    """
    if not close_after > 0:
        raise ValueError(f"close_after must be greater than 0 seconds, not {close_after}")
    functions = spark_module("pyspark.sql.functions")
    col, has_id = functions.col, functions.length("chat_id").between(1, LONGEST_ID)
    received_at = functions.coalesce(
        col("received_at").cast("timestamp"), functions.current_timestamp()
    )
    chosen = events.select(
        col("chat_id").cast("string"),
        received_at.alias("received_at"),
        functions.coalesce(col("seq").cast("long"), functions.lit(0)).alias("seq"),
        functions.coalesce(col("event").cast("string"), functions.lit("")).alias("event"),
    )
    unnamed = functions.count_if(~functions.coalesce(has_id, functions.lit(False)))
    chats = (
        chosen.withWatermark("received_at", delay)
        .observe("chatfsm", unnamed.alias("without_chat_id"))
        .where(has_id)
        .withColumn("at", col("received_at").cast("double"))
        .groupBy("chat_id")
    )
    return _with_state(chats, _Turns(settings, close_after))


@frozen
class _Turns:
    """Takes the turns of all chats: each goes from one state of a chat to the next."""

    settings: Settings | None
    close_after: float

    def take(
        self, key: tuple[str], state: _State | None, frames: Iterable[Any], watermark: int
    ) -> tuple[list[dict[str, Any]], _State | None]:
        """Give a chat its new events, and advance it to the watermark, in milliseconds.

        Returns the rows of the effects, and the new state, or None if the chat is forgotten.
        """
        if state is None:
            chat = WatchedChat.new(key[0], self.settings)
        else:
            chat = WatchedChat.from_json(state[0], self.settings)
        chat.receive(event for frame in frames for event in _events(frame))
        now = watermark / 1000
        rows = chat.advance(now)
        if chat.is_silent(now, self.close_after):
            return rows, None
        timer = ceil(chat.deadline(self.close_after) * 1000)
        return rows, (chat.to_json(), max(timer, watermark + 1))


def _events(frame: Any) -> Iterator[WatchedEvent]:
    columns = (frame[name].tolist() for name in ("at", "seq", "event"))
    return zip(*columns, strict=True)


def _with_state(chats: Any, turns: _Turns) -> DataFrame:
    """Keep the state of each chat by the newest means that this version of Spark has."""
    columns = column_schema(EFFECT_COLUMNS, arrow_library("Spark"))
    schema = spark_module("pyspark.sql.pandas.types").from_arrow_schema(columns)
    if hasattr(chats, "transformWithStateInPandas"):
        return chats.transformWithStateInPandas(_processor(turns), schema, "append", "EventTime")
    timeout = spark_module("pyspark.sql.streaming.state").GroupStateTimeout.EventTimeTimeout
    function = partial(_apply, turns)
    return chats.applyInPandasWithState(function, schema, _STATE, "append", timeout)


def _frames(rows: list[dict[str, Any]]) -> Iterator[Any]:
    """Yield the rows as a frame of pandas, if there are some."""
    if rows:
        yield spark_module("pandas").DataFrame(rows)


def _apply(turns: _Turns, key: tuple[str], frames: Iterable[Any], state: Any) -> Iterator[Any]:
    """Take a turn of a chat, for `applyInPandasWithState`."""
    before = state.get if state.exists else None
    rows, after = turns.take(
        key, before, () if state.hasTimedOut else frames, state.getCurrentWatermarkMs()
    )
    if after is None:
        state.remove()
    else:
        state.update(after)
        state.setTimeoutTimestamp(after[1])
    yield from _frames(rows)


def _processor(turns: _Turns) -> Any:
    """Return the processor of a chat, for `transformWithStateInPandas`."""
    processor: Any = spark_module("pyspark.sql.streaming").StatefulProcessor

    class ChatProcessor(processor):  # type: ignore[misc]  # pyspark is imported when it is needed
        """Takes the turns of all chats: new events, and timers."""

        def init(self, handle: Any) -> None:
            self._handle = handle
            self._state = handle.getValueState("chat", _STATE)

        def handleInputRows(  # noqa: N802
            self,
            key: Any,
            rows: Any,
            timerValues: Any,  # noqa: N803
        ) -> Iterator[Any]:
            return self._turn(key, rows, timerValues)

        def handleExpiredTimer(  # noqa: N802
            self,
            key: Any,
            timerValues: Any,  # noqa: N803
            expiredTimerInfo: Any,  # noqa: ARG002, N803
        ) -> Iterator[Any]:
            return self._turn(key, (), timerValues)

        def close(self) -> None:
            pass

        def _turn(self, key: Any, frames: Iterable[Any], timers: Any) -> Iterator[Any]:
            before = tuple(self._state.get()) if self._state.exists() else None
            rows, after = turns.take(key, before, frames, timers.getCurrentWatermarkInMs())
            for timer in [*self._handle.listTimers()]:
                self._handle.deleteTimer(timer)
            if after is None:
                self._state.clear()
            else:
                self._state.update(after)
                self._handle.registerTimer(after[1])
            yield from _frames(rows)

    return ChatProcessor()
