"""Who asks: the Authorization header, and the cookie of those who are `WebChat`.

Source: PROTOCOL.md §1.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import field, frozen

from chatfsm.simulator.handlers import Method
from chatfsm.simulator.http_api import Asked, RefusedError
from chatfsm.simulator.state import Caller, CenterState
from chatfsm.simulator.tenants import Tenant

__all__ = ["BY_COOKIES", "COOKIE", "Credentials", "admitted", "cookie_of", "credentials_of"]

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


# Who is let in: the tenant, the app and the client of a request.


def admitted(desk: CenterState, asked: Asked, method: Method) -> Caller:
    """Who asks. Raises `RefusedError` with 1000, 2000 to 2004, or 3000.

    A download names no tenant: it is that of the chat, and who asks is looked at all the same.
    """
    tenant = _tenant_of_chat(desk, asked) if method.is_download else _tenant_named(desk, asked)
    credentials = credentials_of(asked)
    if tenant is None:
        raise RefusedError("5005")
    entry = tenant.entry(credentials.app_id)
    if entry is None:
        raise RefusedError("3000")
    client_id = credentials.client_id
    if client_id == BY_COOKIES:
        client_id = _client_by_cookie(desk, asked)
    return Caller(tenant, entry, client_id)


def _tenant_named(desk: CenterState, asked: Asked) -> Tenant:
    tenant = desk.tenants.get(asked.query.get("tenantUrl", "").lower())
    if tenant is None:
        raise RefusedError("1000")
    return tenant


def _tenant_of_chat(desk: CenterState, asked: Asked) -> Tenant | None:
    chat = desk.chats.get(asked.named["chat"])
    return None if chat is None else chat.tenant


def _client_by_cookie(desk: CenterState, asked: Asked) -> str:
    """The client that a cookie of this center names; who has none is given one."""
    value = cookie_of(asked)
    if value is None:
        value = desk.new_id("cookie").replace("-", "")
        asked.cookie = f"{COOKIE}={value}; Path=/clientweb/; HttpOnly; SameSite=Lax"
    return f"{BY_COOKIES}:{value}"
