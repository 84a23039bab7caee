"""SqliteStore: one file, one fsync for many chats, leases, damage, a full disk."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatfsm.drivers._file_lock import fcntl, is_locked, open_locked
from chatfsm.drivers._sqlite_file import error_from
from chatfsm.drivers._sqlite_writer import TaskWrite
from chatfsm.drivers.sqlite import SqliteStore
from chatfsm.drivers.storage import StoredRecord
from chatfsm.errors import LocalProtocolError, StoreConflictError, StoreError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chats.db"


def saved(store: SqliteStore, key: str, record: dict[str, Any], version: int = 0) -> None:
    store.save(key, record, version).result(10)


def test_pending_saves_share_a_transaction(path: Path) -> None:
    """A hundred chats share one fsync, and are loaded by their keys."""
    with SqliteStore(path, max_delay=60.0) as store:
        savings = [store.save(f"chat-{number:03}", {"number": number}, 0) for number in range(500)]
        store.lease("urgent")
        assert all(saving.done() for saving in savings)
        assert (store.commits, store.saves) == (1, 500)
        assert [stored.record["number"] for stored in store.list()] == [*range(500)]


def test_a_conflict_affects_one_chat_only(path: Path) -> None:
    """The other chats of the transaction are saved; of two saves of one chat the first is."""
    with SqliteStore(path, max_delay=60.0) as store:
        wrong = store.save("a", {}, 7)
        right = [store.save("b", {"first": 1}, 0), store.save("c", {}, 0)]
        second = store.save("b", {"second": 1}, 0)
        store.lease("urgent")
        assert [saving.result() for saving in right] == [None, None]
        for saving in (wrong, second):
            with pytest.raises(StoreConflictError, match="saved, deleted or leased"):
                saving.result()
        assert store.load("a") is None
        assert store.load("b") == StoredRecord("b", 1, {"first": 1})


def test_closing_writes_pending_saves_and_leaves_one_file(path: Path) -> None:
    """No lease, lock or log file is left; a closed store refuses all calls."""
    store = SqliteStore(path, max_delay=60.0)
    store.lease("a")
    saving = store.save("a", {"last": 1}, 0)
    store.close()
    store.close()
    store.release("a")
    assert saving.result() is None
    assert [file.name for file in path.parent.iterdir()] == ["chats.db"]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT * FROM chatfsm_leases").fetchall() == []
    assert path.stat().st_mode & 0o777 == 0o600
    for use in (lambda: store.save("a", {}, 1), lambda: store.load("a"), lambda: store.lease("a")):
        with pytest.raises(LocalProtocolError, match="closed"):
            use()
    with SqliteStore(path) as again:
        assert again.load("a") == StoredRecord("a", 1, {"last": 1})


def test_a_record_that_is_not_json_is_refused(path: Path) -> None:
    """The error is raised at once, and nothing of the record is written."""
    with SqliteStore(path) as store, pytest.raises(ValueError, match="not JSON"):
        store.save("a", {"x": float("nan")}, 0)


HOLDER = """
import sys, time
from chatfsm.drivers._sqlite_writer import TaskWrite
from chatfsm.drivers.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
for key in ("a", "b"):
    store.lease(key)
    store.save(key, {"by": 1}, 0).result()
