"""World: customers, a network and a center in virtual time, over hours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatfsm import effects
from chatfsm.api import RequestChat
from chatfsm.client_effects import ApiFailed, LinkChanged
from chatfsm.simulator.faults import Faults
from chatfsm.simulator.world import SimulatedCustomer, World
from tests.simulator.network.conftest import world_of

Worlds = Callable[..., World]


def customer_with_a_chat(world: World, **more: Any) -> SimulatedCustomer:
    """Return a customer that has received the agent's greeting."""
    customer = world.add_customer("a-client", **more)
    customer.open_chat()
    world.run_until(lambda: customer.received_texts)
    return customer


def accepted_texts(customer: SimulatedCustomer) -> list[str]:
    """Return the customer's texts that the center accepted."""
    center: Any = customer.world.center
    taken = center.chats[customer.chat_id].customer_events
    return [event["msg"] for event in taken if "msg" in event]


@pytest.mark.parametrize("version", [1, 2])
def test_an_hour_of_chat(worlds: Worlds, version: int) -> None:
    """One text per minute is answered, and then the chat ends once."""
    world = worlds()
    customer = customer_with_a_chat(world, version=version)
    for minute in range(60):
        world.call_at(
            60.0 * minute + 10.0, lambda minute=minute: customer.send_text(f"text {minute}")
        )
    world.run(3_600.0 - world.now)
    assert world.now == 3_600.0
    assert customer.received_texts[1:] == [f"You said: text {minute}" for minute in range(60)]
    customer.end()
    world.run_until(lambda: customer.done, limit=5.0)
    assert [e for e in customer.effects if isinstance(e, effects.Terminated)] == customer.effects[
        -1:
    ]


def test_an_empty_world_has_no_deadline(worlds: Worlds) -> None:
    """A World without customers has no deadline, and its time can be advanced."""
    world = worlds()
    assert world.deadline is None
    world.run(60.0)
    assert world.now == 60.0
    assert "0 customers" in repr(world)


def test_on_step_is_optional() -> None:
    """`on_step` is optional, and faults may be a `Faults` object."""
    plan = Faults.parse("delay=1:post")
    world = World(world_of().center, faults=plan)
    assert world.network.faults == plan
    customer = customer_with_a_chat(world)
    assert len(customer.received_texts) == 1


def test_run_until_has_a_limit(worlds: Worlds) -> None:
    """`run_until` raises after its limit, or if no deadline is left."""
    world = worlds()
    with pytest.raises(TimeoutError, match="not true after 60 s"):
        world.run_until(lambda: False, limit=60.0)
    customer = customer_with_a_chat(world)
    with pytest.raises(TimeoutError):
        world.run_until(lambda: customer.done, limit=60.0)


def test_endless_actions_at_one_moment_are_an_error(worlds: Worlds, monkeypatch: Any) -> None:
    """An action or a center that is always due at once raises an error."""
    monkeypatch.setattr("chatfsm.simulator.world._MAX_ACTIONS_AT_ONCE", 100)
    world, other = worlds(), worlds()

    def again() -> None:
        world.call_at(0.0, again)

    world.call_at(1.0, again)
    with pytest.raises(RuntimeError, match="more than 100 actions at one moment: <World at 1 s"):
        world.run(2.0)

    class AlwaysDue:
        deadline = 2.0

        def collect(self, *, now: float) -> list[Any]:
            return []

    other.network.center = AlwaysDue()  # type: ignore[assignment]
    with pytest.raises(RuntimeError, match="more than 100 actions at one moment: <World at 2 s"):
        other.run(5.0)


