"""Targets that read recordings: journals, logs for the replay, and the scrubber."""

from __future__ import annotations

import io
import json
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any, Final

from chatfsm import ChatError, ChatSession, ReplayDivergence, UnreadableLogError
from chatfsm._client.journal import Recorded
from chatfsm._protocol import json_input
from chatfsm._protocol.lines import decode_lines
from chatfsm.effects import to_json
from chatfsm.replay.formats import record_batches, records
from chatfsm.replay.journal import JournalEntry, JournalHeader, parse_journal_line, verify
from chatfsm.replay.reader import RecordBatch
from chatfsm.replay.scrub import _PROTOCOL_WORDS, Pseudonyms, scrubbed_lines
from chatfsm.replay.sources import Source
from chatfsm.replay.stream_replay import StreamReplay, ViolationError
from chatfsm.settings import Settings
from tests.fuzz.mutation import WORDS
from tests.fuzz.snapshots import ORDERS
from tests.fuzz.texts import log_seeds

__all__ = ["check_journal", "check_replay", "check_scrub", "journal_seeds", "recording_seeds"]


def journal_seeds() -> Iterator[bytes]:
    """Yield journals of the recorded logs, with commands in their middle."""
    for number, seed in enumerate(log_seeds()):
        lines: list[str] = []
        settings = Settings(max_ids=8, max_forms=2) if number % 3 == 0 else Settings()
        session = ChatSession(f"chat-{number}", settings=settings, token="t0k" * (number % 2))
        recorded = Recorded(session, lines.append)
        events = decode_lines(seed)[:24]
        for at, event in enumerate(events):
            recorded.receive(event, now=float(at))
            if at == len(events) // 2:
                for order in ORDERS[:5]:
                    with suppress(ChatError):
                        recorded.receive(order, now=float(at))
        yield "".join(lines).encode()


def recording_seeds() -> Iterator[bytes]:
    """Yield recorded logs and journals."""
    yield from log_seeds()
    yield from list(journal_seeds())[::4]


def check_journal(data: bytes) -> None:
    """Check that a journal is verified or refused, and that its inputs can be recorded again."""
    with suppress(ReplayDivergence, UnreadableLogError):
        verify(data.split(b"\n"))
    lines: list[str] = []
    recorded = Recorded(ChatSession("anew"), lines.append)
    count = 0
    for line in data.split(b"\n"):
        try:
            value = json_input.parse(line)
            entry = parse_journal_line(value) if isinstance(value, dict) else None
        except ValueError:
            continue
        if isinstance(entry, JournalHeader):
            with suppress(ChatError, ValueError):
                entry.open_session()
        elif isinstance(entry, JournalEntry):
            with suppress(ChatError):
                recorded.receive(entry.item, now=entry.at)
            count += 1
    assert verify(lines) == count, "a journal recorded anew has not all inputs"


def check_replay(data: bytes) -> None:
    """Check that a log is replayed or refused, and that a hand-over of chats changes no effect."""
    whole = _replayed(data, handed_over=False)
    parts = _replayed(data, handed_over=True)
    with suppress(UnreadableLogError), _source(data) as source:
        for record in records(source):
            assert record.where.startswith("-: ")
    with suppress(UnreadableLogError, ViolationError), _source(data) as source:
        for _ in StreamReplay(Settings(strict=True)).read([source]):
            pass
    assert parts == whole, "chats that are handed over have other effects"


@contextmanager
def _source(data: bytes) -> Iterator[Source]:
    """Give a log by standard input, because a file takes many times as long."""
    stdin: Any = SimpleNamespace(buffer=io.BytesIO(data))
    sys.stdin, usual = stdin, sys.stdin
    try:
        yield Source("-")
    finally:
        sys.stdin = usual


def _replayed(data: bytes, *, handed_over: bool) -> list[str] | None:
    """Return the effects of each step as texts; None if the file cannot be read.

    With `handed_over`, a new replay takes over the open chats after each run of records.
    """
    steps: list[str] = []

    def report(chat: Any, step: Any) -> None:
        effects = [to_json(effect) for effect in step.effects]
        steps.append(json.dumps([chat.key, step.seq, step.at, effects]))

    settings = Settings(max_ids=16)
    stream = StreamReplay(settings, on_step=report)
    try:
        with _source(data) as source:
            for batch in record_batches(source):
                for run in batch.runs:
                    list(stream.feed(RecordBatch(source, [run])))
                    if handed_over:
                        chats = pickle.loads(pickle.dumps(stream.hand_over()))  # noqa: S301
                        stream = StreamReplay(settings, on_step=report)
                        stream.take_over(chats, chats.records)
            for chat in (*stream.end_file(source), *stream.finish()):
                assert chat.stats is not None
    except UnreadableLogError:
        return None
    return steps


# Words that a scrubbed log may contain, for any recording.
_OUTPUT_WORDS: Final = " ".join(
    [
        *WORDS,
        *(
            "unknown_",
            "scrubbed",
            "(unreadable)",
            "characters,",
            "a text",
            "name-",
            "chat-",
            "word-",
        ),
        *_PROTOCOL_WORDS,
    ]
)
# Fields of a journal's inputs with texts of customers and agents.
_PERSONAL: Final = {
    *("msg", "msg_text", "text", "html", "draft", "display_name", "first_name", "last_name"),
    *("sdp", "form_content", "url", "file_url", "file_name", "cobrowsing_url"),
}
_SHORTEST_SECRET: Final = 6
_MAX_DEPTH: Final = 100


def check_scrub(data: bytes) -> None:
    """Check that a recording is scrubbed or refused, and that no text of it is left."""
    lines: list[str] = []
    is_journal = False
    with suppress(UnreadableLogError), _source(data) as source:
        for record in records(source):
            is_journal |= isinstance(record.event, JournalHeader | JournalEntry)
    with suppress(UnreadableLogError), _source(data) as source:
        lines += scrubbed_lines(source, Pseudonyms(b"key"))
    written = "\0".join(text for line in lines for text in _texts(json.loads(line)))
    # A scrubbed journal keeps names of settings and effects, and texts of refusals.
    for secret in _secrets(data, _PERSONAL if is_journal else None):
        assert secret not in written, "a text of the recording is in the scrubbed log"


def _secrets(data: bytes, fields: set[str] | None) -> set[str]:
    """Return the texts of a recording, or of some fields, that no scrubbed log may contain."""
    found: set[str] = set()
    for line in data.split(b"\n"):
        with suppress(ValueError, RecursionError):
            value = json.loads(line.decode("utf-8", "surrogatepass"))
            found |= set(_texts(value) if fields is None else _texts_of(value, fields))
    return {
        text
        for text in found
        if len(text) >= _SHORTEST_SECRET
        and text not in _OUTPUT_WORDS
        and not set(text) <= set("0123456789abcdef.-+eE:")
    }


def _texts_of(value: Any, fields: set[str]) -> Iterator[str]:
    """Yield the texts of some fields of a journal's line."""
    held = value.get("in") if isinstance(value, dict) else None
    for name in fields if isinstance(held, dict) else ():
        if isinstance(held.get(name), str):
            yield held[name]


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the texts and names in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and depth < _MAX_DEPTH:
        for key, held in value.items():
            yield key
            yield from _texts(held, depth + 1)
    elif isinstance(value, list) and depth < _MAX_DEPTH:
        for held in value:
            yield from _texts(held, depth + 1)
