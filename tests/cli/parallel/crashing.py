"""Workers that end too early, for tests to start in place of those that work."""

from __future__ import annotations

import os
import signal
from typing import Any

from chatfsm._cli import worker
from chatfsm._cli.worker import WorkerBatch, work
from chatfsm._session.session import ChatSession


def is_killed(*words: Any) -> None:
    """The system takes its memory back: it is gone, in the middle of the first log."""
    options, _, shard, pipe, _ = words
    if shard.index == 1:
        pipe.send(WorkerBatch([], None, 0, f"{options.files[0]}: line 7"))
        os.kill(os.getpid(), signal.SIGKILL)
    work(*words)


def leaves(*words: Any) -> None:
    """It ends as if all was done, and has said nothing."""
    words[3].close()


def has_a_bug(*words: Any) -> None:
    """It fails at the event of second 8, whoever hears that."""
    receive = ChatSession.receive

    def stumble(self: ChatSession, item: Any, *, now: float) -> Any:
        if now == 8:
            raise MemoryError("the secret of line 8")
        return receive(self, item, now=now)

    ChatSession.receive = stumble  # type: ignore[method-assign]  # in this process, which ends soon
    work(*words)


def cannot_begin(*words: Any) -> None:
    """It fails before it reads anything."""

    def refuse(*_: Any) -> Any:
        raise ValueError("the secret of the options")

    worker.stream_for = refuse
    work(*words)
