"""The typed example under tests/typed runs; .ci/run checks its types."""

from __future__ import annotations

from typing import get_args

from chatfsm import client_effects, decode, effects, events
from tests.typed.exhaustive import (
    embed,
    kind_of_client_effect,
    kind_of_effect,
    kind_of_event,
)


def test_the_example_runs() -> None:
    """The program that the type checkers read works."""
    body = b'{"events": [{"event": "chat_session_status", "state": "queued", "ewt": "3"}]}'
    assert embed(body, now=1.0) == ["lifecycle", "lifecycle"]


def test_the_example_knows_events() -> None:
    """A decoded event matches its case."""
    [event] = decode([{"event": "chat_session_typing", "party_id": "A"}])
    assert kind_of_event(event) == "presence"
    assert len(get_args(events.Event)) == 28


def test_the_example_knows_effects() -> None:
    """An effect of a session matches its case."""
    assert kind_of_effect(effects.WarningRaised("hm")) == "warning"
    assert len(get_args(effects.Effect)) == 31


def test_the_example_knows_client_effects() -> None:
    """An effect of a client matches its case, and so does one of its session."""
    assert kind_of_client_effect(client_effects.LinkChanged("live")) == "live"
    assert kind_of_client_effect(effects.WarningRaised("hm")) == "warning"
    assert len(get_args(client_effects.ClientEffect)) == 37
