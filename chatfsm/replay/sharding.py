"""Sharding: find the chat_id of a line without parsing it, and the shard of a chat."""

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
# Ids without escapes, as nearly all are.
_IS_PLAIN: Final = re.compile(rb"[ !#-\[\]-~]{1,1024}").fullmatch
_UNUSUAL: Final = (
    b"[",  # possibly several events
    b"\\u00",  # possibly an escaped key
    b'"v"',  # possibly a line of a journal
)


def _is_unusual(text: bytes) -> bool:
    """Whether lines with this text must be parsed, wherever in them it stands."""
    return any(part in text for part in _UNUSUAL)


def chat_id_of_line(line: bytes) -> bytes | None:
    """The chat_id of a line; None if the line must be parsed to find it.

    A line with a chat_id is one record of that chat, even if it turns out to be broken JSON.
    """
    chat_id = None if _is_unusual(line) else _raw_id(line)
    return chat_id if chat_id is not None and _IS_PLAIN(chat_id) else None


def _raw_id(line: bytes) -> bytes | None:
    """The chat_id of a line that is not unusual, not yet checked to be one.

    For lines of other shards, this is all the work per line.
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
        or line.find(b"{", 1, key) > 0  # possibly the id of an object inside
        or line.count(_CHAT_ID) > 1  # of repeated keys the last one counts
        or not line.endswith(_LINE_ENDS)
    ):
        return None
    return line[start : line.find(b'"', start)]


# Number of open chats whose shard is remembered.
_MAX_KNOWN_IDS: Final = 10_000


@frozen
class Shard:
    """The chats that one of `jobs` worker processes replays, by a hash of their ids."""

    index: int
    jobs: int
    default_chat_id: str | None = None
    """The chat of records without a chat_id; None: one chat per file, named by its stem."""
    known: dict[bytes | None, bool | None] = field(factory=dict, init=False, eq=False, repr=False)
    """Results of `look_up`, at most `_MAX_KNOWN_IDS`."""

    def owns(self, chat_id: bytes) -> bool:
        """Whether a chat is in this shard."""
        return crc32(chat_id) % self.jobs == self.index

    def look_up(self, found: bytes | None) -> bool | None:
        """Whether the shard owns an id that was found without parsing; None if it must be parsed.

        The result is kept in `known`.
        """
        if len(self.known) >= _MAX_KNOWN_IDS:
            self.known.clear()
        is_plain = found is not None and _IS_PLAIN(found)
        owned = self.known[found] = self.owns(found) if found is not None and is_plain else None
        return owned

    def owns_record(self, chat_id: str | None, source: Source) -> bool:
        """Whether a record with this chat_id (None: without) in this file is of the shard."""
        owner = chat_id or self.default_chat_id or source.stem
        return self.owns(owner.encode("utf-8", "surrogatepass"))


# Number of lines that are examined together; an unusual one makes all of them slower.
_GROUP_SIZE: Final = 64
# Lines of one chat mostly have one of two prefixes: the id comes first, or the event name does.
_MAX_PREFIXES: Final = 4
LineRange = tuple[int, int, bytes | None]
"""Index of the first line, index after the last, and the chat_id; None: must be parsed."""


def line_ranges(lines: list[bytes], shard: Shard) -> list[LineRange]:
    """Split lines into ranges: those of other shards with their chat_id, all others with None.

    The same as `chat_id_of_line` for each line, and faster if lines of a chat stand together.
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


def _foreign_ranges(ranges: list[LineRange], shard: Shard) -> list[LineRange]:
    """The ranges of chats that are known to be in other shards."""
    known, look_up = shard.known, shard.look_up
    return [
        each
        for each in ranges
        if (known[each[2]] if each[2] in known else look_up(each[2])) is False
    ]


def _ranges_by_prefix(lines: list[bytes]) -> list[LineRange]:
    """Ranges of lines that seem to be of one chat; certain only if they are `_are_plain`."""
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
        # After a brace it may be the id of an object inside.
        if key < 1 or stop < 0 or line.find(b"{", 1, key) > 0:
            start = end
            continue
        chat_id, key_and_id = line[begin:stop], line[key : stop + 1]
        prefixes: tuple[bytes, ...] = (line[: stop + 1],)
        for line in lines[end:]:
            # Most lines have a prefix that an earlier line of the chat had.
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
    """Whether no line is unusual, and each has exactly one chat_id.

    Every line has at least one, so that with two in any there are more ids than lines.
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
    """Ranges of one line each, of the lines whose chat_id is found without parsing."""
    ids = [chat_id_of_line(line) for line in lines]
    return [(index, index + 1, chat_id) for index, chat_id in enumerate(ids) if chat_id is not None]
