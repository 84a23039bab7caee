"""Output of a worker of `--jobs`: pieces in order, sent in batches; and batches that are held back.

A piece knows its place and its chat, which the printing process does not need: a batch has the
texts of consecutive pieces in lists, and one sum of the chats that are finished. A batch that is
held back also has what makes it pieces again, pickled by itself, which stays so when it is sent.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from math import inf
from operator import attrgetter
from tempfile import SpooledTemporaryFile
from typing import IO, Final, Literal, NamedTuple, Self, cast

from attrs import frozen

from chatfsm.replay.replayed_chat import ChatKey
from chatfsm.replay.sources import ReadPosition
from chatfsm.replay.stats import ChatTotals, Totals
from chatfsm.replay.stream_replay import OutputKey

__all__ = [
    "LAST_KEY",
    "HeldBatch",
    "HeldOutput",
    "OutputPiece",
    "PieceKind",
    "PieceMerger",
    "TextRun",
    "WorkerBatch",
    "batch_of",
    "with_rows",
]

LAST_KEY: Final = (inf, sys.maxsize, sys.maxsize)
"""A key after all pieces."""
# Output that waits for the chats that are handed over is kept in memory up to this, then in a file.
_HELD_BYTES: Final = 8 * 1024 * 1024

PieceKind = Literal["step", "chat", "unreadable", "note", "failure"]
"""The text is of a step, or of a finished chat; or it tells why a file could not be read, what was
left out of a file, or why the run ends here: a violation, or a difference."""


class OutputPiece(NamedTuple):
    """A part of the output, with the sort key of its place in the output of the shard."""

    key: OutputKey
    chat: ChatKey | None
    """The chat that it tells of; None: a file."""
    kind: PieceKind
    text: str
    totals: ChatTotals | None = None
    """Contribution to the totals, if a chat is finished."""


class TextRun(NamedTuple):
    """The texts of consecutive pieces of one kind."""

    kind: PieceKind
    texts: list[str]


class WorkerBatch(NamedTuple):
    """Output since the last batch, and the progress of the worker."""

    runs: list[TextRun]
    totals: Totals | None
    """Sum of the chats that are finished; None if there are none."""
    progress: ReadPosition | None
    records: int
    """Number of records of the file so far."""
    position: str
    """Place of the last record that was fed, for error texts."""
    rows: bytes = b""
    """Key, chat and totals of each piece, pickled, if the batch was held back."""


def batch_of(
    pieces: Iterable[OutputPiece], progress: ReadPosition | None, records: int, position: str
) -> WorkerBatch:
    """The batch of some pieces."""
    runs: list[TextRun] = []
    totals: Totals | None = None
    for kind, group in groupby(pieces, attrgetter("kind")):
        run = list(group)
        runs.append(TextRun(kind, [piece.text for piece in run]))
        if kind == "chat":
            totals = totals or Totals()
            for piece in run:
                if piece.totals is not None:
                    totals.add(piece.totals)
    return WorkerBatch(runs, totals, progress, records, position)


def with_rows(batch: WorkerBatch, pieces: Iterable[OutputPiece]) -> WorkerBatch:
    """The batch of some pieces, with their rows."""
    rows = [(piece.key, piece.chat, piece.totals) for piece in pieces]
    return batch._replace(rows=pickle.dumps(rows, pickle.HIGHEST_PROTOCOL))


@frozen
class HeldBatch:
    """A pickled batch of output in a file."""

    file: IO[bytes]
    start: int
    size: int
    first: OutputKey
    """Key of its first piece."""
    last: OutputKey
    chats: set[ChatKey | None]
    """The chats that it tells of."""

    def read(self) -> bytes:
        """The pickled batch."""
        self.file.seek(self.start)
        return self.file.read(self.size)

    def pieces(self) -> list[OutputPiece]:
        """The pieces of the batch, which are in order."""
        batch: WorkerBatch = pickle.loads(self.read())  # noqa: S301  # as it was written here
        rows = iter(pickle.loads(batch.rows))  # noqa: S301  # as above
        pieces: list[OutputPiece] = []
        for kind, texts in batch.runs:
            for text in texts:
                key, chat, totals = next(rows)
                pieces.append(OutputPiece(key, chat, kind, text, totals))
        return pieces


class HeldOutput:
    """Output that is held back, in a file if it is long."""

    def __init__(self) -> None:
        self.batches: list[HeldBatch] = []
        self._file = cast("IO[bytes]", SpooledTemporaryFile(max_size=_HELD_BYTES))  # noqa: SIM115  # see __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, batch: WorkerBatch, pieces: list[OutputPiece]) -> None:
        """Add the batch of some pieces, unless it is empty."""
        if not pieces:
            return
        data = pickle.dumps(with_rows(batch, pieces), pickle.HIGHEST_PROTOCOL)
        start = self._file.tell()
        self._file.write(data)
        chats = {piece.chat for piece in pieces}
        self.batches.append(
            HeldBatch(self._file, start, len(data), pieces[0].key, pieces[-1].key, chats)
        )


class PieceMerger:
    """Pieces in order, taken as soon as a piece with a later key is known."""

    def __init__(self, pieces: Iterator[OutputPiece]) -> None:
        self._pieces = pieces
        self._next = next(pieces, None)

    @property
    def key(self) -> OutputKey:
        """The key of the next piece."""
        return LAST_KEY if self._next is None else self._next.key

    def before(self, key: OutputKey) -> Iterator[OutputPiece]:
        """Take the pieces before a key."""
        while self._next is not None and self._next.key < key:
            yield self._next
            self._next = next(self._pieces, None)
