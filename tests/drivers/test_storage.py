"""Records of chats: pending effects are equal after a restart."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from chatfsm import ChatSession, Tick, decode
from chatfsm._client.client import ChatClient
from chatfsm.api import GetVersion
from chatfsm.client_effects import ApiSucceeded, ChatOpened, LinkChanged, Undelivered
from chatfsm.drivers import storage
from chatfsm.drivers.storage import make_record, parse_record
from chatfsm.effects import FormClosed, FormOpened, ServiceNamed, UnknownReceived
from chatfsm.endpoint import Endpoint
from chatfsm.errors import SnapshotError
from chatfsm.models import Form
from tests.drivers.scripted_client import ScriptedClient

LOGS = sorted((Path(__file__).parents[1] / "logs").glob("*.jsonl"))
WALL = 1_700_000_000.0
ENDPOINT = Endpoint("https://chat.example", "tenant.example", "an-app", "a-client")


def round_trip(
    effects: Any, at: float = 0.0, later: float = 0.0, down: float = 0.0
) -> tuple[object, ...]:
    """Return the effects after a round trip through the JSON of a record."""
    record = make_record({"some": "snapshot"}, effects, at, wall=WALL)
    text = json.dumps(record, allow_nan=False)
    snapshot, effects = parse_record(json.loads(text), later, wall=WALL + down)
    assert snapshot == {"some": "snapshot"}
    return effects


def effects_of(log: Path) -> list[object]:
    session = ChatSession("a-chat")
    found: list[object] = []
    for line in log.read_bytes().splitlines():
        for event in decode(line):
            found += session.receive(event, now=1.0)
    return found


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_effects_of_recorded_chats_survive(log: Path) -> None:
    """Every effect of every recorded chat is equal after the round trip, in order."""
    effects = effects_of(log)
    assert round_trip(effects) == tuple(effects)


def test_effects_of_the_client_survive() -> None:
    """Effects for the app survive; results of API requests do not, as their callers are gone."""
    effects = (
        ChatOpened("C", is_new=True),
        LinkChanged("live"),
        Undelivered("typing", None, "why"),
    )
    assert round_trip([*effects, ApiSucceeded(GetVersion(), 1)]) == effects


def test_deadlines_are_saved_as_remaining_seconds() -> None:
    """The remaining time of a form is the same on another clock."""
    form = Form("7", "survey", deadline=130.0)
    effects = round_trip([FormOpened(form), FormClosed(form, "expired")], at=100.0, later=5.0)
    assert [effect.form.deadline for effect in effects] == [35.0, 35.0]


def test_a_form_keeps_its_time_while_no_process_runs() -> None:
    """The deadlines are reduced by the time without a process."""
    form = Form("7", "survey", deadline=130.0)
    [effect] = round_trip([FormOpened(form)], at=100.0, later=5.0, down=20.0)
    assert isinstance(effect, FormOpened)
    assert effect.form.deadline == 15.0


def test_an_open_form_expires_while_no_process_runs() -> None:
    """The restored client reports the expiry at its first tick, if no time is left."""
    [opened] = decode(
        {"event": "chat_session_form_show", "form_request_id": "7", "form_timeout": 60}
    )
    client = ChatClient(ENDPOINT, chat_id="CHAT-1")
    client.receive(Tick(), now=1.0)
    assert client.session is not None
    client.session.receive(opened, now=1.0)
    record = make_record(client.snapshot(now=1.0), [], 1.0, wall=WALL)
    for down, is_open in ((59.0, True), (61.0, False), (-9.0, True)):
        restored = storage.restore(record, ENDPOINT, now=500.0, wall=WALL + down).client
        effects = restored.receive(Tick(), now=500.0)
        assert restored.session is not None
        assert bool(restored.session.forms) == is_open
        assert any(isinstance(effect, FormClosed) for effect in effects) != is_open


def test_a_record_of_version_1_is_read() -> None:
    """Version 1 has no wall clock; its deadlines are remaining seconds."""
    record = make_record({}, [FormOpened(Form("7", "survey", deadline=30.0))], 0.0, wall=0.0)
    old = {**record, "version": 1}
    del old["at"], old["due"]
    _, [effect] = parse_record(old, 5.0)
    assert isinstance(effect, FormOpened)
    assert effect.form.deadline == 35.0


def test_hostile_content_can_be_written() -> None:
    """Unread wire values are cleaned, at any depth and of any size."""
    deep: Any = float("nan")
    for _ in range(5_000):
        deep = [deep]
    [effect] = round_trip([UnknownReceived("odd", deep)])
    assert isinstance(effect, UnknownReceived)


BROKEN: list[Any] = [
    None,
    {},
    {"format": "other"},
    {"format": "chatfsm.chat", "version": 4, "client": {}, "told": []},
    {"format": "chatfsm.chat", "version": 2, "client": {}, "told": []},
    {"format": "chatfsm.chat", "version": 2, "at": "now", "client": {}, "told": []},
    {"format": "chatfsm.chat", "version": 2, "at": float("inf"), "client": {}, "told": []},
    {"format": "chatfsm.chat", "version": True, "client": {}, "told": []},
    {"format": "chatfsm.chat", "version": 1, "client": {}},
    {"format": "chatfsm.chat", "version": 1, "client": {}, "told": [{"effect": "Nothing"}]},
    {"format": "chatfsm.chat", "version": 1, "client": {}, "told": [{"effect": "ServiceNamed"}]},
    {"format": "chatfsm.chat", "version": 1, "client": {}, "told": 7},
]


def test_a_record_of_version_2_is_read() -> None:
    """Version 2 has no due time of the chat."""
    record = make_record({"some": "snapshot"}, [], 0.0, wall=WALL)
    old = {key: value for key, value in record.items() if key != "due"}
    assert parse_record({**old, "version": 2}, 5.0) == ({"some": "snapshot"}, ())


def test_a_record_has_the_due_time_of_the_chat() -> None:
    """The due time is the client's deadline in seconds since 1970, or now if that has passed."""
    client = ScriptedClient(deadline=130.0)
    found = []
    for client.deadline in (130.0, 7.0, None):
        records = storage.RecordWriter(lambda: WALL)
        found.append(records.record(client, deque(), 100.0)["due"])
    assert found == [WALL + 30.0, WALL, None]


