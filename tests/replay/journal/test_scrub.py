"""Scrubbing keeps the behaviour of a log and removes all personal data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import ChatSession, commands
from chatfsm._protocol import codec
from chatfsm._protocol.codec import decode_item
from chatfsm._session.tables import STATUS_STATES
from chatfsm.effects import to_json
from chatfsm.replay.chat_replay import ChatReplay, ReplayStep
from chatfsm.replay.formats import records
from chatfsm.replay.journal import JournalHeader, verify
from chatfsm.replay.scrub import Pseudonyms, scrubbed_lines
from chatfsm.replay.sources import Source
from chatfsm.replay.stats import ChatStats
from chatfsm.testing.strategies import odd_wire_events, wire_events

File = Callable[..., Path]
KEY: Final = b"the key of these tests"
CHAT: Final = "chat-1"
# Words of the protocol and of the pseudonyms.
WORDS: Final = {
    *STATUS_STATES,
    *("scenario", "internal", "external", "msteams", "image", "attachment", "true", "false"),
    *(name for name in codec.SIGNALS if name),
    *codec.EVENTS,
}


def nested(levels: int, core: object = "core") -> object:
    """`core` inside this many nested lists."""
    for _ in range(levels):
        core = [core]
    return core


def detail(effect: dict[str, Any]) -> dict[str, Any]:
    """The parts of an effect that scrubbing keeps, whatever the names and texts are."""
    kept = {
        key: effect[key]
        for key in ("effect", "replayed", "previous", "seconds", "kind", "reason", "outcome")
        if key in effect
    }
    if effect.get("state") in STATUS_STATES or effect["effect"] != "state_changed":
        kept["state"] = effect.get("state")
    for name in ("message", "file", "location"):
        if name in effect:
            held = effect[name]
            kept["own"], kept["at"] = held["own"], held["timestamp"]
            kept["sent"] = held["sender"] is None
    if "form" in effect:
        form = effect["form"]
        kept["form"] = (form["secure"], form["deadline"], form["name"] == "")
    if "signal" in effect:
        kept["signal"] = effect["signal"]["signal"]
    return kept


def behaviour(items: Iterable[Any], chat_id: str) -> tuple[list[Any], dict[str, Any]]:
    """The effects of each event of a log, and the final state."""
    session = ChatSession(chat_id)
    chat = ChatReplay(session)
    stats, steps = ChatStats(session), list[ReplayStep]()
    chat.feed([decode_item(item) for item in items], stats, steps.append)
    chat.finish(stats, steps.append)
    effects = [
        (step.seq, step.at, [detail(to_json(effect)) for effect in step.effects]) for step in steps
    ]
    known = {
        "state": session.state,
        "outcome": session.outcome,
        "text": bool(session.outcome_text),
        "counts": session.counts,
        "call": session.call,
        "cobrowsing": session.cobrowsing,
        "deadline": session.deadline,
        "parties": [(party.is_human, bool(party.name)) for party in session.parties],
        "typing": len(session.typing),
        "forms": [form.deadline for form in session.forms],
        "warning": session.warning is None,
        "case": session.case_id is None,
        "service": session.service_name is None,
    }
    return effects, known


def assert_same(items: list[Any], chat_id: str = CHAT) -> list[dict[str, Any]]:
    """Assert that the scrubbed items have the same effects, and return them."""
    pseudonyms = Pseudonyms(KEY)
    scrubbed_text = [json.loads(json.dumps(pseudonyms.event(item, chat_id))) for item in items]
    assert behaviour(scrubbed_text, pseudonyms.chat_id(chat_id)) == behaviour(items, chat_id)
    return scrubbed_text


def wire(word: str, /, **fields: Any) -> dict[str, Any]:
    """A wire event."""
    return {"event": f"chat_session_{word}", **fields}


def logged(path: Path) -> dict[str, list[Any]]:
    """The items of a log, by chat."""
    source = Source(str(path))
    chats: dict[str, list[Any]] = {}
    for record in records(source):
        chats.setdefault(record.chat_id or source.stem, []).append(record.raw)
    return chats


def scrubbed_text(path: Path, key: bytes = KEY) -> str:
    """The scrubbed log."""
    return "".join(scrubbed_lines(Source(str(path)), Pseudonyms(key)))


LOGS = sorted(
    path
    for path in (Path(__file__).resolve().parents[2] / "logs").iterdir()
    if path.suffix in {".json", ".jsonl"}
)
for_each_log = pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)


@for_each_log
def test_a_scrubbed_log_has_the_same_effects(path: Path, file: File) -> None:
    """States, effects, times, counts and outcome of each chat are unchanged."""
    before = logged(path)
    after = logged(file("scrubbed.jsonl", scrubbed_text(path)))
    assert len(before) == len(after) >= 1
    for (chat_id, items), (stand_in, found) in zip(before.items(), after.items(), strict=True):
        assert Pseudonyms(KEY).chat_id(chat_id) == stand_in
        assert behaviour(found, stand_in) == behaviour(items, chat_id)


@for_each_log
def test_the_command_reports_the_same(path: Path, file: File, runs: Any) -> None:
    """`chatfsm replay` gives the same effects in the same order, and the same totals."""
    clean = file("scrubbed.jsonl", scrubbed_text(path))
    one, other = (runs("replay", "--json", each).items for each in (path, clean))
    keys = ("seq", "at")
    assert [({k: e[k] for k in keys}, detail(e)) for e in one] == [
        ({k: e[k] for k in keys}, detail(e)) for e in other
    ]
    one, other = (runs("replay", "--summary", each).document for each in (path, clean))
    assert one["totals"] == other["totals"]
    assert [chat["counts"] for chat in one["sessions"]] == [
        chat["counts"] for chat in other["sessions"]
    ]


@for_each_log
def test_pseudonyms_are_unique(path: Path, file: File, runs: Any) -> None:
    """Ids and their pseudonyms correspond one to one."""
    clean = file("scrubbed.jsonl", scrubbed_text(path))
    one, other = (runs("replay", "--json", each).items for each in (path, clean))
    pseudonym_of: dict[tuple[str, str], str] = {}
    for effect, scrubbed_effect in zip(one, other, strict=True):
        for name, (value, stand_in) in pairs(effect, scrubbed_effect):
            if name in {"chat_id", "party_id", "request_id", "file_id", "case_id", "display_name"}:
                assert pseudonym_of.setdefault((name, str(value)), stand_in) == stand_in
    assert pseudonym_of
    for names in {name for name, _ in pseudonym_of}:
        stand_ins = [stand_in for (name, _), stand_in in pseudonym_of.items() if name == names]
        assert len(set(stand_ins)) == len(stand_ins)


def pairs(one: dict[str, Any], other: dict[str, Any]) -> Iterable[tuple[str, tuple[Any, Any]]]:
    """The fields that both effects have, nested ones included."""
    for name, value in one.items():
        if name in {"raw", "extra"}:
            continue
        if isinstance(value, dict) and isinstance(other.get(name), dict):
            yield from pairs(value, other[name])
        elif isinstance(value, str):
            yield name, (value, other.get(name))


def texts(value: Any) -> Iterable[str]:
    """Every string in a JSON value, keys of objects included."""
    if isinstance(value, dict):
        for key, held in value.items():
            yield from texts(held)
            yield key
    elif isinstance(value, list):
        for held in value:
            yield from texts(held)
    elif isinstance(value, str):
        yield value
        if value.startswith("{"):
            yield from texts(json.loads(value))


FIELDS: Final = {name for shape in codec.SCHEMAS.values() for read in shape for name in read.names}
ENVELOPES: Final = {"events", "sessions", "chat_id", "scrubbed"}


def personal_strings(path: Path) -> set[str]:
    """All personal strings of a log: those longer than 3 characters that are not numbers."""
    chats = logged(path)
    found = {text for items in chats.values() for text in texts(items)} | {*chats}
    return {
        text
        for text in found - WORDS - FIELDS - ENVELOPES
        if len(text) > 3 and not re.fullmatch(r"[\d.e]+", text)
    }


@for_each_log
def test_no_text_is_left(path: Path) -> None:
    """The scrubbed log holds no text, name or id of the log, nor a longer word of one."""
    personal, text = personal_strings(path), scrubbed_text(path)
    assert len(personal) > 5
    known = WORDS | FIELDS | ENVELOPES
    held = set(texts([json.loads(line) for line in text.splitlines()])) - known
    held = {one for one in held if not one.startswith("{")}
    values = "\n".join(re.sub(r"^(id|name|word|chat|unknown)[-_]", "", one) for one in held).lower()
    assert [one for one in personal if one.lower() in values] == []
    words = {word.lower() for one in personal for word in re.findall(r"[^\W\d_]{5,}", one)}
    left = set(re.findall(r"[^\W\d_]{5,}", values))
    assert left & words <= {"characters", "unreadable"}


@for_each_log
def test_the_same_key_gives_the_same_bytes(path: Path) -> None:
    """The same key gives the same bytes, another key other pseudonyms; the output has no key."""
    one, other = scrubbed_text(path), scrubbed_text(path, b"another key")
    assert one == scrubbed_text(path)
    assert "the key of these tests" not in one
    assert "another key" not in other
    stand_ins = re.compile(
        r'(?<![0-9a-zA-Z])[0-9a-fA-F]{12}\b|(?<="latitude": )[\d.]+|(?<="longitude": )[\d.]+'
    )
    found = [{mark for mark in stand_ins.findall(text) if len(mark) > 2} for text in (one, other)]
    assert found[0]
    assert not found[0] & found[1]
    assert stand_ins.sub("", one) == stand_ins.sub("", other)


@for_each_log
def test_a_scrubbed_log_can_be_scrubbed_again(path: Path, file: File) -> None:
    """A scrubbed log is a log and can be scrubbed again."""
    once = file("once.jsonl", scrubbed_text(path))
    twice = logged(file("twice.jsonl", scrubbed_text(once, b"another key")))
    for (chat_id, items), (stand_in, found) in zip(
        logged(once).items(), twice.items(), strict=True
    ):
        assert behaviour(found, stand_in) == behaviour(items, chat_id)


def test_one_key_gives_one_person_one_name_in_all_logs(file: File) -> None:
    """Pseudonyms match across logs with the same key, so that logs can be compared."""
    ann = wire("party_joined", party_id="ann-1", display_name="Ann", chat_id="c")
    one, other = file("one.jsonl", ann), file("other.jsonl", {**ann, "timestamp": 5})
    first, second = json.loads(scrubbed_text(one)), json.loads(scrubbed_text(other))
    assert first["party_id"] == second["party_id"] != "ann-1"
    assert first["display_name"] == second["display_name"] != "Ann"
    assert first["chat_id"] == second["chat_id"] != "c"


def test_a_text_is_its_length_and_the_same_text_the_same() -> None:
    """A text becomes its length and a mark; different texts of one length differ."""
    one, same, other = (
        Pseudonyms(KEY).event(wire("message", msg=msg), CHAT)["msg"]
        for msg in ("hello", "hello", "olleh")
    )
    assert one == same != other
    assert one.startswith("(5 characters, ")
    assert other.startswith("(5 characters, ")


def test_own_events_stay_own() -> None:
    """Case variants of the chat_id stay the customer's; other ids stay other parties'."""
    scrubbed_items = assert_same(
        [
            wire("message", party_id="chat-1", msg_id="1", msg="a"),
            wire("message", party_id="CHAT-1", msg_id="3", msg="b"),
            wire("message", party_id="Chat-2", msg_id="5", msg="c"),
            wire("file", file_id="f", session_id="CHAT-1"),
        ]
    )
    assert scrubbed_items[0]["party_id"] != scrubbed_items[1]["party_id"]
    assert scrubbed_items[0]["party_id"].lower() == scrubbed_items[1]["party_id"].lower()


@pytest.mark.parametrize(
    "ids", [("CHAT-1", "Chat-1", "chat-1"), ("Chat-1", "CHAT-1"), ("cHAT-1", "CHAt-1")]
)
def test_a_typing_party_stays_one_or_several(ids: tuple[str, ...]) -> None:
    """Ids that differ only in case keep differing only in case."""
    assert_same([wire("typing", party_id=party_id) for party_id in ids])
    assert_same([wire("party_joined", party_id=party_id) for party_id in ids])


def test_an_id_of_another_length_is_not_the_customer_s() -> None:
    """An id that equals the chat_id only by case folding to another length is another party's."""
    assert_same([wire("message", party_id="STRASSE", msg="a", msg_id="1")], "stra\u00dfe")


