"""Who is let in, and what is not of this API."""

from __future__ import annotations

import re

import pytest

from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.http_api import API_ERRORS
from chatfsm.simulator.tenants import Tenant
from chatfsm.transport import HttpRequest
from tests.simulator.center.office import TENANT, Office, event

SCHEME = "MOBILE-API-140-327-PLAIN"


@pytest.mark.parametrize("tenant", [None, "", "other.example"])
def test_the_tenant_must_be_known(tenant: str | None) -> None:
    """A request without the tenant's domain, or with another, is refused with 1000."""
    assert Office().refused("GET", "availability", tenant=tenant) == (400, "1000")


def test_a_domain_is_the_same_in_any_case() -> None:
    """As domains are."""
    Office().asks("GET", "availability", tenant="TENANT.example")


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("", "2000"),
        (f"{SCHEME} nonsense", "2001"),
        (f'{SCHEME} appId="demo" clientId="x"', "2001"),
        (f'{SCHEME} appId="demo, clientId="x"', "2001"),
        (f'{SCHEME} appId="{"x" * 2000}", clientId="x"', "2001"),
        ('Basic appId="demo", clientId="x"', "2002"),
        (SCHEME, "2003"),
        (f'{SCHEME} clientId="x"', "2003"),
        (f'{SCHEME} appId="", clientId="x"', "2003"),
        (f'{SCHEME} appId="demo"', "2004"),
        (f'{SCHEME} appId="demo", clientId=""', "2004"),
        (f'{SCHEME} appId="other", clientId="x"', "3000"),
    ],
)
def test_the_credentials_must_be_right(written: str, code: str) -> None:
    """Each thing that is wrong has its code; version 1 says 401 and version 2 says 403."""
    for version, status in ((1, 401), (2, 403)):
        found = Office().refused(
            "GET", "availability", version=version, headers={"Authorization": written}
        )
        assert found == (status, code)


@pytest.mark.parametrize(
    "written",
    ['appId="demo", clientId="anna"', "appId=demo, clientId=anna", 'clientId=anna,appId="demo",'],
)
def test_quotes_may_be_left_out(written: str) -> None:
    """With and without them it is the same client."""
    office = Office()
    chat_id = office.opens()
    headers = {"Authorization": f"{SCHEME} {written}"}
    assert office.asks("GET", "chats/active", headers=headers)["chat_id"] == chat_id


def cookie_of(office: Office, client: str = "WebChat") -> str:
    """The cookie that a browser gets with its chat."""
    reply = office.ask("POST", "chats", {}, client=client)
    assert reply is not None
    match = re.fullmatch(
        r"(chatfsm_client=[0-9a-f]{32}); Path=/clientweb/; HttpOnly; SameSite=Lax",
        reply.headers["set-cookie"],
    )
    assert match
    return match[1]


@pytest.mark.parametrize("client", ["WebChat", "Webchat"])
def test_the_web_chat_is_known_by_a_cookie(client: str) -> None:
    """A browser without one is given one; with it, it is the same client again."""
    office = Office()
    cookie = cookie_of(office, client)
    chat_id = next(iter(office.center.chats))
    headers = {"Cookie": f"other=1; {cookie}"}
    known = office.ask("GET", "chats/active", client=client, headers=headers)
    assert known is not None
    assert chat_id.encode() in known.body
    assert "set-cookie" not in known.headers
    assert office.asks("POST", "chats", {}, client=client, headers=headers)["chat_id"] == chat_id
    assert office.refused("GET", "chats/active", client=client) == (404, "5005")
    assert office.refused("GET", "chats/active", client=cookie[-32:]) == (404, "5005")


@pytest.mark.parametrize("version", [1, 2])
def test_after_the_request_the_chat_id_is_enough_for_a_browser(version: int) -> None:
    """A frame of another site keeps no cookie, so none is needed, and none is given again."""
    office = Office()
    how = {"client": "WebChat", "version": version}
    chat_id = office.opens(**how)
    cookie = cookie_of(office)
    for headers in (None, {"Cookie": cookie}):
        reply = office.ask("GET", f"chats/{chat_id}/history", headers=headers, **how)
        assert reply is not None
        assert (reply.status, "set-cookie" in reply.headers) == (200, False)
        office.posts(chat_id, event("message", msg="Hello"), headers=headers, **how)
    found = [one["event"] for one in office.chat(chat_id).customer_events]
    assert found == ["chat_session_message"] * 2


