"""`chatfsm replay`: reads logs, hears them again, and tells an output what follows."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable
from io import TextIOWrapper
from typing import Final

from attrs import define, field

from chatfsm.errors import ReplayDivergence, UnreadableLogError
from chatfsm.recording.chats import Chat, Chats, ViolationError
from chatfsm.recording.formats import records
from chatfsm.recording.journal import Journal
from chatfsm.recording.outputs import Effects, Nothing, Output, Summary, Timelines
from chatfsm.recording.printing import Progress, paper_for
from chatfsm.recording.replay import Step
from chatfsm.recording.report import Totals
from chatfsm.recording.source import Source
from chatfsm.session.settings import Settings

__all__ = ["CLEAN", "FOUND", "INTERRUPTED", "UNREADABLE", "run"]

CLEAN: Final = 0
FOUND: Final = 1
UNREADABLE: Final = 2
INTERRUPTED: Final = 130  # 128 and the number of SIGINT, as shells say it

# Looking at the clock for each event would cost as much as hearing it.
_SELDOM: Final = 1_024


def run(options: Namespace) -> int:
    """Replay as the command line says; returns the exit status."""
    if isinstance(sys.stdout, TextIOWrapper):
        # What a log may hold and a terminal's encoding may not is shown escaped.
        sys.stdout.reconfigure(errors="backslashreplace")
    reading = _Reading(
        Chats(
            Settings(strict=options.strict),
            options.chat_id,
            Journal(compare=options.verify, strict=options.strict),
            close_after=options.close_after,
        ),
        _output(options),
        Progress(wanted=not options.quiet),
    )
    status = reading.read([Source(name) for name in options.files])
    if options.verify and status == CLEAN:
        status = _say_what_agreed(reading.chats.journal.agreed)
    fatal = {kind for kinds in options.fail_on or () for kind in kinds}
    found = any(reading.totals.findings[kind] for kind in fatal)
    return FOUND if status == CLEAN and found else status


def _say_what_agreed(entries: int) -> int:
    if entries == 0:
        print("chatfsm: nothing to verify: no journal was read", file=sys.stderr)
        return UNREADABLE
    print(f"chatfsm: {entries} entries agree", file=sys.stderr)
    return CLEAN


def _output(options: Namespace) -> Output:
    if options.json:
        return Effects(sys.stdout)
    if options.summary:
        return Summary(sys.stdout)
    if options.quiet:
        return Nothing()
    return Timelines(paper_for(sys.stdout, options.color), options.rows or None)


@define
class _Reading:
    """One run: the chats, what becomes of them, and how far it has come."""

    chats: Chats
    output: Output
    progress: Progress
    totals: Totals = field(factory=Totals)

    def read(self, sources: Iterable[Source]) -> int:
        """Read all; what was read is told even where the reading stops early."""
        status = CLEAN
        try:
            for source in sources:
                try:
                    self._read(source)
                except UnreadableLogError as error:
                    status = self._complain(error, UNREADABLE)
                self._tell(self.chats.end_of(source))
            self._tell(self.chats.finish())
        except (ViolationError, ReplayDivergence) as error:
            status = self._complain(error, FOUND)
        except KeyboardInterrupt:
            status = self._complain("interrupted: this is what was read so far", INTERRUPTED)
        self._tell(self.chats.abandon())
        self.progress.hide()
        self.output.end(self.totals)
        return status

    def _read(self, source: Source) -> None:
        for number, record in enumerate(records(source)):
            if number % _SELDOM == 0:
                self.progress.show(source, number)
            self._tell(self.chats.hear(record))

    def _tell(self, steps: Iterable[tuple[Chat, Step | None]]) -> None:
        for chat, step in steps:
            if step is None:
                self.totals.add(chat.account)
                self.progress.hide()
                self.output.over(chat)
            else:
                self.output.step(chat, step)

    def _complain(self, why: object, status: int) -> int:
        self.totals.complete = False
        self.progress.hide()
        print(f"chatfsm: {why}", file=sys.stderr)
        return status
