"""One work on a number of chats, in a process whose instructions are counted."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from typing import Any, Final

from chatfsm import decode_lines
from tests.bench.event_carrying_reducer import EventCarryingReducer
from tests.bench.plain_reducer import PlainReducer
from tests.bench.rows.sessions import EVENTS_IN_EFFECTS, LIBRARIES, PLAIN
from tests.bench.usage import decode_chat, decode_each, feed_all, feed_events
from tests.bench.workers.lines import AT_ONCE, LINE_BY_LINE, ORJSON, STDLIB
from tests.bench.workloads import Chat, chats

__all__ = ["main"]

REDUCERS: Final[dict[str, Callable[[str], Any]]] = {
    PLAIN: PlainReducer,
    EVENTS_IN_EFFECTS: EventCarryingReducer,
}


def main(name: str, count: int, made: int) -> None:
    """Do the work of this name on the first `count` of `made` generated chats."""
    do, prepared = _work(name, chats(made))
    gc.disable()
    for each in prepared[:count]:
        do(each)


def _work(name: str, log: list[Chat]) -> tuple[Callable[[Any], object], list[Any]]:
    """Return the function that does the work on one chat, and its argument for each chat."""
    if name == "chatfsm":
        return lambda chat: feed_all([chat]), list(map(decode_chat, log))
    makers = REDUCERS | {
        library.name: made for library in LIBRARIES if (made := library.maker()) is not None
    }
    if name in makers:
        decoded = list(map(decode_chat, log))
        return lambda chat: _feed(makers[name](chat.chat_id).receive, chat), decoded
    lines = [(chat.chat_id, chat.lines()) for chat in log]
    if name == AT_ONCE:
        texts = [(chat_id, b"\n".join(text)) for chat_id, text in lines]
        return lambda chat: feed_events(chat[0], decode_lines(chat[1])), texts
    if name == LINE_BY_LINE:
        return lambda chat: feed_events(chat[0], decode_each(chat[1])), lines
    parse: Any = {STDLIB: json.loads}.get(name)
    if name == ORJSON:
        import orjson  # noqa: PLC0415  # may not be installed

        parse = orjson.loads
    return lambda chat: [parse(line) for line in chat[1]], lines


def _feed(receive: Callable[[Any, float], object], chat: Any) -> None:
    for event, now in chat.timed:
        receive(event, now)
