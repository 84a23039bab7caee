"""Timelines: the verdict of a chat, then a row for each effect."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import effects as f
from chatfsm._cli.terminal_text import harmless_text
from chatfsm._cli.timeline import _ROW_BUILDERS, Row, Timeline, duration_text, verdict
from chatfsm._session.session import ChatSession
from chatfsm.replay.chat_replay import ChatReplay
from chatfsm.replay.stats import ChatStats

Log = Callable[..., Path]
Replays = Callable[..., Any]


def timeline_of(wire: Any, *items: dict[str, Any], limit: int | None = None) -> Timeline:
    """The timeline of a chat called `chat`."""
    session = ChatSession("chat")
    chat, stats = ChatReplay(session), ChatStats(session)
    timeline = Timeline(stats, limit)

    chat.feed(wire.decoded(*items), stats, timeline.add)
    chat.finish(stats, timeline.add)
    return timeline


def rows_of(wire: Any, *items: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Kind, party and text of each row."""
    return [(row.what, row.who, row.text) for row in timeline_of(wire, *items).rows()]


def headings(wire: Any, *items: dict[str, Any]) -> dict[str, str]:
    """The verdict on a chat, by heading."""
    lines = verdict(timeline_of(wire, *items).stats)
    return {heading: words for heading, words, _ in lines}


def test_every_effect_has_a_row() -> None:
    """Every effect has a builder of its row."""
    assert set(_ROW_BUILDERS) == set(get_args(f.Effect))


def test_each_effect_is_a_row(wire: Any) -> None:
    """Kind, party and text are in the order of the effects."""
    assert rows_of(
        wire,
        wire.event("info", service_name="Zoo"),
        wire.status("queued", ewt="75", at=10),
        wire.joins("ann", first_name="Ann", last_name="Lee"),
        wire.status("connected"),
        wire.types("ann"),
        wire.says("ann", "hello"),
        wire.says("CHAT", "hi"),
        wire.says("zed", "who am I?"),
        wire.event("message", msg="without a party"),
        wire.event("message_delivered", ref_msg_id="1", party_id="ann"),
        wire.event("message_read", ref_msg_id="1", party_id="zed"),
        wire.joins("ann", "Ann L.", type="msteams"),
        wire.event("case_set", case_id="C-1"),
        wire.event("case_set"),
        wire.event("cobrowsing_started"),
        wire.event("timeout_warning", msg="Still there?"),
        wire.says("chat", "yes"),
        wire.unknown(),
        wire.broken(),
        wire.leaves("ann"),
        wire.ended(),
    ) == [
        ("service", "", "Zoo"),
        ("state", "", "establishing → queued"),
        ("wait", "", "about 1 min 15 s"),
        ("joined", "Ann Lee", "internal"),
        ("state", "", "queued → connected"),
        ("typing", "Ann Lee", "…"),
        ("typing", "Ann Lee", "stopped"),
        ("message", "Ann Lee", "hello"),
        ("message", "customer", "hi"),
        ("message", "zed", "who am I?"),
        ("message", "customer", "without a party"),
        ("delivered", "Ann Lee", "message 1"),
        ("read", "zed", "message 1"),
        ("changed", "Ann L.", "msteams"),
        ("case", "", "C-1"),
        ("case", "", "none"),
        ("cobrowsing", "", "started"),
        ("warning", "", "Still there?"),
        ("warning", "", "cleared"),
        ("message", "customer", "yes"),
        ("unknown", "", "chat_session_weather"),
        ("anomaly", "", "malformed: chat_session_typing: party_id is missing"),
        ("left", "Ann L.", "msteams"),
        ("state", "", "connected → ended"),
        ("over", "", "ended"),
    ]


def test_forms_are_reported_by_kind_name_and_request(wire: Any) -> None:
    """Forms, secure forms and text prompts have different texts; closing has a reason."""
    assert rows_of(
        wire,
        wire.shows("1", "survey"),
        wire.event("secure_form_show", form_request_id="2", form_id="card"),
        wire.shows("3", ""),
        wire.event("form_show", form_request_id="4"),
        wire.shows("1", "other"),
        wire.event("form_data", form_request_id="1"),
        wire.event("secure_form_cancel", form_request_id="2"),
        wire.ended(),
    ) == [
        ("form", "", "shown: form survey, request 1"),
        ("form", "", "shown: secure form card, request 2"),
        ("form", "", "shown: text prompt, request 3"),
        ("form", "", "shown: form, request 4"),
        ("form", "", "replaced: form survey, request 1"),
        ("form", "", "shown: form other, request 1"),
        ("form", "", "submitted: form other, request 1"),
        ("form", "", "cancelled: secure form card, request 2"),
        ("state", "", "establishing → ended"),
        ("form", "", "terminated: text prompt, request 3"),
        ("form", "", "terminated: form, request 4"),
        ("over", "", "ended"),
    ]