def test_chats_that_differ_in_case_stay_two(file: File) -> None:
    """Chats whose ids differ only in case stay two chats."""
    path = file(
        "a.jsonl",
        {**wire("status", state="queued"), "chat_id": "abC"},
        {**wire("ended"), "chat_id": "aBc"},
    )
    assert len(logged(file("b.jsonl", scrubbed_text(path)))) == len(logged(path)) == 2


def test_duplicates_stay_duplicates_and_reuse_stays_reuse() -> None:
    """A repeated event stays a duplicate; a reused id with other content stays an anomaly."""
    hello = wire("message", party_id="ann", msg_id="2", msg="hello", msg_text="hello")
    (effects, known) = behaviour([hello, hello, {**hello, "msg": "olleh"}, {**hello, "x": 1}], CHAT)
    assert (known["counts"].duplicates, known["counts"].anomalies, len(effects)) == (2, 1, 4)
    assert_same([hello, hello, {**hello, "msg": "olleh"}, {**hello, "x": 1}])
    assert_same([{**hello, "msg": 5}, {**hello, "msg": "5"}, {**hello, "msg": 5.0}])
    signal = wire("signaling", party_id="ann", msg_id="2", data={"type": "OFFER_CALL", "sdp": "a"})
    assert_same([signal, {**signal, "data": json.dumps(signal["data"])}, signal])
    assert_same([signal, {**signal, "data": {**signal["data"], "sdp": "b"}}])
    shown = wire("form_show", form_request_id="1", form_name="a", mood="x")
    assert_same([shown, shown, {**shown, "mood": "y"}, {**shown, "form_timeout": 5}])


