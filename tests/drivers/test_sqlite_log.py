"""The log that a killed process leaves: damage is refused, a torn end is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatfsm.drivers._sqlite_log import check_log
from chatfsm.drivers.sqlite import SqliteStore
from chatfsm.errors import StoreError


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A database and its log, as a killed process leaves them: ten transactions of one chat."""
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


def test_a_whole_log_is_read(left: Path) -> None:
    """All transactions count; and a log of a single half frame is none."""
    log = Path(f"{left}-wal").read_bytes()
    assert opened(left, log) == 9
    Path(f"{left}-wal").write_bytes(log[:40])
    check_log(left)


def test_a_damaged_log_is_refused(left: Path) -> None:
    """Wherever a byte is flipped, unless it is in the last transaction, which may be torn."""
    log = Path(f"{left}-wal").read_bytes()
    found = set()
    for place in (*range(0, 32, 5), *range(32, len(log), 1_501)):
        try:
            found.add(opened(left, log[:place] + bytes([log[place] ^ 0x10]) + log[place + 1 :]))
        except StoreError as error:
            found.add(str(error).partition("chats.db ")[2])
    assert found == {"is damaged: its log has a wrong checksum in the middle", 8}


def test_a_torn_log_counts_up_to_its_end(left: Path) -> None:
    """As after a power failure: what was being written was not answered."""
    log = Path(f"{left}-wal").read_bytes()
    assert opened(left, log[:-100]) == 8
    assert opened(left, log + log[-300:]) == 9
    assert opened(left, log + b"\0" * 9_000) == 9


def test_a_log_that_another_process_writes_is_not_checked(
    left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its frames may be half written."""
    checked: list[Path] = []
    with SqliteStore(left) as store:
        store.lease("a")
        monkeypatch.setattr("chatfsm.drivers.sqlite.check_log", checked.append)
        with SqliteStore(left):
            assert checked == []
    with SqliteStore(left):
        assert checked == [left]
