"""A request taken apart: which version, which path, which query, which headers."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import define, field

from chatfsm.conversation.exchange import HttpRequest
from chatfsm.simulator.errors import RefusedError

__all__ = ["Asked", "taken_apart"]

_PATH: Final = re.compile(r"/clientweb/api/v([12])/(.+)", re.DOTALL)
_NOT_FOUND: Final = 404
# What a query of the API holds is two names; more than this is nobody's.
_MOST_NAMES: Final = 64


@define
class Asked:
    """What somebody wants; filled in while it is found out."""

    id: int
    method: str
    version: int
    path: tuple[str, ...]
    """Decoded segments, after the version."""
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    """Names in lower case; of repeated ones the last."""
    body: bytes = field(repr=False)
    named: dict[str, str] = field(factory=dict)
    """What stands in the path where a method's has a name in braces."""
    cookie: str = field(default="", repr=False)
    """The cookie that the reply is to set; "" for none."""


def taken_apart(request: HttpRequest) -> Asked:
    """The parts of a request. Raises `RefusedError` with a bare 404 for what is not of this API."""
    try:
        parts = urlsplit(request.url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_MOST_NAMES)
    except ValueError:
        raise RefusedError("", status=_NOT_FOUND) from None
    match = _PATH.fullmatch(parts.path)
    if match is None:
        raise RefusedError("", status=_NOT_FOUND)
    return Asked(
        request.id,
        request.method,
        int(match[1]),
        tuple(unquote(part) for part in match[2].split("/")),
        dict(pairs),
        {name.lower(): value for name, value in request.headers},
        request.body,
    )
