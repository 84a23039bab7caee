"""Who is let in: the tenant, the app and the client of a request."""

from __future__ import annotations

from chatfsm.simulator.asked import Asked
from chatfsm.simulator.authorizing import BY_COOKIES, COOKIE, cookie_of, credentials_of
from chatfsm.simulator.desk import Caller, Desk
from chatfsm.simulator.errors import RefusedError
from chatfsm.simulator.methods import Method
from chatfsm.simulator.tenants import Tenant

__all__ = ["admitted"]


def admitted(desk: Desk, asked: Asked, method: Method) -> Caller:
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


def _tenant_named(desk: Desk, asked: Asked) -> Tenant:
    tenant = desk.tenants.get(asked.query.get("tenantUrl", "").lower())
    if tenant is None:
        raise RefusedError("1000")
    return tenant


def _tenant_of_chat(desk: Desk, asked: Asked) -> Tenant | None:
    chat = desk.chats.get(asked.named["chat"])
    return None if chat is None else chat.tenant


def _client_by_cookie(desk: Desk, asked: Asked) -> str:
    """The client that a cookie of this center names; who has none is given one."""
    value = cookie_of(asked)
    if value is None:
        value = desk.new_id("cookie").replace("-", "")
        asked.cookie = f"{COOKIE}={value}; Path=/clientweb/; HttpOnly; SameSite=Lax"
    return f"{BY_COOKIES}:{value}"
