"""Whose a line is, seen at a glance: without parsing it."""

from __future__ import annotations

import re
from typing import Final
from zlib import crc32

from attrs import field, frozen

from chatfsm.recording.source import Source

__all__ = ["Share", "chat_at_a_glance", "id_in_plain", "is_odd"]

_CHAT_ID: Final = b'"chat_id"'
_WITHOUT_SPACE: Final = b'"chat_id":"'
_WITH_SPACE: Final = b'"chat_id": "'
_BRACE, _BACKSLASH = b"{\\"
_ENDS: Final = (b"}\n", b"}\r\n", b"}")
# An id as nearly all servers make them.
_IS_PLAIN: Final = re.compile(rb"[ !#-\[\]-~]{1,1024}").fullmatch
_ODD: Final = (
    b"[",  # perhaps several events
    b"\\u00",  # perhaps a key that is written in another way
    b'"v"',  # perhaps a journal's
)


def is_odd(text: bytes) -> bool:
    """Whether lines with such text need a closer look, wherever in them it is."""
    return any(part in text for part in _ODD)


def chat_at_a_glance(line: bytes) -> bytes | None:
    """The id of the chat that a line is of; None where that needs a closer look.

    Where there is one, the line is one record of that chat, whatever a parser says: an event, or
    something broken that bears the id of its chat.
    """
    whose = None if is_odd(line) else id_in_plain(line)
    return whose if whose is not None and _IS_PLAIN(whose) else None


def id_in_plain(line: bytes) -> bytes | None:
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
        or not line.endswith(_ENDS)
    ):
        return None
    return line[start : line.find(b'"', start)]


# As many chats may be open at once without their ids being looked at for each event.
_IDS_KEPT: Final = 10_000


@frozen
class Share:
    """Those of all chats that one of several processes hears: one in `jobs`, by their ids."""

    index: int
    jobs: int
    default_chat_id: str | None = None
    """The chat of records that name none; None: one a file, called by the file's stem."""
    known: dict[bytes | None, bool | None] = field(factory=dict, init=False, eq=False, repr=False)

    def has(self, chat_id: bytes) -> bool:
        """Whether the chat is one of these."""
        return crc32(chat_id) % self.jobs == self.index

    def look_up(self, found: bytes | None) -> bool | None:
        """As `has`, of what was found at a glance; None where that needs a closer look.

        It is remembered, in `known`.
        """
        if len(self.known) >= _IDS_KEPT:
            self.known.clear()
        is_plain = found is not None and _IS_PLAIN(found)
        ours = self.known[found] = self.has(found) if found is not None and is_plain else None
        return ours

    def has_record(self, chat_id: str | None, source: Source) -> bool:
        """Whether a record of such a chat, in such a file, is of one of these."""
        whose = chat_id or self.default_chat_id or source.stem
        return self.has(whose.encode("utf-8", "surrogatepass"))
