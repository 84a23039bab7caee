"""One of several processes: it reads all logs, and hears its share of the chats.

What is of other chats it passes over unparsed, but counts, so that it knows when what it says
would have been said by one process that hears all.
"""

from __future__ import annotations

import signal
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, Final

from attrs import Factory, define, field

from chatfsm.errors import ReplayDivergence, UnreadableLogError
from chatfsm.recording.chat import Chat
from chatfsm.recording.chats import Chats, ViolationError
from chatfsm.recording.command import chats_for
from chatfsm.recording.glance import Share
from chatfsm.recording.outputs import Output
from chatfsm.recording.reading import read
from chatfsm.recording.records import Run
from chatfsm.recording.replay import Step
from chatfsm.recording.report import ChatTotals
from chatfsm.recording.source import Reached, Source
from chatfsm.scale.pieces import Crash, Farewell, Parcel, Piece

__all__ = ["Telling", "hear_share", "work"]

# A parcel is sent when it holds so many characters, or after so many readings of 64 KiB: as much
# as makes sending cheap, and keeps nobody waiting for long.
_FULL: Final = 64 * 1024
_READINGS: Final = 16


class _StoppedError(Exception):
    """The reading is to end here, as it stands."""


class _AloneError(Exception):
    """What ends the reading, and only the worker of this chat can see."""


def work(options: Namespace, output: Output, share: Share, pipe: Connection, stop: Any) -> None:
    """What a process does; `stop.value` says, from another one, when to end early."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that prints says when to stop
    telling = Telling(output, share, pipe.send, lambda: bool(stop.value))
    with suppress(BrokenPipeError, ConnectionResetError):  # nobody listens any more
        try:
            pipe.send(hear_share(options, telling))
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # noqa: BLE001  # a bug: it is said where, and never what of
            pipe.send(Crash(f"{type(error).__name__} at {telling.where}"))


def hear_share(options: Namespace, telling: Telling) -> Farewell:
    """Hear a share of the chats in all files, and tell what follows."""
    chats = telling.chats = chats_for(options, telling)
    sources = [Source(name) for name in options.files]
    try:
        read(sources, chats, telling, telling.hear, telling.share)
    except (ViolationError, ReplayDivergence, _AloneError):
        telling.say(Piece(chats.moment, is_stop=True))
    except _StoppedError:
        chats.abandon()
    telling.send()
    return Farewell(chats.journal.agreed)


@define
class Telling:
    """Puts into parcels what follows from a share of the chats."""

    output: Output
    share: Share
    _send: Callable[[Parcel], object]
    _is_stopped: Callable[[], bool] = lambda: False
    chats: Chats = field(init=False)
    wants_steps: bool = field(
        default=Factory(lambda self: self.output.wants_steps, takes_self=True), init=False
    )
    _run: Run | None = field(default=None, init=False)
    """The last one that was heard."""
    _source: Source | None = field(default=None, init=False)
    _reached: Reached | None = field(default=None, init=False)
    _in_file: int = field(default=0, init=False)
    _pieces: list[Piece] = field(factory=list, init=False)
    _size: int = field(default=0, init=False)
    _readings: int = field(default=0, init=False)

    @property
    def where(self) -> str:
        """What it is working on, for people."""
        run = self._run
        if run is not None and run.source is self._source:
            return run.where(min(self.chats.within, len(run.events) - 1))
        return "the start" if self._source is None else f"the start of {self._source.name}"

    def hear(self, run: Run) -> None:
        """Hear records of the share."""
        self._run = run
        try:
            self.chats.hear(run)
        except UnreadableLogError as error:  # other workers can read on
            raise _AloneError from error

    def step(self, chat: Chat, step: Step) -> None:
        """Something followed from an event."""
        text = self.output.step(chat, step)
        if text:
            self.say(Piece(self.chats.moment, text))

    def over(self, chat: Chat) -> None:
        """A chat of the share is over."""
        self.say(Piece(self.chats.moment, self.output.over(chat), ChatTotals.of(chat.account)))

    def unreadable(self, error: UnreadableLogError) -> None:
        """All workers meet the same; one says so."""
        if self.share.index == 0:
            self.say(Piece(self.chats.after_reading, str(error), is_complaint=True))

    def reached(self, source: Source, records: int) -> None:
        """Send what there is to say now and then, and how far this has come."""
        if self._is_stopped():
            raise _StoppedError
        self._source, self._in_file = source, records
        self._reached = source.reached
        self._readings += 1
        if self._readings >= _READINGS:
            self.say(Piece(self.chats.after_reading))
            self.send()

    def say(self, piece: Piece) -> None:
        """Put a piece into the parcel, and send that when it is full."""
        self._pieces.append(piece)
        self._size += len(piece.text)
        if self._size >= _FULL:
            self.send()

    def send(self) -> None:
        """Send what was said."""
        self._send(Parcel(self._pieces, self._reached, self._in_file, self.where))
        self._pieces, self._size, self._readings = [], 0, 0
