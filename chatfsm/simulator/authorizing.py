"""Who asks: the Authorization header, and the cookie of those who are `WebChat`.

Source: PROTOCOL.md §1.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import field, frozen

from chatfsm.simulator.asked import Asked
from chatfsm.simulator.errors import RefusedError

__all__ = ["BY_COOKIES", "COOKIE", "Credentials", "cookie_of", "credentials_of"]

BY_COOKIES: Final = "WebChat"
COOKIE: Final = "chatfsm_client"

_SCHEME: Final = "MOBILE-API-140-327-PLAIN"
# Some shipped clients leave the quotes out.
_PAIR: Final = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"([^"]*)"|([^",\s]*))\s*')
_OURS: Final = re.compile(rf"(?:^|;)\s*{COOKIE}=([0-9a-f]{{32}})\s*(?=;|$)")
# Real ids are UUIDs; what is longer is remembered for nobody.
_LONGEST: Final = 1_024


@frozen
class Credentials:
    """The app and the client that a request names; in no repr."""

    app_id: str = field(repr=False)
    client_id: str = field(repr=False)


def credentials_of(asked: Asked) -> Credentials:
    """What the Authorization header says. Raises `RefusedError` with 2000 to 2004."""
    written = asked.headers.get("authorization", "").strip()
    if not written:
        raise RefusedError("2000")
    scheme, _, rest = written.partition(" ")
    if scheme != _SCHEME:
        raise RefusedError("2002")
    pairs = _pairs(rest)
    for name, code in (("appid", "2003"), ("clientid", "2004")):
        if not pairs.get(name):
            raise RefusedError(code)
    return Credentials(pairs["appid"], pairs["clientid"])


def _pairs(written: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(written):
        match = _PAIR.match(written, at)
        if match is None or match[0] == "" or len(match[0]) > _LONGEST:
            raise RefusedError("2001")
        found[match[1].lower()] = match[2] if match[2] is not None else match[3]
        at = match.end()
        if at < len(written):
            if written[at] != ",":
                raise RefusedError("2001")
            at += 1
    return found


def cookie_of(asked: Asked) -> str | None:
    """The value of the center's own cookie, where the request brings one."""
    match = _OURS.search(asked.headers.get("cookie", ""))
    return match[1] if match else None
