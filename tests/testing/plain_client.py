"""A small hand-written client, and bugs that can be planted in it.

It sends three texts to the echo agent, leaves, and returns the texts received. Without a bug it
keeps all rules of the judge, under every fault that a client can handle.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from chatfsm.testing.harness import VirtualHttp

Bug = Literal["", "doubles", "resends", "polls-on", "reuses-ids"]
TEXTS = ("One.", "Two.", "Three.", "bye")
ENDS = {"chat_session_ended", "chat_session_inactivity_timeout"}
Event = dict[str, Any]


class GoneError(Exception):
    """A poll was refused because the chat does not exist."""


class PlainClient:
    def __init__(self, http: VirtualHttp, bug: Bug = "") -> None:
        self.http, self.bug = http, bug
        self.chat = ""
        self.received: list[str] = []
        self.unread: list[Event] = []
        self.seen: set[str] = set()
        self.arrived: set[str] = set()
        self.is_over = False
        self.count = 0

    def ask(self, method: Any, path: str, body: Any = None) -> Any:
        """Return the JSON of a successful reply, or None for any failure."""
        self.count += 1
        http = self.http
        url = f"{http.url}/clientweb/api/v2/{path}?tenantUrl={http.tenant_url}&_={self.count}"
        who = f'MOBILE-API-140-327-PLAIN appId="{http.app_id}", clientId="{http.client_id}"'
        headers = {"Authorization": who, "Cache-Control": "no-cache"}
        data = b"" if body is None else json.dumps(body).encode()
        try:
            reply = http.request(method, url, headers=headers, body=data)
            value = json.loads(reply.body or b"{}")
        except (OSError, ValueError):
            return None
        if reply.status == 404 and value.get("error_code") in {None, "5005"}:
            if (method, path) == ("GET", f"{self.chat}/events"):
                raise GoneError
            return {"events": []}  # the last events may still wait for a poll
        return value if reply.status == 200 and isinstance(value, dict) else None

    def retry(self, method: Any, path: str, body: Any = None) -> Any:
        """Repeat `ask` with growing delays until it succeeds."""
        delay = 1.0
        while (value := self.ask(method, path, body)) is None:
            self.http.sleep(delay)
            delay = min(2 * delay, 30.0)
        return value

    def run(self) -> list[str]:
        self.chat = f"chats/{self.retry('POST', 'chats', {})['chat_id']}"
        try:
            self.ask_history()
            for number, text in enumerate(TEXTS):
                if not self.is_over:
                    self.poll()
                if not self.is_over:
                    self.say(str(1 if self.bug == "reuses-ids" else 2 * number + 1), text)
            while not self.is_over or self.bug == "polls-on":
                self.poll()
        except GoneError:
            self.is_over = True
        return self.received

    def say(self, msg_id: str, text: str) -> None:
        """Post a text until it has arrived: after a failure, the history decides."""
        event = {"event": "chat_session_message", "msg_id": msg_id, "msg": text}
        while self.ask("POST", f"{self.chat}/events", {"events": [event]}) is None:
            self.http.sleep(3.0)
            if self.bug != "resends":
                self.ask_history()
            if msg_id in self.arrived:
                return

    def poll(self) -> None:
        reply = self.ask("GET", f"{self.chat}/events")
        if reply is None:
            self.http.sleep(3.0)
            self.ask_history()
        else:
            self.take(reply["events"], doubles=self.bug == "doubles")
            self.http.sleep(1.0)
            if self.unread and not self.is_over:
                self.ask("POST", f"{self.chat}/events", {"events": self.unread})
                self.unread = []

    def ask_history(self) -> None:
        self.take(self.retry("GET", f"{self.chat}/history")["events"])

    def take(self, events: list[Event], *, doubles: bool = False) -> None:
        for event in events:
            is_own = event.get("party_id") in {None, self.chat.removeprefix("chats/")}
            self.is_over |= event["event"] in ENDS or event.get("state") == "failed"
            if event["event"] != "chat_session_message":
                continue
            if is_own:
                self.arrived.add(str(event["msg_id"]))
            elif doubles or event["msg_id"] not in self.seen:
                self.seen.add(event["msg_id"])
                self.received.append(event["msg"])
                read = {"event": "chat_session_message_read", "ref_msg_id": event["msg_id"]}
                self.unread.append(read)