@pytest.mark.parametrize("ahead", [None, 0.0, -500.0, 1e6])
@pytest.mark.parametrize("before_sending", [False, True])
def test_a_customer_is_killed_and_restarted(
    worlds: Worlds, before_sending: bool, ahead: float | None
) -> None:
    """On any clock, earlier texts arrive once, and events during the stop are reported."""
    world = worlds()
    customer = customer_with_a_chat(world)
    customer.kill(before_sending=before_sending)
    if before_sending:
        customer.send_text("last words")
    assert not customer.is_alive
    world.run(40.0)
    customer.restart(clock_offset=ahead)
    customer.send_text("back again")
    world.run(60.0)
    texts = ["last words"] * before_sending + ["back again"]
    assert accepted_texts(customer) == texts
    assert customer.received_texts[1:] == [f"You said: {text}" for text in texts]
    assert customer.lives == 2
    assert "life 2" in repr(customer)


def test_killed_before_there_is_a_chat(worlds: Worlds) -> None:
    """The restarted process requests again, and gets the existing chat."""
    world = worlds()
    customer = world.add_customer("a-client")
    customer.open_chat()
    customer.kill()
    world.run(5.0)
    customer.restart()
    world.run(5.0)
    assert len(customer.received_texts) == 1
    other = world.add_customer("another")
    other.kill()
    other.restart()
    assert other.session is None, "no request, so no chat"


def test_a_killed_customer_sends_nothing(worlds: Worlds) -> None:
    """Commands of a stopped customer and restarts of a running one raise an error."""
    world = worlds()
    customer = customer_with_a_chat(world)
    with pytest.raises(RuntimeError, match="customer 1 is running"):
        customer.restart()
    customer.kill()
    with pytest.raises(RuntimeError, match="customer 1 is not running"):
        customer.send_text("boo")
    world.run(60.0)
    assert len(customer.received_texts) == 1


def test_a_killed_customer_receives_no_copies(worlds: Worlds) -> None:
    """The second copy of a reply is dropped, if the first was the last input of the process."""
    world = worlds("twice")
    customer = world.add_customer("a-client")
    world.on_step = lambda one, item, effects: one.kill() if one.session and one.is_alive else None
    customer.open_chat()
    world.run(10.0)
    assert not customer.is_alive
    assert customer.effects


@pytest.mark.parametrize("again", [5.0, None])
def test_a_failed_request_for_a_chat_is_repeated(worlds: Worlds, again: float | None) -> None:
    """The request is repeated after a temporary failure, until there is a chat."""
    world = worlds("refuse:open@1")
    customer = world.add_customer("a-client")
    customer.open_chat(RequestChat(sender="me"), retry_after=again)
    world.run(10.0)
    assert isinstance(customer.effects[0], ApiFailed)
    assert (customer.session is None) == (again is None)


def test_a_retry_after_is_respected(worlds: Worlds) -> None:
    """A Retry-After that is longer than the customer's own delay is used."""
    world = worlds("429=30:open@1")
    customer = world.add_customer("a-client")
    customer.open_chat(retry_after=5.0)
    world.run(29.0)
    assert customer.session is None
    world.run(5.0)
    assert customer.session is not None


def test_a_refused_request_for_a_chat_is_not_repeated(worlds: Worlds) -> None:
    """A stopped customer does not repeat its request either."""
    world = worlds("403/3000:open@1,refuse:open@2")
    first, second = world.add_customer("first"), world.add_customer("second")
    first.open_chat()
    second.open_chat()
    world.run(1.0)
    second.kill()
    world.run(60.0)
    assert first.session is None
    assert world.network.request_count == 2


def test_a_restarted_customer_requests_the_same_chat(worlds: Worlds) -> None:
    """A restarted process repeats the request that had no chat with the same parameters."""
    world = worlds("refuse:open@1")
    customer = world.add_customer("a-client")
    customer.open_chat(RequestChat(phone_number="5550100"))
    world.run(1.0)
    customer.kill()
    customer.restart()
    world.run(1.0)
    [chat] = world.center.chats.values()
    assert chat.phone_number == "5550100"


def test_a_lost_reply_times_out(worlds: Worlds) -> None:
    """The request fails after its timeout, as with an HTTP library, and is cancelled."""
    world = worlds("drop-reply:open@1")
    customer = world.add_customer("a-client")
    customer.open_chat(retry_after=1.0)
    world.run(29.9)
    assert customer.effects == []
    world.run(0.2)
    (refused,) = customer.effects
    assert isinstance(refused, ApiFailed)
    assert "timeout" in str(refused.error)
    world.run_until(lambda: customer.received_texts, limit=5.0)