@pytest.mark.parametrize("record", BROKEN)
def test_a_value_that_is_not_a_record_is_refused(record: object) -> None:
    """A changed record, or any other value, raises `SnapshotError`."""
    with pytest.raises(SnapshotError):
        parse_record(record, 0.0)


def test_a_saved_chat_is_restored_whole(tmp_path: Path) -> None:
    """The file restores the client with its chat and the pending effects."""
    client = ChatClient(ENDPOINT, chat_id="CHAT-1")
    client.receive(Tick(), now=1.0)
    store = storage.FileStore(str(tmp_path / "chat.json"))
    store.save(make_record(client.snapshot(now=1.0), [ServiceNamed("Parcels")], 1.0))
    restored = storage.restore(store.load(), ENDPOINT, now=50.0)
    assert restored.client.session is not None
    assert restored.client.session.chat_id == "CHAT-1"
    assert restored.pending == (ServiceNamed("Parcels"),)


def test_a_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    """The second record replaces the first, and no other file is left."""
    store = storage.FileStore(tmp_path / "chat.json")
    store.save({"record": 1})
    store.save({"record": 2})
    assert store.load() == {"record": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["chat.json"]
    assert store.path.stat().st_mode & 0o777 == 0o600


def test_a_record_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """A failed write leaves the previous record."""
    store = storage.FileStore(tmp_path / "chat.json")
    store.save({"record": 1})
    with pytest.raises(ValueError, match="not JSON"):
        store.save({"record": float("nan")})
    assert store.load() == {"record": 1}


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000])
def test_a_foreign_file_is_refused(tmp_path: Path, text: str) -> None:
    """A file without a record raises `SnapshotError`; an empty one counts as no record."""
    path = tmp_path / "chat.json"
    assert storage.FileStore(path).load() is None
    path.write_text(text)
    with pytest.raises(SnapshotError):
        storage.FileStore(path).load()
