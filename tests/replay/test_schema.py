"""The schemas accept the output of chatfsm, and refuse anything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from attrs import fields
from hypothesis import given, settings
from hypothesis import strategies as st

from chatfsm import ChatClient, ChatSession, Endpoint, Settings, commands
from chatfsm._cli import main
from chatfsm._plain import json_text, snake_case
from chatfsm._protocol.codec import EVENTS, SCHEMAS, SIGNALS, decode_item
from chatfsm.api import RequestChat
from chatfsm.effects import Effect, SendEvents, to_json
from chatfsm.errors import ChatError
from chatfsm.events import ClientEvent, Malformed
from chatfsm.inputs import Tick
from chatfsm.replay import MetricsReport, Recorded, measure_logs, records, replay_logs, schema_types
from chatfsm.replay.export import step_rows
from chatfsm.replay.schema import schema, schema_names, schema_title
from chatfsm.replay.sources import Source
from chatfsm.testing import strategies as chats
from chatfsm.transport import HttpReply, HttpRequest

Draft202012Validator = pytest.importorskip("jsonschema").Draft202012Validator

LOGS = Path(__file__).resolve().parent.parent / "logs"
RECORDED = sorted(str(path) for path in LOGS.iterdir() if path.suffix != ".md")
# Few examples, since each is validated against hundreds of properties.
few = settings(max_examples=10)


@cache
def validator(name: str) -> Any:
    return Draft202012Validator(schema(name))


def parsed(value: object) -> Any:
    """The value after a round trip through JSON text."""
    return json.loads(json_text(value))


def assert_valid(name: str, value: object) -> None:
    found = parsed(value)
    assert [error.message for error in validator(name).iter_errors(found)] == []


def is_valid(name: str, value: object) -> bool:
    return validator(name).is_valid(parsed(value))


@pytest.mark.parametrize("name", schema_names())
def test_each_is_a_schema_of_2020_12(name: str) -> None:
    """The schema is valid against the meta-schema, and has a name and a title."""
    document = schema(name)
    Draft202012Validator.check_schema(document)
    assert document["$id"] == f"urn:chatfsm:schema:{name}"
    assert document["title"] == schema_title(name)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: Path(path).name)
def test_effects_and_snapshots_of_the_recorded_logs(path: str) -> None:
    """All effects, the lines of replay --json, and the snapshot of the session after each step."""

    def check(chat: Any, step: Any) -> None:
        place = {"chat_id": chat.session.chat_id, "seq": step.seq, "at": step.at}
        for effect in step.effects:
            assert_valid("effect", to_json(effect))
            assert_valid("replay", {**place, **to_json(effect)})
        assert_valid("session", chat.session.snapshot(now=step.at))

    assert list(replay_logs([path], settings=Settings(explain=True), on_step=check))


def test_events_of_the_recorded_logs() -> None:
    """The schema accepts exactly the events that chatfsm can decode, with every known field."""
    raws = [record.raw for path in RECORDED for record in records(Source(path))]
    read = {True: 0, False: 0}
    for raw in raws:
        event = decode_item(raw)
        known = {name for spec in SCHEMAS.get(type(event), ()) for name in spec.names}
        is_read = not isinstance(event, Malformed) and not known & {*getattr(event, "extra", ())}
        assert is_valid("event", raw) == is_read, raw
        read[is_read] += 1
    assert min(read.values()) > 5


def test_metrics_of_the_recorded_logs() -> None:
    """The documents of all logs, of none, and the one with days are valid."""
    report = MetricsReport()
    assert_valid("metrics", report.to_json())
    for chat in measure_logs(RECORDED):
        report.add(chat)
    assert_valid("metrics", report.to_json())
    assert_valid("metrics", {**report.to_json(), "days": report.by_day()})


def journal_of(path: str) -> list[str]:
    """The journal of a session that is restored in the middle of the events of a log."""
    lines: list[str] = []
    events = [record.event for record in records(Source(path))]
    session = ChatSession("chat-1")
    half = len(events) // 2
    recorded = Recorded(session, lines.append)
    for number, event in enumerate(events):
        if number == half:
            recorded = Recorded(session, lines.append)  # begins with a snapshot
        recorded.receive(event, now=float(number))
    return lines


@pytest.mark.parametrize("name", ["call", "secure_form", "unknown_events"])
def test_journals_of_recorded_logs(name: str) -> None:
    """Each line of a journal is valid, with a snapshot in its header and with a time of receipt."""
    lines = [json.loads(line) for line in journal_of(str(LOGS / f"{name}.jsonl"))]
    assert sum("snapshot" in line for line in lines) == 1
    for line in lines:
        assert_valid("journal", line)
        assert_valid("journal", {"received_at": 1.7e9, **line})


def test_a_refused_input_is_in_the_journal() -> None:
    """The line of a refusal has the reason instead of the effects."""
    lines: list[str] = []
    session = Recorded(ChatSession("chat-1"), lines.append)
    with pytest.raises(ChatError):
        session.receive(commands.SubmitForm("7", {"a": "b"}), now=1.0)
    line = json.loads(lines[-1])
    assert "refused" in line
    assert_valid("journal", line)
    assert not is_valid("journal", {**line, "out": []})


def new_client() -> ChatClient:
    """A client without a chat."""
    endpoint = Endpoint(
        "https://chat.example.com", tenant_url="example.com", app_id="app", client_id="client"
    )
    return ChatClient(endpoint)


def test_snapshots_of_a_client() -> None:
    """Snapshots: new, requesting a chat, with one, with pending messages, after a lost poll."""
    client = new_client()
    assert_valid("client", client.snapshot(now=0.0))
    [request] = client.receive(RequestChat(), now=1.0)
    assert isinstance(request, HttpRequest)
    assert_valid("client", client.snapshot(now=1.0))
    body = json.dumps({"chat_id": "chat-1", "state": "queued", "is_new_chat": True}).encode()
    client.receive(HttpReply(request.id, 200, {}, body), now=2.0)
    assert_valid("client", client.snapshot(now=2.0))
    for number in range(3):
        client.receive(commands.SendText(f"text {number}"), now=3.0)
        assert_valid("client", client.snapshot(now=3.0))
    client.receive(Tick(), now=500.0)
    snapshot = client.snapshot(now=500.0)
    assert snapshot["client"]["session"] is not None
    assert snapshot["client"]["batch"]
    assert_valid("client", snapshot)


# Hypothesis strategies.


@few
@given(st.one_of(chats.wire_events(), chats.quirky_wire_events()))
def test_events_that_servers_send(event: dict[str, Any]) -> None:
    """Every well-formed event is valid, in all accepted spellings."""
    assert_valid("event", event)


@few
@given(st.lists(chats.inputs(), max_size=8))
def test_any_inputs_of_a_session(inputs: list[Any]) -> None:
    """Journal, effects and snapshots of any inputs are valid, hostile ones included."""
    lines: list[str] = []
    session = Recorded(ChatSession("chat-1", settings=Settings(explain=True)), lines.append)
    for number, item in enumerate(inputs):
        try:
            effects = session.receive(item, now=float(number))
        except ChatError:
            effects = []
        for effect in effects:
            assert_valid("effect", to_json(effect))
        assert_valid("session", session.session.snapshot(now=float(number)))
    for line in lines:
        assert_valid("journal", json.loads(line))


@few
@given(chats.hostile_events())
def test_hostile_events(event: Any) -> None:
    """A journal line with a hostile event is valid."""
    lines: list[str] = []
    Recorded(ChatSession("chat-1"), lines.append).receive(event, now=1.0)
    for line in lines:
        assert_valid("journal", json.loads(line))


# Invalid documents.


def export_rows(path: str) -> Iterator[dict[str, Any]]:
    """The rows of an export."""
    rows: list[dict[str, Any]] = []
    list(replay_logs([path], on_step=lambda chat, step: rows.extend(step_rows(chat, step))))
    return iter(rows)


def documents() -> dict[str, Any]:
    """A valid document for each schema."""
    session = ChatSession("chat-1")
    lines = [json.loads(line) for line in journal_of(str(LOGS / "survey.jsonl"))]
    report = MetricsReport()
    for chat in measure_logs([str(LOGS / "transfer.jsonl")]):
        report.add(chat)
    rows = export_rows(str(LOGS / "plain.jsonl"))
    effect = session.receive(decode_item({"event": "chat_session_status", "state": "ivr"}), now=1.0)
    effect_json = to_json(effect[0])
    return {
        "event": {"event": "chat_session_party_joined", "party_id": "1", "timestamp": "1"},
        "effect": effect_json,
        "replay": {"chat_id": "1", "seq": 0, "at": 1.0, **effect_json},
        "journal": lines[-1],
        "session": session.snapshot(now=1.0),
        "client": new_client().snapshot(now=1.0),
        "metrics": report.to_json(),
        "export": next(rows),
    }


def changes(value: Any) -> Iterator[Callable[[Any], Any]]:
    """Functions that break a value: each removes or replaces one key."""
    for key, inner in value.items():
        yield lambda broken, key=key: broken.pop(key)
        yield lambda broken, key=key: broken.update({key: [[[[]]]]})
        if isinstance(inner, dict) and inner:
            for change in changes(inner):
                yield lambda broken, key=key, change=change: change(broken[key])


@pytest.mark.parametrize("name", schema_names())
def test_a_wrong_document_is_refused(name: str) -> None:
    """Other types, unknown properties, wrong types and missing properties are refused."""
    valid = parsed(documents()[name])
    assert is_valid(name, valid)
    for invalid in (None, 1, "text", [], {}, [valid]):
        assert not is_valid(name, invalid)
    assert is_valid(name, {**valid, "surprise": 1}) == (name == "event")
    accepted = 0
    for change in changes(valid):
        broken = deepcopy(valid)
        change(broken)
        accepted += is_valid(name, broken)
    assert accepted == OPTIONAL.get(name, 0)


# Numbers of optional properties in these documents: the timestamp of the event; the state and two
# counts of the session, which have defaults.
OPTIONAL = {"event": 1, "session": 3}


@pytest.mark.parametrize("cls", get_args(Effect), ids=lambda cls: cls.__name__)
def test_each_effect_has_its_fields(cls: type) -> None:
    """The definition of an effect requires all its fields except `replayed`."""
    definitions = schema("effect")["$defs"]
    known = definitions[snake_case(cls)]
    assert set(known["properties"]) - set(known["required"]) == {"replayed"}
    assert known["description"] == " ".join(str(cls.__doc__).split())
    if cls is not SendEvents:
        assert set(known["properties"]) == {"effect", *(field.name for field in fields(cls))}


def test_all_events_and_signals_are_described() -> None:
    """Each event and each signal has a definition; any other is an unknown one."""
    for name, cls in EVENTS.items():
        assert cls is ClientEvent or not is_valid("event", {"event": name, "timestamp": -1})
    for kind in SIGNALS:
        event = {"event": "chat_session_signaling", "data": {"type": kind}}
        assert is_valid("event", event)
    assert is_valid("event", {"event": "chat_session_new", "timestamp": -1})


@pytest.mark.parametrize(
    "event",
    [
        {"event": "chat_session_status"},
        {"event": "chat_session_status", "state": ""},
        {"event": "chat_session_typing", "party_id": None},
        {"event": "chat_session_message_delivered"},
        {"event": "chat_session_message", "attachments": [1]},
    ],
)
def test_an_event_without_a_required_field_is_refused(event: dict[str, Any]) -> None:
    """A missing or empty required field is refused, as by the codec."""
    assert isinstance(decode_item(event), Malformed) or "attachments" in event
    assert not is_valid("event", event)


# The command and the generator.


def test_the_command_lists_the_schemas(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each schema, with its title."""
    assert main(["schema"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(schema_names())


def test_the_command_prints_a_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the schema of the library."""
    assert main(["schema", "session"]) == 0
    assert json.loads(capsys.readouterr().out) == schema("session")


def test_the_command_names_the_schemas_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown name is an error that lists the valid ones."""
    assert main(["schema", "sesion"]) == 2
    error = capsys.readouterr().err
    assert "NAME must be one of event, effect" in error
    assert "not sesion" in error


def test_a_type_without_a_json_form_is_refused() -> None:
    """A field of an unsupported type is an error, not a schema that allows anything."""
    types = schema_types.TypeSchemas(lambda _types, _kind: None)
    with pytest.raises(TypeError, match=r"set\[int\] has no JSON Schema"):
        types.of(set[int])
    assert types.of(list[int]) == {"type": "array", "items": {"type": "integer"}}


def test_without_the_source_there_are_no_descriptions_of_fields() -> None:
    """A class without source code has no descriptions of its fields."""
    assert schema_types.field_docs(int) == {}