def test_different_locations_stay_different() -> None:
    """Different locations with one id stay different; equal ones stay duplicates."""
    places = [
        wire("location", party_id="ann", msg_id="2", latitude=place / 4, longitude=5)
        for place in range(-90, 90)
    ]
    assert_same([*places, *places])


def test_text_prompts_stay_text_prompts() -> None:
    """A text of the customer answers text prompts, and no other form."""
    prompt = wire("form_show", form_request_id="9", form_name="", form_timeout=60, timestamp=5)
    form = {**prompt, "form_request_id": "10", "form_name": "survey"}
    own = wire("message", party_id="CHAT-1", msg="Ann", msg_id="1")
    (effects, _) = behaviour([prompt, form, own], CHAT)
    assert effects[-1][2][0]["reason"] == "submitted"
    assert_same([prompt, form, own])
    assert_same([prompt, {**own, "party_id": "ann"}])


def test_calls_cases_and_names_stay() -> None:
    """Early candidates, cases, repeated service names and co-browsing are unchanged."""
    assert_same(
        [
            wire("signaling", data={"type": "ICE_CANDIDATE", "candidate": "a", "sdpMLineIndex": 1}),
            wire("signaling", data={"type": "OFFER_CALL", "sdp": "v=0", "offerVideo": "true"}),
            wire("signaling", data={"type": "ANSWER_CALL", "sdp": "v=0"}, party_id="CHAT-1"),
            wire("signaling", data={"type": "NEW", "x": 1}),
            wire("signaling", data={"type": "END_CALL"}),
            *(wire("case_set", case_id=case) for case in ("a", "a", "b", "", None, "a")),
            *(wire("info", service_name=name) for name in ("a", "a", "", "b")),
            wire("cobrowsing_requested", msg_id="1"),
            wire("cobrowsing_started", msg_id="3", cobrowsing_url="x"),
        ]
    )


