"""Command `chatfsm coverage`: shows what recorded logs exercise, and what is missing."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from chatfsm._cli import ExitCode
from chatfsm._cli.output_file import write_file
from chatfsm._cli.replay import INTERRUPTED_TEXT, sources_of
from chatfsm._cli.terminal import ProgressBar
from chatfsm._cli.terminal_text import print_error
from chatfsm._plain import json_text
from chatfsm.errors import UnreadableLogError
from chatfsm.replay import COVERAGE_PARTS
from chatfsm.replay.coverage import Coverage, Section
from chatfsm.replay.coverage_diagram import mermaid
from chatfsm.replay.stream_replay import StreamReplay
from chatfsm.settings import Settings

__all__ = ["coverage_text", "run"]

_WIDTH: Final = 100


def run(options: Namespace) -> int:
    """Measure as the command line says; return the exit code."""
    coverage = Coverage()
    status = _read(options, coverage)
    parts = [part for parts in options.only or (COVERAGE_PARTS,) for part in parts]
    _write(options, coverage, parts)
    percent = coverage.percent(parts)
    if status == ExitCode.SUCCESS and percent < (options.fail_under or 0.0):
        print_error(f"{percent:.1f} % is less than {options.fail_under:g} %")
        return ExitCode.FAILURE
    return status


def _read(options: Namespace, coverage: Coverage) -> int:
    """Replay all files, and add what they exercise; return the exit code so far."""
    status = ExitCode.SUCCESS
    progress = ProgressBar(wanted=True)

    def report_unreadable(error: UnreadableLogError) -> None:
        nonlocal status
        status = ExitCode.ERROR
        progress.hide()
        print_error(error)

    stream = StreamReplay(
        Settings(explain=True), options.unnamed_chat, options.close_after, on_step=coverage.add
    )

    def report_note(note: str) -> None:
        progress.hide()
        print_error(note)

    chats = stream.read(
        sources_of(options),
        on_progress=progress.show,
        on_unreadable=report_unreadable,
        on_note=report_note,
    )
    try:
        for chat in chats:
            coverage.finish(chat)
    except KeyboardInterrupt:
        status = ExitCode.INTERRUPTED
        progress.hide()
        print_error(INTERRUPTED_TEXT)
    for chat in stream.abandon():
        coverage.finish(chat)
    progress.hide()
    return status


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
