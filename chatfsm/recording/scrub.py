"""`chatfsm scrub`: a recorded log that tells what happened, and nothing of anybody.

The key of the pseudonyms is read from the environment, or made for this one run and thrown away;
it is in no file and no message.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from chatfsm.errors import LocalProtocolError, RemoteProtocolError, UnreadableLogError
from chatfsm.recording.entries import Entry, Opening, input_of, input_to_json
from chatfsm.recording.formats import Record, records
from chatfsm.recording.journal import Recorded
from chatfsm.recording.pseudonyms import Pseudonyms
from chatfsm.recording.source import Source
from chatfsm.session.session import ChatSession

__all__ = ["KEY", "run", "scrubbed"]

KEY: Final = "CHATFSM_SCRUB_KEY"


def run(options: Namespace) -> int:
    """Scrub as the command line says; returns the exit status."""
    source, target = Source(options.input), Path(options.output)
    if options.output != "-" and target.exists() and not options.force:
        raise UnreadableLogError(f"{target}: is there already; --force to write over it")
    pseudonyms = Pseudonyms(os.fsencode(os.environ.get(KEY, "")) or secrets.token_bytes(32))
    lines = scrubbed(source, pseudonyms, options.chat_id)
    if options.output == "-":
        sys.stdout.writelines(lines)
        return 0
    target = target.resolve()  # what a link points to is written, not the link
    if target.exists() and not target.is_file():  # a device or a pipe: nothing stands in its place
        with target.open("w", encoding="utf-8") as out:
            out.writelines(lines)
        return 0
    # Whole or not at all: half a log beside an error would look like a log.
    with NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, delete=False) as out:
        partial = Path(out.name)
        try:
            count = sum(out.write(line) > 0 for line in lines)
            out.flush()
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    print(f"chatfsm: {count} lines scrubbed", file=sys.stderr)
    return 0


def scrubbed(source: Source, pseudonyms: Pseudonyms, chat_id: str | None = None) -> Iterator[str]:
    """The lines of the scrubbed log, each with its end: raw events, whatever the format was.

    A journal becomes a journal: sessions hear the scrubbed inputs, and are written down anew.
    """
    sessions: dict[str, Recorded] = {}
    written: list[str] = []
    for record in records(source):
        event = record.event
        if isinstance(event, Opening):
            sessions[event.chat_id] = _made_anew(event, record, pseudonyms, written.append)
        elif isinstance(event, Entry):
            if event.chat_id not in sessions:
                raise UnreadableLogError(f"{record.where}: the journal of this chat has no opening")
            item = pseudonyms.heard(input_to_json(event.item), event.chat_id)
            with suppress(LocalProtocolError, RemoteProtocolError):  # refused then, and now
                sessions[event.chat_id].receive(input_of(item), now=event.at)
            yield from written
            written.clear()
        else:
            whose = record.chat_id or chat_id or source.stem
            said = pseudonyms.item(record.raw, whose)
            yield json.dumps({"chat_id": pseudonyms.chat(whose), **said}) + "\n"


def _made_anew(
    opening: Opening, record: Record, pseudonyms: Pseudonyms, write: Callable[[str], object]
) -> Recorded:
    """A session as a journal's opening says, with a stand-in for its chat."""
    if opening.snapshot is not None:
        why = "begins in the middle of a chat, with a snapshot, which cannot be scrubbed"
        raise UnreadableLogError(f"{record.where}: the journal {why}")
    chat_id = pseudonyms.chat(opening.chat_id)
    return Recorded(ChatSession(chat_id, settings=opening.settings), write)
