"""Whose a line is, seen at a glance: without parsing it."""

from __future__ import annotations

import re
from typing import Final
from zlib import crc32

from attrs import field, frozen

from chatfsm.replay.sources import Source

__all__ = ["LineRange", "Shard", "chat_id_of_line", "line_ranges"]

_CHAT_ID: Final = b'"chat_id"'
_WITHOUT_SPACE: Final = b'"chat_id":"'
_WITH_SPACE: Final = b'"chat_id": "'
_BRACE, _BACKSLASH = b"{\\"
_LINE_ENDS: Final = (b"}\n", b"}\r\n", b"}")
# An id as nearly all servers make them.
_IS_PLAIN: Final = re.compile(rb"[ !#-\[\]-~]{1,1024}").fullmatch
_UNUSUAL: Final = (
    b"[",  # perhaps several events
    b"\\u00",  # perhaps a key that is written in another way
    b'"v"',  # perhaps a journal's
)


def _is_unusual(text: bytes) -> bool:
    """Whether lines with such text need a closer look, wherever in them it is."""
    return any(part in text for part in _UNUSUAL)


def chat_id_of_line(line: bytes) -> bytes | None:
    """The id of the chat that a line is of; None where that needs a closer look.

    Where there is one, the line is one record of that chat, whatever a parser says: an event, or
    something broken that bears the id of its chat.
    """
    chat_id = None if _is_unusual(line) else _raw_id(line)
    return chat_id if chat_id is not None and _IS_PLAIN(chat_id) else None


def _raw_id(line: bytes) -> bytes | None:
    """As `chat_at_a_glance`, of a line that is not odd; but whether it is an id nobody has checked.

    For those that hear other chats, a line costs no more than this.
    """
    key = line.find(_WITHOUT_SPACE)
    start = key + len(_WITHOUT_SPACE)
    if key < 0:
        key = line.find(_WITH_SPACE)
        start = key + len(_WITH_SPACE)
    if (
        key < 1
        or line[0] != _BRACE
        or line[key - 1] == _BACKSLASH
        or line.find(b"{", 1, key) > 0  # perhaps it is the id of something in it
        or line.count(_CHAT_ID) > 1  # of repeated keys the last one counts
        or not line.endswith(_LINE_ENDS)
    ):
        return None
    return line[start : line.find(b'"', start)]


# As many chats may be open at once without their ids being looked at for each event.
_MAX_KNOWN_IDS: Final = 10_000


@frozen
class Shard:
    """Those of all chats that one of several processes hears: one in `jobs`, by their ids."""

    index: int
    jobs: int
    default_chat_id: str | None = None
    """The chat of records that name none; None: one a file, called by the file's stem."""
    known: dict[bytes | None, bool | None] = field(factory=dict, init=False, eq=False, repr=False)

    def owns(self, chat_id: bytes) -> bool:
        """Whether the chat is one of these."""
        return crc32(chat_id) % self.jobs == self.index

    def look_up(self, found: bytes | None) -> bool | None:
        """As `has`, of what was found at a glance; None where that needs a closer look.

        It is remembered, in `known`.
        """
        if len(self.known) >= _MAX_KNOWN_IDS:
            self.known.clear()
        is_plain = found is not None and _IS_PLAIN(found)
        owned = self.known[found] = self.owns(found) if found is not None and is_plain else None
        return owned

    def owns_record(self, chat_id: str | None, source: Source) -> bool:
        """Whether a record of such a chat, in such a file, is of one of these."""
        owner = chat_id or self.default_chat_id or source.stem
        return self.owns(owner.encode("utf-8", "surrogatepass"))


# So many lines are looked at together; one that is odd makes each of them cost a look of its own.
_GROUP_SIZE: Final = 64
# Lines of a chat mostly begin in one of two ways: with the id, or with a word before it.
_MAX_PREFIXES: Final = 4
LineRange = tuple[int, int, bytes | None]
"""From which line to which; and the chat that they all are of, where others hear it."""


def line_ranges(lines: list[bytes], shard: Shard) -> list[LineRange]:
    """All lines, in stretches; where no chat is named, they are ours or need a closer look.

    As `chat_at_a_glance` of each line, and sooner where a chat's lines stand together.
    """
    ranges: list[LineRange] = []
    end_of_last = 0
    for first in range(0, len(lines), _GROUP_SIZE):
        part = lines[first : first + _GROUP_SIZE]
        foreign = _foreign_ranges(_ranges_by_prefix(part), shard)
        if not _are_plain([line for start, end, _ in foreign for line in part[start:end]]):
            foreign = _foreign_ranges(_ranges_by_line(part), shard)
        for start, end, chat_id in foreign:
            if end_of_last < first + start:
                ranges.append((end_of_last, first + start, None))
            end_of_last = first + end
            ranges.append((first + start, end_of_last, chat_id))
    if end_of_last < len(lines):
        ranges.append((end_of_last, len(lines), None))
    return ranges


def _foreign_ranges(runs: list[LineRange], shard: Shard) -> list[LineRange]:
    """Those of the chats that others hear, as far as that is known."""
    known, look_up = shard.known, shard.look_up
    return [run for run in runs if (known[run[2]] if run[2] in known else look_up(run[2])) is False]


def _ranges_by_prefix(lines: list[bytes]) -> list[LineRange]:
    """The runs of lines that seem to be of one chat: they are where `_are_plain` says so."""
    ranges: list[LineRange] = []
    start, most = 0, len(lines)
    while start < most:
        line = lines[start]
        key = line.find(_WITHOUT_SPACE)
        begin = key + len(_WITHOUT_SPACE)
        if key < 0:
            key = line.find(_WITH_SPACE)
            begin = key + len(_WITH_SPACE)
        stop, end = line.find(b'"', begin), start + 1
        # What stands in an object inside may be the id of that.
        if key < 1 or stop < 0 or line.find(b"{", 1, key) > 0:
            start = end
            continue
        chat_id, key_and_id = line[begin:stop], line[key : stop + 1]
        prefixes: tuple[bytes, ...] = (line[: stop + 1],)
        for line in lines[end:]:
            # Most lines begin as one of the chat did before, and nothing else has to be found.
            if not line.startswith(prefixes):
                key = line.find(key_and_id)
                if key < 1 or line.find(b"{", 1, key) > 0:
                    break
                prefixes = (*prefixes[: _MAX_PREFIXES - 1], line[: key + len(key_and_id)])
            end += 1
        ranges.append((start, end, chat_id))
        start = end
    return ranges


def _are_plain(lines: list[bytes]) -> bool:
    """Whether lines that bear an id of a chat each bear one only, and nothing in them is odd.

    If one had two of them, there would be more than lines.
    """
    text, number = b"".join(lines), len(lines)
    return not lines or (
        text.count(_CHAT_ID) == number
        and text.count(b'}\n{"') == number - 1
        and text[0] == _BRACE
        and text.endswith(_LINE_ENDS)
        and b"[" not in text
        and b'"v"' not in text
        and (b"\\" not in text or (b"\\u00" not in text and b'\\"chat_id"' not in text))
    )


def _ranges_by_line(lines: list[bytes]) -> list[LineRange]:
    """As `_runs`, of any lines: each is looked at."""
    ids = [chat_id_of_line(line) for line in lines]
    return [(place, place + 1, whose) for place, whose in enumerate(ids) if whose is not None]
