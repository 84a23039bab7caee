"""What a judge says of a client that has ended: what it has not done, it never will."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatfsm.simulator.network import BrokenExchange
from chatfsm.testing.judge import Judge
from chatfsm.transport import HttpReply, HttpRequest

BASE = "https://chat.example.com/clientweb/api/v2/chats/c1"
AUTH = 'MOBILE-API-140-327-PLAIN appId="demo", clientId="c"'
TEXT = {"event": "chat_session_message", "msg": "Hello.", "msg_id": "0", "party_id": "a"}
SAID = {"event": "chat_session_message", "msg": "Hello.", "msg_id": "1"}
ENDED = {"event": "chat_session_ended"}


class Wire:
    """Requests of one client, one a second, and what becomes of each."""

    def __init__(self) -> None:
        self.judge = Judge()
        self.count = 0

    def ask(self, method: str, path: str, *events: Any) -> int:
        self.count += 1
        headers = (("Authorization", AUTH), ("Cache-Control", "no-cache"))
        body = json.dumps({"events": events}).encode() if events else b""
        url = f"{BASE}/{path}?_={self.count}"
        request = HttpRequest(self.count, method, url, headers, body)  # type: ignore[arg-type]
        self.judge.on_request(request, now=float(self.count))
        return self.count

    def poll(
        self, *events: Any, lost: bool = False, status: int = 200, path: str = "events"
    ) -> None:
        """A poll whose reply has these events, if it is not lost on its way."""
        number = self.ask("GET", path)
        body = json.dumps({"events": events}).encode() if status == 200 else b""
        reply = HttpReply(number, status, {}, body)
        self.judge.on_handled(number, reply, now=float(number))
        arrival = BrokenExchange(number, "truncated", reply) if lost else reply
        self.judge.on_arrival(arrival, now=float(number))

    def leave(self) -> list[str]:
        """The rules that are broken once the client has left; before, none was."""
        assert self.judge.verdict().violations == ()
        self.judge.on_left(now=self.judge.now)
        return [violation.rule for violation in self.judge.verdict().violations]


def test_a_chat_left_after_a_failed_poll() -> None:
    """Who stops at the first failure misses what is said afterwards."""
    wire = Wire()
    wire.poll(TEXT)
    wire.poll(status=503)
    assert wire.leave() == ["polls-to-the-end"]


@pytest.mark.parametrize("event", ["chat_session_end", "chat_session_disconnect"])
def test_a_chat_ended_by_the_customer(event: str) -> None:
    """After a goodbye the client need not hear more."""
    wire = Wire()
    wire.poll(status=503)
    number = wire.ask("POST", "events", {"event": event})
    wire.judge.on_arrival(HttpReply(number, 200, {}, b""), now=2.0)
    assert wire.leave() == []


def test_a_chat_left_in_peace() -> None:
    """An app may be closed while its chat lives, and after a failure that a success followed."""
    wire = Wire()
    wire.poll(status=503)
    wire.poll(TEXT)
    assert wire.leave() == []


def test_a_chat_that_is_over() -> None:
    """Nothing is missed after the end, nor where there is no chat."""
    over, gone = Wire(), Wire()
    over.poll(ENDED)
    assert over.leave() == []
    gone.poll(status=404)
    assert gone.leave() == []


def test_a_gap_that_is_left() -> None:
    """Who has polled on, and left without a history, has lost what the broken poll held."""
    wire = Wire()
    wire.poll(TEXT, lost=True)
    wire.poll()
    wire.poll(ENDED)
    assert wire.leave() == ["history-after-gap"]


@pytest.mark.parametrize("missing", [TEXT, {"event": "chat_session_typing", "party_id": "a"}])
def test_a_gap_that_is_none(missing: dict[str, str]) -> None:
    """What a later poll brings, and what passes by itself, leaves no gap."""
    wire = Wire()
    wire.poll(missing, lost=True)
    wire.poll(TEXT, ENDED)
    assert wire.leave() == []


def test_a_gap_that_was_filled() -> None:
    """A history fills all gaps."""
    wire = Wire()
    wire.poll(TEXT, lost=True)
    wire.poll()
    wire.poll(TEXT, path="history")
    assert wire.leave() == []


@pytest.mark.parametrize("ending", [(), (ENDED,)])
def test_a_text_that_never_arrived(ending: tuple[dict[str, str], ...]) -> None:
    """It was given up at the latest when its client left."""
    wire = Wire()
    number = wire.ask("POST", "events", SAID)
    wire.judge.on_arrival(BrokenExchange(number, "refused"), now=1.0)
    wire.poll(*ending)
    assert wire.leave() == ["text-given-up"]
