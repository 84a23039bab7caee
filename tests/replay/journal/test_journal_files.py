"""Journals in files: torn lines, times of day, numbers that JSON lacks, and forged lines."""

from __future__ import annotations

import copy
import json
import math
import os
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chatfsm import LocalProtocolError, Tick, decode, events
from chatfsm._cli import main
from chatfsm._client.client import ChatClient
from chatfsm.drivers.storage import JournalFile, load_chat, stamped
from chatfsm.endpoint import Endpoint
from chatfsm.errors import ReplayDivergence, UnreadableLogError
from chatfsm.replay.journal import Recorded, verify
from chatfsm.settings import ClientSettings

ENDPOINT = Endpoint("https://chat.example", "tenant.example", "an-app", "a-client")
FORGED: list[Any] = [
    *(None, True, 0, -1, 1e308, math.nan, math.inf, "", "x", "1", [], {}, [1], {"a": 1}, [[]]),
    *("\ud800", 10**400, {"input": "tick"}, 1e17),
]


def append(path: Path, lines: list[str]) -> None:
    with JournalFile(path) as journal:
        for line in lines:
            journal(line)


@pytest.mark.parametrize("cut", [1, 25])
def test_a_torn_line_is_ended_before_the_next_journal(
    tmp_path: Path, new_recorder: Any, cut: int
) -> None:
    """A header is never appended to the partial line that a power failure left."""
    path = tmp_path / "journal.jsonl"
    append(path, new_recorder("first").receives_everything().lines)
    whole = path.read_text().splitlines()
    os.truncate(path, path.stat().st_size - cut)
    second = new_recorder("second").receives_everything().lines
    append(path, second)
    lines = path.read_text().splitlines(keepends=True)
    assert lines[-len(second) :] == second
    assert len(lines) == len(whole) + len(second)
    assert verify(lines[-len(second) :]) == len(second) - 1


def test_a_write_that_broke_off_is_ended_too(
    tmp_path: Path, monkeypatch: Any, new_recorder: Any
) -> None:
    """A full disk leaves one torn line, not two."""
    path = tmp_path / "journal.jsonl"
    write = os.write

    def full(descriptor: int, content: Any) -> int:
        write(descriptor, bytes(content)[:3])
        raise OSError("no space")

    with JournalFile(path) as journal:
        journal("one\n")
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="no space"):
            journal("second\n")
        monkeypatch.undo()
        journal("third\n")
    assert path.read_text() == "one\nsec\nthird\n"


def test_a_new_journal_is_private_to_its_owner(tmp_path: Path) -> None:
    """A new file is empty and readable by its owner only."""
    path = tmp_path / "journal.jsonl"
    append(path, [])
    assert path.stat().st_mode & 0o777 == 0o600
    append(path, ["one\n"])
    assert path.read_text() == "one\n"


def test_each_line_has_the_time_of_day(new_recorder: Any) -> None:
    """The header and all entries have `received_at`; verification ignores it."""
    lines: list[str] = []
    times = iter(range(1_700_000_000, 1_800_000_000))
    recorded = Recorded(
        new_recorder("c").recorded.session, stamped(lines.append, lambda: next(times))
    )
    recorded.receive(Tick(), now=1.0)
    recorded.receive(Tick(), now=2.0)
    written = [json.loads(line) for line in lines]
    assert [line["received_at"] for line in written] == [1_700_000_000 + n for n in range(3)]
    assert [line["at"] for line in written] == [1.0, 1.0, 2.0]
    assert verify(lines) == 2


def test_the_drivers_add_the_time_of_day() -> None:
    """`connect` adds `received_at` to the lines of its journal."""
    lines: list[str] = []
    chat = load_chat(None, ENDPOINT, settings=ClientSettings(), now=1.0, journal=lines.append)
    assert isinstance(chat.client, ChatClient)
    assert chat.client._journal is not None
    chat.client._journal('{"v": 1}\n')
    assert json.loads(lines[0])["received_at"] > 1_700_000_000


