"""Authentication: the tenant, the app and the client of a request.

The client is named by the Authorization header, or by the center's cookie if its id is `WebChat`.
The id of a chat lets in a browser that sends no cookie, and a download without the header: pages
load images by `<img>`. Source: PROTOCOL.md §1.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import field, frozen

from chatfsm.simulator.handlers import Route
from chatfsm.simulator.http_api import ApiCall, RefusedError
from chatfsm.simulator.state import ApiClient, CenterChat, CenterState
from chatfsm.simulator.tenants import AppEntry, Tenant, domain_of

__all__ = [
    "COOKIE_CLIENT_ID",
    "COOKIE_NAME",
    "Credentials",
    "authenticate",
    "cookie_value",
    "parse_credentials",
]

COOKIE_CLIENT_ID: Final = "WebChat"
COOKIE_NAME: Final = "chatfsm_client"

_BROWSER_PREFIX: Final = f"{COOKIE_CLIENT_ID}:"
_SCHEME: Final = "MOBILE-API-140-327-PLAIN"
# Some shipped clients leave the quotes out.
_PAIR: Final = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"([^"]*)"|([^",\s]*))\s*')
_COOKIE: Final = re.compile(rf"(?:^|;)\s*{COOKIE_NAME}=([0-9a-f]{{32}})\s*(?=;|$)")
_NO_CLIENT: Final = ApiClient(Tenant(url="none", entries=()), AppEntry(app_id="none"), "")
# Real ids are UUIDs of 36 characters.
_MAX_LENGTH: Final = 1_024


@frozen
class Credentials:
    """The ids of the app and the client in a request; its repr shows neither."""

    app_id: str = field(repr=False)
    """The `appId`, which names the entry of the scenario."""
    client_id: str = field(repr=False)
    """The `clientId`; `WebChat` stands for a browser, which its cookie names."""


def parse_credentials(call: ApiCall) -> Credentials:
    """Return the ids in the Authorization header. Raises `RefusedError` with 2000 to 2004."""
    header = call.headers.get("authorization", "").strip()
    if not header:
        raise RefusedError("2000")
    scheme, _, rest = header.partition(" ")
    if scheme != _SCHEME:
        raise RefusedError("2002")
    pairs = _parse_pairs(rest)
    for name, code in (("appid", "2003"), ("clientid", "2004")):
        if not pairs.get(name):
            raise RefusedError(code)
    return Credentials(pairs["appid"], pairs["clientid"])


def _parse_pairs(header: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(header):
        match = _PAIR.match(header, at)
        if match is None or match[0] == "" or len(match[0]) > _MAX_LENGTH:
            raise RefusedError("2001")
        found[match[1].lower()] = match[2] if match[2] is not None else match[3]
        at = match.end()
        if at < len(header):
            if header[at] != ",":
                raise RefusedError("2001")
            at += 1
    return found


def cookie_value(call: ApiCall) -> str | None:
    """Return the value of the center's cookie in a request, or None."""
    match = _COOKIE.search(call.headers.get("cookie", ""))
    return match[1] if match else None


def authenticate(state: CenterState, call: ApiCall, route: Route) -> ApiClient:
    """Return the client that sent a request.

    Raises `RefusedError` with 1000, 2000 to 2004, or 3000.

    A download has no `tenantUrl`: its tenant is the one of the chat in its path. Without an
    Authorization header it counts as the client's of that chat.
    """
    if route.is_public:
        return _NO_CLIENT
    chat = state.chats.get(call.path_args.get("chat", ""))
    if route.is_download and chat is not None and not call.headers.get("authorization"):
        return ApiClient(chat.tenant, chat.entry, chat.client_id)
    tenant = None if chat is None else chat.tenant
    if not route.is_download:
        tenant = _tenant_of(state, call)
    credentials = parse_credentials(call)
    if tenant is None:
        raise RefusedError("5005")
    entry = tenant.entry(credentials.app_id)
    if entry is None:
        raise RefusedError("3000")
    client_id = credentials.client_id
    if client_id.lower() == COOKIE_CLIENT_ID.lower():
        client_id = _browser_id(state, call, route, chat)
    return ApiClient(tenant, entry, client_id)


def _tenant_of(state: CenterState, call: ApiCall) -> Tenant:
    """Return the tenant in the query, or without one in the host of the request."""
    given = call.query.get("tenantUrl", "") or call.host
    tenant = state.tenants.get(domain_of(given))
    if tenant is None:
        raise RefusedError("1000")
    return tenant


def _browser_id(state: CenterState, call: ApiCall, route: Route, chat: CenterChat | None) -> str:
    """Return the id of the browser that sent a request with the client id `WebChat`.

    The chat in the path decides; without one, the cookie does. A frame of another site can keep no
    cookie, so only the routes that look for a chat by its client give one.
    """
    if chat is not None and chat.client_id.startswith(_BROWSER_PREFIX):
        return chat.client_id
    value = cookie_value(call)
    if value is None and not route.gives_cookie:
        return _BROWSER_PREFIX
    if value is None:
        value = state.new_id("cookie").replace("-", "")
        call.new_cookie = f"{COOKIE_NAME}={value}; Path=/clientweb/; HttpOnly; SameSite=Lax"
    return f"{_BROWSER_PREFIX}{value}"
