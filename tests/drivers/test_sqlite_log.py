"""The log of a killed process: a damaged one is refused, a torn end is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatfsm.drivers._sqlite_log import check_log
from chatfsm.drivers.sqlite import SqliteStore
from chatfsm.errors import StoreError


@pytest.fixture
def killed_database(tmp_path: Path) -> Path:
    """A database and its log after a kill: ten transactions of one chat."""
    path = tmp_path / "chats.db"
    with SqliteStore(tmp_path / "live.db", max_delay=0.0) as store:
        for number in range(10):
            store.save("a", {"number": number, "text": "hello " * 50}, number).result(10)
        for suffix in ("", "-wal"):
            Path(f"{path}{suffix}").write_bytes((tmp_path / f"live.db{suffix}").read_bytes())
    return path


def opened(path: Path, log: bytes) -> int:
    """Open the database with this log; return the number of the record in it."""
    database = path.read_bytes()
    try:
        Path(f"{path}-wal").write_bytes(log)
        with SqliteStore(path) as store:
            stored: Any = store.load("a")
            number: int = stored.record["number"]
            return number
    finally:
        path.write_bytes(database)
        Path(f"{path}-shm").unlink(missing_ok=True)


def test_a_whole_log_is_read(killed_database: Path) -> None:
    """All transactions count, and a log of half a frame counts as empty."""
    log = Path(f"{killed_database}-wal").read_bytes()
    assert opened(killed_database, log) == 9
    Path(f"{killed_database}-wal").write_bytes(log[:40])
    check_log(killed_database)


def test_a_damaged_log_is_refused(killed_database: Path) -> None:
    """A flipped byte is an error, unless it is in the last transaction, which may be torn."""
    log = Path(f"{killed_database}-wal").read_bytes()
    found = set()
    for place in (*range(0, 32, 5), *range(32, len(log), 1_501)):
        try:
            found.add(
                opened(killed_database, log[:place] + bytes([log[place] ^ 0x10]) + log[place + 1 :])
            )
        except StoreError as error:
            found.add(str(error).partition("chats.db ")[2])
    assert found == {"is damaged: its log has a wrong checksum in the middle", 8}


def test_a_torn_log_counts_up_to_its_end(killed_database: Path) -> None:
    """After a power failure the torn save is missing, which was never reported as done."""
    log = Path(f"{killed_database}-wal").read_bytes()
    assert opened(killed_database, log[:-100]) == 8
    assert opened(killed_database, log + log[-300:]) == 9
    assert opened(killed_database, log + b"\0" * 9_000) == 9


def test_the_log_of_a_running_process_is_not_checked(
    killed_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames of a running process may be half written."""
    checked: list[Path] = []
    with SqliteStore(killed_database) as store:
        store.lease("a")
        monkeypatch.setattr("chatfsm.drivers.sqlite.check_log", checked.append)
        with SqliteStore(killed_database):
            assert checked == []
    with SqliteStore(killed_database):
        assert checked == [killed_database]
