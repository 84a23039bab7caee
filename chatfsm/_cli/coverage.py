"""Command `chatfsm coverage`: shows what recorded logs exercise, and what is missing."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import define, field

from chatfsm._cli import ExitCode, parallel
from chatfsm._cli.output_file import write_file
from chatfsm._cli.progress import ProgressBar
from chatfsm._cli.replay import ReplayReporter
from chatfsm._cli.replay_outputs import Printer
from chatfsm._cli.terminal_text import print_error
from chatfsm._plain import json_text
from chatfsm.errors import UnreadableLogError
from chatfsm.replay import COVERAGE_PARTS
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.coverage import Coverage, Section
from chatfsm.replay.coverage_diagram import mermaid
from chatfsm.replay.stats import Totals
from chatfsm.replay.stream_replay import ReplayedChat

__all__ = ["CoverageLines", "coverage_text", "run"]

_WIDTH: Final = 100


class CoverageLines:
    """Output of a worker or of the only process: what each chat exercises, as JSON."""

    wants_steps = True
    head = separator = ""

    def step_text(self, chat: ReplayedChat, step: ReplayStep) -> str:
        """No text: the step is counted until the chat is finished."""
        self._coverage_of(chat).add(chat, step)
        return ""

    def chat_text(self, chat: ReplayedChat) -> str:
        """The counts of the chat."""
        coverage = self._coverage_of(chat)
        coverage.finish(chat)
        return json_text(coverage.counts())

    def totals_text(self, _totals: Totals) -> str:
        """No text: the reporter has the coverage."""
        return ""

    @staticmethod
    def _coverage_of(chat: ReplayedChat) -> Coverage:
        if chat.memo is None:
            chat.memo = Coverage()
        coverage: Coverage = chat.memo
        return coverage


@define
class CoverageReporter(ReplayReporter):
    """Adds up the coverage of all chats, and prints it at the end."""

    coverage: Coverage = field(factory=Coverage, kw_only=True)

    def report_texts(self, texts: Sequence[str]) -> None:
        """Add finished chats."""
        for text in texts:
            self.coverage.merge(json.loads(text))

    def finish(self, options: Namespace, verified: int) -> int:  # noqa: ARG002  # no journals here
        """Print the coverage, and return the exit code."""
        self.progress.hide()
        parts = [part for parts in options.only or (COVERAGE_PARTS,) for part in parts]
        _write(options, self.coverage, parts)
        percent = self.coverage.percent(parts)
        if self.status == ExitCode.SUCCESS and percent < (options.fail_under or 0.0):
            print_error(f"{percent:.1f} % is less than {options.fail_under:g} %")
            return ExitCode.FAILURE
        return self.status


def run(options: Namespace) -> int:
    """Measure as the command line says; return the exit code."""
    return parallel.run(options, _reporter_for)


def _reporter_for(_options: Namespace) -> ReplayReporter:
    output = CoverageLines()
    return CoverageReporter(output, Printer(sys.stdout, output), ProgressBar(wanted=True))


def _write(options: Namespace, coverage: Coverage, parts: Sequence[str]) -> None:
    if options.json:
        text = f"{json_text(coverage.to_json(parts))}\n"
    elif options.mermaid:
        text = mermaid(coverage.sections(parts))
    else:
        text = coverage_text(coverage, parts)
    if options.output == "-":
        sys.stdout.write(text)
        return
    try:
        write_file(Path(options.output), [text])
    except OSError as error:
        raise UnreadableLogError(f"{options.output}: cannot write: {error.strerror}") from None


def coverage_text(coverage: Coverage, parts: Sequence[str] = COVERAGE_PARTS) -> str:
    """Return a table of the parts, and what is missing of each."""
    sections = coverage.sections(parts)
    lines = [f"{'':22}  exercised   of", *map(_row, sections), ""]
    noun = "chat" if coverage.chats == 1 else "chats"
    lines.append(f"{coverage.percent(parts):.1f} % exercised by {coverage.chats} {noun}")
    missing = [line for section in sections for line in _missing(section)]
    return "\n".join([*lines, *(["", "missing", *missing] if missing else [])]) + "\n"


def _row(section: Section) -> str:
    return f"{section.name:22}  {section.exercised:9}  {section.total:3}"


def _missing(section: Section) -> list[str]:
    """Return the lines of what is missing, transitions by their destination and trigger."""
    if section.kind != "transitions":
        return _wrapped(f"  {section.name}: ", section.missing)
    sources: dict[str, list[str]] = {}
    for trigger, source, destination in section.missing:
        by = "" if trigger == destination else f" by {trigger}"
        sources.setdefault(f"  {section.part} to {destination}{by}: ", []).append(source)
    return [line for start, known in sources.items() for line in _wrapped(start, known)]


def _wrapped(start: str, names: Sequence[str]) -> list[str]:
    """Return the names after a text, in lines of at most `_WIDTH` characters."""
    if not names:
        return []
    lines = [start + names[0]]
    for name in names[1:]:
        if len(lines[-1]) + len(name) + 2 <= _WIDTH:
            lines[-1] += f", {name}"
        else:
            lines[-1] += ","
            lines.append(f"    {name}")
    return lines
