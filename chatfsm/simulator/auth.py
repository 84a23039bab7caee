"""Authentication: the tenant, the app and the client of a request.

The client is named by the Authorization header, or by the center's cookie if its id is `WebChat`.
Source: PROTOCOL.md §1.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import field, frozen

from chatfsm.simulator.handlers import Route
from chatfsm.simulator.http_api import ApiCall, RefusedError
from chatfsm.simulator.state import ApiClient, CenterState
from chatfsm.simulator.tenants import Tenant

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

_SCHEME: Final = "MOBILE-API-140-327-PLAIN"
# Some shipped clients leave the quotes out.
_PAIR: Final = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"([^"]*)"|([^",\s]*))\s*')
_COOKIE: Final = re.compile(rf"(?:^|;)\s*{COOKIE_NAME}=([0-9a-f]{{32}})\s*(?=;|$)")
# Real ids are UUIDs of 36 characters.
_MAX_LENGTH: Final = 1_024


@frozen
class Credentials:
    """The ids of the app and the client in a request; its repr shows neither."""

    app_id: str = field(repr=False)
    client_id: str = field(repr=False)


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

    A download has no `tenantUrl`: its tenant is the one of the chat in its path.
    """
    tenant = _tenant_by_chat(state, call) if route.is_download else _tenant_by_query(state, call)
    credentials = parse_credentials(call)
    if tenant is None:
        raise RefusedError("5005")
    entry = tenant.entry(credentials.app_id)
    if entry is None:
        raise RefusedError("3000")
    client_id = credentials.client_id
    if client_id == COOKIE_CLIENT_ID:
        client_id = _client_id_by_cookie(state, call)
    return ApiClient(tenant, entry, client_id)


def _tenant_by_query(state: CenterState, call: ApiCall) -> Tenant:
    tenant = state.tenants.get(call.query.get("tenantUrl", "").lower())
    if tenant is None:
        raise RefusedError("1000")
    return tenant


def _tenant_by_chat(state: CenterState, call: ApiCall) -> Tenant | None:
    chat = state.chats.get(call.path_args["chat"])
    return None if chat is None else chat.tenant


def _client_id_by_cookie(state: CenterState, call: ApiCall) -> str:
    """Return the id of the client with this cookie; a client without a cookie gets a new one."""
    value = cookie_value(call)
    if value is None:
        value = state.new_id("cookie").replace("-", "")
        call.new_cookie = f"{COOKIE_NAME}={value}; Path=/clientweb/; HttpOnly; SameSite=Lax"
    return f"{COOKIE_CLIENT_ID}:{value}"
