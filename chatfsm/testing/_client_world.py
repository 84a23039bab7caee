"""A client and a center in one virtual time: the fate of each request is decided one by one.

Smaller than `chatfsm.simulator`: one chat, no scenario, no queue of the network, so that a
counterexample has few steps.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from chatfsm import client_effects, commands, effects
from chatfsm._protocol import names as wire
from chatfsm.api import RequestChat
from chatfsm.errors import LocalProtocolError
from chatfsm.inputs import Tick
from chatfsm.testing.invariants import ClientChecker, require
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

__all__ = ["CHAT_ID", "FATES", "ClientWorld", "OneChatCenter", "Restore"]

CHAT_ID: Final = "chat-1"
_AGENT: Final = "agent-ada"
_FIRST_SECOND: Final = 1_600_000_000
_HOLD: Final = 15.0
"""Seconds for which the center holds a poll whose connection broke."""
_CALM_ROUNDS: Final = 200

_ARRIVING: Final = (
    *("answered", "answered twice", "reply lost", "reply garbled", "gateway", "broken off"),
)
_LOST: Final = ("connect", "lost", "busy", "failed", "internal", "no server")
FATES: Final = (*_ARRIVING, *_LOST)
"""What may happen to a request. The first six reach the center, the rest do not."""

Restore = Callable[[dict[str, Any], float], Any]
"""Make a client from a snapshot and the time."""


class OneChatCenter:
    """The center of one chat: it answers requests and keeps what was said.

    News are given away once, to the first that asks; a reply that is lost takes them along. Copies
    are not recognized: `received` has every event as often as it came.
    """

    def __init__(self, version: int = 2) -> None:
        self.version = version
        self.log: list[dict[str, Any]] = []
        self.news: list[dict[str, Any]] = []
        self.received: list[dict[str, Any]] = []
        self.is_over = False
        self.holds_dead_poll = False
        self._messages = 0

    def write(self, text: str) -> None:
        """Let the agent send a message."""
        self._messages += 2
        self.tell(wire.MESSAGE, party_id=_AGENT, msg_id=str(self._messages), msg=text)

    def show_form(self) -> None:
        """Show a new form."""
        request_id = f"form-{len(self.log)}"
        self.tell(wire.FORM_SHOW, form_request_id=request_id, form_name="survey")

    def tell(self, name: str, **fields: Any) -> None:
        """Add an event to the log and the news."""
        event = {"event": name, **fields, "timestamp": str(_FIRST_SECOND + len(self.log))}
        self.log.append(event)
        self.news.append(event)
        if self.holds_dead_poll:  # it is answered now, and its reply is lost
            self.news.clear()
            self.holds_dead_poll = False

    def lose(self, request: HttpRequest) -> None:
        """Handle a request, and drop the reply; a poll without news is held."""
        if request.purpose == "poll" and not self.news and not self.is_over:
            self.holds_dead_poll = True
        else:
            self.answer(request)

    def answer(self, request: HttpRequest) -> HttpReply:
        """Handle a request, and return the reply."""
        path = urlsplit(request.url).path
        body: dict[str, Any] | None
        if request.method == "POST" and path.endswith(f"/{wire.CHATS_PATH}"):
            body = {"chat_id": CHAT_ID, "state": "queued", "is_new_chat": True}
        elif self.is_over and not self.news:
            return HttpReply(request.id, 404, {}, b"")
        elif request.purpose == "history":
            body = {"events": self.log}
        elif request.purpose == "poll" and self.holds_dead_poll:
            return HttpReply(request.id, 400, {}, b'{"error_code": "5509"}')
        elif request.purpose == "poll":
            body = self._take_news()
        else:
            self._receive(json.loads(request.body)["events"])
            body = self._take_news() if self.version == 1 else None
        return HttpReply(request.id, 200, {}, b"" if body is None else json.dumps(body).encode())

    def _take_news(self) -> dict[str, Any]:
        news, self.news = self.news, []
        return {"events": news}

    def _receive(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            self.received.append(event)
            self.log.append({**event, "party_id": CHAT_ID})
            if event["event"] == wire.END:
                self.tell(wire.ENDED)
                self.is_over = True


class ClientWorld:
    """A client, the center of its chat, and the time; the app keeps each snapshot.

    Begins with an open chat. `client`: a new one. `restore`: makes its successor after a crash.
    """

    def __init__(self, client: Any, restore: Restore) -> None:
        self.client = client
        self.now = 100.0
        self.center = OneChatCenter(client.endpoint.version)
        self.effects: list[Any] = []
        """The effects of all lives, without requests."""
        self.requests: list[HttpRequest] = []
        self.pending: dict[int, HttpRequest] = {}
        self.sent_texts: list[str] = []
        self.text_ids: dict[str, str] = {}
        """Text by the id of its message."""
        self.answered_forms: list[str] = []
        self.snapshot = ""
        """The last snapshot, as JSON."""
        self.checker = ClientChecker()
        self._restore = restore
        self._given_up_at: dict[int, float] = {}
        """When the client gives a request up."""
        self._released_at = 0.0
        """When the center lets go of a poll whose connection broke."""
        self.receive(RequestChat())
        self.decide("answered")

    def receive(self, item: Any) -> None:
        """Give an item to the client; keep its snapshot before its requests are sent."""
        told = self.client.receive(item, now=self.now)
        self.snapshot = json.dumps(self.client.snapshot(now=self.now), allow_nan=False)
        grace = self.client.settings.timeout_grace
        for effect in told:
            if isinstance(effect, HttpRequest):
                self.requests.append(effect)
                self.pending[effect.id] = effect
                self._given_up_at[effect.id] = self.now + effect.timeout + grace
            else:
                self.effects.append(effect)
        self.checker.check(item, told, self.client, now=self.now)

    def send_text(self) -> None:
        """Let the customer send a new text, unless the client refuses it."""
        text = f"text {len(self.sent_texts)}"
        before = set(self.client.session.outbox)
        try:
            self.receive(commands.SendText(text))
        except LocalProtocolError:  # the queue is full
            return
        self.sent_texts.append(text)
        self.text_ids |= {
            msg_id: text for msg_id in self.client.session.outbox if msg_id not in before
        }

    def answer_form(self) -> None:
        """Let the customer answer the first form that is open."""
        form = self.client.session.forms[0].request_id
        self.receive(commands.SubmitForm(form, {"stars": "5"}))
        self.answered_forms.append(form)

    def decide(self, fate: str) -> None:
        """Decide the fate of the oldest request."""
        if self.pending:
            request = self.pending.pop(min(self.pending))
            for item in self._results(request, fate):
                self.receive(item)

    def _results(self, request: HttpRequest, fate: str) -> list[HttpReply | HttpFailure]:
        number = request.id
        if fate == "broken off":
            self._lose(request)
            return [HttpFailure(number, "protocol")]
        if fate in _ARRIVING:
            reply = self.center.answer(request)
            results: dict[str, list[HttpReply | HttpFailure]] = {
                "answered": [reply],
                "answered twice": [reply, reply],
                "reply lost": [HttpFailure(number, "timeout")],
                "reply garbled": [HttpReply(number, 200, {}, b"<html>")],
                "gateway": [HttpReply(number, 502, {}, b"")],
            }
            return results[fate]
        return _lost_results(number)[fate]

    def tick(self) -> None:
        """Give a tick to the client, though nothing is due."""
        self.receive(Tick())

    def wait(self, too_long: float = 0.0) -> None:
        """Wait for the client's deadline, or longer; what it gives up may have arrived."""
        if self.client.deadline is None:
            return
        self.now = max(self.now, self.client.deadline) + too_long
        if self.now >= self._released_at:
            self.center.holds_dead_poll = False
        for request in list(self.pending.values()):
            if self.now >= self._given_up_at[request.id]:
                del self.pending[request.id]
                if request.id % 2:
                    self.center.answer(request)
        self.receive(Tick())

    def _lose(self, request: HttpRequest) -> None:
        self.center.lose(request)
        self._released_at = self.now + _HOLD

    def restart(self, *, arrived: bool) -> None:
        """Kill the process, and restore the client; what was in flight has arrived, or has not."""
        self.now = 5.0
        for request in self.pending.values():
            if arrived:
                self._lose(request)
        self.pending.clear()
        self.checker.on_restart()
        self.client = self._restore(json.loads(self.snapshot), self.now)

    def calm_down(self) -> None:
        """Let nothing fail any more, until nothing is left to send or to receive."""
        for _ in range(_CALM_ROUNDS):
            while any(request.purpose != "poll" for request in self.pending.values()):
                self.decide("answered")
            if self.is_calm or self.client.done:
                return
            if self.pending:
                self.decide("answered")
            self.wait()
        raise AssertionError(f"the chat does not settle without faults: {self.client!r}")

    @property
    def is_calm(self) -> bool:
        """Whether nothing is left to send, and the client waits for nothing but its poll."""
        health = self.client.health(self.now)
        is_quiet = not health.queued and not self.center.news and health.link == "live"
        return is_quiet and [*self.pending.values()] != [] and self._waits_for_poll_only

    @property
    def _waits_for_poll_only(self) -> bool:
        """Whether the client's deadline is that of its poll: no history or retry comes before."""
        deadline = self.client.deadline
        return all(deadline == self._given_up_at[number] for number in self.pending)

    def check_agreement(self) -> None:
        """Check that both sides know the same, each thing once. Raises AssertionError."""
        failed = {e.msg_id for e in self.effects if isinstance(e, effects.MessageFailed)}
        refused = {text for msg_id, text in self.text_ids.items() if msg_id in failed}
        arrived = [event["msg"] for event in self.center.received if "msg" in event]
        expected = [text for text in self.sent_texts if text not in refused or text in arrived]
        _agree("texts of the customer", expected, arrived)
        undelivered = {e.subject for e in self.effects if isinstance(e, client_effects.Undelivered)}
        answers = [
            event["form_request_id"]
            for event in self.center.received
            if event["event"] == wire.FORM_DATA
        ]
        wanted = [
            form for form in self.answered_forms if form not in undelivered or form in answers
        ]
        _agree("answered forms", sorted(wanted), sorted(answers))
        spoken = [event["msg"] for event in self.center.log if event.get("party_id") == _AGENT]
        _agree("texts of the agent", sorted(spoken), sorted(self.received_texts))

    @property
    def received_texts(self) -> list[str]:
        """The texts that the client reported, in order."""
        return [
            e.message.text
            for e in self.effects
            if isinstance(e, effects.MessageReceived) and not e.message.own
        ]


def _agree(what: str, expected: list[str], found: list[str]) -> None:
    require(expected == found, f"{what}: {expected}, but on the other side {found}")


def _lost_results(number: int) -> dict[str, list[HttpReply | HttpFailure]]:
    """Return the results of a request that does not reach the center, by its fate."""
    return {
        "connect": [HttpFailure(number, "connect")],
        "lost": [HttpFailure(number, "protocol")],
        "busy": [HttpReply(number, 429, {"retry-after": "3"}, b"")],
        "failed": [HttpReply(number, 503, {}, b"")],
        "internal": [HttpReply(number, 500, {}, b'{"error_code": 5500}')],
        "no server": [HttpReply(number, 503, {}, b'{"error_code": "5001"}')],
    }
