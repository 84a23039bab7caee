"""`chatfsm watch`: the chats of each kind of store, and unreadable records."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from chatfsm._cli import main, watch
from chatfsm._cli.watch_reader import StoreReader
from chatfsm.commands import SendText
from chatfsm.drivers.sqlite import SqliteStore
from chatfsm.drivers.storage import FileStore, FolderStore
from tests.drivers.core_harness import OPENED, CoreHarness

SECRETS = ("Hello", "Tove", "the-app-id", "the-client-id", "customer-")
MESSAGE = {"event": "chat_session_message", "party_id": "p-1", "msg_id": "m1", "msg": "Hello Tove"}
FORM = {"event": "chat_session_form_show", "form_request_id": "7"}
AGENT = {
    "event": "chat_session_party_joined",
    "party_id": "p-1",
    "type": "internal",
    "display_name": "Tove",
}
CONNECTED = {"event": "chat_session_status", "state": "connected"}


def record_of(chat_id: str, kind: str = "live", *, age: float = 0.0) -> dict[str, Any]:
    """The record of a chat of a kind, saved `age` seconds ago."""
    chat = CoreHarness()
    chat.core.saving.records.wall_clock = lambda: time.time() - age
    if kind == "new":
        chat.tick(at=0.1)
        return deepcopy(chat.record)
    chat.reply("api", {**OPENED, "chat_id": chat_id}, at=0.5)
    match kind:
        case "retrying":
            chat.fail("poll", at=3.0)
        case "unauthorized":
            chat.reply("poll", {"error_code": "3000"}, at=3.0, status=403)
        case "over":
            chat.reply("poll", {"events": [{"event": "chat_session_ended"}]}, at=1.0)
        case _:
            odd = {"event": "chat_session_party_left", "party_id": "p-9"}
            chat.reply("poll", {"events": [CONNECTED, AGENT, MESSAGE, FORM, odd]}, at=1.0)
            chat.receive(SendText("Hello"), at=2.0)
    return deepcopy(chat.record)


KINDS = ("live", "over", "retrying", "new", "unauthorized")
SORTED = ("unauthorized", "retrying", "waiting", "live")


@pytest.fixture(params=["folder", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A store that a driver has open, with leased chats."""
    path = tmp_path / "chats"
    kept = SqliteStore(path) if request.param == "sqlite" else FolderStore(path)
    for number, kind in enumerate(KINDS):
        kept.lease(f"customer-{number}")
        saving = kept.save(f"customer-{number}", record_of(f"chat-{kind}", kind), 0)
        if saving is not None:
            saving.result()
    yield path
    kept.close()


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main(["watch", *arguments]) == status
    return capsys.readouterr().out


