"""Judge: rules about the end of a client, after which no request can follow."""

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


class ClientTraffic:
    """The requests of one client, one per second, with their outcomes."""

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
        """Poll; the reply has these events unless it is lost."""
        number = self.ask("GET", path)
        body = json.dumps({"events": events}).encode() if status == 200 else b""
        reply = HttpReply(number, status, {}, body)
        self.judge.on_handled(number, reply, now=float(number))
        arrival = BrokenExchange(number, "truncated", reply) if lost else reply
        self.judge.on_arrival(arrival, now=float(number))

    def leave(self) -> list[str]:
        """Let the client leave; return the rules that are broken then, and none before."""
        assert self.judge.verdict().violations == ()
        self.judge.on_left(now=self.judge.now)
        return [violation.rule for violation in self.judge.verdict().violations]


def test_a_chat_left_after_a_failed_poll() -> None:
    """A client that stops at the first failure misses the later events."""
    traffic = ClientTraffic()
    traffic.poll(TEXT)
    traffic.poll(status=503)
    assert traffic.leave() == ["polls-to-the-end"]


@pytest.mark.parametrize("event", ["chat_session_end", "chat_session_disconnect"])
def test_a_chat_ended_by_the_customer(event: str) -> None:
    """After its own End or Disconnect a client may stop."""
    traffic = ClientTraffic()
    traffic.poll(status=503)
    number = traffic.ask("POST", "events", {"event": event})
    traffic.judge.on_arrival(HttpReply(number, 200, {}, b""), now=2.0)
    assert traffic.leave() == []


def test_a_live_chat_may_be_left() -> None:
    """A client may stop in a live chat, also after a failure that a success followed."""
    traffic = ClientTraffic()
    traffic.poll(status=503)
    traffic.poll(TEXT)
    assert traffic.leave() == []


def test_an_ended_chat_may_be_left() -> None:
    """There is nothing to miss after the end, and without a chat."""
    over, gone = ClientTraffic(), ClientTraffic()
    over.poll(ENDED)
    assert over.leave() == []
    gone.poll(status=404)
    assert gone.leave() == []


def test_a_gap_that_is_left() -> None:
    """A client that polled on and left without a history lost the events of the broken poll."""
    traffic = ClientTraffic()
    traffic.poll(TEXT, lost=True)
    traffic.poll()
    traffic.poll(ENDED)
    assert traffic.leave() == ["history-after-gap"]


@pytest.mark.parametrize("missing", [TEXT, {"event": "chat_session_typing", "party_id": "a"}])
def test_events_that_leave_no_gap(missing: dict[str, str]) -> None:
    """Events of a later poll, and events that expire, leave no gap."""
    traffic = ClientTraffic()
    traffic.poll(missing, lost=True)
    traffic.poll(TEXT, ENDED)
    assert traffic.leave() == []


def test_a_gap_that_was_filled() -> None:
    """A history fills all gaps."""
    traffic = ClientTraffic()
    traffic.poll(TEXT, lost=True)
    traffic.poll()
    traffic.poll(TEXT, path="history")
    assert traffic.leave() == []


@pytest.mark.parametrize("ending", [(), (ENDED,)])
def test_a_text_that_never_arrived(ending: tuple[dict[str, str], ...]) -> None:
    """A text that has not arrived is abandoned when its client leaves."""
    traffic = ClientTraffic()
    number = traffic.ask("POST", "events", SAID)
    traffic.judge.on_arrival(BrokenExchange(number, "refused"), now=1.0)
    traffic.poll(*ending)
    assert traffic.leave() == ["text-given-up"]
