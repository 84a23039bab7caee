"""Hypothesis strategies for a chat: what servers send, apps order and networks do.

    from hypothesis import given
    from chatfsm import ChatSession, decode
    from chatfsm.testing import strategies as chats

    @given(chats.server_sessions())
    def test_my_bot(polls):
        ...

Functions return a `SearchStrategy`, take keyword arguments and say what they draw and shrink to:

- single values: `party_ids`, `message_ids`, `texts`, `timestamps`, `pauses`, `odd_json`,
  `hostile_json`;
- JSON of the wire: `wire_events` has all fields, `quirky_wire_events` the spellings of real
  servers, `odd_wire_events` missing and invalid fields, `hostile_wire_events` harmful ones;
  `wire_signals`, `past_wire_events`, `wire_histories`; `reply_bodies` and `hostile_reply_bodies`
  are bytes;
- typed values: `events`, `quirky_events`, `odd_events`, `hostile_events`, `signals`, `commands`,
  `odd_commands`, `send_results`, `ticks`, `losses`, `histories`; `inputs` draws from all;
- whole runs: `server_sessions`, `journals`, `odd_journals`;
- faults of a network: `faults`, `fault_plans`, `fault_specs`.

Ids are few, so that they repeat; the customer is "chat-1". Needs hypothesis (extra `testing`).
"""

from __future__ import annotations

from chatfsm.adapters._base import missing_library

try:
    import hypothesis as _hypothesis  # noqa: F401  # the check names the extra
except ImportError:
    raise missing_library("hypothesis", extra="testing") from None

from chatfsm.testing.strategies._inputs import (
    commands,
    events,
    hostile_events,
    losses,
    odd_commands,
    odd_events,
    quirky_events,
    send_results,
    signals,
    ticks,
    with_exact_times,
)
from chatfsm.testing.strategies._records import (
    Topic,
    fault_plans,
    fault_specs,
    faults,
    histories,
    inputs,
    journals,
    odd_journals,
    past_wire_events,
    wire_histories,
)
from chatfsm.testing.strategies._sessions import Poll, server_sessions
from chatfsm.testing.strategies._values import (
    hostile_json,
    message_ids,
    odd_json,
    party_ids,
    pauses,
    texts,
    timestamps,
)
from chatfsm.testing.strategies._wire import (
    hostile_reply_bodies,
    hostile_wire_events,
    odd_wire_events,
    quirky_wire_events,
    reply_bodies,
    wire_events,
    wire_signals,
)

__all__ = [
    "Poll",
    "Topic",
    "commands",
    "events",
    "fault_plans",
    "fault_specs",
    "faults",
    "histories",
    "hostile_events",
    "hostile_json",
    "hostile_reply_bodies",
    "hostile_wire_events",
    "inputs",
    "journals",
    "losses",
    "message_ids",
    "odd_commands",
    "odd_events",
    "odd_journals",
    "odd_json",
    "odd_wire_events",
    "party_ids",
    "past_wire_events",
    "pauses",
    "quirky_events",
    "quirky_wire_events",
    "reply_bodies",
    "send_results",
    "server_sessions",
    "signals",
    "texts",
    "ticks",
    "timestamps",
    "wire_events",
    "wire_histories",
    "wire_signals",
    "with_exact_times",
]
