"""Processes that replay a shard each: start, interrupts, crashes and their end."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import pickle
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest

from chatfsm._cli import main, parallel
from chatfsm._cli.parallel import Worker
from chatfsm._cli.worker import HandedOver
from chatfsm._cli.worker_output import WorkerBatch
from chatfsm.replay import sources
from chatfsm.replay.sharding import shards_of
from chatfsm.replay.sources import Source, SourceRange
from chatfsm.replay.stats import Totals
from tests.cli.parallel import crashing

# A child that takes longer than this is stuck, even on a slow machine.
TIMEOUT = 60
COMMAND = """\
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from chatfsm._cli import main
if __name__ == "__main__":
    sys.exit(main())
"""


def lines(number: int) -> bytes:
    """Lines of `number` messages in five open chats."""
    return b"".join(
        b'{"chat_id":"c%d","event":"chat_session_message","msg":"hello","timestamp":%d}\n'
        % (place % 5, place + 1)
        for place in range(number)
    )


def is_clean() -> bool:
    """Whether no worker is left."""
    return not multiprocessing.active_children()


@pytest.mark.parametrize("words", [["--summary"], ["--strict", "--json"]])
def test_processes_print_the_output_of_one(runs: Any, words: list[str]) -> None:
    """Two real processes print the same, with a violation in the middle for --strict."""
    odd = b'{"chat_id":"c1","event":"chat_session_weather","timestamp":50}\n'
    path = runs.writes("a.jsonl", lines(40) + odd + lines(40))
    alone = runs.alone(*words, path)
    assert alone.out
    assert runs.alone(*words, "--jobs=2", path) == alone
    assert is_clean()


def test_workers_are_not_forked_if_there_are_threads(
    runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fork would copy locks that a thread holds; spawned workers print the same."""
    requested: list[str] = []

    def context(method: str) -> Any:
        requested.append(method)
        return multiprocessing.get_context(method)

    monkeypatch.setattr(parallel, "get_context", context)
    path = runs.writes("a.jsonl", lines(40))
    alone = runs.alone("--summary", path)
    is_done = threading.Event()
    thread = threading.Thread(target=is_done.wait)
    thread.start()
    try:
        assert runs.alone("--summary", "--jobs=2", path) == alone
    finally:
        is_done.set()
        thread.join()
    assert requested == ["spawn"]


