"""Command `chatfsm report`: writes recorded chats as one HTML page."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cattrs
from attrs import define, field

from chatfsm._cli import ExitCode, parallel
from chatfsm._cli.output_file import check_target, write_file
from chatfsm._cli.progress import ProgressBar
from chatfsm._cli.replay import ReplayReporter, sources_of
from chatfsm._cli.replay_outputs import Printer
from chatfsm._cli.scrub import make_pseudonyms
from chatfsm._cli.terminal_text import print_error
from chatfsm._plain import json_text
from chatfsm.errors import UnreadableLogError
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.report import ReportBuilder, ReportInput
from chatfsm.replay.report.builder import ChatRecorder, ReportedChat
from chatfsm.replay.scrub import scrubbed_lines
from chatfsm.replay.sources import Source
from chatfsm.replay.stats import Totals
from chatfsm.replay.stream_replay import ReplayedChat

__all__ = ["ReportLines", "run"]

# Above this, browsers on a telephone take seconds to open a page.
_LARGE_PAGE: Final = 50_000_000


class ReportLines:
    """Output of a worker or of the only process: each chat, as the page holds it, as JSON."""

    wants_steps = True
    head = separator = ""

    def __init__(self, recorder: ChatRecorder) -> None:
        self._recorder = recorder

    def step_text(self, chat: ReplayedChat, step: ReplayStep) -> str:
        """No text: the step is recorded until the chat is finished."""
        self._recorder.add(chat, step)
        return ""

    def chat_text(self, chat: ReplayedChat) -> str:
        """The chat."""
        return json_text(cattrs.unstructure(self._recorder.finish(chat)))

    def totals_text(self, _totals: Totals) -> str:
        """No text: the reporter has the page."""
        return ""


@define
class PageReporter(ReplayReporter):
    """Collects the chats, and writes the page at the end."""

    builder: ReportBuilder = field(kw_only=True)

    def report_unreadable(self, error: object) -> None:
        """Report a file that cannot be read, here and on the page."""
        self.builder.add_note(str(error))
        self.report_error(error, ExitCode.ERROR)

    def report_note(self, note: str) -> None:
        """Report what was left out of a file, here and on the page."""
        self.builder.add_note(note)
        super().report_note(note)

    def report_texts(self, texts: Sequence[str]) -> None:
        """Add finished chats."""
        for text in texts:
            self.builder.add(cattrs.structure(json.loads(text), ReportedChat))

    def finish(self, options: Namespace, verified: int) -> int:  # noqa: ARG002  # no journals here
        """Write the page, and return the exit code."""
        self.progress.hide()
        page = self.builder.page()
        if options.output == "-":
            sys.stdout.write(page)
            return self.status
        write_file(Path(options.output), [page])
        size, chats = len(page.encode()), self.totals.sessions
        what = f"{chats:,} {'chat' if chats == 1 else 'chats'}, {size:,} bytes"
        print_error(f"{options.output}: {what}")
        if size > _LARGE_PAGE:
            print_error("the page is large: --max-chats and --max-steps make it smaller")
        return self.status


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
    with tempfile.TemporaryDirectory(prefix="chatfsm-report-") as folder:
        errors = _scrub(options, builder, folder) if options.scrub else []
        if not options.scrub:
            builder.inputs += [
                ReportInput(source.name, *_size_and_hash(source)) for source in sources_of(options)
            ]

        def make_reporter(_options: Namespace) -> ReplayReporter:
            output = ReportLines(builder.recorder())
            progress = ProgressBar(wanted=True)
            reporter = PageReporter(output, Printer(sys.stdout, output), progress, builder=builder)
            for error in errors:
                reporter.report_error(error, ExitCode.ERROR)
            return reporter

        return parallel.run(options, make_reporter)


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


def _scrub(options: Namespace, builder: ReportBuilder, folder: str) -> list[UnreadableLogError]:
    """Let the command read scrubbed copies of its files, which are written to a folder.

    Returns the errors of files that cannot be read.
    """
    pseudonyms = make_pseudonyms()
    errors: list[UnreadableLogError] = []
    copies: list[Source] = []
    for number, source in enumerate(sources_of(options), start=1):
        copy = Source(str(Path(folder) / f"{number}.jsonl"))
        known = ReportInput(f"input {number}", *_size_and_hash(source), path=copy.name)
        builder.inputs.append(known)
        try:
            with Path(copy.name).open("w", encoding="utf-8") as out:
                out.writelines(scrubbed_lines(source, pseudonyms, options.unnamed_chat))
        except UnreadableLogError as error:
            errors.append(error)
            known.notes.append(_without(source, error))
        for note in source.notes:
            print_error(f"{source.name}: {note}")
            known.notes.append(_without(source, note))
        copies.append(copy)
    options.sources = copies
    return errors


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
