"""Runs of `chatfsm replay` by one process, and by several workers inside it."""

from __future__ import annotations

import gzip
import pickle
from argparse import Namespace
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import frozen

from chatfsm import _cli
from chatfsm._cli import worker
from chatfsm._cli.parallel import print_batches
from chatfsm._cli.replay import reporter_for, sources_of
from chatfsm._cli.worker import HandedOver, ShardWorker, WorkerDone
from chatfsm._cli.worker_output import OutputPiece, WorkerBatch, batch_of, with_rows
from chatfsm.replay import sharding, sources, stream_replay
from chatfsm.replay.sharding import Shard, shards_of


@frozen
class CommandResult:
    """The exit code and the output of a run."""

    status: int
    out: str
    err: str


@frozen
class Runs:
    """Runs the command on files of a directory."""

    folder: Path

    def writes(self, name: str, data: bytes, *, packed: bool = False) -> str:
        """Write a log to the directory."""
        path = self.folder / name
        path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
        return str(path)

    def alone(self, *words: str) -> CommandResult:
        """Run one process for all input."""
        return _captured(lambda: _cli.main(["replay", *words]))

    def shared(self, jobs: int, *words: str) -> CommandResult:
        """Run `jobs` workers in this process, one after the other."""
        options = self.options(*words, "--jobs", str(jobs))

        def run() -> int:
            reporter = reporter_for(options)
            handed: Any = None
            verified = 0
            for shard in shards_of(sources_of(options), jobs):
                messages, done = self.worker(options, shard, handed)
                handed = next((one for one in messages if isinstance(one, HandedOver)), None)
                batches = [one for one in messages if isinstance(one, WorkerBatch)]
                print_batches(_in_order(batches), reporter)
                verified += done.verified
                if done.is_end:
                    break
            return reporter.finish(options, verified)

        return _captured(run)

    def worker(
        self, options: Namespace, shard: Shard, handed: Any = None, *stops: bool
    ) -> tuple[list[Any], WorkerDone]:
        """The messages of a worker, pickled as in its pipe; `stops`: the results of `stopped`."""
        messages: list[Any] = []
        output = _sent(reporter_for(options).output)
        answers = iter(stops)
        stopped = lambda: next(answers, False)  # noqa: E731
        pipe: Any = SimpleNamespace(
            send=messages.append,
            send_bytes=lambda data: messages.append(pickle.loads(data)),  # noqa: S301  # as above
            recv=lambda: handed,
        )
        done = ShardWorker(options, output, _sent(shard), pipe, stopped).run()
        return _sent(messages), done

    def options(self, *words: str) -> Namespace:
        """The parsed command line."""
        return _cli._parser().parse_args(["replay", *words])


def _sent(value: Any) -> Any:
    """The value after a pipe."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301  # pickled here


def _in_order(batches: list[WorkerBatch]) -> list[WorkerBatch]:
    """The batches after a pipe; their pieces are in order."""
    keys = [row[0] for batch in batches for row in pickle.loads(batch.rows)]  # noqa: S301  # pickled here
    assert keys == sorted(keys)
    return _sent(batches)


def _captured(run: Callable[[], int]) -> CommandResult:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run()
    return CommandResult(status, out.getvalue(), err.getvalue())


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Runs on files of a temporary directory."""
    return Runs(tmp_path)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read small blocks and release chats after a few records, so that small logs suffice."""
    monkeypatch.setattr(sources, "_BLOCK_BYTES", 128)
    monkeypatch.setattr(sharding, "_MIN_RANGE_BYTES", 256)
    monkeypatch.setattr(stream_replay, "_LINGER_RECORDS", 5)


@pytest.fixture(autouse=True)
def indexed(monkeypatch: pytest.MonkeyPatch) -> None:
    """All batches know the order of their pieces, not only those that are held back."""

    def indexed_batch(pieces: list[OutputPiece], *more: Any) -> WorkerBatch:
        return with_rows(batch_of(pieces, *more), pieces)

    monkeypatch.setattr(worker, "batch_of", indexed_batch)