def test_calls_are_reported_by_signal_and_state(wire: Any) -> None:
    """A signal has its kind, and a call its states."""
    offer = {"type": "OFFER_CALL", "sdp": "v=0"}
    assert rows_of(
        wire,
        wire.joins("ann", "Ann"),
        wire.event("signaling", party_id="ann", data=offer),
        wire.event("signaling", data={"type": "END_CALL"}),
    ) == [
        ("joined", "Ann", "internal"),
        ("signal", "Ann", "CallOffer"),
        ("call", "", "idle → offered"),
        ("signal", "", "CallEnd"),
        ("call", "", "offered → ended"),
    ]


def test_files_and_locations_are_described_by_their_fields(wire: Any) -> None:
    """Files, locations and attachments are described by the fields that they have."""
    attached = [{"id": "1", "name": "map.png"}, {"id": "2"}]
    assert rows_of(
        wire,
        wire.event("file", party_id="ann", file_id="f1", file_name="a.jpg", file_type="image"),
        wire.event("file", file_id="f2"),
        wire.event("location", party_id="ann", latitude=52.25, longitude="-7", url="geo:1"),
        wire.event("location", party_id="chat", longitude=0),
        wire.event("message", party_id="ann", msg="see", attachments=attached),
        wire.event("message", party_id="ann", attachments=attached[1:]),
        wire.event("message", party_id="ann"),
    ) == [
        ("file", "ann", "a.jpg (image)"),
        ("file", "customer", "f2 (of no type)"),
        ("location", "ann", "52.25°, -7° geo:1"),
        ("location", "customer", "?, 0°"),
        ("message", "ann", "see [attached: map.png] [attached: 2]"),
        ("message", "ann", "(no text) [attached: 2]"),
        ("message", "ann", "(no text)"),
    ]


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ({"event": "chat_session_ended"}, "ended"),
        ({"event": "chat_session_status", "state": "failed"}, "failed"),
        ({"event": "chat_session_inactivity_timeout"}, "timed out"),
        ({"event": "chat_session_inactivity_timeout", "msg": "Bye"}, "timed out Bye"),
    ],
)
def test_the_last_row_has_the_outcome(wire: Any, end: dict[str, Any], words: str) -> None:
    """The end is described in words, with the server's text."""
    assert rows_of(wire, end)[-1] == ("over", "", words)


def test_time_counts_from_the_first_event(wire: Any) -> None:
    """Minutes and seconds, with hours from the first hour on."""
    timeline = timeline_of(
        wire,
        *[wire.says("ann", "x", at=1_000 + after) for after in (0, 0.4, 59.4, 60, 3_599, 3_600)],
        wire.says("ann", "x", at=1_000 + 36_000 + 61),
    )
    assert [row.at for row in timeline.rows()] == [
        "+0:00",
        "+0:00",
        "+0:59",
        "+1:00",
        "+59:59",
        "+1:00:00",
        "+10:01:01",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (60, "1 min 0 s"),
        (3_599, "59 min 59 s"),
        (3_600, "1 h 0 min"),
        (90_061, "25 h 1 min"),
    ],
)
def test_a_duration_is_written_in_words(seconds: float, words: str) -> None:
    """Seconds, then minutes, then hours."""
    assert duration_text(seconds) == words


def test_a_party_is_called_by_the_name_that_it_has_now(wire: Any) -> None:
    """A party that gets a name later has it in the rows from then on."""
    rows = rows_of(
        wire, wire.joins("4f2a-77"), wire.joins("4f2a-77", "Ann"), wire.says("4f2a-77", "hello")
    )
    assert rows[-1] == ("message", "Ann", "hello")


