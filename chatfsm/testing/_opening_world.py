"""The opening of a chat: a client, and the replies that it may get before and after it has one."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlsplit

from chatfsm._protocol import names as wire
from chatfsm.api import RequestChat, Resume
from chatfsm.client_effects import ApiFailed, AuthorizationFailed, ChatOpened
from chatfsm.commands import SendText
from chatfsm.errors import LocalProtocolError
from chatfsm.inputs import Tick
from chatfsm.testing._client_world import CHAT_ID, Restore
from chatfsm.testing.invariants import ClientChecker, require
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

__all__ = ["OPENING_FATES", "OpeningWorld"]

_REFUSALS: Final = {
    "unknown tenant": (400, b'{"error_code": 1000}'),
    "unauthorized": (401, b""),
    "unknown app": (403, b'{"error_code": "3000"}'),
    "no server": (503, b'{"error_code": "5001"}'),
    "no session": (404, b'{"error_code": "5005"}'),
    "garbled": (200, b"<html>"),
    "no id": (200, b'{"state": "queued"}'),
}
OPENING_FATES: Final = ("opened", "opened twice", "connect", "lost", *_REFUSALS)
"""What may happen to a request for a chat."""


class OpeningWorld:
    """A client, the requests that wait for a reply, and the time."""

    def __init__(self, client: Any, restore: Restore) -> None:
        self.client = client
        self.now = 0.0
        self.opening: HttpRequest | None = None
        """The request for a chat, while it has no reply."""
        self.others: dict[int, HttpRequest] = {}
        """The other requests without a reply, by id."""
        self.effects: list[Any] = []
        self.is_open = client.session is not None
        self.may_post = False
        """Whether the chat is new, or its history was read."""
        self.checker = ClientChecker()
        self._restore = restore
        self._given_up_at: dict[int, float] = {}
        """When the client gives up a request, by id."""
        self._snapshot = json.dumps(client.snapshot(now=self.now))
        self.receive(Tick())

    def receive(self, item: Any) -> list[Any]:
        """Give an item to the client, check what follows, and return it."""
        told: list[Any] = self.client.receive(item, now=self.now)
        self._snapshot = json.dumps(self.client.snapshot(now=self.now), allow_nan=False)
        self.checker.check(item, told, self.client, now=self.now)
        self._note_opened(told)
        is_refused = self.client.health(self.now).link == "unauthorized"
        for effect in told:
            if isinstance(effect, HttpRequest):
                given_up_at = self.now + effect.timeout + self.client.settings.timeout_grace
                self._given_up_at[effect.id] = given_up_at
                self._note_request(effect, is_refused=is_refused)
        is_told = any(isinstance(effect, AuthorizationFailed) for effect in told)
        require(not is_told or is_refused, "AuthorizationFailed, but the client goes on")
        self.effects += told
        return told

    def _note_opened(self, told: list[Any]) -> None:
        for effect in told:
            if isinstance(effect, ChatOpened):
                require(not self.is_open, "ChatOpened was reported twice")
                require(effect.chat_id == CHAT_ID, f"ChatOpened has the id {effect.chat_id!a}")
                self.is_open = True
        has_session = self.client.session is not None
        require(has_session == self.is_open, "ChatOpened and the client's session disagree")

    def _note_request(self, request: HttpRequest, *, is_refused: bool) -> None:
        if request.purpose == "api":
            self.opening = request
            return
        require(not is_refused, f"a {request.purpose} while the credentials are refused")
        require(self.is_open, f"a {request.purpose} before there is a chat")
        is_early = request.purpose == "post" and not self.may_post
        require(not is_early, "a POST before the history of a chat that may be old")
        self.others[request.id] = request

    def request_chat(self) -> None:
        """Request a chat: refused while one is requested, or if there is one.

        Refused, too, while the credentials are.
        """
        has_one = self.opening is not None or self.is_open
        is_refused = self.client.health(self.now).link == "unauthorized"
        try:
            told = self.receive(RequestChat())
        except LocalProtocolError:
            require(has_one or is_refused, "the first request for a chat was refused")
            return
        require(not has_one, "a second chat was requested")
        paths = [urlsplit(e.url).path for e in told if isinstance(e, HttpRequest)]
        is_right = len(paths) == 1 and paths[0].endswith(f"/{wire.CHATS_PATH}")
        require(is_right, f"a request for a chat made requests of {paths}")

    def reply_to_opening(self, fate: str, is_new: object) -> None:
        """Answer the request for a chat; without a field `is_new_chat` if `is_new` is None."""
        request, self.opening = self.opening, None
        if request is None:
            return
        if fate in {"connect", "lost"}:
            self.receive(HttpFailure(request.id, "connect" if fate == "connect" else "timeout"))
        elif fate in _REFUSALS:
            status, body = _REFUSALS[fate]
            told = self.receive(HttpReply(request.id, status, {}, body))
            require(any(isinstance(e, ApiFailed) for e in told), f"{fate}: no ApiFailed")
        else:
            told_new = {} if is_new is None else {"is_new_chat": is_new}
            body = json.dumps({"chat_id": CHAT_ID, "state": "queued", **told_new}).encode()
            self.may_post = is_new in {True, "true"}
            reply = HttpReply(request.id, 200, {}, body)
            self.receive(reply)
            require(self.is_open, "the center opened a chat, and the client has none")
            if fate == "opened twice":
                self.receive(reply)

    def reply(self, fate: str) -> None:
        """Answer the oldest other request."""
        if not self.others:
            return
        request = self.others.pop(min(self.others))
        match fate:
            case "connect":
                self.receive(HttpFailure(request.id, "connect"))
            case "unauthorized":
                self.receive(HttpReply(request.id, 401, {}, b""))
            case _:
                self.may_post |= request.purpose == "history"
                self.receive(HttpReply(request.id, 200, {}, b'{"events": []}'))

    def send_text(self) -> None:
        """Send a text, which is refused until there is a chat."""
        try:
            self.receive(SendText("hello"))
        except LocalProtocolError:
            require(not self.is_open, "a text was refused, though there is a chat")
        else:
            require(self.is_open, "a text was taken before there is a chat")

    def resume(self) -> None:
        """Give new credentials, which is refused unless the old ones were."""
        is_refused = self.client.health(self.now).link == "unauthorized"
        try:
            self.receive(Resume(client_id="another"))
        except LocalProtocolError:
            require(not is_refused, "new credentials were refused")
        else:
            require(is_refused, "new credentials were taken without need")

    def wait(self) -> None:
        """Wait for the client's deadline; a request that it gives up is answered no more."""
        if self.client.deadline is None:
            return
        self.now = max(self.now, self.client.deadline)
        in_time = {number for number, at in self._given_up_at.items() if at > self.now}
        self.others = {number: self.others[number] for number in self.others.keys() & in_time}
        if self.opening is not None and self.opening.id not in in_time:
            self.opening = None
        self.receive(Tick())

    def restart(self) -> None:
        """Kill the process, and restore the client."""
        self.opening, self.others = None, {}
        self.now += 1.0
        self.checker.on_restart()
        self.client = self._restore(json.loads(self._snapshot), self.now)
