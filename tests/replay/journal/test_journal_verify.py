"""`verify`: journals that agree, journals that diverge, and files that are not journals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chatfsm import ChatSession, Tick, commands
from chatfsm.errors import ReplayDivergence, UnreadableLogError
from chatfsm.replay.journal import verify

PRIVATE_TEXT = "a text that somebody wrote"


def altered(lines: list[str], number: int, change: Callable[[dict[str, Any]], object]) -> list[str]:
    """The journal with one line changed; lines are counted from 1."""
    entry = json.loads(lines[number - 1])
    change(entry)
    return [*lines[: number - 1], json.dumps(entry) + "\n", *lines[number:]]


def divergence_of(lines: list[str]) -> ReplayDivergence:
    """The divergence that `verify` raises."""
    with pytest.raises(ReplayDivergence) as caught:
        verify(lines)
    return caught.value


def short_chat(recorder: Any) -> Any:
    """A chat in which each of the lines 2 to 6 has effects."""
    recorder.receives_event("status", state="connected", at=1.0)
    recorder.receives_event(
        "party_joined", party_id="ann", type="internal", display_name=PRIVATE_TEXT, at=2.0
    )
    recorder.receives_event("typing", party_id="ann", at=3.0)
    recorder.receives_event("message", party_id="ann", msg=PRIVATE_TEXT, msg_id="2", at=4.0)
    recorder.receives(commands.SendText(PRIVATE_TEXT), at=5.0)
    return recorder


def test_a_journal_of_every_kind_of_input_verifies(recorder: Any) -> None:
    """Events, commands, refusals, ticks, send results, histories and the end all verify."""
    journal = recorder.receives_everything().text
    assert verify(recorder.lines) == 38
    for kind in ("anomaly", "unknown_received", "form_closed", "send_events", "terminated"):
        assert f'"effect": "{kind}"' in journal
    for kind in ("malformed", "history", "lost", "sent", "send_failed", "tick", "start_typing"):
        assert f'"in": {{"input": "{kind}"' in journal
    assert '"refused": ' in journal


def test_the_header_holds_the_token(new_recorder: Any) -> None:
    """The header holds the token; the ids of own messages begin with it."""
    recorder = new_recorder(session=ChatSession("chat-1", token="abc"))
    short_chat(recorder)
    assert json.loads(recorder.lines[0])["journal"]["token"] == "abc"
    assert '"msg_id": "abc:1"' in recorder.lines[-1]
    assert verify(recorder.lines) == 5


def test_an_invalid_token_is_refused(new_recorder: Any) -> None:
    """A header with an invalid token is unreadable."""
    recorder = short_chat(new_recorder(session=ChatSession("chat-1", token="abc")))
    for token in ("a:b", 7, None):
        lines = altered(recorder.lines, 1, lambda line, t=token: line["journal"].update(token=t))
        with pytest.raises(UnreadableLogError):
            verify(lines)


def test_lines_may_be_bytes_and_some_blank(recorder: Any) -> None:
    """Lines may be str or bytes, from any iterable; blank lines are skipped."""
    short_chat(recorder)
    assert verify([line.encode() for line in recorder.lines]) == 5
    assert verify(["\n", *recorder.lines, "  \n", ""]) == 5
    assert verify(iter(recorder.lines)) == 5
    assert verify([]) == 0


def test_chats_in_one_journal_are_kept_apart(new_recorder: Any) -> None:
    """Each chat has its own header, session and entries, however they are interleaved."""
    lines: list[str] = []
    one, two = new_recorder("one", lines=lines), new_recorder("two", lines=lines, max_forms=1)
    for turn in range(4):
        one.receives_event("typing", party_id=f"p{turn}", at=float(turn))
        two.receives_event("form_show", form_request_id=str(turn), form_name="x", at=float(-turn))
    one.receives_event("not_typing", party_id="p3")
    assert verify(lines) == 9
    assert {json.loads(line)["chat_id"] for line in lines} == {"one", "two"}


def test_a_restart_continues_the_same_journal(new_recorder: Any) -> None:
    """Two sessions in one file have their own clocks; the second begins with a snapshot."""
    first = short_chat(new_recorder())
    second = first.restarts(at=90_000.5)
    second.receives_event("message", party_id="ann", msg=PRIVATE_TEXT, msg_id="2", at=90_001.0)
    second.receives(commands.SendText("more"), at=90_002.0)
    second.receives(Tick(), at=90_100.0)
    assert verify(first.lines) == 8
    third = second.restarts(at=-5.0, max_forms=3)
    third.receives_event("ended")
    assert verify(first.lines) == 9
    late = first.lines[6:]
    assert verify(late) == 4, "the second session only"


def test_deadlines_count_from_the_time_of_the_header(new_recorder: Any) -> None:
    """The remaining time of a deadline at the snapshot counts from the time of the header."""
    first = new_recorder()
    first.receives_event("typing", party_id="ann", at=10.0)
    second = first.restarts(at=500.0)
    (stopped,) = second.receives(Tick(), at=530.0)
    assert stopped.party_id == "ann"
    assert verify(first.lines) == 2
    early = altered(first.lines, 4, lambda entry: entry.update(at=529.0))
    assert divergence_of(early).where == "line 4"


def test_an_altered_effect_is_found(recorder: Any) -> None:
    """The error holds the line, the field, both lists of effects and the state before."""
    lines = altered(
        short_chat(recorder).lines,
        5,
        lambda entry: entry["out"][1]["message"].update(text="changed"),
    )
    found = divergence_of(lines)
    assert found.where == "line 5"
    assert found.expected == json.loads(lines[4])["out"]
    assert found.came == recorder.written[4]["out"]
    assert str(found).startswith(
        "line 5: effect 1, message_received, differs in message; before it the session was "
    )
    assert found.before in str(found)
    assert found.before.startswith("connected, parties ['ann'], typing ['ann'], forms [], ")


def test_an_altered_time_is_found(recorder: Any) -> None:
    """A changed time changes which deadlines pass, and so the effects."""
    short_chat(recorder)
    recorder.receives(Tick(), at=40.0)
    recorder.receives_event("typing", party_id="ann", at=41.0)
    recorder.receives_event("status", state="completed", at=50.0)
    found = divergence_of(altered(recorder.lines, 9, lambda entry: entry.update(at=75.0)))
    assert found.where == "line 9"
    assert str(found).startswith(
        "line 9: expected state_changed, typing_stopped, got typing_stopped, state_changed; "
    )


@pytest.mark.parametrize(
    ("number", "change", "says"),
    [
        (2, {"state": "queued"}, "line 2: effect 0, state_changed, differs in state; "),
        (3, {"party_id": "ben"}, "line 3: effect 0, party_added, differs in party; "),
        (3, {"input": "party_left"}, "line 3: "),
        (4, {"party_id": "ben"}, "line 4: effect 0, typing_started, differs in party_id; "),
        (5, {"party_id": "chat-1"}, "line 5: expected typing_stopped, message_received, got "),
        (6, {"text": "other"}, "line 6: effect 0, send_events, differs in events; "),
    ],
)
def test_an_altered_input_is_found(
    recorder: Any, number: int, change: dict[str, Any], says: str
) -> None:
    """A changed input is found by its other effects."""

    def alter(entry: dict[str, Any]) -> None:
        entry["in"].update(change)
        if change.get("input") == "party_left":
            for name in ("display_name", "first_name", "last_name"):
                del entry["in"][name]

    assert str(divergence_of(altered(short_chat(recorder).lines, number, alter))).startswith(says)


@pytest.mark.parametrize("number", [2, 3, 4, 5, 6])
def test_effects_more_or_fewer_are_found(recorder: Any, number: int) -> None:
    """Fewer effects, more effects, and a refusal in their place are found."""
    lines = short_chat(recorder).lines
    fewer = divergence_of(altered(lines, number, lambda entry: entry.update(out=[])))
    assert (fewer.where, fewer.expected) == (f"line {number}", [])
    assert "expected no effects, got " in str(fewer)
    more = altered(lines, number, lambda entry: entry["out"].append({"effect": "terminated"}))
    assert ", terminated, got " in str(divergence_of(more))

    def refuse(entry: dict[str, Any]) -> None:
        entry["refused"] = PRIVATE_TEXT
        del entry["out"]

    refused = divergence_of(altered(lines, number, refuse))
    assert "expected a refusal, got " in str(refused)
    assert refused.expected == PRIVATE_TEXT
    assert PRIVATE_TEXT not in str(refused)


def test_another_refusal_is_found(recorder: Any) -> None:
    """The reason of a refusal is compared, and its existence."""
    why = recorder.refuses(commands.EndCall())
    other = divergence_of(
        altered(recorder.lines, 2, lambda entry: entry.update(refused=PRIVATE_TEXT))
    )
    assert (other.where, other.expected, other.came) == ("line 2", PRIVATE_TEXT, why)
    assert PRIVATE_TEXT not in str(other)

    def allow(entry: dict[str, Any]) -> None:
        del entry["refused"]
        entry["out"] = []

    allowed = divergence_of(altered(recorder.lines, 2, allow))
    assert "expected no effects, got a refusal" in str(allowed)
    assert (allowed.expected, allowed.came) == ([], why)


def test_the_first_difference_is_reported(recorder: Any) -> None:
    """Lines after the first difference are not read."""
    lines = altered(short_chat(recorder).lines, 3, lambda entry: entry.update(out=[]))
    assert divergence_of([*lines, "{broken\n"]).where == "line 3"


def test_blank_lines_count_as_lines(recorder: Any) -> None:
    """Line numbers count blank lines, as editors do."""
    lines = altered(short_chat(recorder).lines, 2, lambda entry: entry.update(out=[]))
    assert divergence_of(["\n", "\n", *lines]).where == "line 4"


@pytest.mark.parametrize("number", [2, 3, 4, 5, 6])
def test_a_difference_quotes_no_text(recorder: Any, number: int) -> None:
    """Texts and names are in the attributes of the error only, not in its message."""
    lines = short_chat(recorder).lines
    for change in ({"out": []}, {"out": [{"effect": "message_received", "text": PRIVATE_TEXT}]}):
        found = divergence_of(altered(lines, number, lambda entry, new=change: entry.update(new)))
        assert PRIVATE_TEXT not in str(found)
        assert PRIVATE_TEXT not in found.before
        assert found.expected == change["out"]


def test_settings_of_the_header_are_those_of_the_session(new_recorder: Any) -> None:
    """Another bound in the header gives other effects."""
    recorder = new_recorder(max_parties=1)
    recorder.receives_event("party_joined", party_id="ann")
    recorder.receives_event("party_joined", party_id="ben")
    assert verify(recorder.lines) == 2
    larger = altered(
        recorder.lines, 1, lambda entry: entry["journal"]["settings"].update(max_parties=2)
    )
    assert divergence_of(larger).where == "line 3"


def foreign(recorder: Any) -> dict[str, str]:
    """Lines that are not journal lines, or malformed ones."""
    short_chat(recorder)
    header, entry = recorder.written[0], recorder.written[1]
    settings = header["journal"]["settings"]
    made = header["journal"]
    snapshot = recorder.recorded.snapshot(now=0.0)
    broken = {
        "event": {"event": "chat_session_ended"},
        "list": [entry],
        "number": 5,
        "object": {},
        "newer": {**entry, "v": 2},
        "no_v": {key: value for key, value in entry.items() if key != "v"},
        "no_in": {key: value for key, value in entry.items() if key != "in"},
        "no_out": {key: value for key, value in entry.items() if key != "out"},
        "no_at": {key: value for key, value in entry.items() if key != "at"},
        "no_chat": {key: value for key, value in entry.items() if key != "chat_id"},
        "no_time": {**entry, "at": "noon"},
        "nan": {**entry, "at": float("nan")},
        "no_input": {**entry, "in": {"input": "weather"}},
        "text_input": {**entry, "in": "tick"},
        "more_input": {**entry, "in": {"input": "tick", "more": 1}},
        "no_settings": {**header, "journal": {"chatfsm": "0.1.0"}},
        "odd_settings": {**header, "journal": {**made, "settings": {**settings, "max_ids": 0}}},
        "more_settings": {**header, "journal": {**made, "settings": {**settings, "more": 1}}},
        "header_at_nan": {**header, "at": float("inf"), "snapshot": snapshot},
        "no_chat_id": {**header, "chat_id": ""},
        "no_snapshot": {**header, "snapshot": {"format": "x"}},
        "tampered": {**header, "snapshot": {**snapshot, "digest": "0"}},
        "newer_snapshot": {**header, "snapshot": {**snapshot, "version": 99}},
    }
    lines = {name: json.dumps(line) + "\n" for name, line in broken.items()}
    return {**lines, "cut": recorder.lines[1][:40], "text": "hello\n"}


FOREIGN = (
    *("event", "list", "number", "object", "newer", "no_v", "no_in", "no_out", "no_at", "no_chat"),
    *("no_time", "nan", "no_input", "text_input", "more_input", "no_settings", "odd_settings"),
    *("more_settings", "header_at_nan", "no_chat_id", "no_snapshot", "tampered"),
    *("newer_snapshot", "cut", "text"),
)


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_line_is_named(recorder: Any, name: str) -> None:
    """The error holds the number of the line, and none of its content."""
    line = foreign(recorder)[name]
    with pytest.raises(UnreadableLogError) as caught:
        verify([*recorder.lines, "\n", line])
    assert str(caught.value).startswith("line 8: ")
    assert PRIVATE_TEXT not in str(caught.value)


def test_every_foreign_line_is_tried(recorder: Any) -> None:
    """Every line of `foreign` has its parameter."""
    assert set(foreign(recorder)) == set(FOREIGN)


def test_an_entry_before_its_header_is_named(recorder: Any, new_recorder: Any) -> None:
    """Entries before the header cannot be verified."""
    short_chat(recorder)
    with pytest.raises(UnreadableLogError, match=r"^line 1: .*no header"):
        verify(recorder.lines[1:])
    other = new_recorder("other")
    other.receives(Tick())
    with pytest.raises(UnreadableLogError, match=r"^line 7: .*no header"):
        verify([*recorder.lines, *other.lines[1:]])
