"""`chatfsm replay`: reads logs, hears them again, and prints what follows."""

from __future__ import annotations

import sys
from argparse import Namespace
from io import TextIOWrapper

from attrs import define, field

from chatfsm._cli import ExitCode
from chatfsm._cli.replay_outputs import Effects, Nothing, Output, Printer, Summary, Timelines
from chatfsm._cli.terminal import Progress, look_for
from chatfsm.errors import ReplayDivergence, UnreadableLogError
from chatfsm.replay.chat_replay import Step
from chatfsm.replay.journal import Journal
from chatfsm.replay.sources import Source
from chatfsm.replay.stats import ChatTotals, Totals
from chatfsm.replay.stream_replay import Chat, Chats, Listener, ViolationError, read
from chatfsm.settings import Settings

__all__ = ["Desk", "chats_for", "desk_for", "replay", "run"]

# Where a run is told: standard output, complaints, a bar, totals, and the exit status.


@define
class Desk:
    """What one run has told, and how it stands."""

    output: Output
    printer: Printer
    progress: Progress
    totals: Totals = field(factory=Totals)
    status: int = ExitCode.SUCCESS
    complaints: int = 0
    """How many complaints there were."""
    already: int = 0
    """So many complaints were made before, and are not made again."""

    def complain(self, why: object, status: int) -> None:
        """Say why not all could be read, on standard error."""
        self.status = status
        self.totals.complete = False
        self.complaints += 1
        if self.complaints > self.already:
            self.progress.hide()
            sys.stderr.write(f"chatfsm: {why}\n")

    def over(self, totals: ChatTotals, text: str) -> None:
        """Take in a chat that is over, and print what is said of it."""
        self.totals.add(totals)
        self.progress.hide()
        self.printer.over(text)

    def end(self, options: Namespace, agreed: int) -> int:
        """Print what is said in the end; returns the exit status.

        `agreed`: how many entries of journals agree with what they say.
        """
        self.progress.hide()
        self.printer.end(self.totals)
        if options.verify and self.status == ExitCode.SUCCESS:
            self.status = _say_what_agreed(agreed)
        fatal = {kind for kinds in options.fail_on or () for kind in kinds}
        found = any(self.totals.findings[kind] for kind in fatal)
        return ExitCode.FAILURE if self.status == ExitCode.SUCCESS and found else self.status

    def again(self) -> Desk:
        """One that prints what follows of the same run, when that is begun anew."""
        printer = Printer(sys.stdout, self.output, self.printer.written)
        return Desk(self.output, printer, self.progress, already=self.complaints)


def desk_for(options: Namespace) -> Desk:
    """Where a run is told as the command line says."""
    if isinstance(sys.stdout, TextIOWrapper):
        # What a log may hold and a terminal's encoding may not is shown escaped.
        sys.stdout.reconfigure(errors="backslashreplace")
    output = _output(options)
    return Desk(output, Printer(sys.stdout, output), Progress(wanted=not options.quiet))


def _output(options: Namespace) -> Output:
    if options.json:
        return Effects()
    if options.summary:
        return Summary()
    if options.quiet:
        return Nothing()
    return Timelines(look_for(sys.stdout, options.color), options.rows or None)


def _say_what_agreed(entries: int) -> int:
    if entries == 0:
        sys.stderr.write("chatfsm: nothing to verify: no journal was read\n")
        return ExitCode.ERROR
    sys.stderr.write(f"chatfsm: {entries} entries agree\n")
    return ExitCode.SUCCESS


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
        desk.complain(error, ExitCode.FAILURE)
    except KeyboardInterrupt:
        desk.complain("interrupted: this is what was read so far", ExitCode.INTERRUPTED)
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
        self.desk.complain(error, ExitCode.ERROR)