def test_a_browser_finds_no_chat_of_a_client_with_an_id() -> None:
    """Nor does a client with an id find a browser's."""
    office = Office()
    chat_id, other = office.opens(), office.opens(client="WebChat")
    for path, client in ((chat_id, "WebChat"), (other, "anna")):
        found = office.refused("GET", f"chats/{path}/history", client=client)
        assert found == (404, "5005")


@pytest.mark.parametrize(
    "tenant",
    [
        "https://tenant.example/",
        "https%3A%2F%2Ftenant.example%2F",
        "http://TENANT.example:8443/any?x#y",
        "tenant.example:443",
        "tenant.example.",
    ],
)
def test_the_tenant_may_be_a_url(tenant: str) -> None:
    """Shipped clients send one, encoded or not; its host is the tenant's domain."""
    Office().asks("GET", "availability", tenant=tenant)


@pytest.mark.parametrize("tenant", [None, ""])
def test_a_tenants_own_host_needs_no_tenant(tenant: str | None) -> None:
    """The request went to that host; another host is no tenant's."""
    office = Office()
    office.asks("GET", "availability", tenant=tenant, headers={"Host": "Tenant.example:8765"})
    found = office.refused("GET", "availability", tenant=tenant, headers={"Host": "127.0.0.1:1"})
    assert found == (400, "1000")


def test_a_tenant_may_be_declared_by_a_url() -> None:
    """Two urls of one domain are the same tenant."""
    tenant = Tenant(url="https://Tenant.example/", entries=TENANT.entries)
    center = ContactCenter([tenant])
    url = "https://any.example/clientweb/api/v2/availability?tenantUrl=tenant.example"
    who = (("Authorization", f'{SCHEME} appId="demo", clientId="x"'),)
    reply = center.handle(HttpRequest(1, "GET", url, who, b""), now=0.0)
    assert reply is not None
    assert reply.status == 200
    with pytest.raises(ValueError, match="different urls"):
        ContactCenter([tenant, TENANT])


@pytest.mark.parametrize("path", ["/iceservers", "//iceservers", "iceservers"])
def test_slashes_may_be_doubled(path: str) -> None:
    """As a client does that joins a base and a path."""
    assert "servers" in Office().asks("GET", path)


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "", 404),
        ("GET", "weather", 404),
        ("GET", "chats//events/", 404),
        ("POST", "availability", 405),
        ("PUT", "files", 405),
    ],
)
def test_what_is_not_of_the_api(verb: str, path: str, status: int) -> None:
    """It is refused without a code."""
    assert Office().refused(verb, path) == (status, None)


@pytest.mark.parametrize(
    "url",
    [
        "https://any.example/",
        "https://any.example/clientweb/api/v3/availability?tenantUrl=tenant.example",
        "https://[/clientweb/api/v2/availability",
        "https://x/clientweb/api/v2/availability?" + "a=1&" * 100,
        "",
    ],
)
def test_a_url_from_elsewhere(url: str) -> None:
    """It is answered with 404, however odd it is."""
    reply = Office().center.handle(HttpRequest(1, "GET", url, ()), now=0.0)
    assert reply is not None
    assert (reply.status, reply.body) == (404, b"")


def test_a_path_without_a_host_will_do() -> None:
    """The center looks at the path alone."""
    url = "/clientweb/api/v2/version?tenantUrl=tenant.example"
    headers = (("AUTHORIZATION", f"{SCHEME} appId=demo, clientId=x"),)
    reply = Office().center.handle(HttpRequest(1, "GET", url, headers), now=0.0)
    assert reply is not None
    assert reply.status == 200


def test_every_error_has_statuses_and_words() -> None:
    """Statuses are errors, and the messages quote nothing."""
    for first, second, message in API_ERRORS.values():
        assert {first, second} <= {400, 401, 403, 404, 406, 429, 500, 503}
        assert message