print("leased", flush=True)
time.sleep(60)
"""


def test_a_second_process_may_lease_once_the_first_is_killed(path: Path) -> None:
    """All leases of the first process are free then.

    While it was alive none of its chats was saved.
    """
    program = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=ROOT) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "leased\n"
            with SqliteStore(path) as store:
                with pytest.raises(LocalProtocolError, match="another process or chat has it open"):
                    store.lease("a")
                with pytest.raises(StoreConflictError):
                    saved(store, "a", {"by": 2}, 1)
                with pytest.raises(StoreConflictError):
                    store.delete("a", 1)
                holder.kill()
                holder.wait()
                for key in ("a", "b"):
                    store.lease(key)
                    saved(store, key, {"by": 2}, 1)
        finally:
            holder.kill()
    assert [file.name for file in path.parent.iterdir()] == ["chats.db"]


@pytest.mark.skipif(fcntl is None, reason="shared locks are of POSIX")
def test_two_checks_for_an_owner_find_no_owner(tmp_path: Path) -> None:
    """Two checks for an owner do not find each other; the file of a dead owner is removed."""
    path = tmp_path / ".lock"
    locked = open_locked(path)
    assert locked is not None
    assert is_locked(path)
    os.close(locked)
    asking = os.open(path, os.O_RDWR)
    fcntl.flock(asking, fcntl.LOCK_SH)
    assert not is_locked(path)
    assert not path.exists()
    assert not is_locked(path)
    os.close(asking)


def test_statements_of_the_app_are_in_the_transaction(path: Path) -> None:
    """A record and its statements are both written or both not; other chats are not affected."""
    with SqliteStore(path) as store:
        with sqlite3.connect(path) as app:
            app.execute("CREATE TABLE notes (text TEXT UNIQUE)")
        insert = ("INSERT INTO notes VALUES (?)", ["hello"])
        store.save("a", {}, 0, [insert]).result(10)
        savings = [store.save("a", {}, 1, [insert]), store.save("b", {}, 0)]
        savings += [store.save("c", {}, 5, [("INSERT INTO notes VALUES ('c')", [])])]
        with pytest.raises(sqlite3.IntegrityError):
            savings[0].result(10)
        assert savings[1].result(10) is None
        with pytest.raises(StoreConflictError):
            savings[2].result(10)
        assert [stored.version for stored in store.list()] == [1, 1]
        assert app.execute("SELECT text FROM notes").fetchall() == [("hello",)]
        app.close()


def bound_pages(store: SqliteStore, number: int) -> None:
    """Limit the file to a number of pages, or to its present size."""
    bound = f"PRAGMA max_page_count = {number}"
    store._writer.submit(TaskWrite(lambda database: database.execute(bound))).result(10)


def test_a_full_disk_is_an_error_and_loses_nothing(path: Path) -> None:
    """Saves raise an OSError until there is space again, and saved records are kept."""
    with SqliteStore(path) as store:
        saved(store, "a", {"x": "a" * 1_000})
        saved(store, "b", {"x": "b"})
        bound_pages(store, 1)
        with pytest.raises(OSError, match="No space left on device") as raised:
            saved(store, "a", {"x": "a" * 50_000}, 1)
        assert raised.value.errno == errno.ENOSPC
        assert store.load("a") == StoredRecord("a", 1, {"x": "a" * 1_000})
        bound_pages(store, 1_000_000)
        saved(store, "a", {"x": "a" * 50_000}, 1)
        assert store.load("b") == StoredRecord("b", 1, {"x": "b"})


def filled(path: Path) -> dict[str, Any]:
    """A database with some records, closed."""
    records = {f"chat-{number}": {"text": f"hello {number} " * 40} for number in range(30)}
    with SqliteStore(path, max_delay=0.0) as store:
        for key, record in records.items():
            store.save(key, record, 0)
    return records


def test_a_flipped_byte_is_refused_or_harmless(path: Path) -> None:
    """Each 199th byte of the file is flipped: the store raises an error, or has all records."""
    records = filled(path)
    content, refusals = path.read_bytes(), list[str]()
    for place in range(0, len(content), 199):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        try:
            with SqliteStore(path) as store:
                assert {stored.key: stored.record for stored in store.list()} == records
        except StoreError as error:
            refusals.append(str(error))
    assert len(refusals) > 30
    assert all(str(path) in text for text in refusals)


def test_a_record_that_is_damaged_later_is_refused(path: Path) -> None:
    """`load` and `list` compare the digest."""
    filled(path)
    with SqliteStore(path) as store:
        with sqlite3.connect(path) as other:
            other.execute("UPDATE chatfsm_chats SET record = '{}' WHERE key = 'chat-7'")
        other.close()
        for use in (lambda: store.load("chat-7"), lambda: list(store.list())):
            with pytest.raises(StoreError, match="not as it was saved"):
                use()


@pytest.mark.parametrize("content", [b"not a database" * 100, b"{}", b"\0" * 4096])
def test_a_foreign_file_is_refused(path: Path, content: bytes) -> None:
    """The file is not changed."""
    path.write_bytes(content)
    with pytest.raises(StoreError, match="no database of chats"):
        SqliteStore(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", [b"chatfsm_schema", b"chatfsm_chats", b"sqlite_autoindex"])
def test_a_damaged_name_in_the_schema_is_refused(path: Path, name: bytes) -> None:
    """The error is clear even if SQLite's own message is not valid text."""
    filled(path)
    path.write_bytes(path.read_bytes().replace(name, b"\xff" + name[1:], 1))
    with pytest.raises(StoreError, match=r"chats\.db"):
        SqliteStore(path)


def test_an_error_quotes_no_record(path: Path) -> None:
    """The error about a text that is not UTF-8 has no content."""
    filled(path)
    path.write_bytes(path.read_bytes().replace(b"hello 7", b"hello \xff"))
    with pytest.raises(StoreError, match="a record is not as it was saved") as raised:
        SqliteStore(path)
    assert "hello" not in str(raised.value)


def test_a_newer_schema_is_refused(path: Path) -> None:
    """A database of a later version is not touched."""
    filled(path)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE chatfsm_schema SET version = 2")
    other.close()
    with pytest.raises(StoreError, match="another version of chatfsm: its schema must be 1"):
        SqliteStore(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """A path in a missing folder is refused too."""
    for wrong in (tmp_path, tmp_path / "nowhere" / "chats.db"):
        with pytest.raises(OSError, match=str(tmp_path)):
            SqliteStore(wrong)


@pytest.mark.parametrize(("code", "number"), [(5, errno.EBUSY), (13, errno.ENOSPC), (522, 5)])
def test_errors_of_the_disk_are_os_errors(code: int, number: int) -> None:
    """The low byte of SQLite's code decides; for other codes the store cannot be used."""
    error = sqlite3.OperationalError("why")
    error.sqlite_errorcode = code
    found = error_from(error, Path("chats.db"))
    assert isinstance(found, OSError)
    assert found.errno == number
    assert os.strerror(number) in str(found)
    error.sqlite_errorcode = 1
    assert isinstance(error_from(error, Path("chats.db")), StoreError)


def test_a_bug_in_the_writer_fails_its_saves(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No save waits forever: an unexpected error is that of each save in the transaction."""
    with SqliteStore(path) as store:
        saved(store, "a", {})

        def fail(*_given: object) -> object:
            raise ZeroDivisionError

        monkeypatch.setattr(type(store._writer), "_save", fail)
        with pytest.raises(ZeroDivisionError):
            saved(store, "a", {}, 1)
        monkeypatch.undo()
        saved(store, "a", {}, 1)


def test_another_process_leaves_the_log_of_an_open_store(path: Path) -> None:
    """Another process that opens and closes the database does not delete the log with its saves."""
    program = (
        "import sqlite3, sys; database = sqlite3.connect(sys.argv[1]);"
        "database.execute('SELECT count(*) FROM chatfsm_chats').fetchone(); database.close()"
    )
    store = SqliteStore(path)
    try:
        saved(store, "a", {})
        subprocess.run([sys.executable, "-c", program, str(path)], check=True)
        assert path.with_name(f"{path.name}-wal").exists()
    finally:
        store.close()
