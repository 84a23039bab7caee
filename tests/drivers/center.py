"""A contact center of a few lines: its chats, and an agent who answers by script."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import count
from typing import Any

from attrs import define, field

AGENT = "AGENT-1"
GREETING = "Good morning, this is Ada."
GONE = 404, b'{"error_code": "5005", "error_message": "no such session"}'
BASE = re.compile(r"/clientweb/api/v([12])/(.*)")


@define(eq=False)
class Room:
    """One chat, from the center's end."""

    chat_id: str
    version: int
    pending: list[dict[str, Any]] = field(factory=list)
    """What the next poll brings."""
    past: list[dict[str, Any]] = field(factory=list)
    received: list[dict[str, Any]] = field(factory=list)
    """What the customer posted, in order."""
    is_over: bool = False
    wake: Callable[[], object] = lambda: None
    _numbers: count[int] = field(factory=lambda: count(2, 2))
    _clock: count[int] = field(factory=lambda: count(1_700_000_000))

    def tell(self, event: str, **fields: Any) -> None:
        """Let something happen, which the next poll brings."""
        told = {"event": event, **fields}
        if event not in {"chat_session_status", "chat_session_ended", "chat_session_typing"}:
            told["timestamp"] = str(next(self._clock))
            self.past.append(told)
        self.pending.append(told)
        self.is_over |= event == "chat_session_ended"
        self.wake()

    def says(self, text: str) -> None:
        """The agent says something."""
        number = str(next(self._numbers))
        self.tell("chat_session_message", party_id=AGENT, msg_id=number, msg=text)

    def hear(self, event: dict[str, Any]) -> None:
        """The customer said something."""
        self.received.append(event)
        if "msg_id" in event:
            stamp = str(next(self._clock))
            self.past.append({**event, "party_id": self.chat_id, "timestamp": stamp})

    @property
    def texts(self) -> list[str]:
        """What the customer wrote."""
        return [event["msg"] for event in self.received if event["event"].endswith("_message")]


Script = Callable[[Room, dict[str, Any]], None]


def opening(room: Room) -> None:
    """The agent joins, and greets."""
    room.tell("chat_session_status", state="connected", ewt="0")
    room.tell("chat_session_party_joined", party_id=AGENT, display_name="Ada", type="internal")
    room.says(GREETING)


def obliging(room: Room, event: dict[str, Any]) -> None:
    """The agent says what the customer said, shows forms and ends when told so."""
    match event:
        case {"event": "chat_session_end"}:
            room.tell("chat_session_ended")
        case {"event": "chat_session_message", "msg": "a form, please"}:
            room.tell("chat_session_form_show", form_request_id="7", form_name="survey")
        case {"event": "chat_session_message", "msg": text}:
            room.tell("chat_session_typing", party_id=AGENT)
            room.says(f"You said: {text}")
        case {"event": "chat_session_form_data", "data": data}:
            room.says(f"Thank you for {len(data)} answers.")
        case {"event": "chat_session_file", "file_id": file_id}:
            kind = {"file_type": "attachment", "file_name": "copy.txt"}
            room.tell(
                *("chat_session_file",), party_id=AGENT, msg_id="900", file_id=file_id, **kind
            )


@define(eq=False)
class Center:
    """Chats by the client who has them."""

    script: Script = obliging
    begin: Callable[[Room], None] = opening
    rooms: dict[str, Room] = field(factory=dict)
    files: dict[str, bytes] = field(factory=dict)
    requests: list[str] = field(factory=list)
    """Method and path of each request, as they came."""
    most_polls: int = 0
    """How many polls of one chat were held at once."""
    made: Callable[[Room], None] = lambda _room: None
    """Told of each new chat."""

    def room_of(self, chat_id: str) -> Room | None:
        """The chat with an id."""
        return self.rooms.get(chat_id.removeprefix("CHAT-"))

    def request_chat(self, client_id: str, version: int) -> tuple[int, bytes]:
        """The chat that the client has, or a new one."""
        room = self.rooms.get(client_id)
        is_new = room is None or room.is_over
        if room is None or room.is_over:
            room = self.rooms[client_id] = Room(f"CHAT-{client_id}", version)
            self.made(room)
            self.begin(room)
        properties = {"chat_id": room.chat_id, "state": "connected", "is_new_chat": is_new}
        return 200, json.dumps(properties).encode()

    def upload(self, body: bytes) -> tuple[int, bytes]:
        """Keep a file."""
        file_id = f"file-{len(self.files) + 1}"
        self.files[file_id] = body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
        return 200, json.dumps({"file_id": file_id}).encode()

    def post(self, room: Room, body: bytes) -> tuple[int, bytes]:
        """Hear what a client posts; version 1 answers with events."""
        for event in json.loads(body)["events"]:
            room.hear(event)
            self.script(room, event)
        return 200, b'{"events": []}' if room.version == 1 else b""

    def answer(self, method: str, path: str, client_id: str, body: bytes) -> tuple[int, bytes]:
        """Whatever is answered at once: all but polls."""
        match = BASE.fullmatch(path)
        version, rest = (int(match[1]), match[2]) if match else (2, "")
        match method, rest.split("/"):
            case "POST", ["chats"]:
                return self.request_chat(client_id, version)
            case "GET", ["availability"]:
                return 200, b'{"chat": "available", "ewt": "3"}'
            case "POST", ["files"]:
                return self.upload(body)
            case _, ["chats", chat_id, *rest] if room := self.room_of(chat_id):
                return self.answer_in(room, f"{method} {'/'.join(rest)}", body)
        return GONE

    def answer_in(self, room: Room, what: str, body: bytes) -> tuple[int, bytes]:
        """The same, of one chat."""
        match what.split("/"):
            case ["POST events"]:
                return self.post(room, body)
            case ["GET history"]:
                return 200, json.dumps({"events": room.past}).encode()
            case ["GET files", file_id] if file_id in self.files:
                return 200, self.files[file_id]
        return GONE