def test_the_verdict_calls_a_party_by_its_last_name(wire: Any) -> None:
    """The verdict has the last name of a party."""
    found = headings(wire, wire.joins("4f2a-77"), wire.joins("4f2a-77", "Ann"), wire.ended())
    assert found["parties"] == "Ann (internal)"


def test_the_verdict_on_a_clean_chat(wire: Any) -> None:
    """Outcome, duration, parties, counts and no findings."""
    lines = list(
        verdict(
            timeline_of(
                wire,
                wire.joins("bot", "Otto", type="scenario", at=10),
                wire.joins("ann", "Ann"),
                wire.joins("zed", "Zed", type=None),
                wire.says("ann", "hello"),
                wire.ended(at=85),
            ).stats
        )
    )
    assert lines == [
        ("chat", "ended, after 1 min 15 s", "good"),
        ("parties", "Otto (scenario), Ann (internal), Zed", "plain"),
        ("effects", "6 from 5 events", "plain"),
        ("findings", "none", "good"),
    ]


def test_the_verdict_on_an_odd_chat(wire: Any) -> None:
    """The server's text, all findings by kind, and the ignored events."""
    hello = wire.says("ann", "hello", msg_id="1", at=10)
    lines = list(
        verdict(
            timeline_of(
                wire,
                hello,
                hello,
                wire.unknown(),
                wire.unknown(),
                wire.broken(),
                wire.leaves("nobody"),
                wire.event("inactivity_timeout", msg="Good\x07bye"),
                wire.ended(),
            ).stats
        )
    )
    assert lines == [
        ("chat", "timed out, after 0 s", "bad"),
        ("text", "Good\\x07bye", "plain"),
        ("parties", "none", "plain"),
        ("effects", "7 from 7 events", "plain"),
        ("findings", "2 unknown, 1 malformed, 1 unknown_party", "bad"),
        ("ignored", "1 duplicate, 1 late in the terminal batch", "quiet"),
    ]


def test_the_verdict_separates_late_events(wire: Any, log: Log, replays: Replays) -> None:
    """Late events of the terminal batch are ignored, later ones are a finding."""
    path = log(
        "a.jsonl",
        wire.ended(at=10),
        wire.ended(at=12),
        wire.says("ann", "hello", at=25),
        wire.says("ann", "hello", at=26),
    )
    lines = replays(path).lines
    assert "  findings  1 late" in lines
    assert "  ignored   2 late in the terminal batch" in lines


@pytest.mark.parametrize(("state", "tone"), [("failed", "bad"), ("queued", "state")])
def test_the_verdict_is_toned(wire: Any, state: str, tone: str) -> None:
    """A failure is bad; a chat that is still open is neither good nor bad."""
    (first, *_) = verdict(timeline_of(wire, wire.status(state)).stats)
    assert first[2] == tone
    assert (first[1] == "not over: queued at the end of the log, after 0 s") == (state == "queued")


@pytest.mark.parametrize(
    ("limit", "expected", "left_out"),
    [
        (None, "abcdefghij", 0),
        (20, "abcdefghij", 0),
        (10, "abcdefghij", 0),
        (9, "abcde*ghij", 1),
        (4, "ab*ij", 6),
        (3, "ab*j", 7),
        (2, "a*j", 8),
        (1, "a*", 9),
    ],
)
def test_a_long_chat_is_reported_by_its_first_and_last_rows(
    wire: Any, limit: int | None, expected: str, left_out: int
) -> None:
    """The number of omitted rows replaces them."""
    timeline = timeline_of(wire, *[wire.says("ann", x) for x in "abcdefghij"], limit=limit)
    rows = list(timeline.rows())
    assert "".join("*" if row.what == "…" else row.text for row in rows) == expected
    assert timeline.omitted == left_out
    if left_out:
        assert Row("", "…", "", f"{left_out} rows left out", "quiet") in rows


@pytest.mark.parametrize("first_limit", [None, 20, 9, 6, 4, 3])
@pytest.mark.parametrize("limit", [10, 9, 4, 3, 1])
def test_a_timeline_that_is_cut_is_as_if_it_had_been_shorter(
    wire: Any, first_limit: int | None, limit: int
) -> None:
    """Later rows are cut in the same way; a shorter timeline is unchanged."""
    messages = [wire.says("ann", x) for x in "abcdefghij"]
    timeline = timeline_of(wire, *messages, limit=first_limit)
    timeline.cut(limit)
    shorter = limit if first_limit is None else min(limit, first_limit)
    expected = timeline_of(wire, *messages, limit=shorter)
    assert list(timeline.rows()) == list(expected.rows())
    assert timeline.omitted == expected.omitted


