"""Command `chatfsm scrub`: writes a recorded log without personal data.

The key of the pseudonyms comes from the environment, or is random and forgotten after the run; it
is in no file and no message.
"""

from __future__ import annotations

import os
import secrets
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from chatfsm._cli import ExitCode
from chatfsm._cli.output_file import check_target, write_file
from chatfsm._cli.terminal_text import print_error
from chatfsm.replay.log_files import open_logs
from chatfsm.replay.scrub import Pseudonyms, scrubbed_lines
from chatfsm.replay.sources import Source

__all__ = ["KEY", "make_pseudonyms", "run"]

KEY: Final = "CHATFSM_SCRUB_KEY"
"""Environment variable with the key of the pseudonyms."""


def run(options: Namespace) -> int:
    """Scrub as the command line says; return the exit code."""
    target = Path(options.output)
    if options.output != "-":
        check_target(target, force=options.force)
    pseudonyms = make_pseudonyms()
    sources = open_logs(options.input, received_at=options.received_at, unwrap=options.unwrap)
    lines = _scrubbed(sources, pseudonyms, options.unnamed_chat)
    if options.output == "-":
        sys.stdout.writelines(lines)
        return ExitCode.SUCCESS
    count = write_file(target, lines)
    print_error(f"{count} lines scrubbed")
    return ExitCode.SUCCESS


def make_pseudonyms() -> Pseudonyms:
    """Return pseudonyms under the key in the environment, or under a random one."""
    return Pseudonyms(os.fsencode(os.environ.get(KEY, "")) or secrets.token_bytes(32))


def _scrubbed(
    sources: list[Source], pseudonyms: Pseudonyms, unnamed_chat: str | None
) -> Iterator[str]:
    for source in sources:
        yield from scrubbed_lines(source, pseudonyms, unnamed_chat)
        for note in source.notes:
            print_error(f"{source.name}: {note}")
