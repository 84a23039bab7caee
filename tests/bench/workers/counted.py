"""One work on so many chats, in a process whose instructions are counted."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from typing import Any, Final

from chatfsm import decode_lines
from tests.bench.floor import Floor
from tests.bench.hearing import hear_all, heard, line_by_line, lines_to_effects
from tests.bench.lean_floor import LeanFloor
from tests.bench.rows.sessions import LIBRARIES
from tests.bench.workers.lines import AT_ONCE, LINE_BY_LINE, ORJSON, STDLIB
from tests.bench.workloads import Chat, chats

__all__ = ["main"]

FLOORS: Final[dict[str, Callable[[str], Any]]] = {"floor": Floor, "lean floor": LeanFloor}


def main(name: str, count: int, made: int) -> None:
    """Do the work of this name on the first `count` of so many chats that are made."""
    do, prepared = _work(name, chats(made))
    gc.disable()
    for each in prepared[:count]:
        do(each)


def _work(name: str, log: list[Chat]) -> tuple[Callable[[Any], object], list[Any]]:
    """What is done with each, and what is prepared of each chat."""
    if name == "chatfsm":
        return lambda chat: hear_all([chat]), list(map(heard, log))
    makers = FLOORS | {
        library.name: made for library in LIBRARIES if (made := library.maker()) is not None
    }
    if name in makers:
        return lambda chat: _hear(makers[name](chat.chat_id).receive, chat), list(map(heard, log))
    lines = [(chat.chat_id, chat.lines()) for chat in log]
    if name == AT_ONCE:
        texts = [(chat_id, b"\n".join(text)) for chat_id, text in lines]
        return lambda chat: lines_to_effects(chat[0], decode_lines(chat[1])), texts
    if name == LINE_BY_LINE:
        return lambda chat: lines_to_effects(chat[0], line_by_line(chat[1])), lines
    parse: Any = {STDLIB: json.loads}.get(name)
    if name == ORJSON:
        import orjson  # noqa: PLC0415  # it may not be there

        parse = orjson.loads
    return lambda chat: [parse(line) for line in chat[1]], lines


def _hear(receive: Callable[[Any, float], object], chat: Any) -> None:
    for event, now in chat.timed:
        receive(event, now)
