"""Runs of `chatfsm replay` by one process, and by several workers in this one."""

from __future__ import annotations

import gzip
import pickle
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from chatfsm import _cli
from chatfsm._cli.parallel import (
    OutputPiece,
    WorkerBatch,
    WorkerReporter,
    finish,
    print_pieces,
    replay_shard,
)
from chatfsm._cli.replay import reporter_for
from chatfsm._cli.replay_outputs import Output
from chatfsm.replay import sources, stream_replay
from chatfsm.replay.sharding import Shard


@frozen
class Ran:
    """What came of a run."""

    status: int
    out: str
    err: str


@frozen
class Runs:
    """Runs the command on files of a folder."""

    folder: Path
    everything = Shard(0, 1)
    half = Shard(0, 2)

    def writes(self, name: str, data: bytes, *, packed: bool = False) -> str:
        """A log in the folder."""
        path = self.folder / name
        path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
        return str(path)

    def alone(self, *words: str) -> Ran:
        """By one process that hears all."""
        return _captured(lambda: _cli.main(["replay", *words]))

    def shared(self, jobs: int, *words: str) -> Ran:
        """By so many workers, one after the other."""
        options = self.options(*words, "--jobs", str(jobs))

        def run() -> int:
            reporter = reporter_for(options)
            said, verified = [], 0
            for number in range(jobs):
                batches: list[WorkerBatch] = []
                output = _sent(reporter.output)
                shard = Shard(number, jobs, options.unnamed_chat)
                verified += replay_shard(
                    options, WorkerReporter(output, shard, batches.append)
                ).verified
                said.append(_pieces(batches))
            is_stopped = print_pieces(said, reporter)
            return finish(options, reporter, is_stopped=is_stopped, verified=verified)

        return _captured(run)

    def options(self, *words: str) -> Namespace:
        """What the command line says."""
        return _cli._parser().parse_args(["replay", *words])

    def output(self, options: Namespace) -> Output:
        """What these options ask for."""
        return reporter_for(options).output


def _sent(value: Any) -> Any:
    """What comes out of a pipe."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301  # it was just pickled


def _pieces(batches: list[WorkerBatch]) -> Iterator[OutputPiece]:
    """The pieces as they come out of a pipe; they are in order."""
    pieces = [piece for batch in batches for piece in _sent(batch).pieces]
    assert pieces == sorted(pieces, key=lambda piece: piece.key)
    return iter(pieces)


def _captured(run: Callable[[], int]) -> Ran:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run()
    return Ran(status, out.getvalue(), err.getvalue())


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Runs on files of a folder of its own."""
    return Runs(tmp_path)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little is read at once, and chats linger for a few records, so that small logs show it."""
    monkeypatch.setattr(sources, "_BLOCK_BYTES", 512)
    monkeypatch.setattr(stream_replay, "_LINGER_RECORDS", 5)
