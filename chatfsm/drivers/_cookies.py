"""Cookies: those of one chat, which go out with its requests alone.

A sender may serve the chats of many customers, so it keeps none. Some servers know a customer by a
cookie (client id `WebChat`), and load balancers send a chat to one server by a cookie.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from attrs import define, evolve, field, frozen

from chatfsm.transport import HttpReply, HttpRequest

__all__ = ["ChatCookies"]

_MAX_COOKIES: Final = 50
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_VALUE: Final = re.compile(r"[\x20-\x3a\x3c-\x7e]{0,4096}")


@frozen
class _Cookie:
    value: str = field(repr=False)
    path: str
    is_secure: bool


@define(eq=False)
class ChatCookies:
    """The cookies that a server has set in one chat; all requests of a chat have one host."""

    _cookies: dict[str, _Cookie] = field(factory=dict, init=False, repr=False)

    def receive(self, reply: HttpReply) -> None:
        """Take the cookies of a reply."""
        lines = reply.headers.get("set-cookie")
        if lines is not None:
            for line in lines.split("\n"):
                self._set(line)

    def added_to(self, request: HttpRequest) -> HttpRequest:
        """Return the request with the cookies that belong to it."""
        if not self._cookies:
            return request
        parts = urlsplit(request.url)
        fitting = [
            f"{name}={cookie.value}"
            for name, cookie in self._cookies.items()
            if _is_within(parts.path, cookie.path)
            and (parts.scheme == "https" or not cookie.is_secure)
        ]
        if not fitting:
            return request
        return evolve(request, headers=(*request.headers, ("Cookie", "; ".join(fitting))))

    def _set(self, line: str) -> None:
        pair, *rest = line.split(";")
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            return
        attributes = {
            key.strip().lower(): given.strip()
            for key, _, given in (part.partition("=") for part in rest)
        }
        self._cookies.pop(name, None)
        if not _is_over(attributes) and len(self._cookies) < _MAX_COOKIES:
            path = attributes.get("path", "")
            path = path if path.startswith("/") else "/"
            self._cookies[name] = _Cookie(value, path, "secure" in attributes)


def _is_within(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix if prefix.endswith("/") else f"{prefix}/")


def _is_over(attributes: dict[str, str]) -> bool:
    """Whether the server deletes the cookie. A later end is ignored: a chat is short."""
    if "max-age" in attributes:
        return re.fullmatch(r"-\d+|0+", attributes["max-age"]) is not None
    try:
        end = parsedate_to_datetime(attributes.get("expires", ""))
    except ValueError:
        return False
    return end.replace(tzinfo=end.tzinfo or UTC) <= datetime.now(UTC)
