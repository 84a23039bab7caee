"""Recorded formats: this version reads what every release since 0.2.0 has written.

The promise is in docs/compatibility.md. The files of tests/formats/recorded hold the chat of
`chat_in_mid_conversation`. If a format changes, it gets a new version and a file of its own, and
the old file stays.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatfsm import ChatClient, effects
from chatfsm._client import journal as client_journal
from chatfsm._client import snapshot as client_snapshot
from chatfsm.client_effects import ChatOpened, LinkChanged
from chatfsm.drivers import _sqlite_file, storage
from chatfsm.drivers.sqlite import SqliteStore
from chatfsm.drivers.storage import FileStore, FolderStore, StoredRecord, parse_record
from chatfsm.models import Form
from chatfsm.replay import verify
from tests.formats.chat import (
    AGENT,
    BEFORE_NUMBERS,
    CHAT,
    ENDPOINT,
    RECORDED,
    WALL,
    chat_in_mid_conversation,
    record_of,
)

KEY = "Customer 42/å"  # a name that a file cannot have
RECORDS = range(3, storage.VERSION + 1)
CLIENTS = range(1, client_snapshot.VERSION + 1)
JOURNALS = range(1, client_journal.VERSION + 1)
DATABASES = range(1, _sqlite_file.VERSION + 1)
FILES = FOLDERS = range(1, 2)


def recorded_json(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RECORDED / name).read_text("utf-8"))
    return found


def check_client(client: ChatClient) -> None:
    """Check that a client is the one that was recorded, with its deadlines on the new clock."""
    session = client.session
    assert session is not None
    assert (session.chat_id, session.state, session.done) == (CHAT, "connected", False)
    assert [party.party_id for party in session.parties] == [AGENT]
    assert session.typing == (AGENT,)
    assert session.forms == (Form("31", "address", deadline=620.0),)
    assert session.outbox == {"k3:1": "sent", "k3:3": "unconfirmed", "k3:5": "pending"}
    assert session.token == BEFORE_NUMBERS
    assert session.counts.events == 6


def test_there_is_a_file_of_every_version() -> None:
    """Of records from version 3 on, which is that of 0.2.0."""
    assert {path.name for path in RECORDED.iterdir()} == {
        *(f"client-v{version}.json" for version in CLIENTS),
        *(f"record-v{version}.json" for version in RECORDS),
        *(f"journal-v{version}.jsonl" for version in JOURNALS),
        *(f"sqlite-v{version}.sql" for version in DATABASES),
        *(f"file-v{version}.chat" for version in FILES),
        *(f"folder-v{version}" for version in FOLDERS),
    }


def test_the_present_formats_are_the_recorded_ones() -> None:
    """A change of a format without a new version would make stored chats unreadable."""
    lines: list[str] = []
    run = chat_in_mid_conversation(lines)
    snapshot = json.loads(json.dumps(run.client.snapshot(now=20.0)))
    assert snapshot == recorded_json(f"client-v{client_snapshot.VERSION}.json")
    assert record_of(run) == recorded_json(f"record-v{storage.VERSION}.json")
    header, *entries = map(json.loads, "".join(lines).splitlines())
    text = (RECORDED / f"journal-v{client_journal.VERSION}.jsonl").read_text("utf-8")
    recorded_header, *recorded_entries = map(json.loads, text.splitlines())
    del header["journal"]["chatfsm"], recorded_header["journal"]["chatfsm"]
    assert header == recorded_header
    assert entries == recorded_entries


@pytest.mark.parametrize("version", CLIENTS)
def test_a_client_snapshot_is_restored(version: int) -> None:
    """On another clock, 0 seconds after it was made."""
    snapshot = recorded_json(f"client-v{version}.json")
    check_client(ChatClient.restore(snapshot, ENDPOINT, now=500.0))


@pytest.mark.parametrize("version", RECORDS)
def test_a_record_is_restored_with_its_pending_effects(version: int) -> None:
    """The deadlines of pending effects are on the new clock, too."""
    record = recorded_json(f"record-v{version}.json")
    _, pending = parse_record(record, 500.0, wall=WALL)
    assert pending[0] == ChatOpened(CHAT, is_new=True)
    assert LinkChanged("live") in pending
    assert effects.FormOpened(Form("31", "address", deadline=620.0)) in pending
    assert effects.MessageSent("k3:1") in pending
    assert len(pending) == 10
    check_client(storage.restore(record, ENDPOINT, now=500.0, wall=WALL).client)


@pytest.mark.parametrize("version", FILES)
def test_the_file_of_a_chat_is_loaded(version: int, tmp_path: Path) -> None:
    """A `FileStore` gives the last record: its file has the first one and the changes since."""
    path = shutil.copy(RECORDED / f"file-v{version}.chat", tmp_path / "chat.json")
    assert FileStore(path).load() == recorded_json("record-v3.json")


@pytest.mark.parametrize("version", JOURNALS)
def test_a_journal_is_verified(version: int) -> None:
    """The session of this version has the effects that the journal holds."""
    with (RECORDED / f"journal-v{version}.jsonl").open(encoding="utf-8") as lines:
        assert verify(lines) == 11


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteStore]:
    """A database that a release has written."""
    path = tmp_path / "chats.db"
    script = (RECORDED / f"sqlite-v{request.param}.sql").read_text("utf-8")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    with SqliteStore(path) as store:
        yield store


def test_a_database_is_read_and_written(database: SqliteStore) -> None:
    """Its digests fit, and a save goes on from the version of the record."""
    record = recorded_json("record-v3.json")
    assert [*database.list()] == [StoredRecord(KEY, 7, record)]
    database.lease(KEY)
    database.save(KEY, record, 7).result()
    assert database.load(KEY) == StoredRecord(KEY, 8, record)


@pytest.mark.parametrize("version", FOLDERS)
def test_a_folder_is_read_and_written(version: int, tmp_path: Path) -> None:
    """The name of a file gives the key of its chat."""
    folder = tmp_path / "chats"
    shutil.copytree(RECORDED / f"folder-v{version}", folder)
    store, record = FolderStore(folder), recorded_json("record-v3.json")
    assert [*store.list()] == [StoredRecord(KEY, 7, record)]
    store.save(KEY, record, 7)
    assert store.load(KEY) == StoredRecord(KEY, 8, record)
    names = {path.name for path in folder.iterdir() if path.suffix == ".chat"}
    assert names == {path.name for path in (RECORDED / f"folder-v{version}").iterdir()}
