"""The agents, in a process of their own: each sends a message now and then, and counts."""

from __future__ import annotations

import json
import resource
import sys
from math import ceil
from typing import Any

from chatfsm.simulator.scenario import Await, Pause, Say, Scenario, ScenarioStep, Tell
from tests.drivers.center import Server, texts_of

HOLD = 10.0


def talking(seconds: float, every: float) -> Scenario:
    """Each customer gets a message at once, and one per interval, until the time is over."""
    times = ceil(seconds / every)
    news: list[ScenarioStep] = []
    for number in range(times):
        news += [Say(f"news {number}"), Pause(every)]
    connected = Tell({"event": "chat_session_status", "state": "connected", "ewt": "0"})
    last = Say(f"the last of {times}")
    return Scenario("talking", (connected, *news, last, Await("chat_session_end")))


def ledger(server: Server) -> dict[str, Any]:
    """Return the counts of the events of all customers."""
    texts_by_chat = [texts_of(chat) for chat in server.chats]
    in_order = [texts == [f"line {n}" for n in range(len(texts))] for texts in texts_by_chat]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "chats": len(texts_by_chat),
        "ended": sum(chat.is_over for chat in server.chats),
        "lines": sum(map(len, texts_by_chat)),
        "chats whose lines came once each and in order": sum(in_order),
        "requests": len(server.requests),
        # The center refuses a second one, and then more than one was tried.
        "most polls of one chat at once": 1 + bool(server.refused_polls),
        "cpu seconds": round(usage.ru_utime + usage.ru_stime, 1),
    }


def serve(seconds: float, every: float) -> None:
    """Serve until standard input ends, and then print the counts."""
    with Server(talking(seconds, every), hold=HOLD) as server:
        print(server.url, flush=True)
        sys.stdin.read()
        print(json.dumps(server.server.call_in_loop(lambda: ledger(server))), flush=True)
