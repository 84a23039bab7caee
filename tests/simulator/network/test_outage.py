"""An outage of the center that loses its pending events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatfsm.simulator.faults import Faults
from chatfsm.simulator.network import subject_of
from chatfsm.simulator.world import World
from chatfsm.transport import HttpReply, HttpRequest

Worlds = Callable[..., World]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("away", ["refuse", "503/5001"])
def test_events_lost_in_an_outage_are_reported(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, away: str, version: int
) -> None:
    """Events lost by a restart in an outage are reported from one history; no poll broke."""
    world = worlds(hold=5.0, poll_timeout=600.0)
    center: Any = world.center
    customer = world.add_customer("a-client", version=version)
    customer.open_chat()
    world.run_until(lambda: customer.received_texts)
    world.run_until(lambda: center.chats[customer.chat_id].held_poll is not None)
    seen: list[str] = []
    handle = center.handle

    def handled(request: HttpRequest, *, now: float) -> HttpReply | None:
        seen.append(subject_of(request))
        return handle(request, now=now)

    monkeypatch.setattr(center, "handle", handled)
    world.network.faults = Faults.parse(away)
    world.run(20.0)
    before = world.network.request_count
    event = {"event": "chat_session_message", "party_id": "A", "msg": "are you there?"}
    center.send_event(customer.chat_id, event, now=world.now)
    assert center.restart(now=world.now) == [], "no poll is held, so none breaks"
    center.chats[customer.chat_id].has_lost_events = False  # the center reports none
    world.run(200.0)
    assert seen == []
    assert world.network.request_count - before <= 20, "no more than one in ten seconds"
    world.network.faults = Faults()
    world.run(60.0)
    assert customer.received_texts[-1] == "are you there?"
    assert seen[0] == "history"
    assert seen.count("history") == 1
