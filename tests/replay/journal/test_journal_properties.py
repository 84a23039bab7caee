"""Properties: the journal of any session verifies."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import ChatSession, Settings
from chatfsm.effects import to_json
from chatfsm.errors import ChatError, ReplayDivergence, UnreadableLogError
from chatfsm.replay.journal import Recorded, input_to_json, parse_journal_line, verify
from chatfsm.testing.strategies import inputs as any_inputs
from chatfsm.testing.strategies import pauses

SMALL = Settings(max_ids=8, max_parties=2, max_typists=2, max_forms=2, max_candidates=2)
STRICT = Settings(strict=True, max_unsent=2, msg_id_format="chat_id:n", empty_file_ids=True)
settings = st.sampled_from((Settings(), SMALL, STRICT))
scripts = st.lists(st.tuples(any_inputs(), pauses()), max_size=8)


def feed(recorded: Any, script: list[tuple[Any, float]], start: float = 0.0) -> list[Any]:
    """Pass all inputs to the session, with pauses; return the effects or the error of each."""
    outcomes: list[Any] = []
    now = start
    for item, pause in script:
        now += pause
        try:
            outcomes.append([to_json(effect) for effect in recorded.receive(item, now=now)])
        except ChatError as error:
            outcomes.append(str(error))
    return outcomes


def recorded_outcomes(lines: list[str]) -> list[Any]:
    """The recorded effects or refusals of the entries of a journal."""
    entries = [json.loads(line) for line in lines]
    return [entry.get("out", entry.get("refused")) for entry in entries if "in" in entry]


@given(scripts, settings)
def test_the_journal_of_any_session_verifies(script: list[Any], chosen: Settings) -> None:
    """All inputs of a new session are recorded, and all entries verify."""
    lines: list[str] = []
    outcomes = feed(Recorded(ChatSession("chat-1", settings=chosen), lines.append), script)
    assert recorded_outcomes(lines) == json.loads(json.dumps(outcomes))
    assert verify(lines) == len(script)


@given(scripts, scripts, settings, pauses())
def test_the_journal_of_a_session_in_progress_verifies(
    before: list[Any], script: list[Any], chosen: Settings, clock: float
) -> None:
    """The header of a session in progress holds its snapshot, and all entries verify."""
    session = ChatSession("chat-1", settings=chosen)
    feed(session, before, clock)
    end = clock + sum(pause for _, pause in before)
    lines: list[str] = []
    feed(Recorded(session, lines.append), script, end)
    assert verify(lines) == len(script)


@given(scripts, scripts, settings, settings, pauses())
def test_a_journal_over_a_restart_verifies(
    first: list[Any], second: list[Any], one: Settings, other: Settings, clock: float
) -> None:
    """Two sessions in one file, with different settings and clocks, verify."""
    lines: list[str] = []
    session = ChatSession("chat-1", settings=one)
    feed(Recorded(session, lines.append), first)
    data = json.loads(json.dumps(session.snapshot(now=sum(pause for _, pause in first))))
    restored = ChatSession.restore(data, settings=other, now=clock)
    feed(Recorded(restored, lines.append), second, clock)
    assert verify(lines) == len(first) + len(second)


@given(st.lists(st.tuples(st.sampled_from("abc"), any_inputs(), pauses()), max_size=12))
def test_a_journal_of_interleaved_chats_verifies(script: list[Any]) -> None:
    """Several chats in one file, in any order, verify."""
    lines: list[str] = []
    chats = {
        chat_id: Recorded(ChatSession(chat_id, settings=SMALL), lines.append) for chat_id in "abc"
    }
    now = 0.0
    for chat_id, item, pause in script:
        now += pause
        feed(chats[chat_id], [(item, 0.0)], now)
    assert verify(lines) == len(script)


@given(scripts, settings)
def test_recording_changes_nothing(script: list[Any], chosen: Settings) -> None:
    """A recorded session gives the same effects and the same state as an unrecorded one."""
    recorded = Recorded(ChatSession("chat-1", settings=chosen), len)
    bare = ChatSession("chat-1", settings=chosen)
    assert feed(recorded, script) == feed(bare, script)
    assert recorded.session == bare


@given(any_inputs())
def test_an_input_is_the_same_again(item: Any) -> None:
    """An input is unchanged after a round trip through JSON."""
    line = {"v": 1, "chat_id": "c", "seq": 0, "at": 0, "in": input_to_json(item), "out": []}
    entry = parse_journal_line(json.loads(json.dumps(line)))
    assert type(entry.item) is type(item)
    assert input_to_json(entry.item) == input_to_json(item)


@given(st.lists(st.tuples(any_inputs(), pauses()), min_size=1, max_size=8), st.data())
def test_effects_that_were_altered_are_found(script: list[Any], data: st.DataObject) -> None:
    """One additional effect in any line is found, and that line is named."""
    lines: list[str] = []
    feed(Recorded(ChatSession("chat-1"), lines.append), script)
    number = data.draw(st.integers(2, len(lines)))
    entry = json.loads(lines[number - 1])
    entry["out"] = [*entry.pop("out", []), {"effect": "tampered"}]
    entry.pop("refused", None)
    lines[number - 1] = json.dumps(entry)
    with pytest.raises(ReplayDivergence) as caught:
        verify(lines)
    assert caught.value.where == f"line {number}"
    assert caught.value.expected == entry["out"]


@given(st.lists(st.one_of(st.text(max_size=20), st.binary(max_size=20)), min_size=1, max_size=3))
def test_other_content_does_not_verify(lines: list[str | bytes]) -> None:
    """Any other content either has no entry or raises UnreadableLogError."""
    agreed = 0
    with suppress(UnreadableLogError):
        agreed = verify(lines)
    assert agreed == 0


@given(scripts, st.data())
def test_no_change_of_a_journal_breaks_verify(script: list[Any], data: st.DataObject) -> None:
    """A line with a replaced value verifies, diverges or is unreadable; nothing else happens."""
    lines: list[str] = []
    feed(Recorded(ChatSession("chat-1"), lines.append), [*script, *script])
    if not lines:
        assert verify(lines) == 0
        return
    number = data.draw(st.integers(0, len(lines) - 1))
    entry = json.loads(lines[number])
    key = data.draw(st.sampled_from(sorted(entry)))
    odd = st.sampled_from((None, "", 0, -1, "x", [], {}, [1], {"input": 1}, 1e308, True))
    where = entry
    if isinstance(entry[key], dict) and entry[key] and data.draw(st.booleans()):
        where, key = entry[key], data.draw(st.sampled_from(sorted(entry[key])))
    where[key] = data.draw(odd)
    lines[number] = json.dumps(entry)
    outcomes = "line 0: as before"
    try:
        assert verify(lines) == len(script) * 2
    except (ReplayDivergence, UnreadableLogError) as error:
        outcomes = str(error)
    assert outcomes.startswith("line ")