def document(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    return json.loads(printed(capsys, *arguments, "--json", status=status))


def files_in(folder: Path) -> dict[str, tuple[int, int]]:
    """The size and the time of each file, at any depth."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_the_table_shows_trouble_first(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table shows chats that are not over; the totals below count all."""
    head, _, *rows, summary = printed(capsys, str(store)).splitlines()
    assert head.split() == [
        *("chat", "state", "link", "silent", "saved", "due", "queued", "unhandled"),
        *("failures", "forms", "anomalies", "agent"),
    ]
    assert tuple(row.split()[2] for row in rows) == SORTED
    live = rows[-1].split()
    assert live[:3] == ["chat-live", "connected", "live"]
    assert live[-6:] == ["1", "8", "-", "1", "1", "yes"]
    assert summary.startswith(
        "5 chats, 1 live, 1 waiting, 1 retrying, 1 unauthorized, 1 over, 1 queued, silent for "
    )


def test_no_customer_is_shown_without_the_option(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys of chats are shown with --keys only; texts and names are never shown."""
    for format_of in ([], ["--json"]):
        text = printed(capsys, str(store), "--all", *format_of)
        assert [secret for secret in SECRETS if secret in text] == []
        named = printed(capsys, str(store), "--all", "--keys", *format_of)
        assert [secret for secret in SECRETS if secret in named] == ["customer-"]
        assert all(f"customer-{number}" in named for number in range(5))


def test_the_document_has_all_of_the_table(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Times are in seconds since 1970; unknown values are null."""
    found = document(capsys, str(store))
    assert found["totals"]["links"] == {
        **dict.fromkeys(("live", "waiting", "retrying", "unauthorized", "over"), 1)
    }
    unauthorized, retrying, new, live = found["chats"]
    assert (unauthorized["link"], retrying["failures"]) == ("unauthorized", 1)
    assert (new["chat_id"], new["state"], new["answered_at"]) == (None, None, None)
    assert live.keys() >= {"saved_at", "due", "forms"}
    assert abs(live["saved_at"] - live["answered_at"] - 1.0) < 0.5
    assert len(document(capsys, str(store), "--all")["chats"]) == 5


def test_nothing_is_written_and_no_chat_is_leased(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file is written, next to an open store or a closed one."""
    before = files_in(store.parent)
    printed(capsys, str(store))
    after = files_in(store.parent)
    after.pop(f"{store}-shm", None)  # memory shared by the readers and writers of SQLite
    before.pop(f"{store}-shm", None)
    assert after == before


def test_reading_a_closed_database_creates_no_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQLite would create its own files there."""
    path = tmp_path / "chats.db"
    with SqliteStore(path) as kept:
        kept.save("customer-1", record_of("chat-1"), 0).result()
    assert "chat-1" in printed(capsys, str(path))
    assert [found.name for found in tmp_path.iterdir()] == ["chats.db"]


def test_chats_saved_during_a_reading_are_not_damaged(tmp_path: Path) -> None:
    """All records of a database are read as of the start of the reading."""
    with SqliteStore(tmp_path / "chats.db") as kept:
        for name in ("a", "b"):
            kept.save(name, record_of(f"chat-{name}"), 0).result()
        rows = StoreReader(tmp_path / "chats.db")._read_sqlite()
        found = [next(rows)]
        kept.save("b", record_of("chat-b", "retrying"), 1).result()
        found += rows
    assert [(row.error, row.link) for row in found] == [(None, "live"), (None, "live")]


def test_a_file_is_a_store_of_one_chat(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The store is a file of `Chat.connect(store=path)`; a directory of such files is one too."""
    path = tmp_path / "customer-1.json"
    FileStore(path).save(record_of("chat-1"))
    FileStore(tmp_path / "customer-2.json").save(record_of("chat-2"))
    assert [chat["chat_id"] for chat in document(capsys, str(path))["chats"]] == ["chat-1"]
    found = document(capsys, str(tmp_path), "--keys")["chats"]
    assert {chat["key"] for chat in found} == {"customer-1.json", "customer-2.json"}


def test_a_record_that_cannot_be_read_has_a_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The readable records are shown, and the exit code reports the unreadable ones."""
    good = record_of("chat-1")
    FileStore(tmp_path / "good.json").save(good)
    forged = deepcopy(good)
    forged["client"]["client"]["session"]["memory"]["chat_id"] = "\x1b[2J"
    bad = {
        "torn.chat": json.dumps({"version": 1, "record": good})[:-20],
        "list.json": "[1]",
        "deep.json": "[" * 100_000,
        "forged.json": json.dumps(forged),
        "odd\x1b[31m.json": json.dumps({**good, "client": None}),
        "bytes.chat": "\udcff",
    }
    for name, text in bad.items():
        (tmp_path / name).write_text(text, "utf-8", "surrogateescape")
    (tmp_path / "nowhere.json").symlink_to(tmp_path / "gone")
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.chat")
    (tmp_path / ".hidden.json").write_text("")
    (tmp_path / "notes.txt").write_text("")
    found = document(capsys, str(tmp_path), "--keys", status=1)
    errors = {chat["key"]: chat["error"] for chat in found["chats"] if chat["error"] is not None}
    assert errors == {
        **dict.fromkeys([name.removesuffix(".chat") for name in bad], "damaged"),
        "nowhere.json": "no such file or directory",
        "folder.json": "no file",
        "pipe": "no file",
    }
    assert (found["totals"]["chats"], found["totals"]["unreadable"]) == (1, 9)
    text = printed(capsys, str(tmp_path), "--keys", status=1)
    assert "\x1b" not in text
    assert r"odd\x1b[31m.json" in text
    assert "9 unreadable, 1 queued" in text
    assert "9 unreadable (--keys names them)" in printed(capsys, str(tmp_path), status=1)


def test_a_forged_record_keeps_its_row_short(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A digest is no signature: counts, times and ids of a record may have any size."""
    chat = CoreHarness()
    chat.reply("api", {**OPENED, "chat_id": "x" * 200}, at=0.5)
    chat.core.client._state.poll_timer.failures = 10**4000
    chat.core.client._state.poll_answered_at = -1e300
    chat.tick(at=1.0)
    chat.core.saving.records.change_client()
    record = chat.core.saving.records.record(chat.core.client, chat.core.pending, 1.0)
    FileStore(tmp_path / "one.json").save({**record, "at": -1e300, "due": 1e300})
    head, _, row, summary = printed(capsys, str(tmp_path)).splitlines()
    assert row.split()[-8:] == ["9999", "d", "-", "2", "9999+", "-", "-", "-"]
    assert max(map(len, (head, row, summary))) < 220


def test_a_hostile_database_has_rows_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong digest, invalid text and a record that is too large have rows with errors."""
    path = tmp_path / "chats.db"
    with SqliteStore(path) as kept:
        for name in ("a", "b", "c"):
            kept.save(name, record_of(f"chat-{name}"), 0).result()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE chatfsm_chats SET version = 7 WHERE key = 'a'")
        database.execute("INSERT INTO chatfsm_chats VALUES (CAST(x'ff' AS TEXT), 1, x'ff', 'no')")
        database.execute("UPDATE chatfsm_chats SET record = zeroblob(40000000) WHERE key = 'c'")
    database.close()
    found = document(capsys, str(path), "--keys", status=1)["chats"]
    assert {chat["key"]: chat["error"] for chat in found} == {
        "a": "damaged",
        "b": None,
        "c": "too large",
        r"\xff": "damaged",
    }


@pytest.mark.parametrize("content", [b"SQLite format 3\0 and then nothing", None])
def test_a_store_that_cannot_be_read_is_an_error(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing store or a damaged database gives one line and exit code 2."""
    path = tmp_path / "chats"
    if content is not None:
        path.write_bytes(content)
    assert main(["watch", str(path), "--once"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"chatfsm: {path}: ")
    assert error.count("\n") == 1


def test_a_database_of_another_app_is_not_a_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The database has no table of chats."""
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE things (name)")
    database.close()
    assert main(["watch", str(tmp_path / "other.db")]) == 2
    assert "damaged, or no store of chats" in capsys.readouterr().err


def test_unchanged_records_are_not_read_again(tmp_path: Path) -> None:
    """A refresh reads only records that were saved since, and drops the deleted ones."""
    kept = FolderStore(tmp_path)
    for number in (1, 2, 3):
        kept.save(f"customer-{number}", record_of(f"chat-{number}"), 0)
    reader = StoreReader(tmp_path)
    first = {row.key: row for row in reader.read()}
    kept.save("customer-2", record_of("chat-2", "retrying"), 1)
    kept.delete("customer-3", 1)
    second = {row.key: row for row in reader.read()}
    assert second["customer-1"] is first["customer-1"]
    assert second["customer-2"].link == "retrying"
    assert second.keys() == reader._known.keys() == {"customer-1", "customer-2"}
    kept.close()


def test_a_terminal_shows_it_again_until_ctrl_c(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The screen has as many rows and columns as fit; then the totals, and exit code 0."""
    kept, sleeps = FolderStore(tmp_path / "chats"), iter(range(4))
    for number in range(30):
        kept.save(f"customer-{number}", record_of(f"a-long-id-of-a-chat-{number:02}"), 0)

    def sleep(seconds: float) -> None:
        assert seconds == 2.0
        match next(sleeps):
            case 1:
                (tmp_path / "chats").rename(tmp_path / "away")
            case 2:
                (tmp_path / "away").rename(tmp_path / "chats")
            case 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", sleep)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "20")
    monkeypatch.setenv("TERM", "xterm-256color")
    text = printed(capsys, str(tmp_path / "chats"), "--plain")
    assert "directory" in text  # the directory is missing now
    assert text.count("… and 15 more") == 3
    assert max(len(line) for line in text.splitlines() if "\x1b" not in line) <= 80
    assert "30 chats, 30 live, 30 queued" in text.splitlines()[-1]


def test_the_table_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without rich only --json works."""
    monkeypatch.setattr(watch, "find_spec", lambda _name: None)
    assert main(["watch", str(tmp_path)]) == 2
    assert main(["watch", str(tmp_path), "--json"]) == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((-1.0, "0 s"), (119.4, "119 s"), (120.0, "2 min"), (7_200.0, "2 h")),
        *((400_000.0, "5 d"), (1e300, "9999 d")),
    ],
)
def test_a_duration_is_short(seconds: float, text: str) -> None:
    """A duration is given in its largest unit that has a count of two or more."""
    assert watch._seconds(seconds) == text


def test_a_chat_with_a_past_deadline_is_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A past deadline has a minus sign: perhaps no process drives the chat."""
    FileStore(tmp_path / "one.json").save(record_of("chat-1", age=600.0))
    row = printed(capsys, str(tmp_path)).splitlines()[2]
    assert row.split()[3:9] == ["10", "min", "10", "min", "-9", "min"]
