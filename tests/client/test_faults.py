"""Random network faults and restarts: no message is lost or sent twice."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from chatfsm import effects
from chatfsm._client.client import ChatClient
from chatfsm.testing._client_world import FATES, ClientWorld
from chatfsm.testing.machines import CLIENT_SETTINGS, ENDPOINT, ClientMachine, OpeningMachine

ACTIONS = st.one_of(
    st.sampled_from([("send_text",), ("agent_writes",), ("agent_shows_form",)]),
    st.sampled_from([("wait", 0.0), ("tick",), ("wait", 3.0), ("wait", 1_000.0)]),
    st.sampled_from([("decide", fate) for fate in FATES]),
    st.sampled_from([("restart", True), ("restart", False)]),
)
ACTIONS = st.lists(ACTIONS, min_size=5, max_size=60)


class WatchedMachine(ClientMachine):
    """The public machine, which also checks that no message fails and each is confirmed."""

    version = 2

    def make_client(self) -> ChatClient:
        return ChatClient(evolve(ENDPOINT, version=self.version), settings=CLIENT_SETTINGS)

    def check_agreement(self) -> None:
        super().check_agreement()
        reported = self.world.effects
        assert not [e for e in reported if isinstance(e, effects.MessageFailed)]
        opened = [e.form.request_id for e in reported if isinstance(e, effects.FormOpened)]
        assert len(opened) == len(set(opened))
        session = self.world.client.session
        assert session is not None
        assert set(session.outbox.values()) <= {"sent"}
        if self.is_ending:
            assert self.world.center.received[-1]["event"] == "chat_session_end"
            assert isinstance(reported[-1], effects.Terminated)


class FirstVersionMachine(WatchedMachine):
    """The same with version 1 of the API, which answers a POST with events."""

    version = 1


class JoiningMachine(OpeningMachine):
    """A client that is given the id of a chat."""

    def make_client(self) -> ChatClient:
        return ChatClient(ENDPOINT, settings=CLIENT_SETTINGS, chat_id="chat-1")


TestClient = WatchedMachine.TestCase
TestFirstVersion = FirstVersionMachine.TestCase
TestOpening = OpeningMachine.TestCase
TestJoining = JoiningMachine.TestCase


def run_actions(actions: list[tuple[Any, ...]], version: int = 2) -> ClientWorld:
    """Run a list of actions, then end all faults, and return the world."""
    machine = (FirstVersionMachine, WatchedMachine)[version - 1]()
    for action, *detail in actions:
        getattr(machine, action)(*detail)
    machine.teardown()
    return machine.world


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("fate", FATES)
def test_killed_after_each_fate_of_a_post(fate: str, arrived: bool, version: int) -> None:
    """Each fate of a POST is followed by a restart, and by another during the repetition."""
    actions = [("send_text",), ("decide", "answered"), ("decide", fate), ("restart", arrived)]
    more = [("send_text",), ("wait", 0.0), ("wait", 0.0), ("restart", not arrived)]
    world = run_actions([*actions, *more, ("agent_writes",)], version)
    assert len(world.sent_texts) == 2


@pytest.mark.parametrize("end", [("restart", True), ("decide", "broken off")])
def test_events_for_a_broken_poll(end: tuple[Any, ...]) -> None:
    """The server delivers events to a broken poll after the history was read."""
    world = run_actions([end, ("wait", 0.0), ("decide", "answered"), ("agent_writes",)])
    assert world.received_texts == ["answer 0"]


@settings(max_examples=25)
@given(ACTIONS)
def test_the_same_inputs_have_the_same_requests(actions: list[tuple[Any, ...]]) -> None:
    """Two clients with the same inputs have the same requests."""
    first, second = run_actions(actions), run_actions(actions)
    assert first.requests == second.requests
    assert first.now == second.now
    assert first.snapshot == second.snapshot
