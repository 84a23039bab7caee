"""Command `chatfsm replay`: replays recorded logs and prints the results."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from attrs import define, field

from chatfsm._cli import ExitCode
from chatfsm._cli.progress import ProgressBar
from chatfsm._cli.replay_outputs import EffectLines, NoOutput, Output, Printer, Summary
from chatfsm._cli.terminal_text import print_error
from chatfsm.errors import ChatError, ReplayDivergence
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.journal import JournalReplay
from chatfsm.replay.log_files import open_logs
from chatfsm.replay.sources import Source
from chatfsm.replay.stats import ChatTotals, Totals
from chatfsm.replay.stream_replay import OnStep, ReplayedChat, StreamReplay, ViolationError
from chatfsm.settings import Settings

__all__ = [
    "INTERRUPTED_TEXT",
    "ReplayReporter",
    "replay_with",
    "reporter_for",
    "run",
    "sources_of",
    "stream_for",
]

INTERRUPTED_TEXT = "interrupted: this is what was read so far"
# Rows of a timeline after Ctrl-C, whatever --rows says: 100,000 would take seconds.
_INTERRUPTED_ROWS: Final = 1_000


@define
class ReplayReporter:
    """Prints one run: its chats, errors and totals; and keeps its exit code."""

    output: Output
    printer: Printer
    progress: ProgressBar
    totals: Totals = field(factory=Totals)
    status: int = ExitCode.SUCCESS
    is_streamed: bool = field(default=False, kw_only=True)
    """Whether rows are printed as their events are read, on a terminal."""
    limit_rows: Callable[[int], object] | None = field(default=None, kw_only=True)
    """Lets the output print at most so many rows of an unfinished chat; None: it prints none."""

    def report_error(self, error: object, status: int) -> None:
        """Report on standard error why the input was not read completely."""
        self.status = status
        self.totals.complete = False
        self.progress.hide()
        print_error(error)

    def report_unreadable(self, error: object) -> None:
        """Report a file that cannot be read."""
        self.report_error(error, ExitCode.ERROR)

    def report_note(self, note: str) -> None:
        """Report on standard error what was left out of a file, unless only errors are wanted."""
        if not isinstance(self.output, NoOutput):
            self.progress.hide()
            print_error(note)

    def report_step(self, chat: ReplayedChat, step: ReplayStep) -> None:
        """Print a step of a chat."""
        self.printer.write(self.output.step_text(chat, step))

    def report_chats(self, chats: Iterable[ReplayedChat]) -> None:
        """Print chats as they are finished."""
        for chat in chats:
            text = self.output.chat_text(chat)
            self.totals.add(ChatTotals.of(chat.stats))
            self.report_texts([text])

    def report_texts(self, texts: Sequence[str]) -> None:
        """Print the texts of finished chats, which are in the totals."""
        if any(texts):
            self.progress.clear_for_output()
        self.printer.write_chats(texts)

    def finish(self, options: Namespace, verified: int) -> int:
        """Print the totals and return the exit code.

        `verified`: number of journal entries that agree with their replay.
        """
        if options.chat and self.totals.sessions == 0 and self.status == ExitCode.SUCCESS:
            names = ", ".join(options.chat)
            self.report_error(f"no chat has the id of --chat: {names}", ExitCode.ERROR)
        self.progress.hide()
        self.printer.write(self.output.totals_text(self.totals))
        if options.verify and self.status == ExitCode.SUCCESS:
            self.status = _report_verified(verified)
        fatal = {kind for kinds in options.fail_on or () for kind in kinds}
        found = any(self.totals.findings[kind] for kind in fatal)
        return ExitCode.FAILURE if self.status == ExitCode.SUCCESS and found else self.status


def reporter_for(options: Namespace) -> ReplayReporter:
    """The reporter that the command line asks for."""
    progress = ProgressBar(wanted=not options.quiet)
    if options.only_findings and (options.summary or options.quiet):
        raise ChatError("--only-findings is for timelines and --json")
    if options.json or options.summary or options.quiet:
        output = _output_for_programs(options)
        return ReplayReporter(output, Printer(sys.stdout, output), progress)
    # Loaded for timelines alone, with all that formats and prints them.
    from chatfsm._cli.replay_timelines import StreamedTimelines, Timelines  # noqa: PLC0415
    from chatfsm._cli.terminal import style_for  # noqa: PLC0415

    is_streamed = sys.stdout.isatty()
    timelines = (StreamedTimelines if is_streamed else Timelines)(
        *(style_for(sys.stdout, options.color), options.rows or None, options.time),
        only_findings=options.only_findings,
    )
    printer, limit_rows = Printer(sys.stdout, timelines), timelines.limit_rows
    return ReplayReporter(
        timelines, printer, progress, is_streamed=is_streamed, limit_rows=limit_rows
    )


def _output_for_programs(options: Namespace) -> Output:
    if options.json:
        return EffectLines(only_findings=options.only_findings)
    return Summary() if options.summary else NoOutput()


def _report_verified(entries: int) -> int:
    if entries == 0:
        print_error("nothing to verify: no journal was read")
        return ExitCode.ERROR
    print_error(f"{entries} entries agree")
    return ExitCode.SUCCESS


def run(options: Namespace) -> int:
    """Replay as the command line says, in this process; return the exit code."""
    return replay_with(options, reporter_for(options))


def replay_with(options: Namespace, reporter: ReplayReporter) -> int:
    """Replay and report; chats that are open when replay stops early are reported as they stand."""
    stream = stream_for(options, reporter.report_step if reporter.output.wants_steps else None)
    chats = stream.read(
        sources_of(options),
        on_progress=reporter.progress.show,
        on_unreadable=reporter.report_unreadable,
        on_note=reporter.report_note,
    )
    try:
        reporter.report_chats(chats)
    except (ViolationError, ReplayDivergence) as error:
        reporter.report_error(error, ExitCode.FAILURE)
    except KeyboardInterrupt:
        reporter.report_error(INTERRUPTED_TEXT, ExitCode.INTERRUPTED)
        if reporter.limit_rows is not None:
            reporter.limit_rows(_INTERRUPTED_ROWS)  # who interrupts does not want to wait
    reporter.report_chats(stream.abandon())
    return reporter.finish(options, stream.journal.verified)


def sources_of(options: Namespace) -> list[Source]:
    """The files that the command line names, looked for once: workers read the same."""
    if "sources" not in options:
        options.sources = open_logs(
            options.files, received_at=options.received_at, unwrap=options.unwrap
        )
    sources: list[Source] = options.sources
    return sources


def stream_for(options: Namespace, on_step: OnStep | None) -> StreamReplay:
    """A replay with the options of the command line, before any record."""
    settings: Settings | None = vars(options).get("settings")
    return StreamReplay(
        settings or Settings(strict=options.strict, explain=options.explain),
        options.unnamed_chat,
        options.close_after,
        JournalReplay(compare=options.verify, strict=options.strict),
        on_step,
        prefers_received=options.prefers_received,
        only=frozenset(options.chat) if options.chat else None,
        locates_all=vars(options).get("locates_all", False),
    )
