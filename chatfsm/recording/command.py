"""`chatfsm replay`: reads logs, hears them again, and prints what follows."""

from __future__ import annotations

from argparse import Namespace

from attrs import define

from chatfsm.errors import ReplayDivergence, UnreadableLogError
from chatfsm.recording.chat import Chat, Listener
from chatfsm.recording.chats import Chats, ViolationError
from chatfsm.recording.desk import CLEAN, FOUND, UNREADABLE, Desk, desk_for
from chatfsm.recording.journal import Journal
from chatfsm.recording.reading import read
from chatfsm.recording.replay import Step
from chatfsm.recording.report import ChatTotals
from chatfsm.recording.source import Source
from chatfsm.session.settings import Settings
from chatfsm.statuses import INTERRUPTED

__all__ = ["CLEAN", "FOUND", "UNREADABLE", "chats_for", "replay", "run"]


def run(options: Namespace) -> int:
    """Replay as the command line says; returns the exit status."""
    return replay(options, desk_for(options))


def replay(options: Namespace, desk: Desk) -> int:
    """As `run`, told at a desk; what was read is told even where the reading stops early."""
    telling = _Telling(desk, desk.output.wants_steps)
    chats = chats_for(options, telling)
    try:
        read([Source(name) for name in options.files], chats, telling, chats.hear)
    except (ViolationError, ReplayDivergence) as error:
        desk.complain(error, FOUND)
    except KeyboardInterrupt:
        desk.complain("interrupted: this is what was read so far", INTERRUPTED)
    chats.abandon()
    return desk.end(options, chats.journal.agreed)


def chats_for(options: Namespace, listener: Listener) -> Chats:
    """The chats of a run, before anything was heard."""
    return Chats(
        listener,
        Settings(strict=options.strict),
        options.chat_id,
        Journal(compare=options.verify, strict=options.strict),
        close_after=options.close_after,
    )


@define
class _Telling:
    """Tells a desk what it hears, and how the reading goes."""

    desk: Desk
    wants_steps: bool

    def step(self, chat: Chat, step: Step) -> None:
        self.desk.printer.step(self.desk.output.step(chat, step))

    def over(self, chat: Chat) -> None:
        self.desk.over(ChatTotals.of(chat.account), self.desk.output.over(chat))

    def reached(self, source: Source, records: int) -> None:
        self.desk.progress.show(source, records)

    def unreadable(self, error: UnreadableLogError) -> None:
        self.desk.complain(error, UNREADABLE)
