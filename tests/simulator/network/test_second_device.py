"""Two devices of one customer in one chat: nothing is lost, and nothing is reported wrongly."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatfsm import effects
from chatfsm.simulator.faults import Faults
from chatfsm.simulator.world import World
from tests.simulator.network.test_world import accepted_texts, customer_with_a_chat

Worlds = Callable[..., World]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("fault", ["drop-request:post@1", "drop-reply:post@1", "reset:post@1"])
def test_a_second_device_whose_post_is_dropped(worlds: Worlds, version: int, fault: str) -> None:
    """The texts of both arrive once, each is confirmed by its id, and both devices see all."""
    world = worlds()
    first = customer_with_a_chat(world, version=version, token="first")
    first.send_text("from the phone")
    world.run_until(lambda: "You said: from the phone" in first.received_texts)
    first.kill()
    world.network.faults = Faults.parse(fault)
    second = world.add_customer("a-client", version=version, token="second")
    second.open_chat()
    world.run_until(lambda: second.session is not None)
    second.send_text("from the desk")
    world.run(60.0)
    assert accepted_texts(first) == ["from the phone", "from the desk"]
    assert second.session is not None
    assert list(second.session.outbox) == ["second:1"]
    assert set(second.session.outbox.values()) <= {"sent", "delivered", "read"}
    assert "You said: from the desk" in second.received_texts
    confirmed = [e.msg_id for e in second.effects if isinstance(e, effects.MessageSent)]
    assert confirmed == ["second:1"]
    own = [
        effect.message.text
        for effect in second.effects
        if isinstance(effect, effects.MessageReceived) and effect.message.own
    ]
    assert own == ["from the phone"]
