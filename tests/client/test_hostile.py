"""Random replies and failures at any time: nothing raises, and memory stays bounded."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatfsm import Tick
from chatfsm import api as c
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest
from tests.client.conftest import CHAT, ClientHarness

WORDS = st.sampled_from(
    [
        *("events", "event", "chat_id", "state", "error_code", "error_message", "file_id"),
        *("chat_session_message", "chat_session_ended", "chat_session_status", "servers", "url"),
        *("5005", "5509", "5511", "2004", "9999", CHAT, "..", "failed", "parameters", "sessions"),
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9_999) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)
BODIES = st.binary(max_size=30) | VALUES.map(lambda value: json.dumps(value).encode())
STATUSES = st.sampled_from([0, 100, 200, 200, 200, 204, 302, 400, 403, 404, 429, 500, 503, 999])
KINDS = st.sampled_from(["connect", "timeout", "protocol", "cancelled"])
HEADERS = st.dictionaries(st.just("retry-after"), st.text(max_size=5), max_size=1)
COMES = st.one_of(
    st.tuples(STATUSES, HEADERS, BODIES),
    KINDS,
    st.sampled_from([c.RequestChat(), c.GetFile("f"), c.Resume("x"), c.GetIceServers()]),
)


def item_for(comes: Any, request: HttpRequest) -> Any:
    """Return the input that answers a request."""
    if isinstance(comes, str):
        return HttpFailure(request.id, comes)  # type: ignore[arg-type]  # one of KINDS
    status, headers, body = comes
    return HttpReply(request.id, status, headers, body)


def try_input(harness: ClientHarness, item: Any) -> None:
    """Give the client an input of the app, which try_input be refused."""
    try:
        harness.receive(item)
    except Exception as error:
        if type(error).__name__ != "LocalProtocolError":
            raise


@given(st.lists(COMES, max_size=30), st.booleans())
def test_no_reply_raises(story: list[Any], opened: bool) -> None:
    """Any reply or failure to any request is handled.

    Requests, queue and deadline stay in bounds.
    """
    harness = ClientHarness(chat_id=CHAT if opened else None, max_api_requests=3)
    harness.tick()
    for comes in story:
        if not isinstance(comes, (str, tuple)):
            try_input(harness, comes)
        elif harness.waiting:
            request = harness.waiting.pop(min(harness.waiting))
            harness.receive(item_for(comes, request))
        elif harness.client.deadline is not None:
            harness.receive(Tick(), at=max(harness.now, harness.client.deadline))
        if harness.client.done:
            harness.waiting.clear()
        assert harness.client.health(harness.now).pending == len(harness.waiting) <= 6
    if harness.client.done:
        assert harness.client.deadline is None
        names = [type(effect).__name__ for effect in harness.effects]
        assert names.count("Terminated") == 1
        assert names[-1] == "Terminated"
