"""Authentication by credentials, tenant and cookie, and paths outside the API."""

from __future__ import annotations

import re

import pytest

from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.http_api import API_ERRORS
from chatfsm.simulator.tenants import Tenant
from chatfsm.transport import HttpRequest
from tests.simulator.center.harness import TENANT, CenterHarness, event

SCHEME = "MOBILE-API-140-327-PLAIN"


@pytest.mark.parametrize("tenant", [None, "", "other.example"])
def test_an_unknown_tenant_is_refused(tenant: str | None) -> None:
    """A request without the tenant's domain, or with an unknown one, is refused with 1000."""
    assert CenterHarness().refused("GET", "availability", tenant=tenant) == (400, "1000")


def test_domains_are_case_insensitive() -> None:
    """Domain names are compared without regard to case."""
    CenterHarness().request_json("GET", "availability", tenant="TENANT.example")


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
def test_wrong_credentials_have_their_error_code(written: str, code: str) -> None:
    """Each error in the credentials has its code.

    Version 1 refuses with 401, version 2 with 403.
    """
    for version, status in ((1, 401), (2, 403)):
        found = CenterHarness().refused(
            "GET", "availability", version=version, headers={"Authorization": written}
        )
        assert found == (status, code)


@pytest.mark.parametrize(
    "written",
    ['appId="demo", clientId="anna"', "appId=demo, clientId=anna", 'clientId=anna,appId="demo",'],
)
def test_quotation_marks_are_optional(written: str) -> None:
    """Credentials with and without quotation marks name the same client."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    headers = {"Authorization": f"{SCHEME} {written}"}
    assert harness.request_json("GET", "chats/active", headers=headers)["chat_id"] == chat_id


def cookie_of(harness: CenterHarness, client: str = "WebChat") -> str:
    """Return the cookie that a browser gets with its chat."""
    reply = harness.request("POST", "chats", {}, client=client)
    assert reply is not None
    match = re.fullmatch(
        r"(chatfsm_client=[0-9a-f]{32}); Path=/clientweb/; HttpOnly; SameSite=Lax",
        reply.headers["set-cookie"],
    )
    assert match
    return match[1]


@pytest.mark.parametrize("client", ["WebChat", "Webchat"])
def test_a_cookie_identifies_a_browser(client: str) -> None:
    """A browser without a cookie gets one; with the cookie it is the same client again."""
    harness = CenterHarness()
    cookie = cookie_of(harness, client)
    chat_id = next(iter(harness.center.chats))
    headers = {"Cookie": f"other=1; {cookie}"}
    known = harness.request("GET", "chats/active", client=client, headers=headers)
    assert known is not None
    assert chat_id.encode() in known.body
    assert "set-cookie" not in known.headers
    assert (
        harness.request_json("POST", "chats", {}, client=client, headers=headers)["chat_id"]
        == chat_id
    )
    assert harness.refused("GET", "chats/active", client=client) == (404, "5005")
    assert harness.refused("GET", "chats/active", client=cookie[-32:]) == (404, "5005")


@pytest.mark.parametrize("version", [1, 2])
def test_after_the_request_the_chat_id_is_enough_for_a_browser(version: int) -> None:
    """A frame of another site keeps no cookie, so the chat id authenticates and none is set."""
    harness = CenterHarness()
    how = {"client": "WebChat", "version": version}
    chat_id = harness.open_chat(**how)
    cookie = cookie_of(harness)
    for headers in (None, {"Cookie": cookie}):
        reply = harness.request("GET", f"chats/{chat_id}/history", headers=headers, **how)
        assert reply is not None
        assert (reply.status, "set-cookie" in reply.headers) == (200, False)
        harness.post(chat_id, event("message", msg="Hello"), headers=headers, **how)
    found = [one["event"] for one in harness.chat(chat_id).customer_events]
    assert found == ["chat_session_message"] * 2


def test_a_browser_finds_no_chat_of_a_client_with_an_id() -> None:
    """A browser and a client with an id cannot use each other's chats."""
    harness = CenterHarness()
    chat_id, other = harness.open_chat(), harness.open_chat(client="WebChat")
    for path, client in ((chat_id, "WebChat"), (other, "anna")):
        found = harness.refused("GET", f"chats/{path}/history", client=client)
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
    """Shipped clients send a URL, encoded or not; its host is the tenant's domain."""
    CenterHarness().request_json("GET", "availability", tenant=tenant)


@pytest.mark.parametrize("tenant", [None, ""])
def test_a_tenants_own_host_needs_no_tenant(tenant: str | None) -> None:
    """A request to the tenant's own host is accepted without a tenant.

    Other hosts name no tenant.
    """
    harness = CenterHarness()
    harness.request_json(
        "GET", "availability", tenant=tenant, headers={"Host": "Tenant.example:8765"}
    )
    found = harness.refused("GET", "availability", tenant=tenant, headers={"Host": "127.0.0.1:1"})
    assert found == (400, "1000")


def test_a_tenant_may_be_declared_by_a_url() -> None:
    """Two URLs of one domain are the same tenant."""
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
    """A path with doubled slashes is accepted: some clients join a base and a path that way."""
    assert "servers" in CenterHarness().request_json("GET", path)


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
def test_methods_and_paths_outside_the_api_are_refused(verb: str, path: str, status: int) -> None:
    """Methods and paths outside the API are refused with a status and no error code."""
    assert CenterHarness().refused(verb, path) == (status, None)


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
def test_foreign_urls_get_404(url: str) -> None:
    """Any malformed or foreign URL is answered with 404."""
    reply = CenterHarness().center.handle(HttpRequest(1, "GET", url, ()), now=0.0)
    assert reply is not None
    assert (reply.status, reply.body) == (404, b"")


def test_a_path_without_a_host_is_accepted() -> None:
    """The center reads only the path of a URL."""
    url = "/clientweb/api/v2/version?tenantUrl=tenant.example"
    headers = (("AUTHORIZATION", f"{SCHEME} appId=demo, clientId=x"),)
    reply = CenterHarness().center.handle(HttpRequest(1, "GET", url, headers), now=0.0)
    assert reply is not None
    assert reply.status == 200


def test_every_error_has_statuses_and_a_message() -> None:
    """Each error code has error statuses, and a message that quotes no input."""
    for first, second, message in API_ERRORS.values():
        assert {first, second} <= {400, 401, 403, 404, 406, 429, 500, 503}
        assert message
