"""Polling loop: a simple chat client as many apps have one, for comparison in `chatfsm demo`.

Without faults it works: it waits between tries, numbers its messages, clears the typing at each
message, and stops at the end that it knows. Its mistakes were seen in released clients (PROTOCOL.md
§6). It uses nothing of chatfsm.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, Final
from urllib.request import ProxyHandler, Request, build_opener

__all__ = ["PollingLoop"]

_ERRORS: Final = (OSError, HTTPException, ValueError)
_PAUSE: Final = 0.2  # seconds between tries: a person should not have to wait for longer
_MAX_TRIES: Final = 5
_TIMEOUT: Final = 20.0  # longer than servers hold a poll


class PollingLoop:
    """Polls and shows what it receives until the chat has ended or `is_over` is set.

    `show`, the screen of the app, is given what happens, the name of the party, and a text.
    """

    def __init__(
        self, chats: str, headers: dict[str, str], show: Callable[[str, str, str], object]
    ) -> None:
        self.url = chats
        self.headers = headers
        self.show = show
        self.messages: list[str] = []
        self.names: dict[str, str] = {}
        self.typing: set[str] = set()
        self.forms: list[str] = []
        self.sent_count = 0
        self.is_over = False

    def run(self) -> None:
        """Run the chat to its end."""
        path, question, query = self.url.partition("?")
        chat_id = self.call("POST", {})["chat_id"]
        self.url = f"{path}/{chat_id}/events{question}{query}"
        while not self.is_over:
            try:
                reply = self.call("GET")
            except _ERRORS:
                time.sleep(_PAUSE)
                continue
            for event in reply.get("events", []):
                self.on_event(event)

    def on_event(self, event: dict[str, Any]) -> None:
        """Show an event."""
        who = self.names.get(event.get("party_id", ""), "")
        match event["event"]:
            case "chat_session_party_joined":
                who = self.names[event["party_id"]] = event["display_name"]
                self.show("joined", who, "")
            case "chat_session_message":
                self.typing.discard(who)
                self.messages.append(event["msg"])
                self.show("message", who, event["msg"])
            case "chat_session_typing":
                self.typing.add(who)
                self.show("typing", who, "…")
            case "chat_session_not_typing":
                self.typing.discard(who)
                self.show("typing", who, "stopped")
            case "chat_session_form_show":
                self.forms.append(event["form_name"])
                self.show("form", "", event["form_name"])
            case "chat_session_ended":
                self.is_over = True
                self.show("over", "", "ended")

    def send_text(self, text: str) -> None:
        """Post a message, and try again until a POST succeeds, at most 5 times."""
        self.sent_count += 1
        event = {"event": "chat_session_message", "msg": text, "msg_id": str(self.sent_count)}
        for _ in range(_MAX_TRIES):
            try:
                self.call("POST", {"events": [event]})
            except _ERRORS:
                time.sleep(_PAUSE)
                self.show("again", "customer", text)
            else:
                return

    def call(self, method: str, body: dict[str, Any] | None = None) -> Any:
        """Send a request, and return the JSON of the reply."""
        content = None if body is None else json.dumps(body).encode()
        request = Request(self.url, content, self.headers, method=method)  # noqa: S310  # on the loopback
        with build_opener(ProxyHandler({})).open(request, timeout=_TIMEOUT) as reply:
            return json.loads(reply.read() or b"{}")
