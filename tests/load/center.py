"""The agents, in a process of their own: each says something now and then, and counts."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from typing import Any

from attrs import define, field

from tests.drivers.center import Center, Room
from tests.drivers.server import Server

HOLD = 10.0


@define
class Agents:
    """Whoever talks to the customers, a message each in turn, until the time is over."""

    seconds: float
    every: float
    said: dict[str, int] = field(factory=dict)

    def begin(self, room: Room) -> None:
        """A chat is opened: the first message is said at once, the others one by one."""
        room.tell("chat_session_status", state="connected", ewt="0")
        self.said[room.chat_id] = 0
        loop = asyncio.get_running_loop()
        self._say(room, loop.time() + self.seconds)

    def _say(self, room: Room, until: float) -> None:
        loop = asyncio.get_running_loop()
        number = self.said[room.chat_id]
        self.said[room.chat_id] = number + 1
        if loop.time() < until:
            room.says(f"news {number}")
            loop.call_later(self.every, self._say, room, until)
        else:
            room.says(f"the last of {number}")

    def hear(self, room: Room, event: dict[str, Any]) -> None:
        """A customer has said something."""
        if event["event"] == "chat_session_end":
            room.tell("chat_session_ended")


def ledger(center: Center) -> dict[str, Any]:
    """What the customers have brought, from this end."""
    rooms = center.rooms.values()
    in_order = [room.texts == [f"line {n}" for n in range(len(room.texts))] for room in rooms]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "chats": len(center.rooms),
        "ended": sum(room.is_over for room in rooms),
        "lines": sum(len(room.texts) for room in rooms),
        "chats whose lines came once each and in order": sum(in_order),
        "requests": len(center.requests),
        "most polls of one chat at once": center.most_polls,
        "cpu seconds": round(usage.ru_utime + usage.ru_stime, 1),
    }


def serve(seconds: float, every: float) -> None:
    """Serve until standard input ends, and print the ledger then."""
    agents = Agents(seconds, every)
    server = Server(Center(script=agents.hear, begin=agents.begin), hold=HOLD)
    with server:
        print(server.url, flush=True)
        sys.stdin.read()
        print(json.dumps(server.do(lambda: ledger(server.center))), flush=True)
