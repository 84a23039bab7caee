"""Files of other kinds are refused by their kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chatfsm.replay.formats import records
from chatfsm.replay.kinds import NotALogError, is_binary, kind_of, kind_of_line
from chatfsm.replay.sources import Source

Log = Callable[..., Path]

KINDS = {
    "a PDF": b"%PDF-1.7\n%\xe2\xe3",
    "a PNG image": b"\x89PNG\r\n\x1a\n",
    "a JPEG image": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "a GIF image": b"GIF89a\1\0",
    "a program (ELF)": b"\x7fELF\2\1\1\0",
    "an SQLite database": b"SQLite format 3\0\x10",
    "an HTML page": b" <!-- x -->\n<!DOCTYPE html>\n<html>",
    "an XML document": b'<?xml version="1.0"?>',
    "a video (MP4)": b"\0\0\0\x20ftypisom",
    "a tar archive: unpack it, or make a zip file": b"a" * 257 + b"ustar\0",
    "an Avro file": b"Obj\1\4",
    "a RAR archive": b"Rar!\x1a\7\1\0",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_refused_by_its_kind(log: Log, kind: str) -> None:
    """The error names the kind, and no column."""
    path = log("a.jsonl", KINDS[kind])
    with pytest.raises(NotALogError) as caught:
        list(records(Source(str(path))))
    assert str(caught.value) == f"{path}: not a log of chat events: this is {kind}"


@pytest.mark.parametrize(
    "head", [b"", b"{", b'{"event":', b"[\n", b"\xef\xbb\xbf{", b"2026-01-01 "]
)
def test_the_beginning_of_a_log_is_of_no_other_kind(head: bytes) -> None:
    """The first bytes of a log are of no other kind."""
    assert kind_of(head) is None


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b'{"event": \n', None),
        (b"[\n", None),
        (b'"text"\n', None),
        (b"hello\n", "plain text"),
        ("größer\n".encode(), "plain text"),
        (b"\x00\x01\x02\n", "binary data of an unknown kind"),
        (b"hello \xff\xfe there\n", "binary data of an unknown kind"),
    ],
)
def test_a_line_that_is_not_json_has_a_kind(line: bytes, kind: str | None) -> None:
    """A line that begins like JSON keeps the error of the JSON parser."""
    assert kind_of_line(line) == kind


def test_a_truncated_character_is_not_binary_data() -> None:
    """The first bytes of a text may end within a character."""
    assert not is_binary("größer"[:4].encode()[:3])
    assert is_binary(b"\xc3(xx")