@pytest.fixture
def in_place(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Start a function instead of each worker."""
    return lambda work: monkeypatch.setattr(parallel, "work", work)


def test_a_worker_that_is_killed_is_reported(runs: Any, in_place: Callable[[Any], None]) -> None:
    """The error names the input; the document is complete JSON, marked as incomplete."""
    in_place(crashing.be_killed)
    path = runs.writes("a.jsonl", lines(20))
    result = runs.alone("--summary", "--jobs=2", path)
    _, shard = shards_of([Source(path)], 2)
    assert str(shard).endswith("a.jsonl (bytes 915 to the end)")
    how = f"was ended by signal {signal.SIGKILL:d}, in {shard}"
    why = f"a worker of --jobs {how}, after {path}: line 7"
    assert (result.status, result.err) == (2, f"chatfsm: {why}\n")
    assert json.loads(result.out)["totals"]["complete"] is False
    assert is_clean()


def test_a_worker_that_exits_early_is_reported(runs: Any, in_place: Callable[[Any], None]) -> None:
    """A worker without a report fails, even with exit code 0."""
    in_place(crashing.exit_early)
    path = runs.writes("a.jsonl", lines(12))
    result = runs.alone("--quiet", "--jobs=2", path)
    shard, _ = shards_of([Source(path)], 2)
    why = f"a worker of --jobs ended with 0, in {shard}, after the start"
    assert (result.status, result.err) == (2, f"chatfsm: {why}\n")


@pytest.mark.parametrize("output", ["--quiet", "--json"])
def test_a_bug_in_a_worker_is_reported(
    runs: Any, in_place: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    """The error has file and line, and not the content of the line."""
    monkeypatch.setattr(sources, "_BLOCK_BYTES", 64 * 1024)
    in_place(crashing.fail_in_receive)
    path = runs.writes("a.jsonl", re.sub(rb'"c\d"', b'"c0"', lines(20)))  # one run of one chat
    result = runs.alone(output, "--jobs=2", path)
    shard, _ = shards_of([Source(path)], 2)
    why = f"a worker of --jobs failed in {shard}: MemoryError at {path}: line 8"
    assert (result.status, result.err) == (2, f"chatfsm: {why}\n")
    assert is_clean()


def test_a_bug_before_the_first_line_is_reported(
    runs: Any, in_place: Callable[[Any], None]
) -> None:
    """An error before the first record has no line."""
    in_place(crashing.fail_at_start)
    result = runs.alone("--quiet", "--jobs=2", runs.writes("a.jsonl", lines(20)))
    assert result.status == 2
    assert result.err.endswith(": ValueError at the start\n")


@contextmanager
def under_way(runs: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process, with a long log, once it has begun to print."""
    path = runs.writes("long.jsonl", lines(60_000))
    script = runs.writes("command.py", COMMAND.encode())
    with subprocess.Popen(
        [sys.executable, script, "replay", "--json", "--jobs=3", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        try:
            assert child.stdout is not None
            ready, _, _ = select.select([child.stdout], [], [], TIMEOUT)
            assert ready
            yield child
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)


def test_ctrl_c_ends_all_workers(runs: Any) -> None:
    """Exit code 130; the input read so far is reported, and no worker is left."""
    with under_way(runs) as child:
        os.killpg(child.pid, signal.SIGINT)  # as a terminal does
        # Standard error ends when no process holds it open, workers included.
        out, err = child.communicate(timeout=TIMEOUT)
    assert err == b"chatfsm: interrupted: this is what was read so far\n"
    assert child.returncode == 130
    assert 0 < len(out.splitlines()) < 60_000


def test_workers_do_not_outlive_a_process_that_is_killed(runs: Any) -> None:
    """Workers end when their pipe is closed, whatever output is left."""
    with under_way(runs) as child:
        child.kill()
        # Standard error ends when no process holds it open, workers included.
        child.communicate(timeout=TIMEOUT)


def test_a_second_ctrl_c_does_not_wait(runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second Ctrl-C ends the command without waiting."""

    def presses_twice(*_: object) -> bool:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        return False

    monkeypatch.setattr(Worker, "start", lambda *_: None)
    monkeypatch.setattr(parallel, "print_batches", presses_twice)
    result = runs.alone("--quiet", "--jobs=2", runs.writes("a.jsonl", lines(12)))
    assert (result.status, result.err) == (
        130,
        "chatfsm: interrupted: this is what was read so far\n",
    )
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("index", [0, 1])
def test_a_worker_that_is_stopped_reports_its_chats(runs: Any, index: int) -> None:
    """Open chats are reported with their current state, and no chat is handed over."""
    path = runs.writes("a.jsonl", lines(60))
    options = runs.options("--summary", path)
    first, second = shards_of([Source(path)], 2)
    handed = None
    if index == 1:
        messages, _ = runs.worker(options, first)
        handed = messages[-1]
        assert isinstance(handed, HandedOver)
    stops = (False, False, False, False, True)
    messages, done = runs.worker(options, (first, second)[index], handed, *stops)
    assert done.is_end
    assert all(isinstance(message, WorkerBatch) for message in messages)
    totals = Totals()
    for batch in messages:
        totals.merge(batch.totals or Totals())
    assert totals.sessions == 5
    assert 30 * index < totals.messages < 30 * (index + 1)


@pytest.mark.parametrize("words", [["--close-after=5"], ["-"], ["missing.jsonl"], ["/dev/null"]])
def test_input_that_cannot_be_split_is_read_by_one_process(
    runs: Any, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """One process reads input that can be read only once, or that needs one clock."""

    def refuse(*_: object) -> None:
        raise AssertionError("a worker is started")

    monkeypatch.setattr(Worker, "start", refuse)
    path = runs.writes("a.jsonl", lines(20))

    def with_input(*more: str) -> Any:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines(10))))
        return runs.alone("--summary", *words, path, *more)

    assert with_input("--jobs=2") == with_input()


def test_a_shard_continues_the_chats_before_it(runs: Any) -> None:
    """A chat that is open at the end of a shard is handed over to the next worker."""
    data = [re.sub(rb'"c\d"', b'"%s"' % name, lines(24)) for name in (b"old", b"new")]
    path = runs.writes("a.jsonl", data[0] * 2 + data[1])
    options = runs.options("--json", path)
    first, second = shards_of([Source(path)], 2)
    messages, _ = runs.worker(options, first)
    handed = messages[-1]
    open_chats = pickle.loads(handed.chats)  # noqa: S301  # pickled by the worker
    assert [chat.key for chat in open_chats.chats] == [("", "old")]
    part = second.sources[0]
    assert isinstance(part, SourceRange)
    assert part.chat_id_before == "old"
    assert runs.shared(2, "--json", path) == runs.alone("--json", path)


def test_the_progress_bar_shows_the_worker(runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The progress bar shows the worker whose output is printed."""
    requested: list[tuple[str, int | None]] = []
    show = lambda _self, reached, _records: requested.append((reached.stem, reached.size))  # noqa: E731
    monkeypatch.setattr("chatfsm._cli.progress.ProgressBar.show", show)
    path = runs.writes("a.jsonl", lines(20))
    assert runs.alone("--quiet", "--jobs=2", path).status == 0
    assert set(requested) == {("a", Path(path).stat().st_size)}


def test_a_terminal_is_written_by_one_process(runs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal rows are printed as they are read, which needs one process."""

    def refuse(*_: object) -> None:
        raise AssertionError("a worker is started")

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(Worker, "start", refuse)
    path = runs.writes("a.jsonl", lines(40))
    screens = [Screen(), Screen()]
    for screen, words in zip(screens, ([], ["--jobs=2"]), strict=True):
        with redirect_stdout(screen):
            assert main(["replay", "--color=never", path, *words]) == 0
    assert screens[0].getvalue() == screens[1].getvalue()
    assert screens[0].getvalue().startswith("c0\n")
