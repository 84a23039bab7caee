"""Kinds of files that are no logs, told by their first bytes: for errors that name them."""

from __future__ import annotations

import re
from typing import Final

from chatfsm.errors import UnreadableLogError

__all__ = ["HEAD_SIZE", "NotALogError", "is_binary", "kind_of", "kind_of_line"]

HEAD_SIZE: Final = 4_096
"""As many bytes of a file as its kind is told by."""

_MARKS: Final = (
    (b"%PDF-", "a PDF"),
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF87a", "a GIF image"),
    (b"GIF89a", "a GIF image"),
    (b"RIFF", "an image, a sound or a video (RIFF)"),
    (b"OggS", "a sound or a video (Ogg)"),
    (b"ID3", "a sound (MP3)"),
    (b"fLaC", "a sound (FLAC)"),
    (b"\x7fELF", "a program (ELF)"),
    (b"MZ\x90\x00", "a program (Windows)"),
    (b"\xcf\xfa\xed\xfe", "a program (Mach-O)"),
    (b"\xca\xfe\xba\xbe", "a program (Java or Mach-O)"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"ARROW1", "an Arrow file"),
    (b"\xff\xff\xff\xff", "an Arrow stream"),
    (b"\x04\x22\x4d\x18", "an LZ4 file"),
    (b"\x1f\x9d", "a compressed file (compress)"),
    (b"ElfFile\x00", "a Windows event log"),
    (b"LPKSHHRH", "a journal of systemd: export it with journalctl -o json"),
    (b"\xd4\xc3\xb2\xa1", "a network capture"),
    (b"\xa1\xb2\xc3\xd4", "a network capture"),
    (b"\x0a\x0d\x0d\x0a", "a network capture"),
)
_TAR_MARK: Final = slice(257, 262)
_MP4_MARK: Final = slice(4, 8)
_HTML: Final = re.compile(rb"(?is)\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body)")
_XML: Final = re.compile(rb"(?i)\s*<(?:\?xml|[a-z!])")
# Control characters that no text has; the record separator of RFC 7464 is one that logs have.
_CONTROLS: Final = bytes({*range(32)} - {*b"\t\n\v\f\r\x1b\x1e"})


class NotALogError(UnreadableLogError):
    """A file of a kind that is no log; the text names the kind."""


def kind_of(head: bytes) -> str | None:
    """The kind of a file with these first bytes, such as `a PDF`; None if it may be a log."""
    marked = next((kind for mark, kind in _MARKS if head.startswith(mark)), None)
    if marked is not None:
        return marked
    if head[_TAR_MARK] == b"ustar":
        return "a tar archive: unpack it, or make a zip file"
    if head[_MP4_MARK] == b"ftyp":
        return "a video (MP4)"
    if _HTML.match(head):
        return "an HTML page"
    return "an XML document" if _XML.match(head) else None


def kind_of_line(line: bytes) -> str | None:
    """The kind of a file with this line, if it is no JSON; None if it is, or begins so."""
    if line.lstrip(b" \t\xef\xbb\xbf\x1e,")[:1] in {b"{", b"[", b'"', b"]", b"}"}:
        return None
    return "binary data of an unknown kind" if is_binary(line[:HEAD_SIZE]) else "plain text"


def is_binary(head: bytes) -> bool:
    """Whether a text would not begin with these bytes."""
    if head.translate(None, _CONTROLS) != head:
        return True
    try:
        head.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        return error.end < len(head)  # else a character is cut off
    return False
