"""One file out of a multipart/form-data body from strangers: exact, and bounded.

Source: RFC 7578, as far as uploads of one file need it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attrs import field, frozen

__all__ = ["UploadedFile", "parse_upload"]

_BOUNDARY: Final = re.compile(
    r"multipart/form-data\s*;(?:[^;]*;)*?\s*boundary=(?:\"([^\"]{1,200})\"|([^\s;\"]{1,200}))",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(r';\s*(name|filename)=(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)
_TYPE: Final = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
_MOST_PARTS: Final = 16
_LONGEST_HEAD: Final = 8_192
_LONGEST_NAME: Final = 255
# What browsers write for what would end a name, or the header.
_WRITTEN: Final = (("%22", '"'), ("%0D", "\r"), ("%0A", "\n"), ("%00", "\0"))


@frozen
class UploadedFile:
    """A file as it came."""

    file_name: str
    content_type: str
    content: bytes = field(repr=False)


def parse_upload(body: bytes, content_type: str) -> UploadedFile:
    """The part called `file`. Raises ValueError where there is none, or the body is broken."""
    match = _BOUNDARY.match(content_type.strip()[:_LONGEST_HEAD])
    if match is None:
        raise ValueError("no boundary")
    boundary = (match[1] or match[2]).encode("utf-8", "surrogatepass")
    for head, content in _parts(body, b"--" + boundary):
        names = _names(head.get("content-disposition", ""))
        if names.get("name") == "file":
            kind = _TYPE.match(head.get("content-type", ""))
            return UploadedFile(
                _unwritten(names.get("filename", ""))[:_LONGEST_NAME],
                kind[0] if kind else "application/octet-stream",
                content,
            )
    raise ValueError("no part is called file")


def _parts(body: bytes, mark: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    at = 0 if body.startswith(mark) else body.find(b"\r\n" + mark) + 2
    if not body.startswith(mark, at):
        raise ValueError("the first boundary is missing")
    for _ in range(_MOST_PARTS):
        at += len(mark)
        if body.startswith(b"--", at):
            return
        head_end = body.find(b"\r\n\r\n", at, at + _LONGEST_HEAD)
        end = body.find(b"\r\n" + mark, max(head_end + 2, at))
        if head_end < 0 or end < 0 or not body.startswith(b"\r\n", at):
            raise ValueError("a part is broken off")
        yield _head(body[at + 2 : head_end]), body[head_end + 4 : end]
        at = end + 2


def _head(written: bytes) -> dict[str, str]:
    lines = written.decode("utf-8", "replace").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _names(disposition: str) -> dict[str, str]:
    return {name.lower(): a or b for name, a, b in _NAMED.findall(disposition)}


def _unwritten(name: str) -> str:
    for written, meant in _WRITTEN:
        name = name.replace(written, meant)
    return name
