"""Uploads: the file in a multipart/form-data body.

Boundaries are found by bytes and headers are read by `email`. The parser of `email` for whole
bodies does not fit: it takes an uploaded e-mail apart in place of returning its bytes.
Source: RFC 7578.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from email.parser import HeaderParser
from typing import Final

from attrs import field, frozen

__all__ = ["FilePart", "parse_upload"]

_MAX_PARTS: Final = 16
_MAX_HEADER: Final = 8_192
_MAX_BOUNDARY: Final = 200
_MAX_FILE_NAME: Final = 255
_DEFAULT_TYPE: Final = "application/octet-stream"
# The type goes into the header of a reply, so only what is one by its grammar is taken over.
_TYPE: Final = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
# Browsers escape in names what would end the name or the header.
_ESCAPES: Final = (("%22", '"'), ("%0D", "\r"), ("%0A", "\n"), ("%00", "\0"))


@frozen
class FilePart:
    """A file as it was uploaded."""

    file_name: str
    """The name that the client gave: untrusted, it may be a path."""
    content_type: str
    """The MIME type that the client gave."""
    content: bytes = field(repr=False)
    """The bytes of the file."""


def parse_upload(body: bytes, content_type: str) -> FilePart:
    """Return the first part with a file name, or else the one called `file`.

    Shipped clients give the part different names. Raises ValueError if there is no such part, or
    the body is malformed.
    """
    unnamed: FilePart | None = None
    for header, content in _parts(body, b"--" + _boundary(content_type)):
        name = header.get_param("filename", None, header="content-disposition")
        if name is not None:
            return _file_part(header, name if isinstance(name, str) else name[2], content)
        if unnamed is None and header.get_param("name", header="content-disposition") == "file":
            unnamed = _file_part(header, "", content)
    if unnamed is None:
        raise ValueError("no part of the upload has a file name or is called file")
    return unnamed


def _file_part(header: Message, name: str, content: bytes) -> FilePart:
    return FilePart(_unescape(name)[:_MAX_FILE_NAME], _type_of(header), content)


def _boundary(content_type: str) -> bytes:
    header = Message()
    header["Content-Type"] = content_type.strip()[:_MAX_HEADER]
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise ValueError("the upload is not multipart/form-data with a boundary")
    if not 0 < len(boundary) <= _MAX_BOUNDARY:
        raise ValueError(f"the boundary must have 1 to {_MAX_BOUNDARY} characters")
    return boundary.encode("utf-8", "surrogatepass")


def _parts(body: bytes, delimiter: bytes) -> Iterator[tuple[Message, bytes]]:
    """Yield the header and the content of each part. Raises ValueError if one is malformed."""
    at = 0 if body.startswith(delimiter) else body.find(b"\r\n" + delimiter) + 2
    if not body.startswith(delimiter, at):
        raise ValueError("the first boundary is missing")
    for _ in range(_MAX_PARTS):
        at += len(delimiter)
        if body.startswith(b"--", at):
            return
        header_end = body.find(b"\r\n\r\n", at, at + _MAX_HEADER)
        end = body.find(b"\r\n" + delimiter, max(header_end + 2, at))
        if header_end < 0 or end < 0 or not body.startswith(b"\r\n", at):
            raise ValueError("a part is incomplete")
        header = body[at + 2 : header_end].decode("utf-8", "replace")
        yield HeaderParser().parsestr(header), body[header_end + 4 : end]
        at = end + 2


def _type_of(header: Message) -> str:
    kind = header.get("content-type", "").partition(";")[0].strip()
    return kind if _TYPE.fullmatch(kind) else _DEFAULT_TYPE


def _unescape(name: str) -> str:
    for escaped, character in _ESCAPES:
        name = name.replace(escaped, character)
    return name
