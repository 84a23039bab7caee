"""StateFile: appended changes, torn lines, links, locks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm.drivers import threads
from chatfsm.drivers._state_file import _changed, _difference
from chatfsm.drivers.storage import FileStore
from chatfsm.errors import LocalProtocolError, SnapshotError
from tests.drivers.customer import endpoint_at

SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-1, 1) | st.text(max_size=2)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


def record_of(effects: list[Any], received: int = 0) -> dict[str, Any]:
    return {"client": {"received": received}, "told": effects}


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


@given(VALUES, VALUES)
def test_a_change_turns_one_value_into_another(old: Any, new: Any) -> None:
    """The change is exact in JSON's terms: 1, 1.0 and true are three values."""
    change = _difference(old, new)
    found = old if change is None else _changed(old, json.loads(json.dumps(change)))
    assert json.dumps(found, sort_keys=True) == json.dumps(new, sort_keys=True)


def test_a_save_writes_what_has_changed(tmp_path: Path) -> None:
    """Handling one of many pending effects appends a short line."""
    path = tmp_path / "chat.json"
    store = FileStore(path)
    effects = [{"text": "hello " * 20, "number": number} for number in range(500)]
    store.save(record_of(effects))
    size = path.stat().st_size
    for handled in range(1, 100):
        store.save(record_of(effects[handled:]))
    store.save(record_of([*effects[99:], {"text": "new"}], received=1))
    assert path.stat().st_size - size < 100 * 60
    assert FileStore(path).load() == record_of([*effects[99:], {"text": "new"}], received=1)
    store.close()


def test_a_file_with_many_changes_is_rewritten(tmp_path: Path) -> None:
    """The size of the file stays proportional to its record."""
    store = FileStore(tmp_path / "chat.json")
    for number in range(300):
        store.save(record_of([], received=number) | {"padding": f"{number} " * 300})
    assert store.path.stat().st_size < 80_000
    assert store.load() == record_of([], received=299) | {"padding": "299 " * 300}
    store.close()


@pytest.mark.parametrize("torn", ['{"fie', '{"fields": {}}', "\0" * 40, "\0\0\0\n", '{"fie\n'])
def test_a_torn_last_line_is_no_change(tmp_path: Path, torn: str) -> None:
    """After a crash during a save the previous record counts; the next save replaces the file."""
    path = tmp_path / "chat.json"
    store = FileStore(path)
    store.save(record_of([1]))
    store.save(record_of([1, 2]))
    store.close()
    with path.open("a") as file:
        file.write(torn)
    store = FileStore(path)
    assert store.load() == record_of([1, 2])
    store.save(record_of([2]))
    assert lines_of(path) == [json.dumps(record_of([2]))]
    store.close()


def test_a_broken_line_in_the_middle_is_refused(tmp_path: Path) -> None:
    """Later lines would be applied to the wrong record."""
    path = tmp_path / "chat.json"
    store = FileStore(path)
    for number in range(3):
        store.save(record_of([], received=number))
    store.close()
    first, _, last = lines_of(path)
    path.write_text(f"{first}\nnothing\n{last}\n")
    with pytest.raises(SnapshotError):
        FileStore(path).load()


def test_after_a_failed_save_the_file_is_rewritten(tmp_path: Path) -> None:
    """After a failed write the next save does not append to it."""
    store = FileStore(tmp_path / "chat.json")
    store.save(record_of([1]))
    with pytest.raises(ValueError, match="not JSON"):
        store.save(record_of([1, float("nan")]))
    assert store.load() == record_of([1])
    store.save(record_of([1, 2]))
    assert len(lines_of(store.path)) == 1
    store.close()


