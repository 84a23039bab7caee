"""A client and a server in one world, with a clock and a network that loses, copies and fails."""

from __future__ import annotations

import json
from typing import Any

from chatfsm import Tick, commands, effects
from chatfsm._client.client import ChatClient
from chatfsm.api import RequestChat
from chatfsm.settings import ClientSettings
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest
from tests.client.conftest import endpoint, kind_of
from tests.client.server import Server

# What may happen to a request. The first six never reach the server, the rest do.
UNSEEN = ("connect", "lost", "busy", "failed", "internal", "no server")
SEEN = ("answered", "answered twice", "reply lost", "reply garbled", "gateway", "broken off")
# Seconds that the server holds a poll.
HOLD = 15.0
FATES = (*SEEN, *UNSEEN)


class World:
    """Everything that happens, in one thread and one time; the app keeps each snapshot."""

    def __init__(self, version: int = 2) -> None:
        self.server = Server(version)
        self.endpoint = endpoint(version=version)
        # No server of this world is sick for ever, so nothing is ever given up.
        self.settings = ClientSettings(max_attempts=1_000_000, max_batch=3)
        self.client = ChatClient(self.endpoint, settings=self.settings)
        self.now = 100.0
        self.told: list[Any] = []
        self.pending: dict[int, HttpRequest] = {}
        self.released_at = 0.0
        """When the server lets go of a poll whose connection broke."""
        self.ids: list[int] = []
        self.said: list[str] = []
        self.answered_forms: list[str] = []
        self.receives(RequestChat())
        self.decides("answered")

    def receives(self, item: Any) -> None:
        """The client hears something; the snapshot is kept before its requests go out."""
        told = self.client.receive(item, now=self.now)
        self.kept = json.dumps(self.client.snapshot(now=self.now))
        for effect in told:
            if isinstance(effect, HttpRequest):
                self.pending[effect.id] = effect
                self.ids.append(effect.id)
            else:
                self.told.append(effect)
        self.checks()

    def checks(self) -> None:
        """What must hold at every moment."""
        kinds = [kind_of(request) for request in self.pending.values()]
        assert all(kinds.count(kind) <= 1 for kind in ("poll", "post", "history")), kinds
        assert self.ids == sorted(set(self.ids)), "no id is used twice"
        if not self.client.done and self.client.session is not None:
            deadline = self.client.deadline
            assert deadline is not None, "a chat never stands still"

    def says(self) -> None:
        """The customer says something new."""
        text = f"text {len(self.said)}"
        self.said.append(text)
        self.receives(commands.SendText(text))

    def answers_form(self) -> None:
        """The customer answers the first form that is open."""
        session = self.client.session
        if session is not None and session.forms:
            form = session.forms[0].request_id
            self.answered_forms.append(form)
            self.receives(commands.SubmitForm(form, {"stars": "5"}))

    def shows_form(self) -> None:
        """The server shows a new form."""
        self.server.shows_form(f"form {len(self.server.log)}")

    def decides(self, fate: str) -> None:
        """The oldest request meets its fate."""
        if self.pending:
            request = self.pending.pop(min(self.pending))
            for item in self.fate_of(request, fate):
                self.receives(item)

    def fate_of(self, request: HttpRequest, fate: str) -> list[HttpReply | HttpFailure]:
        """What comes back for a request."""
        number = request.id
        if fate == "broken off":
            self.loses(request)
            return [HttpFailure(number, "protocol")]
        if fate in SEEN:
            reply = self.server.answers(request)
            return {
                "answered": [reply],
                "answered twice": [reply, reply],
                "reply lost": [HttpFailure(number, "timeout")],
                "reply garbled": [HttpReply(number, 200, {}, b"<html>")],
                "gateway": [HttpReply(number, 502, {}, b"")],
            }[fate]
        return {
            "connect": [HttpFailure(number, "connect")],
            "lost": [HttpFailure(number, "protocol")],
            "busy": [HttpReply(number, 429, {"retry-after": "3"}, b"")],
            "failed": [HttpReply(number, 503, {}, b"")],
            "internal": [HttpReply(number, 500, {}, b'{"error_code": 5500}')],
            "no server": [HttpReply(number, 503, {}, b'{"error_code": "5001"}')],
        }[fate]

    def wakes(self) -> None:
        """The app ticks though nothing is due."""
        self.receives(Tick())

    def waits(self, too_long: float = 0.0) -> None:
        """The time of the client's next deadline comes; what is given up may have arrived."""
        if self.client.deadline is None:
            return
        self.now = max(self.now, self.client.deadline) + too_long
        if self.now >= self.released_at:
            self.server.holds_dead_poll = False
        for request in list(self.pending.values()):
            if self.now >= self.client._state.pending[request.id].deadline:
                del self.pending[request.id]
                if request.id % 2:
                    self.server.answers(request)
        self.receives(Tick())

    def loses(self, request: HttpRequest) -> None:
        """The server gets a request, and its reply is lost."""
        self.server.loses(request)
        self.released_at = self.now + HOLD

    def restarts(self, *, arrived: bool) -> None:
        """The process is killed; what was under way has arrived, or has not."""
        self.now = 5.0
        for request in self.pending.values():
            if arrived:
                self.loses(request)
        self.pending.clear()
        self.client = ChatClient.restore(
            json.loads(self.kept), self.endpoint, settings=self.settings, now=self.now
        )
        self.checks()

    def calms_down(self) -> None:
        """From here on nothing fails, until nothing is left to say."""
        for _ in range(200):
            while [r for r in self.pending.values() if kind_of(r) != "poll"]:
                self.decides("answered")
            if self.is_calm or self.client.done:
                return
            if self.pending:
                self.decides("answered")
            self.waits()
        raise AssertionError("the world does not calm down")

    @property
    def is_calm(self) -> bool:
        """Whether all that was said has arrived, and all that is new was told."""
        health = self.client.health(self.now)
        return (
            not health.queued
            and not self.server.news
            and health.link == "live"
            and self.client._state.history == "fresh"
            and self.client._state.history_recheck_at is None
        )

    @property
    def arrived(self) -> list[str]:
        """The texts that the server took, in the order that it took them."""
        return [event["msg"] for event in self.server.taken if "msg" in event]

    @property
    def arrived_answers(self) -> list[str]:
        """The forms that the server has answers to."""
        return [
            event["form_request_id"]
            for event in self.server.taken
            if event["event"] == "chat_session_form_data"
        ]

    @property
    def heard(self) -> list[str]:
        """The texts that were told, in order."""
        return [e.message.text for e in self.told if isinstance(e, effects.MessageReceived)]
