"""Command `chatfsm export`: writes recorded chats as tables, and for process mining."""

from __future__ import annotations

import json
import os
import secrets
import sys
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import define, field

from chatfsm._cli import ExitCode, parallel
from chatfsm._cli.output_file import check_target, new_file
from chatfsm._cli.progress import ProgressBar
from chatfsm._cli.replay import ReplayReporter, sources_of
from chatfsm._cli.replay_outputs import Printer
from chatfsm._cli.scrub import make_pseudonyms
from chatfsm._cli.terminal_text import print_error
from chatfsm._plain import json_text
from chatfsm.errors import ChatError, UnreadableLogError
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.export import ExportWriter, step_rows, writer_for
from chatfsm.replay.scrub import scrubbed_lines
from chatfsm.replay.sources import Source
from chatfsm.replay.stats import Totals
from chatfsm.replay.stream_replay import ReplayedChat

__all__ = ["RowLines", "run"]


class RowLines:
    """Output of a worker or of the only process: a line for each row, with its chat's number."""

    wants_steps = True
    head = separator = ""

    def step_text(self, chat: ReplayedChat, step: ReplayStep) -> str:
        """The rows of the step."""
        rows = step_rows(chat, step)
        return "".join([f"{json_text([chat.number, row])}\n" for row in rows])

    def chat_text(self, chat: ReplayedChat) -> str:
        """The number of the chat, which is finished."""
        return str(chat.number)

    def totals_text(self, _totals: Totals) -> str:
        """No text."""
        return ""


class RowPrinter(Printer):
    """Gives the rows to a writer instead of printing their lines."""

    def __init__(self, output: RowLines, writer: ExportWriter) -> None:
        super().__init__(sys.stdout, output)
        self.writer = writer
        self.row_count = 0

    def write(self, text: str) -> None:
        """Write the rows of some lines."""
        for line in text.splitlines():
            chat, row = json.loads(line)
            self.writer.add(chat, row)
            self.row_count += 1

    def write_chats(self, texts: Iterable[str]) -> None:
        """End chats, of which the texts are the numbers."""
        for text in texts:
            self.writer.finish(int(text))


@define
class ExportReporter(ReplayReporter):
    """Writes the rows, and says at the end how many there are."""

    rows: RowPrinter = field(kw_only=True)

    def finish(self, options: Namespace, verified: int) -> int:  # noqa: ARG002  # no journals here
        """Write the rest, and return the exit code."""
        self.progress.hide()
        self.rows.writer.close()
        rows, chats = self.rows.row_count, self.totals.sessions
        print_error(f"{rows} {_noun('row', rows)} of {chats} {_noun('chat', chats)}")
        return self.status


def _noun(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def run(options: Namespace) -> int:
    """Export as the command line says; return the exit code."""
    target = Path(options.output)
    check_target(target, force=options.force)
    target = target.resolve()  # overwrite the target of a link, not the link
    if target.exists() and not target.is_file():
        raise UnreadableLogError(f"{target}: not a file")
    # Written completely or not at all: half a table would pass for a table.
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        os.close(new_file(partial, target))
        with TemporaryDirectory(prefix="chatfsm-") as folder:
            reporter = _reporter(partial, options.to)
            if options.scrub:
                _scrub(options, reporter, folder)
            status = parallel.run(options, lambda _options: reporter)
        if status == ExitCode.ERROR and reporter.totals.sessions == 0:
            return status  # nothing could be read
        partial.replace(target)
    except OSError as error:
        raise ChatError(f"cannot write {options.output}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return status


def _reporter(path: Path, to: str) -> ExportReporter:
    output = RowLines()
    rows = RowPrinter(output, writer_for(to, path))
    progress = ProgressBar(wanted=True)
    return ExportReporter(output, rows, progress, rows=rows)


def _scrub(options: Namespace, reporter: ExportReporter, folder: str) -> None:
    """Let the command read scrubbed copies of its files, which are written to a folder."""
    pseudonyms = make_pseudonyms()
    copies = []
    for number, source in enumerate(sources_of(options)):
        copy = Path(folder, f"{number}.jsonl")
        with copy.open("w", encoding="utf-8") as file:
            try:
                file.writelines(scrubbed_lines(source, pseudonyms, options.unnamed_chat))
            except UnreadableLogError as error:
                reporter.report_unreadable(error)
        if copy.stat().st_size:
            copies.append(Source(str(copy)))
    options.sources = copies
    options.chat = options.chat and [pseudonyms.chat_id(chat) for chat in options.chat]