def test_a_replaced_file_is_rewritten(tmp_path: Path) -> None:
    """A change is never appended to a foreign or missing file."""
    store = FileStore(tmp_path / "chat.json")
    store.save(record_of([1]))
    store.path.unlink()
    store.save(record_of([1, 2]))
    assert store.load() == record_of([1, 2])
    store.close()


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="the system has no links")
def test_a_link_is_written_through(tmp_path: Path) -> None:
    """The path stays a link, and its target gets the record, also if it is new."""
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "state", tmp_path / "chat.json"
    link.symlink_to(target)
    store = FileStore(link)
    store.lock()
    for number in range(3):
        store.save(record_of([], received=number))
    store.close()
    assert link.is_symlink()
    assert not target.is_symlink()
    assert FileStore(target).load() == FileStore(link).load() == record_of([], received=2)
    assert [path.name for path in target.parent.iterdir()] == ["state"]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="the system has no links")
def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    """No predictable name beside the file is opened for writing."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in (".chat.json.new", ".chat.json.tmp", "chat.json.new", ".chat.json.lock"):
        (tmp_path / name).symlink_to(victim)
    store = FileStore(tmp_path / "chat.json")
    store.save(record_of([1]))
    with pytest.raises(OSError, match="lock"):
        store.lock()
    store.close()
    assert victim.read_text() == "precious"
    assert store.load() == record_of([1])


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_all_files_are_the_owners_alone(tmp_path: Path) -> None:
    """The mode is independent of the umask, and of an older file's mode."""
    path = tmp_path / "chat.json"
    path.write_text(json.dumps(record_of([])))
    path.chmod(0o644)
    store = FileStore(path)
    store.lock()
    before = os.umask(0)
    try:
        store.save(record_of([1]))
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
        store.close()
    assert modes == {"chat.json": 0o600, ".chat.json.lock": 0o600}


def test_a_second_store_is_refused_until_the_first_is_closed(tmp_path: Path) -> None:
    """The lock holds for all names of the file, and leaves no file."""
    first, second = FileStore(tmp_path / "chat.json"), FileStore(tmp_path / "." / "chat.json")
    first.lock()
    first.lock()
    with pytest.raises(LocalProtocolError, match=r"chat\.json: another process or chat has it"):
        second.lock()
    first.close()
    second.lock()
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_a_garbage_collected_store_releases_its_lock(tmp_path: Path) -> None:
    """A store that was made and never entered does not keep its lock."""
    store = FileStore(tmp_path / "chat.json")
    store.lock()
    del store
    FileStore(tmp_path / "chat.json").lock()


HOLDER = """
import sys, time
from chatfsm.drivers.storage import FileStore
store = FileStore(sys.argv[1])
store.lock()
store.save({"record": 1})
print("locked", flush=True)
time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    """`connect` refuses the file of a running process, and takes over that of a dead one."""
    path = tmp_path / "chat.json"
    program = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "locked\n"
            with pytest.raises(LocalProtocolError, match="another process or chat has it open"):
                threads.Chat.connect(endpoint_at("http://127.0.0.1:9"), store=path)
        finally:
            holder.kill()
    (tmp_path / ".chat.json.abc.new").write_text("half a rec")
    store = FileStore(path)
    store.lock()
    assert store.load() == {"record": 1}
    store.close()
    assert [file.name for file in tmp_path.iterdir()] == ["chat.json"]


def test_connect_releases_a_file_that_it_cannot_use(tmp_path: Path) -> None:
    """An error while the chat is restored leaves no lock."""
    path = tmp_path / "chat.json"
    path.write_text('{"format": "other"}')
    for _ in range(2):
        with pytest.raises(SnapshotError):
            threads.Chat.connect(endpoint_at("http://127.0.0.1:9"), store=path)
    assert [file.name for file in tmp_path.iterdir()] == ["chat.json"]


def test_a_directory_is_no_file_of_a_chat(tmp_path: Path) -> None:
    """It cannot be locked, and nothing is left beside it."""
    (tmp_path / "chats").mkdir()
    with pytest.raises(IsADirectoryError, match="chats"):
        FileStore(tmp_path / "chats").lock()
    assert [path.name for path in tmp_path.iterdir()] == ["chats"]