def test_a_scrubbed_journal_keeps_the_times_of_day(tmp_path: Path, new_recorder: Any) -> None:
    """Times are not personal data, and comparisons of journals need them."""
    path, scrubbed = tmp_path / "journal.jsonl", tmp_path / "scrubbed.jsonl"
    lines: list[str] = []
    write = stamped(lines.append, lambda: 1_700_000_000.5)
    recorded = Recorded(new_recorder("c").recorded.session, write)
    recorded.receive(*decode({"event": "chat_session_status", "state": "queued"}), now=1.0)
    path.write_text("".join(lines))
    assert main(["scrub", str(path), str(scrubbed)]) == 0
    written = scrubbed.read_text().splitlines()
    assert {json.loads(line)["received_at"] for line in written} == {1_700_000_000.5}
    assert verify(written) == 1


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_number_that_json_lacks_is_refused(new_recorder: Any, number: float) -> None:
    """The session does not receive an input that its journal cannot hold."""
    recorder = new_recorder("c")
    recorder.receives(Tick(), at=1.0)
    before = recorder.recorded.session.snapshot(now=1.0)
    with pytest.raises(LocalProtocolError, match="'status' to the journal: its numbers must be"):
        recorder.receives(events.Status("queued", ewt=number), at=2.0)
    assert recorder.recorded.session.snapshot(now=1.0) == before
    recorder.receives(Tick(), at=3.0)
    assert verify(recorder.lines) == 2
    assert all(json.loads(line, parse_constant=pytest.fail) for line in recorder.lines)


def paths_in(value: Any, *before: Any) -> Iterator[tuple[Any, ...]]:
    """The path of each value in a JSON value."""
    if before:
        yield before
    keys: Any = range(len(value)) if isinstance(value, list) else ()
    for key in value if isinstance(value, dict) else keys:
        yield from paths_in(value[key], *before, key)


def forge(lines: list[Any], rng: random.Random) -> None:
    """Change one value of one line, or remove it."""
    line = rng.choice(lines)
    *parents, last = rng.choice([*paths_in(line)])
    for key in parents:
        line = line[key]
    if isinstance(line, dict) and rng.random() < 0.2:
        del line[last]
    else:
        line[last] = copy.deepcopy(rng.choice(FORGED))


@pytest.mark.parametrize("seed", range(5))
def test_verify_raises_what_it_documents(new_recorder: Any, seed: int) -> None:
    """A forged line raises ReplayDivergence or UnreadableLogError, and nothing else."""
    lines = new_recorder("c").receives_everything().written
    rng = random.Random(seed)  # not used for secrets
    for _ in range(200):
        forged = copy.deepcopy(lines)
        forge(forged, rng)
        with suppress(ReplayDivergence, UnreadableLogError):
            verify(map(json.dumps, forged))


def test_a_journal_that_turns_strict_diverges(new_recorder: Any) -> None:
    """With the header changed to strict, verification finds a violation instead of effects."""
    lines = new_recorder("c").receives_everything().written
    lines[0]["journal"]["settings"]["strict"] = True
    with pytest.raises(ReplayDivergence, match="expected effects, got a violation"):
        verify(map(json.dumps, lines))


def test_a_torn_line_affects_only_its_own_chat(
    tmp_path: Path, new_recorder: Any, capsys: Any
) -> None:
    """Verification names the torn line and checks the next chat, which scrub keeps complete."""
    path, scrubbed = tmp_path / "journal.jsonl", tmp_path / "scrubbed.jsonl"
    first, second = (
        new_recorder("first").receives_everything().lines,
        new_recorder("second").receives_everything().lines,
    )
    append(path, first)
    os.truncate(path, path.stat().st_size - 25)
    append(path, second)
    assert main(["replay", "--quiet", "--verify", str(path)]) == 2
    why = "not a line of a journal: the rest of this chat is not verified"
    assert capsys.readouterr().err == f"chatfsm: {path}: line {len(first)}: {why}\n"
    assert main(["scrub", str(path), str(scrubbed)]) == 0
    written = scrubbed.read_text().splitlines()
    assert verify(written[-len(second) :]) == len(second) - 1
