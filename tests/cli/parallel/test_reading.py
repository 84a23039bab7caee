"""Reading many lines at once gives the same records as reading each alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatfsm._cli.replay_outputs import Summary
from chatfsm._protocol import json_input
from chatfsm.errors import UnreadableLogError
from chatfsm.replay.formats import records
from chatfsm.replay.sources import Source
from tests.cli.parallel.mixed import logs

# The directory is shared by all examples, and each writes its file again.
many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

GOOD = (
    b'{"chat_id":"a","event":"chat_session_status","state":"ivr"}',
    b'{"channel":"web","chat_id":"a","event":"chat_session_message","msg":"x"}',
    b'{"chat_id":"b","event":"chat_session_signaling","data":{"type":"END_CALL"}}',
    b'{"chat_id": "b", "event": "chat_session_ended"}',
    b'{"chat_id":"c","event":"chat_session_message","msg":"\\u4f60 \\"x\\""}',
)


@many
@given(data=logs())
def test_lines_parsed_together_give_the_same_records(runs: Any, data: bytes) -> None:
    """The records, their order and their places are the same."""
    path = runs.writes("a.jsonl", data)
    together = _results(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_input, "parse_lines", lambda lines: [None] * len(lines))
        assert _results(path) == together


_event_items = st.sampled_from(
    (
        {"event": "chat_session_status", "state": "connected"},
        {"event": "chat_session_party_joined", "party_id": "p", "type": "internal"},
        {"event": "chat_session_message", "party_id": "p", "msg_id": "1", "msg": "x"},
        {"event": "chat_session_message", "party_id": "p", "msg": "y"},
        {"event": "chat_session_typing", "party_id": "p"},
        {"event": "chat_session_form_show", "form_request_id": "1", "form_timeout": 5},
        {"event": "chat_session_party_left", "party_id": "nobody"},
        {"event": "chat_session_weather"},
        {"event": "chat_session_ended"},
    )
)


@st.composite
def chats_in_runs(draw: st.DrawFn) -> bytes:
    """A log of few chats, with runs of their events, in which the time may stand still."""
    written, clock = [], 1_000
    timed_events = st.lists(st.tuples(_event_items, st.sampled_from((None, 0, 1, 40))), max_size=12)
    for chat_id, events in draw(st.lists(st.tuples(st.sampled_from("abc"), timed_events))):
        for event, later in events:
            clock += later or 0
            stamped = {} if later is None else {"timestamp": str(clock)}
            written.append(json.dumps({"chat_id": chat_id, **event, **stamped}))
    return "\n".join(written).encode()


@many
@given(
    data=st.one_of(logs(), chats_in_runs(), chats_in_runs()),
    words=st.sampled_from(([], [], ["--strict"], ["--chat-id=c", "--fail-on=any"])),
)
def test_runs_are_fed_as_each_record_is(runs: Any, data: bytes, words: list[str]) -> None:
    """Summary, errors and exit code are the same with single records and with steps."""
    path = runs.writes("a.jsonl", data)
    at_once = runs.alone("--summary", *words, path)
    assert runs.alone("--summary", "--close-after=1e12", *words, path) == at_once
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Summary, "wants_steps", True)
        assert runs.alone("--summary", *words, path) == at_once


def _results(path: str) -> list[Any]:
    results: list[Any] = []
    try:
        results.extend(
            (record.chat_id, record.event, record.where, record.raw)
            for record in records(Source(path))
        )
    except UnreadableLogError as error:
        results.append(str(error))
    return results


def test_all_digits_of_a_number_are_reported(runs: Any) -> None:
    """A number that is rounded in parsing many lines is parsed again with all digits."""
    digits = b"12345678901234567890123"
    odd = b'{"chat_id":"a","event":"weather","degrees":%s}' % digits
    path = runs.writes("a.jsonl", b"\n".join((GOOD[0], odd, GOOD[1])))
    assert digits.decode() in runs.alone("--json", path).out
