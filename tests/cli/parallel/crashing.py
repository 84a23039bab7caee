"""Workers that fail, for tests to start instead of the real one."""

from __future__ import annotations

import os
import signal
from typing import Any

from chatfsm._cli import worker
from chatfsm._cli.worker import work
from chatfsm._cli.worker_output import WorkerBatch
from chatfsm._session.session import ChatSession


def be_killed(*words: Any) -> None:
    """The worker is killed while it reads the first log, as by the out-of-memory killer."""
    options, _, shard, pipe, _ = words
    if shard.index == 1:
        pipe.send(WorkerBatch([], None, None, 0, f"{options.files[0]}: line 7"))
        os.kill(os.getpid(), signal.SIGKILL)
    work(*words)


def exit_early(*words: Any) -> None:
    """The worker exits with status 0 without a report."""
    words[3].close()


def fail_in_receive(*words: Any) -> None:
    """The worker fails at the event of second 8."""
    receive = ChatSession.receive

    def receive_or_fail(self: ChatSession, item: Any, *, now: float) -> Any:
        if now == 8:
            raise MemoryError("the secret of line 8")
        return receive(self, item, now=now)

    ChatSession.receive = receive_or_fail  # type: ignore[method-assign]  # in this process, which ends soon
    work(*words)


def fail_at_start(*words: Any) -> None:
    """The worker fails before it reads anything."""

    def refuse(*_: Any) -> Any:
        raise ValueError("the secret of the options")

    worker.stream_for = refuse
    work(*words)
