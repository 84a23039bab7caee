"""A contact center without IO: it answers requests, keeps what was said, and forgets nothing."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote, urlsplit

from chatfsm.transport import HttpReply, HttpRequest
from tests.client.conftest import CHAT, wire


class Server:
    """One chat, as the other side has it.

    What is new is given away once, by whatever asks first; a reply that is lost takes it along.
    Nothing is checked for being a copy: `taken` has all that arrived, as often as it did.
    """

    def __init__(self, version: int = 2) -> None:
        self.version = version
        self.log: list[dict[str, Any]] = []
        self.news: list[dict[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self.is_over = False
        self.number = 0
        self.holds_dead_poll = False

    def speaks(self, text: str) -> None:
        """An agent says something."""
        self.number += 2
        self.tells(event="message", party_id="ann", msg_id=str(self.number), msg=text)

    def shows_form(self, request_id: str) -> None:
        """A form is to be filled in."""
        self.tells(event="form_show", form_request_id=request_id, form_name="survey")

    def tells(self, **event: Any) -> None:
        """Something happens."""
        (written,) = wire([{**event, "timestamp": str(1_600_000_000 + len(self.log))}])
        self.log.append(written)
        self.news.append(written)
        if self.holds_dead_poll:  # it is answered now, and its reply is lost
            self.news.clear()
            self.holds_dead_poll = False

    def ends(self) -> None:
        """The session is over; who asks once more hears of it, and then there is none."""
        self.tells(event="ended")
        self.is_over = True

    def loses(self, request: HttpRequest) -> None:
        """Handle a request, and return the reply unsent; a poll without news is held."""
        is_poll = request.method == "GET" and urlsplit(request.url).path.endswith("/events")
        if is_poll and not self.news and not self.is_over:
            self.holds_dead_poll = True
        else:
            self.answers(request)

    def answers(self, request: HttpRequest) -> HttpReply:
        """What the server does, and says."""
        parts = urlsplit(request.url)
        names = [unquote(name) for name in parts.path.split("/")[4:]]
        assert dict(request.headers)["Authorization"].startswith("MOBILE-API-140-327-PLAIN ")
        if names == ["chats"]:
            body: dict[str, Any] | None = {"chat_id": CHAT, "state": "queued", "is_new_chat": True}
        elif self.is_over and not self.news:
            return HttpReply(request.id, 404, {}, b"")
        elif names[-1] == "history":
            body = {"events": self.log}
        elif request.method == "GET" and self.holds_dead_poll:
            return HttpReply(request.id, 400, {}, b'{"error_code": "5509"}')
        elif request.method == "GET":
            body = self._news()
        else:
            self._takes(json.loads(request.body)["events"])
            body = self._news() if self.version == 1 else None
        return HttpReply(request.id, 200, {}, b"" if body is None else json.dumps(body).encode())

    def _news(self) -> dict[str, Any]:
        news, self.news = self.news, []
        return {"events": news}

    def _takes(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            self.taken.append(event)
            self.log.append({**event, "party_id": CHAT})
            if event["event"] == "chat_session_end":
                self.ends()