DEEP: Final = [
    wire("party_joined", party_id="ann", display_name=nested(40)),
    wire("message", msg=nested(40), msg_id="1"),
    wire("message", attachments=[{"id": "1", "more": nested(40)}]),
    wire("message", attachments=nested(40)),
    wire("message", more=nested(40)),
    wire("status", state="queued", ewt=nested(40)),
    wire("typing", party_id="ann", timestamp=nested(40)),
    wire("ended", timestamp=nested(40)),
    wire("signaling", data={"type": "OFFER_CALL", "sdp": nested(40)}),
    wire("signaling", data={"type": "OFFER_CALL", "more": nested(40)}),
    wire("signaling", data={"type": "NEW", "more": nested(40)}),
    wire("signaling", data=nested(40)),
    wire("signaling", data={"type": "END_CALL"}, msg_id=nested(40)),
    wire("form_data", data=nested(40), form_request_id="1"),
    wire("file", file_id="f", session_id=nested(40)),
    wire("navigation", page=nested(40)),
    wire("weather", clouds=nested(40)),
    wire("info", service_name=nested(32)),
    wire("info", more=nested(32)),
    wire("info", more=nested(33)),
]


@pytest.mark.parametrize("item", DEEP, ids=lambda item: f"{item['event']}-{[*item][-1]}")
def test_too_deeply_nested_events_keep_their_type(item: dict[str, Any]) -> None:
    """A malformed event stays malformed, and any other keeps its type."""
    assert_same([item])


