"""What is done for many lines at once gives what is done for each."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatfsm._cli.replay_outputs import Summary
from chatfsm._protocol import json_input
from chatfsm.errors import UnreadableLogError
from chatfsm.replay import sharding
from chatfsm.replay.formats import records
from chatfsm.replay.sharding import Shard, chat_id_of_line, line_ranges
from chatfsm.replay.sources import Source
from tests.cli.parallel.mixed import lines, logs

# The folder is written anew for each example.
many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

GOOD = (
    b'{"chat_id":"a","event":"chat_session_status","state":"ivr"}',
    b'{"channel":"web","chat_id":"a","event":"chat_session_message","msg":"x"}',
    b'{"chat_id":"b","event":"chat_session_signaling","data":{"type":"END_CALL"}}',
    b'{"chat_id": "b", "event": "chat_session_ended"}',
    b'{"chat_id":"c","event":"chat_session_message","msg":"\\u4f60 \\"x\\""}',
)
# Each nearly what a run of plain lines is made of.
ALMOST = (
    b'{"data":{"chat_id":"a"},"event":"e"}',
    b'{"chat_id":"a","chat_id":"b","event":"e"}',
    b'{"chat_id":"a","chat\\u005fid":"b","event":"e"}',
    b'{"x\\"chat_id":"a","event":"e"}',
    b'{"event":"e"}',
    b'{"chat_id":"a","events":[]}',
    b'{"chat_id":"a","v":99,"in":5}',
    b'{"chat_id":"a',
    b'{"chat_id":"a}',
    b'"chat_id":"a"}',
    b' {"chat_id":"a","event":"e"}',
    b'{"chat_id":"a","event":"e"} ',
    b'{"x":"chat_id","event":"e"}',
    b"",
)
some_lines = st.one_of(st.sampled_from(GOOD), st.sampled_from(GOOD), st.sampled_from(ALMOST), lines)
runs_of_lines = st.lists(st.tuples(some_lines, st.integers(1, 70)), max_size=6).map(
    lambda found: [line for line, times in found for _ in range(times)]
)


@given(found=runs_of_lines, index=st.integers(0, 2), end=st.sampled_from((b"\n", b"\r\n")))
def test_what_is_skipped_is_of_other_shards(found: list[bytes], index: int, end: bytes) -> None:
    """Each line of a stretch by itself is of the chat that the stretch is said to be of."""
    shard = Shard(index, 3)
    ended = [line + end for line in found]
    place = 0
    for start, stop, others in line_ranges(ended, shard):
        assert start == place < stop
        place = stop
        if others is not None:
            assert {chat_id_of_line(line) for line in ended[start:stop]} == {others}
            assert not shard.owns(others)
    assert place == len(ended)


@given(found=st.lists(st.sampled_from(GOOD), min_size=1, max_size=200))
def test_all_that_is_seen_to_be_of_other_shards_is_skipped(found: list[bytes]) -> None:
    """Where nothing is odd, no line that others hear is left."""
    shard = Shard(1, 2)
    ended = [line + b"\n" for line in found]
    wanted = [
        line
        for start, end, others in line_ranges(ended, shard)
        if others is None
        for line in ended[start:end]
    ]
    assert wanted == [line for line in ended if shard.owns(chat_id_of_line(line) or b"")]


@many
@given(data=logs())
def test_lines_that_are_parsed_together_are_what_each_is(runs: Any, data: bytes) -> None:
    """The same records, in the same order, from the same places."""
    path = runs.writes("a.jsonl", data)
    together = _told(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_input, "parse_lines", lambda lines: [None] * len(lines))
        assert _told(path) == together


_happenings = st.sampled_from(
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
    """A log of few chats, of which several events stand together, and time passes or does not."""
    written, clock = [], 1_000
    happenings = st.lists(st.tuples(_happenings, st.sampled_from((None, 0, 1, 40))), max_size=12)
    for chat_id, events in draw(st.lists(st.tuples(st.sampled_from("abc"), happenings))):
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
    """The same summary, errors and status, with each record by itself, and with each step."""
    path = runs.writes("a.jsonl", data)
    at_once = runs.alone("--summary", *words, path)
    assert runs.alone("--summary", "--close-after=1e12", *words, path) == at_once
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Summary, "wants_steps", True)
        assert runs.alone("--summary", *words, path) == at_once


def _told(path: str) -> list[Any]:
    told: list[Any] = []
    try:
        told.extend(
            (record.chat_id, record.event, record.where, record.raw)
            for record in records(Source(path))
        )
    except UnreadableLogError as error:
        told.append(str(error))
    return told


def test_ids_are_not_remembered_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many chats there are, and each is looked up again where it was forgotten."""
    monkeypatch.setattr(sharding, "_MAX_KNOWN_IDS", 3)
    shard = Shard(0, 2)
    for number in range(20):
        chat_id = b"c%d" % (number % 7)
        assert shard.look_up(chat_id) is shard.owns(chat_id)
        assert len(shard.known) <= 3


def test_all_digits_of_a_number_are_reported(runs: Any) -> None:
    """A number that was rounded where lines are parsed together is read again by itself."""
    digits = b"12345678901234567890123"
    odd = b'{"chat_id":"a","event":"weather","degrees":%s}' % digits
    path = runs.writes("a.jsonl", b"\n".join((GOOD[0], odd, GOOD[1])))
    assert digits.decode() in runs.alone("--json", path).out
