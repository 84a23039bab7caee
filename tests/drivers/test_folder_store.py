"""FolderStore: file names, versions and leases."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from chatfsm.drivers.storage import ChatInStore, FolderStore, StoredRecord
from chatfsm.errors import LocalProtocolError, SnapshotError, StoreConflictError

KEYS = ["Ann", "ann", "../../etc/passwd", ".hidden", "a b/ü%41", "con.txt", "*?[x]"]


def test_any_key_has_a_file_of_its_own_in_the_folder(tmp_path: Path) -> None:
    """Names have no path, no pattern and no upper case; `list` returns the keys."""
    store = FolderStore(tmp_path / "chats")
    for number, key in enumerate(KEYS):
        store.save(key, {"number": number}, 0)
    assert sorted(store.list(), key=lambda stored: stored.record["number"]) == [
        StoredRecord(key, 1, {"number": number}) for number, key in enumerate(KEYS)
    ]
    names = [path.name for path in (tmp_path / "chats").iterdir()]
    assert len({name.lower() for name in names}) == len(KEYS)
    assert [path.name for path in tmp_path.iterdir()] == ["chats"]


@pytest.mark.parametrize("key", ["", "a" * 201, "a\0b", "a\nb", "\ud800", "ü" * 100])
def test_an_invalid_key_is_refused(tmp_path: Path, key: str) -> None:
    """An empty key, one that is too long and one that is not printable are refused."""
    with pytest.raises(LocalProtocolError, match="cannot store a chat"):
        FolderStore(tmp_path).save(key, {}, 0)


def test_a_save_needs_the_version_that_it_replaces(tmp_path: Path) -> None:
    """A record that another store has saved or deleted is not overwritten."""
    one, two = FolderStore(tmp_path), FolderStore(tmp_path)
    one.save("a", {"by": 1}, 0)
    two.save("a", {"by": 2}, 1)
    for version in (0, 1, 3):
        with pytest.raises(StoreConflictError, match="saved or deleted by another process"):
            one.save("a", {"by": 1}, version)
        with pytest.raises(StoreConflictError):
            one.delete("a", version)
    assert one.load("a") == StoredRecord("a", 2, {"by": 2})
    two.delete("a", 2)
    two.delete("a", 2)
    assert list(one.list()) == []
    assert [*tmp_path.iterdir()] == []


def test_a_chat_is_leased_once(tmp_path: Path) -> None:
    """A second lease, by any store, is refused until the first is released or its store closed."""
    one, two = FolderStore(tmp_path), FolderStore(tmp_path)
    one.lease("a")
    for store in (one, two):
        with pytest.raises(LocalProtocolError, match="open"):
            store.lease("a")
    with pytest.raises(StoreConflictError, match="leased"):
        two.save("a", {}, 0)
    one.release("a")
    two.lease("a")
    two.close()
    one.lease("a")
    one.close()


@pytest.mark.parametrize(
    "content", ["{}", '{"version": 1, "record": []}', '{"version": "1", "record": {}}']
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: str) -> None:
    """The error names the file."""
    (tmp_path / "a.chat").write_text(content)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SnapshotError, match=r"a\.chat is not a chat of a store"):
        list(FolderStore(tmp_path).list())


def test_a_handle_of_one_chat_keeps_its_version(tmp_path: Path) -> None:
    """Each save follows the one before; `lock` may be repeated, and `close` releases the lease."""
    store = FolderStore(tmp_path)
    chat = store.chat("a")
    assert chat.load() is None
    chat.delete()
    for number in range(3):
        chat.lock()
        chat.save({"number": number, "due": 7})
    assert chat.load() == {"number": 2, "due": 7}
    assert [(stored.version, stored.due) for stored in store.list()] == [(3, 7.0)]
    chat.close()
    other = ChatInStore(store, "a")
    other.lock()
    assert other.load() == {"number": 2, "due": 7}
    other.delete()
    other.save({})
    assert next(iter(store.list())).due == float("inf")
    with pytest.raises(StoreConflictError):
        chat.save({})
    other.close()
    other.close()


def test_a_version_counts_once_its_save_is_done() -> None:
    """This holds before the callbacks of the future have run; a failed save does not count."""
    store, answers = MagicMock(), [Future[None]() for _ in range(4)]
    store.save.side_effect = answers
    chat = ChatInStore(store, "a")
    answers[0].set_result(None)
    answers[1].set_exception(OSError())
    answers[2].set_result(None)
    answers[3].cancel()
    for _ in answers:
        chat.save({})
    assert [call.args[2] for call in store.save.call_args_list] == [0, 1, 1, 2]
    assert chat.version == 2


def test_a_garbage_collected_handle_releases_its_lease(tmp_path: Path) -> None:
    """A handle that was made and never entered is garbage collected with its lease."""
    store = FolderStore(tmp_path)
    chat = store.chat("a")
    chat.lock()
    del chat
    store.lease("a")
    store.close()
    with pytest.raises(LocalProtocolError):
        store.chat("")