@pytest.mark.parametrize("value", [[], {}, True, None, "", 0, "x" * 5_000, 10**400, -1, "5", 1.5])
@pytest.mark.parametrize("name", codec.EVENTS)
def test_fields_of_another_type_stay_unusable(name: str, value: object) -> None:
    """Each field alone and all at once: unusable values stay unusable."""
    fields = {n for read in codec.SCHEMAS.get(codec.EVENTS[name], ()) for n in read.names}
    fields -= {"event"}
    usual = {field: {"type": "END_CALL"} if field == "data" else "1" for field in fields}
    usual.pop("attachments", None)
    assert_same([{"event": name, **usual, field: value} for field in sorted(fields)])
    assert_same([{"event": name, field: value} for field in sorted(fields)])
    assert_same([{"event": name, **dict.fromkeys(fields, value)}])


@given(
    st.lists(st.one_of(wire_events(ending=False), odd_wire_events(), wire_events()), max_size=10)
)
def test_any_events_have_the_same_effects(items: list[Any]) -> None:
    """Effects, times and counts are the same for any event that a server may send."""
    assert_same(items)


@given(st.lists(wire_events(ending=False), max_size=10))
def test_keys_change_only_the_marks(items: list[Any]) -> None:
    """The same key gives the same result; with another key only the marks differ."""
    one, same, other = (
        json.dumps([Pseudonyms(key).event(item, CHAT) for item in items])
        for key in (KEY, KEY, b"another key")
    )
    assert one == same
    marks = re.compile(r'(?<![0-9a-zA-Z])[0-9a-fA-F]{12}\b|"l(at|ong)itude": \d+')
    assert marks.sub("", one) == marks.sub("", other)


def test_a_malformed_session_of_a_case_history_stays_malformed(file: File) -> None:
    """A malformed session of a case history stays malformed, even if it looks like an event."""
    path = file("a.json", {"sessions": [wire("ended"), {"events": [wire("typing", party_id="a")]}]})
    before, after = logged(path), logged(file("b.jsonl", scrubbed_text(path)))
    kinds = [type(record.event).__name__ for record in records(Source(str(path)))]
    found = [
        type(record.event).__name__
        for record in records(Source(str(file("c.jsonl", scrubbed_text(path)))))
    ]
    assert found == kinds
    assert len(before) == len(after)


def test_broken_lines_stay_broken(file: File) -> None:
    """A line that is not JSON stays a malformed event of the same chat, without its text."""
    path = file("a.jsonl", {**wire("ended"), "chat_id": "c"}, "MARK {\n", wire("typing"))
    text = scrubbed_text(path)
    assert "MARK" not in text
    first, second, third = (json.loads(line) for line in text.splitlines())
    assert first["chat_id"] == second["chat_id"] != third["chat_id"]
    assert second["event"] is None


def scrub_journal(recorder: Any, file: File) -> list[str]:
    """The lines of the scrubbed journal."""
    return scrubbed_text(file("journal.jsonl", recorder.text)).splitlines(keepends=True)


def test_a_journal_becomes_a_journal(recorder: Any, file: File) -> None:
    """Lines, times and effects are the same, and the scrubbed journal verifies."""
    recorder.receives_everything()
    lines = scrub_journal(recorder, file)
    assert verify(lines) == 38
    one, other = recorder.written, [json.loads(line) for line in lines]
    keys = ("v", "seq", "at")
    assert [[entry.get(key) for key in keys] for entry in one] == [
        [entry.get(key) for key in keys] for entry in other
    ]
    for before, after in zip(one[1:], other[1:], strict=True):
        assert after["in"]["input"] == before["in"]["input"]
        assert ("refused" in after) == ("refused" in before)
        assert [detail(effect) for effect in after.get("out", ())] == [
            detail(effect) for effect in before.get("out", ())
        ]
    assert one[0]["journal"] == other[0]["journal"]