def test_long_names_are_shortened(wire: Any) -> None:
    """Long names are shortened in the column and in the verdict; short ones are not."""
    names = ["x" * 40, "y" * 41, "z" * 3_000]
    people = [wire.joins(f"p{n}", name, type="t" * 99) for n, name in enumerate(names)]
    shown = ["x" * 40, "y" * 39 + "…", "z" * 39 + "…"]
    assert [who for _, who, _ in rows_of(wire, *people)] == shown
    kind = "t" * 39 + "…"
    assert headings(wire, *people)["parties"] == ", ".join(f"{name} ({kind})" for name in shown)


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("plain", "plain"),
        ("Grüße, 你好, שלום, 🐧", "Grüße, 你好, שלום, 🐧"),
        ("two\nlines", "two⏎lines"),
        ("back\rto the start", "back\\rto the start"),
        ("tab\there", "tab\\there"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x07\x08\x00\x7f", "\\x07\\x08\\x00\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("\x85", "\\x85"),
        ("\u202eesrever\u202c", "\\u202eesrever\\u202c"),
        ("\u2066a\u2069\u200e\u200f\u061c", "\\u2066a\\u2069\\u200e\\u200f\\u061c"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\ufeff\u200b\xad", "\\ufeff\\u200b\\xad"),
        ("\ud800 and \udfff", "\\ud800 and \\udfff"),
        ("\U000e0041", "\\U000e0041"),
        ("👩\u200d🚒 \u0646\u200c\u0645", "👩\u200d🚒 \u0646\u200c\u0645"),
        ("[bold red]x[/]", "[bold red]x[/]"),
    ],
)
def test_text_is_escaped(text: str, harmless: str) -> None:
    """No part moves the cursor, changes colours or reverses the text; words are unchanged."""
    assert harmless_text(text) == harmless


@given(text=st.text(st.characters()))
def test_escaped_text_holds_no_control_characters(text: str) -> None:
    """No control, surrogate, line end or format character but joiners is left."""
    left = harmless_text(text)
    left.encode("utf-8")
    assert len(left.splitlines()) <= 1
    kinds = {unicodedata.category(c) for c in left if c not in "\u200c\u200d"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert harmless_text(left) == left


def test_every_text_of_a_row_is_escaped(wire: Any) -> None:
    """Names, types, ids, texts and reasons are shown escaped."""
    bad = "\x1b[2J\u202e\ud800\n"
    timeline = timeline_of(
        wire,
        wire.event("info", service_name=bad),
        wire.joins(bad, bad, type=bad),
        wire.joins(bad, bad, type=bad + "2"),
        wire.says(bad, bad, attachments=[{"id": bad, "name": bad}]),
        wire.says("x" + bad, bad),
        wire.types(bad),
        wire.shows(bad, bad),
        wire.event("secure_form_show", form_request_id="1" + bad, form_id=bad),
        wire.event("file", party_id=bad, file_id=bad, file_type=bad, file_name=bad),
        wire.event("location", party_id=bad, url=bad),
        wire.event("case_set", case_id=bad),
        wire.event("cobrowsing_started"),
        wire.event("message_read", ref_msg_id=bad, party_id=bad),
        wire.event("message_delivered", ref_msg_id=bad, party_id=bad),
        wire.event("timeout_warning", msg=bad),
        wire.event("signaling", party_id=bad, data={"type": bad}),
        {"event": bad},
        wire.status(bad),
        wire.leaves(bad * 2),
        wire.leaves(bad),
        wire.event("inactivity_timeout", msg=bad),
    )
    rows = list(timeline.rows())
    assert len(rows) >= 22
    shown = [text for row in rows for text in (row.at, row.what, row.who, row.text)]
    shown += [text for line in verdict(timeline.stats) for text in line]
    assert [text for text in shown if text != harmless_text(text)] == []
    assert sum("\\x1b" in text for text in shown) >= 30


def test_the_chat_id_is_escaped() -> None:
    """The chat_id comes from the log, and is escaped too."""
    (first, *_) = verdict(ChatStats(ChatSession("\x1b[31mchat")))
    assert first[0] == "\\x1b[31mchat"
