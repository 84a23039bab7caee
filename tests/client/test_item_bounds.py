"""DESIGN L6: the work for one reply of up to 8 MiB is bounded; a larger one is a failure."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm import api as a
from chatfsm import effects
from chatfsm._protocol.codec import MAX_ITEMS
from chatfsm.client_effects import ApiFailed, LinkChanged
from tests.client.conftest import ClientHarness

SIZE = 8 * 1024 * 1024


def body_of(item: bytes, head: bytes, tail: bytes) -> bytes:
    """Return a body with as many items as the size limit allows."""
    count = (SIZE - len(head) - len(tail)) // (len(item) + 1)
    return head + b",".join([item] * count) + tail


EVENTS = (b'{"events":[', b"]}")
MESSAGE = b'{"event":"chat_session_message","msg":"x","attachments":[%b]}'
CROWDS = [
    body_of(b"0", *EVENTS),
    body_of(b"{}", *EVENTS),
    body_of(b'{"event":"x"}', *EVENTS),
    body_of(b"0", b'{"events":["\xff",', b"]}"),
    body_of(MESSAGE % b",".join([b"{}"] * 900), *EVENTS),
    body_of(b"{}", b'{"event":"chat_session_message","msg":"x","attachments":[', b"]}"),
]


@pytest.mark.parametrize("body", CROWDS, ids=range(len(CROWDS)))
@pytest.mark.parametrize("kind", ["poll", "history"])
def test_a_reply_of_too_many_items_is_a_failure(
    chat: ClientHarness, kind: str, body: bytes
) -> None:
    """4 million items took 18 seconds; the failure has the number, and a history is skipped."""
    if kind == "history":
        chat.fail("poll", "connect")
        chat.run_to_deadline()
    reported = chat.reply(kind, body)
    (effect,) = reported
    if kind == "poll":
        assert isinstance(effect, LinkChanged)
        assert "items, more than 100,000" in effect.why
    else:
        assert isinstance(effect, effects.Anomaly)
        assert "items, more than 100,000" in effect.text
    assert chat.client.session is not None
    assert chat.client.session.counts.malformed <= 1


@pytest.mark.parametrize(
    ("request_", "path", "body"),
    [
        (a.GetExpectedParameters(), "parameters", body_of(b"{}", b'{"parameters":[', b"]}")),
        (a.GetIceServers(), "iceservers", body_of(b"{}", b'{"servers":[', b"]}")),
        (a.GetCaseHistory(), None, body_of(b"{}", b'{"sessions":[', b"]}")),
        (
            a.GetCaseHistory(),
            None,
            body_of(
                b'{"chat_id":"c","events":[%b]}' % b",".join([b"0"] * 99), b'{"sessions":[', b"]}"
            ),
        ),
    ],
    ids=range(4),
)
def test_a_result_of_too_many_items_is_a_failure(
    chat: ClientHarness, request_: Any, path: str | None, body: bytes
) -> None:
    """The limit holds for each list that a server sends, and for the sum of lists in it."""
    chat.receive(request_)
    (failed,) = chat.reply(path or "chats/chat-1/casehistory", body)
    assert isinstance(failed, ApiFailed)
    assert f"more than {MAX_ITEMS:,}" in str(failed.error)
    assert not failed.error.transient