def test_no_text_in_a_journal_is_left(recorder: Any, file: File) -> None:
    """Texts of events, of commands and of the sent events are removed."""
    recorder.receives_event("party_joined", party_id="MARK-1", display_name="MARK", MARK="MARK")
    recorder.receives_event("message", party_id="MARK-1", msg="MARK", msg_id="2")
    recorder.receives_event("MARK", x="MARK")
    recorder.receives_event("form_show", form_request_id="MARK", form_name="MARK")
    recorder.receives(commands.SubmitForm("MARK", {"MARK": "MARK"}))
    recorder.receives(commands.SendText("MARK", html="MARK"))
    recorder.receives(commands.StartTyping("MARK"))
    recorder.receives_event(
        "signaling", party_id="MARK-1", data={"type": "OFFER_CALL", "sdp": "MARK"}
    )
    recorder.receives(commands.AnswerCall("MARK"))
    recorder.receives(commands.SendNavigation("MARK"))
    recorder.receives_item({"event": "chat_session_status", "MARK": "MARK"})
    recorder.receives_item("MARK")
    assert recorder.text.count("MARK") > 20
    lines = scrub_journal(recorder, file)
    assert "MARK" not in "".join(lines).upper()
    assert verify(lines) == 12


def test_an_echo_in_a_journal_stays_an_echo(recorder: Any, file: File) -> None:
    """The server's echo of an own message stays an echo."""
    recorder.receives(commands.SendText("a & b"))
    recorder.receives_event("message", party_id="CHAT-1", msg_id="1", msg="a &amp; b")
    recorder.receives(commands.SendLocation(1.5, 2.5))
    recorder.receives_event(
        "location", party_id="chat-1", msg_id="3", latitude="1.5", longitude=2.5
    )
    recorder.receives(commands.SendFile("f-1", "image"))
    recorder.receives_event("file", file_id="f-1")
    lines = scrub_journal(recorder, file)
    one, other = recorder.written[1:], [json.loads(line) for line in lines][1:]
    assert [[e["effect"] for e in entry["out"]] for entry in one] == [
        [e["effect"] for e in entry["out"]] for entry in other
    ]


def test_own_ids_of_a_journal_stay_counted(new_recorder: Any, file: File) -> None:
    """Ids that contain the chat_id, and long ones of another device, keep their counters."""
    for number, settings in ((7, {"msg_id_format": "chat_id:n"}), (12_345_679, {})):
        recorder = new_recorder(**settings)
        recorder.receives_event("message", party_id="CHAT-1", msg_id=str(number), msg="elsewhere")
        recorder.receives(commands.SendText("here"))
        (msg_id,) = recorder.written[-1]["out"][0]["msg_ids"]
        recorder.receives_event("message_delivered", party_id="ann", ref_msg_id=msg_id)
        lines = [json.loads(line) for line in scrub_journal(recorder, file)]
        effects = [effect["effect"] for effect in lines[-1]["out"]]
        assert effects == ["message_sent", "delivery_confirmed"]


def test_a_scrubbed_journal_of_interleaved_chats_verifies(new_recorder: Any, file: File) -> None:
    """Each chat has its own header and its own pseudonym."""
    lines: list[str] = []
    one, two = new_recorder("one", lines=lines), new_recorder("two", lines=lines)
    one.receives_event("status", state="ivr")
    two.receives_event("status", state="ivr")
    one.receives(commands.SendText("hello"))
    clean = scrub_journal(one, file)
    assert verify(clean) == 3
    assert len({json.loads(line)["chat_id"] for line in clean}) == 2


def test_every_log_was_tried(logs: list[Path]) -> None:
    """All shipped logs are tested, and none of them is a journal."""
    assert logs == LOGS
    assert len(LOGS) >= 24
    for path in LOGS:
        assert not any(
            isinstance(record.event, JournalHeader) for record in records(Source(str(path)))
        )
