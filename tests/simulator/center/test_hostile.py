"""Hostile requests: the center answers or holds each of them and never raises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm.simulator import builtin_scenarios
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.handlers import ROUTES
from chatfsm.simulator.multipart import parse_upload
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.tenants import AppEntry, Tenant
from chatfsm.transport import HttpReply, HttpRequest
from tests.simulator.center.harness import TENANT

TEXT = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        *("message", "message_delivered", "message_read", "typing", "not_typing", "form_data"),
        *("secure_form_data", "secure_form_cancel", "end", "disconnect", "signaling", "file"),
        *("location", "navigation", "cobrowsing_started", "status", "ended", "case_set"),
    ]
).map("chat_session_{}".format)
FIELDS = st.sampled_from(
    ["msg", "msg_id", "ref_msg_id", "form_request_id", "form_name", "data", "file_id", "party_id"]
)
EVENTS = st.builds(
    lambda name, rest: {**rest, "event": name},
    NAMES | VALUES,
    st.dictionaries(FIELDS, VALUES, max_size=3),
)
POSTED = st.lists(EVENTS | VALUES, max_size=4).map(lambda events: {"events": events})
JSON = (POSTED | VALUES).map(lambda value: json.dumps(value).encode())
SOME_BODY = st.binary(max_size=60) | JSON
PATHS = st.sampled_from([method.path for method in ROUTES]) | st.text(max_size=30)
VERBS = st.sampled_from(["GET", "POST", "PUT"])
WHO = st.sampled_from(
    [
        "MOBILE-API-140-327-PLAIN appId=demo, clientId=anna",
        'MOBILE-API-140-327-PLAIN appId="demo", clientId="WebChat"',
        'MOBILE-API-140-327-PLAIN appId="nowhere", clientId="anna"',
    ]
)
HEADER_NAMES = st.sampled_from(["Authorization", "authorization", "Cookie", "Content-Type"])
HEADERS = st.tuples(
    st.tuples(st.just("Authorization"), WHO), st.tuples(HEADER_NAMES | TEXT, WHO | TEXT)
)
ENDS = st.just("?tenantUrl=tenant.example") | st.text(max_size=20)

WITH_ECHO = Tenant(
    url=TENANT.url,
    entries=(
        AppEntry(app_id="demo", scenario=builtin_scenarios.SCENARIOS["echo"]),
        *TENANT.entries[1:],
    ),
    agents=TENANT.agents,
    files=(builtin_scenarios.FILE,),
)


@pytest.mark.parametrize("version", [1, 2])
@given(st.lists(st.tuples(VERBS, PATHS, ENDS, HEADERS, SOME_BODY, st.booleans()), max_size=8))
def test_any_request_is_answered_or_held(version: int, asked: list[Any]) -> None:
    """A center with a real scenario answers any sequence, and a proper request afterwards."""
    center = ContactCenter([WITH_ECHO], CenterSettings(max_ended_chats=2), seed=version)
    known = "none"
    held: set[int] = set()
    for number, (verb, path, end, headers, body, is_proper) in enumerate(asked):
        placed = path.replace("{chat}", known).replace("{subject}", "A1")
        url = f"https://x.example/clientweb/api/v{version}/{placed}{end}" if is_proper else path
        reply = center.handle(HttpRequest(number, verb, url, headers, body), now=float(number))
        if reply is None:
            held.add(number)
        else:
            check(reply)
        for late in center.collect(now=float(number)):
            held.remove(late.id)
            check(late)
        known = next(reversed(center.chats), "none")
    for late in center.collect(now=1000.0):
        held.remove(late.id)
        check(late)
    assert not held
    proper = (("Authorization", "MOBILE-API-140-327-PLAIN appId=demo, clientId=zoe"),)
    url = f"/clientweb/api/v{version}/chats?tenantUrl=tenant.example"
    reply = center.handle(HttpRequest(99, "POST", url, proper), now=1000.0)
    assert reply is not None
    assert reply.status == 200


def check(reply: HttpReply) -> None:
    """Check that a reply has a valid status, and a JSON body if its content type is JSON."""
    assert 200 <= reply.status < 600
    if reply.headers.get("content-type", "").startswith("application/json"):
        json.loads(reply.body)


@given(st.lists(EVENTS | VALUES, max_size=5), st.sampled_from([1, 2]))
def test_any_post_is_accepted_or_refused(events: list[Any], version: int) -> None:
    """A POST is accepted whole or refused whole, whatever the scenario does with it."""
    center = ContactCenter([WITH_ECHO])
    who = (("Authorization", "MOBILE-API-140-327-PLAIN appId=demo, clientId=anna"),)
    base = f"/clientweb/api/v{version}/chats"
    tenant = "?tenantUrl=tenant.example"
    center.handle(HttpRequest(1, "POST", base + tenant, who), now=0.0)
    center.collect(now=5.0)
    (chat,) = center.chats.values()
    body = json.dumps({"events": events}).encode()
    url = f"{base}/{chat.chat_id}/events{tenant}"
    reply = center.handle(HttpRequest(2, "POST", url, who, body), now=5.0)
    assert reply is not None
    assert (reply.status, len(chat.customer_events)) in {(200, len(events)), (400, 0)}
    center.collect(now=100.0)


PIECES = st.sampled_from(
    [
        *(b"--XX", b"--XX\r\n", b"--XX--", b"\r\n", b"\r\n\r\n", b"--", b"abc", b"\0"),
        b'Content-Disposition: form-data; name="file"; filename="a"',
        b"Content-Disposition: form-data; name=file",
    ]
)


@given(
    st.lists(PIECES | st.binary(max_size=5), max_size=12).map(b"".join),
    st.just("multipart/form-data; boundary=XX") | st.text(max_size=40),
)
def test_an_upload_is_read_or_refused(written: bytes, content_type: str) -> None:
    """Any bytes are read or refused, and each file that is read was in the body."""
    try:
        part = parse_upload(written, content_type)
    except ValueError:
        return
    assert part.content in written
