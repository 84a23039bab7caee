"""`chatfsm replay`: reads logs, hears them again, and prints what follows."""

from __future__ import annotations

import sys
from argparse import Namespace
from io import TextIOWrapper

from attrs import define, field

from chatfsm._cli import ExitCode
from chatfsm._cli.replay_outputs import EffectLines, NoOutput, Output, Printer, Summary, Timelines
from chatfsm._cli.terminal import ProgressBar, style_for
from chatfsm.errors import ReplayDivergence, UnreadableLogError
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.journal import JournalReplay
from chatfsm.replay.sources import Source
from chatfsm.replay.stats import ChatTotals, Totals
from chatfsm.replay.stream_replay import (
    ReplayedChat,
    ReplayListener,
    StreamReplay,
    ViolationError,
    read,
)
from chatfsm.settings import Settings

__all__ = ["ReplayReporter", "replay_with", "reporter_for", "run", "stream_for"]

# Where a run is told: standard output, complaints, a bar, totals, and the exit status.


@define
class ReplayReporter:
    """What one run has told, and how it stands."""

    output: Output
    printer: Printer
    progress: ProgressBar
    totals: Totals = field(factory=Totals)
    status: int = ExitCode.SUCCESS
    error_count: int = 0
    """How many complaints there were."""
    errors_reported: int = 0
    """So many complaints were made before, and are not made again."""

    def report_error(self, error: object, status: int) -> None:
        """Say why not all could be read, on standard error."""
        self.status = status
        self.totals.complete = False
        self.error_count += 1
        if self.error_count > self.errors_reported:
            self.progress.hide()
            sys.stderr.write(f"chatfsm: {error}\n")

    def finish_chat(self, totals: ChatTotals, text: str) -> None:
        """Take in a chat that is over, and print what is said of it."""
        self.totals.add(totals)
        self.progress.hide()
        self.printer.over(text)

    def finish(self, options: Namespace, agreed: int) -> int:
        """Print what is said in the end; returns the exit status.

        `agreed`: how many entries of journals agree with what they say.
        """
        self.progress.hide()
        self.printer.end(self.totals)
        if options.verify and self.status == ExitCode.SUCCESS:
            self.status = _report_verified(agreed)
        fatal = {kind for kinds in options.fail_on or () for kind in kinds}
        found = any(self.totals.findings[kind] for kind in fatal)
        return ExitCode.FAILURE if self.status == ExitCode.SUCCESS and found else self.status

    def resume(self) -> ReplayReporter:
        """One that prints what follows of the same run, when that is begun anew."""
        printer = Printer(sys.stdout, self.output, self.printer.written)
        return ReplayReporter(self.output, printer, self.progress, errors_reported=self.error_count)


def reporter_for(options: Namespace) -> ReplayReporter:
    """Where a run is told as the command line says."""
    if isinstance(sys.stdout, TextIOWrapper):
        # What a log may hold and a terminal's encoding may not is shown escaped.
        sys.stdout.reconfigure(errors="backslashreplace")
    output = _output(options)
    return ReplayReporter(
        output, Printer(sys.stdout, output), ProgressBar(wanted=not options.quiet)
    )


def _output(options: Namespace) -> Output:
    if options.json:
        return EffectLines()
    if options.summary:
        return Summary()
    if options.quiet:
        return NoOutput()
    return Timelines(style_for(sys.stdout, options.color), options.rows or None)


def _report_verified(entries: int) -> int:
    if entries == 0:
        sys.stderr.write("chatfsm: nothing to verify: no journal was read\n")
        return ExitCode.ERROR
    sys.stderr.write(f"chatfsm: {entries} entries agree\n")
    return ExitCode.SUCCESS


def run(options: Namespace) -> int:
    """Replay as the command line says; returns the exit status."""
    return replay_with(options, reporter_for(options))


def replay_with(options: Namespace, reporter: ReplayReporter) -> int:
    """As `run`, told at a desk; what was read is told even where the reading stops early."""
    telling = _Telling(reporter, reporter.output.wants_steps)
    chats = stream_for(options, telling)
    try:
        read([Source(name) for name in options.files], chats, telling, chats.feed)
    except (ViolationError, ReplayDivergence) as error:
        reporter.report_error(error, ExitCode.FAILURE)
    except KeyboardInterrupt:
        reporter.report_error("interrupted: this is what was read so far", ExitCode.INTERRUPTED)
    chats.abandon()
    return reporter.finish(options, chats.journal.verified)


def stream_for(options: Namespace, listener: ReplayListener) -> StreamReplay:
    """The chats of a run, before anything was heard."""
    return StreamReplay(
        listener,
        Settings(strict=options.strict),
        options.chat_id,
        JournalReplay(compare=options.verify, strict=options.strict),
        close_after=options.close_after,
    )


@define
class _Telling:
    """Tells a desk what it hears, and how the reading goes."""

    desk: ReplayReporter
    wants_steps: bool

    def step(self, chat: ReplayedChat, step: ReplayStep) -> None:
        self.desk.printer.step(self.desk.output.step(chat, step))

    def over(self, chat: ReplayedChat) -> None:
        self.desk.finish_chat(ChatTotals.of(chat.stats), self.desk.output.over(chat))

    def reached(self, source: Source, records: int) -> None:
        self.desk.progress.show(source, records)

    def unreadable(self, error: UnreadableLogError) -> None:
        self.desk.report_error(error, ExitCode.ERROR)
