"""Strategies of logs with any content in any order."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from chatfsm import ChatSession, Tick
from chatfsm._protocol.codec import decode_item
from chatfsm.replay.journal import Recorded
from chatfsm.testing.strategies import odd_wire_events, wire_events

CHATS = ("a", "b", "c", "d", "é", "a b", "x" * 1_025)
chat_ids = st.sampled_from(CHATS)
_whatever_ids = st.one_of(chat_ids, st.sampled_from((17, None, ["a"])))

_spacing = st.sampled_from(((",", ":"), (", ", ": ")))


@st.composite
def _written(draw: st.DrawFn, value: Any) -> bytes:
    """A value as JSON in one of several styles."""
    text = json.dumps(value, separators=draw(_spacing), ensure_ascii=draw(st.booleans()))
    return text.encode("utf-8", "replace")


@st.composite
def _named(draw: st.DrawFn, *, odd: bool = False) -> Any:
    """An event with its chat_id, first or last."""
    item = draw(odd_wire_events() if odd else wire_events())
    if not isinstance(item, dict):
        return item
    named = {"chat_id": draw(_whatever_ids)}
    return {**named, **item} if draw(st.booleans()) else {**item, **named}


_events = st.one_of(_named(), _named(), wire_events(), _named(odd=True))
_shapes = st.one_of(
    st.fixed_dictionaries(
        {"events": st.lists(_events, max_size=3)}, optional={"chat_id": chat_ids}
    ),
    st.lists(_events, max_size=3),
    st.fixed_dictionaries(
        {
            "sessions": st.lists(
                st.fixed_dictionaries(
                    {"chat_id": chat_ids, "events": st.lists(_events, max_size=2)}
                ),
                max_size=2,
            )
        }
    ),
    st.fixed_dictionaries({"chat_id": chat_ids, "state": st.just("queued")}),
    st.fixed_dictionaries({"event": st.just("chat_session_signaling"), "data": _named()}),
)
_TRAPS = (
    b"",
    b" ",
    b"\xef\xbb\xbf",
    b"broken",
    b'{"chat_id":"a","event":}',
    b'{"chat_id":"b","event":"chat_session_ended"',
    b'{"chat_id":"a","chat_id":"b","event":"chat_session_ended"}',
    b'{"chat_id":"a","chat\\u005fid":"b","event":"chat_session_ended"}',
    b'{"chat\\u005Fid":"b","event":"chat_session_ended","x":{"chat_id":"a"}}',
    b'{"a\\"chat_id":"c","event":"chat_session_ended"}',
    b'{"event":"chat_session_message","msg":"\\"chat_id\\":\\"a\\"","chat_id":"b"}',
    b'{"event":"chat_session_ended","x":{"chat_id":"a"}}',
    b'{"chat_id" : "a","event":"chat_session_ended"}',
    b'{"chat_id":"","event":"chat_session_ended"}',
    b'{"chat_id":"a\tb","event":"chat_session_ended"}',
    b'{"chat_id":"\xff","event":"chat_session_ended"}',
    b'{"chat_id":"a","event":"chat_session_message","msg":"\xff"}',
    b'{"chat_id":"a","event":"chat_session_status","state":"ivr"} {}',
    b'{"chat_id":"a","sessions":{}}',
    b'{"chat_id":"b","v":1,"in":{},"event":"chat_session_typing"}',
    b'{"chat_id":"a","v":99,"in":5}',
)


@st.composite
def journals(draw: st.DrawFn) -> list[bytes]:
    """The lines of a journal of one chat; one of them may be wrong."""
    lines: list[str] = []
    session = Recorded(ChatSession(draw(chat_ids)), lines.append)
    for number, item in enumerate(draw(st.lists(wire_events(), min_size=1, max_size=3))):
        session.receive(decode_item(item), now=float(number))
    session.receive(Tick(), now=1_000.0)
    written = [line.strip().encode() for line in lines]
    if draw(st.integers(0, 3)) == 0:
        place = draw(st.integers(0, len(written) - 1))
        written[place] = written[place].replace(b'"at": ', b'"at": 1')
    return written


lines = st.one_of(
    _named().flatmap(_written),
    _named().flatmap(_written),
    _named().flatmap(_written),
    _named(odd=True).flatmap(_written),
    _shapes.flatmap(_written),
    st.sampled_from(_TRAPS),
)
"""Strategy of one line, valid in most cases."""

_many = st.one_of(lines.map(lambda line: [line]), lines.map(lambda line: [line]), journals())


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """A file: lines, few of them of a journal; or one document over several lines."""
    if draw(st.integers(0, 9)) == 0:
        return json.dumps(draw(_shapes), indent=1).encode()
    parts = draw(st.lists(_many, max_size=14))
    end = draw(st.sampled_from((b"\n", b"\n", b"\r\n")))
    return end.join(line for part in parts for line in part) + draw(st.sampled_from((b"", end)))
