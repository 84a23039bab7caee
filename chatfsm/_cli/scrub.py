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
from chatfsm._cli.terminal_text import print_error
from chatfsm.errors import UnreadableLogError
from chatfsm.replay.log_files import open_logs
from chatfsm.replay.scrub import Pseudonyms, scrubbed_lines
from chatfsm.replay.sources import Source

__all__ = ["KEY", "run"]

KEY: Final = "CHATFSM_SCRUB_KEY"
"""Environment variable with the key of the pseudonyms."""


def run(options: Namespace) -> int:
    """Scrub as the command line says; return the exit code."""
    target = Path(options.output)
    if options.output != "-" and target.exists() and not options.force:
        raise UnreadableLogError(f"{target}: the file exists already; --force overwrites it")
    pseudonyms = Pseudonyms(os.fsencode(os.environ.get(KEY, "")) or secrets.token_bytes(32))
    sources = open_logs(options.input, received_at=options.received_at, unwrap=options.unwrap)
    lines = _scrubbed(sources, pseudonyms, options.unnamed_chat)
    if options.output == "-":
        sys.stdout.writelines(lines)
        return ExitCode.SUCCESS
    target = target.resolve()  # overwrite the target of a link, not the link
    if target.exists() and not target.is_file():  # a device or a pipe cannot be replaced
        with target.open("w", encoding="utf-8") as out:
            out.writelines(lines)
        return ExitCode.SUCCESS
    # Written completely or not at all: half a log would pass for a log.
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    with open(_new_file(partial, target), "w", encoding="utf-8") as out:  # a descriptor
        try:
            count = sum(out.write(line) > 0 for line in lines)
            out.flush()
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    print_error(f"{count} lines scrubbed")
    return ExitCode.SUCCESS


def _scrubbed(
    sources: list[Source], pseudonyms: Pseudonyms, unnamed_chat: str | None
) -> Iterator[str]:
    for source in sources:
        yield from scrubbed_lines(source, pseudonyms, unnamed_chat)
        for note in source.notes:
            print_error(f"{source.name}: {note}")


def _new_file(path: Path, replaced: Path) -> int:
    """Return the descriptor of a new file with the mode of the file that it will replace.

    Without one, the umask decides, as with any other file that a command writes.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags, 0o666)
    if replaced.exists() and hasattr(os, "fchmod"):
        os.fchmod(descriptor, replaced.stat().st_mode & 0o777)
    return descriptor