@pytest.mark.parametrize(
    ("spec", "why"),
    [("reset:poll@3", "reset"), ("refuse:poll@3", "refused"), ("garbage:poll@3", "garbage")],
)
def test_a_broken_exchange_is_a_failure(worlds: Worlds, spec: str, why: str) -> None:
    """The client reports the failure and goes on."""
    world = worlds(spec)
    customer = customer_with_a_chat(world)
    world.run(30.0)
    links = [e for e in customer.effects if isinstance(e, LinkChanged) and e.state == "retrying"]
    assert [why in link.why for link in links] == [True]
    customer.send_text("still there")
    world.run(30.0)
    assert customer.received_texts[-1] == "You said: still there"


def test_forms_typing_and_disconnecting(worlds: Worlds) -> None:
    """Each method of a customer has its effect on the chat."""
    world = worlds()
    customer = customer_with_a_chat(world)
    customer.start_typing()
    customer.send_text("form")
    world.run_until(lambda: customer.forms)
    customer.submit_form(customer.forms[0].request_id, {"name": "me"})
    world.run(5.0)
    assert customer.received_texts[-1] == "Thank you for your answer."
    customer.disconnect()
    world.run_until(lambda: customer.done)


def chat_with_restarts(seed: int, spec: str) -> SimulatedCustomer:
    """Return a customer that sent ten texts and was killed twice, after the faults ended."""
    world = world_of(spec, seed=seed, poll_timeout=1e6)
    customer = world.add_customer("a-client", version=1 + seed % 2, clock_offset=seed * 7.0)
    customer.open_chat()
    world.run_until(lambda: customer.session)
    for number in range(10):
        if not customer.is_alive:
            customer.restart(clock_offset=-float(number))
        customer.send_text(f"text {number}")
        world.run(1.0 + (seed * number) % 13)
        if number in {3, 7}:
            customer.kill()
    world.network.faults = Faults()
    world.run(300.0)
    return customer


@settings(max_examples=12)  # each example is ten minutes of a chat
@given(st.integers(0, 1_000), st.sampled_from(("lossy", "proxy", "sick", "storm")))
def test_nothing_is_lost_or_doubled(seed: int, spec: str) -> None:
    """With any faults and restarts, each text arrives once, in order, and is answered once."""
    customer = chat_with_restarts(seed, spec)
    texts = [f"text {number}" for number in range(10)]
    assert accepted_texts(customer) == texts
    answers = sorted(f"You said: {text}" for text in texts)
    assert (
        sorted(customer.received_texts[1:]) == answers
        or sorted(customer.received_texts)[1:] == answers
    )


def test_the_same_seed_is_the_same_world() -> None:
    """The same seed gives equal bytes, and another seed does not."""
    first, second, other = (
        chat_with_restarts(5, "storm"),
        chat_with_restarts(5, "storm"),
        chat_with_restarts(7, "storm"),
    )
    assert first.effects == second.effects
    assert first.client.snapshot(now=0.0) == second.client.snapshot(now=0.0)
    assert first.effects != other.effects


WORLD_AND_SESSION = """
from chatfsm import ChatSession, commands
from tests.simulator.network.test_world import chat_with_restarts

customer = chat_with_restarts(5, "storm")
print(customer.effects, customer.client.snapshot(now=0.0))
session = ChatSession("chat-1")
session.receive(commands.SendText("a &lt; b", "<i>a</i> &lt;<br>b"), now=0.0)
print(session.snapshot(now=0.0))
"""


def test_another_process_is_the_same_world() -> None:
    """Law L1: nothing depends on the order of a set, which differs between processes."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", WORLD_AND_SESSION],
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
        )
        for seed in ("1", "2", "3")
    ]
    first, *others = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert first
    assert others == [first, first]
