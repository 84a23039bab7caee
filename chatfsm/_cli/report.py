"""Command `chatfsm report`: writes recorded chats as one HTML page."""

from __future__ import annotations

import hashlib
import shlex
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import define, field

from chatfsm._cli import ExitCode
from chatfsm._cli.output_file import check_target, write_file
from chatfsm._cli.replay import INTERRUPTED_TEXT, sources_of
from chatfsm._cli.scrub import make_pseudonyms
from chatfsm._cli.terminal import ProgressBar
from chatfsm._cli.terminal_text import print_error
from chatfsm.errors import UnreadableLogError
from chatfsm.replay.report import ReportBuilder, ReportInput
from chatfsm.replay.scrub import scrubbed_lines
from chatfsm.replay.sources import Source

__all__ = ["run"]

# Above this, browsers on a telephone take seconds to open a page.
_LARGE_PAGE: Final = 50_000_000


def run(options: Namespace) -> int:
    """Write the report that the command line asks for; return the exit code."""
    if options.output != "-":
        check_target(Path(options.output), force=options.force)
    builder = ReportBuilder(
        title=options.title,
        command=_command(options),
        threshold=options.threshold,
        max_chats=options.max_chats or sys.maxsize,
        max_steps=options.max_steps or sys.maxsize,
        is_scrubbed=options.scrub,
    )
    report = _Report(options, builder)
    with _readable(report) as sources:
        report.read(sources)
    page = builder.page()
    if options.output == "-":
        sys.stdout.write(page)
        return report.status
    write_file(Path(options.output), [page])
    size = len(page.encode())
    chats = len(builder.metrics.chats)
    print_error(f"{options.output}: {chats:,} {'chat' if chats == 1 else 'chats'}, {size:,} bytes")
    if size > _LARGE_PAGE:
        print_error("the page is large: --max-chats and --max-steps make it smaller")
    return report.status


def _command(options: Namespace) -> str:
    """The command line for readers of the page; names of files may be personal data, too."""
    scrubbed = ["--scrub"] if options.scrub else []
    files = ["FILE …"] if options.scrub else list(map(shlex.quote, options.files))
    more = []
    for name, default in (("threshold", 20.0), ("max_chats", 5000), ("max_steps", 20000)):
        value = getattr(options, name)
        if value != default:
            more.append(f"--{name.replace('_', '-')} {value:g}")
    if options.close_after is not None:
        more.append(f"--close-after {options.close_after:g}")
    return " ".join(("chatfsm report", *scrubbed, *more, *files))


@define
class _Report:
    """One run: what was read, and the exit code so far."""

    options: Namespace
    builder: ReportBuilder
    status: int = ExitCode.SUCCESS
    progress: ProgressBar = field(factory=lambda: ProgressBar(wanted=True))

    def read(self, sources: list[Source]) -> None:
        """Replay all files."""
        options, builder = self.options, self.builder
        stream = builder.open_stream(options.unnamed_chat, options.close_after)
        chats = stream.read(
            sources,
            on_progress=self.progress.show,
            on_unreadable=self.note_unreadable,
            on_note=self.note_left_out,
        )
        try:
            for chat in chats:
                builder.add_chat(chat)
        except KeyboardInterrupt:
            self.status = ExitCode.INTERRUPTED
            self.note(INTERRUPTED_TEXT)
        for chat in stream.abandon():
            builder.add_chat(chat)
        self.progress.hide()

    def note_unreadable(self, error: UnreadableLogError) -> None:
        """Report a file that cannot be read, here and on the page."""
        self.status = ExitCode.ERROR
        self.builder.add_unreadable(error)
        self.note(error)

    def note_left_out(self, note: str) -> None:
        """Report what was left out of a file, here and on the page."""
        self.builder.add_note(note)
        self.note(note)

    def note(self, note: object) -> None:
        """Print a note."""
        self.progress.hide()
        print_error(note)


@contextmanager
def _readable(report: _Report) -> Iterator[list[Source]]:
    """The files to read: those of the command line, or scrubbed copies, which are removed."""
    sources = sources_of(report.options)
    inputs = report.builder.inputs
    if not report.options.scrub:
        inputs += [ReportInput(source.name, *_size_and_hash(source)) for source in sources]
        yield sources
        return
    pseudonyms = make_pseudonyms()
    with tempfile.TemporaryDirectory(prefix="chatfsm-report-") as folder:
        copies: list[Source] = []
        for number, source in enumerate(sources, start=1):
            copy = Source(str(Path(folder) / f"{number}.jsonl"))
            known = ReportInput(f"input {number}", *_size_and_hash(source), path=copy.name)
            inputs.append(known)
            try:
                with Path(copy.name).open("w", encoding="utf-8") as out:
                    out.writelines(scrubbed_lines(source, pseudonyms, report.options.unnamed_chat))
            except UnreadableLogError as error:
                report.status = ExitCode.ERROR
                report.note(error)
                known.notes.append(_without(source, error))
            for note in source.notes:
                report.note(f"{source.name}: {note}")
                known.notes.append(_without(source, note))
            copies.append(copy)
        yield copies


def _without(source: Source, note: object) -> str:
    """A note without the name of its file, which may be personal data."""
    text = str(note).removeprefix(f"{source.name}: ")
    for name in (source.name, source.path, Path(source.path).name, source.stem):
        text = text.replace(name, "FILE")
    return text


def _size_and_hash(source: Source) -> tuple[int | None, str | None]:
    """Bytes and SHA-256 of a file as stored; None if it can be read only once, or not at all."""
    path = Path(source.path)
    if source.name == "-" or not path.is_file():
        return None, None
    try:
        with path.open("rb") as stored:
            digest = hashlib.file_digest(stored, "sha256")
            return stored.tell(), digest.hexdigest()
    except OSError:  # its reading reports this
        return None, None
