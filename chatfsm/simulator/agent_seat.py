"""Agent's seat: a person or a test answers a chat of a center in place of its scenario.

    seat = AgentSeat(center)
    seat.act(chat_id, {"action": "join"}, now=1.0)
    seat.act(chat_id, {"action": "say", "text": "How may I help?"}, now=2.0)

The actions and their fields:

    join          agent (a party id; by default the first of the tenant): takes the chat over
    say           text
    start_typing, stop_typing
    show_form     name; secure (false by default); timeout (seconds, 600 by default, 0 for none)
    transfer      agent (a party id): this agent joins and the one before leaves
    queue         ewt (seconds, 30 by default): the agent leaves, and the customer waits again
    end           how: ended (the default), failed, timed_out

After `queue` the seat may `join` again. If the customer disconnects, the agent leaves and the state
becomes `completed`: the seat may still show a form, such as a survey, and ends the chat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import define, field

from chatfsm._protocol import names as wire
from chatfsm._protocol.structuring import LONGEST_NAME
from chatfsm.errors import LocalProtocolError
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.state import CenterChat
from chatfsm.simulator.tenants import Agent
from chatfsm.simulator.wire_events import (
    WireEvent,
    agent_joined,
    agent_left,
    ended,
    form_shown,
    inactive,
    message,
    not_typing,
    secure_form_shown,
    status,
    typing,
)

__all__ = ["ACTIONS", "AgentSeat", "SeatPlayer"]

# Characters of a message; real servers refuse longer ones.
_MAX_TEXT: Final = 16_384
# Seconds; as in scenarios, a longer time is a wrong unit.
_MAX_SECONDS: Final = 86_400.0
_FORM_TIMEOUT: Final = 600.0
_EWT: Final = 30.0
_STAND_IN: Final = Agent(party_id="00000000-0000-4000-8000-000000000001", display_name="Agent")


@define(eq=False)
class SeatPlayer:
    """The center's side of a chat that a seat has taken over: nothing happens by itself."""

    agent: Agent | None = None
    """The agent of the seat; None: the customer waits, or has left the conversation."""
    form_count: int = 0
    """The number of forms shown."""
    deadline: float | None = field(default=None, init=False)
    """Always None: the player has no steps of its own."""

    def start(self, *, now: float) -> list[WireEvent]:
        """Return no events: the seat acts."""
        del now
        return []

    def receive(self, event: WireEvent, *, now: float) -> list[WireEvent]:
        """Return the agent's leaving if the customer disconnects."""
        del now
        if event["event"] != wire.DISCONNECT:
            return []
        left = [] if self.agent is None else [agent_left(self.agent.party_id)]
        self.agent = None
        return [*left, status("completed", None)]

    def wake(self, *, now: float) -> list[WireEvent]:
        """Return no events: nothing is due."""
        del now
        return []

    def close(self, *, now: float) -> None:
        """Release the agent."""
        del now
        self.agent = None


@define
class AgentSeat:
    """Acts for the agents of a center's chats."""

    center: ContactCenter
    """The center whose chats the agents are in."""

    def act(self, chat_id: str, order: Mapping[str, Any], *, now: float) -> None:
        """Do an action in a chat: `order` has a field `action`, and the fields of the action.

        Raises KeyError for an unknown chat, ValueError for an invalid order, and
        `LocalProtocolError` if the chat is over or has no agent of the seat.
        """
        name = order.get("action")
        if not isinstance(name, str) or name not in ACTIONS:
            raise ValueError(f"action must be one of {', '.join(ACTIONS)}, not {name!a}")
        chat = self.center.chats[chat_id]
        if chat.is_over:
            raise LocalProtocolError(f"cannot {name} in chat {chat_id}: it is over")
        player = chat.player
        if not isinstance(player, SeatPlayer):
            if name not in {"join", "end"}:
                raise LocalProtocolError(_no_agent(name, chat_id))
            player = SeatPlayer()
        parsed = _Order(chat, player, order)
        if name == "join" and chat.player is not player:
            parsed.agent(is_required=False)  # refused before anything changes
            self.center.replace_player(chat_id, player, now=now)
        for event in ACTIONS[name](parsed):
            self.center.send_event(chat_id, event, now=now)


def _no_agent(action: str, chat_id: str) -> str:
    return f"cannot {action} in chat {chat_id}: the agent must join first"


@define
class _Order:
    """An action with its fields, checked when they are read."""

    chat: CenterChat
    player: SeatPlayer
    fields: Mapping[str, Any]

    @property
    def agent_id(self) -> str:
        """The party id of the seat's agent. Raises `LocalProtocolError` if there is none."""
        if self.player.agent is None:
            raise LocalProtocolError(_no_agent(self.fields["action"], self.chat.chat_id))
        return self.player.agent.party_id

    def text(self, name: str) -> str:
        """Return a field that must be a non-empty text."""
        value = self.fields.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
            raise ValueError(f"{name} must be a text of 1 to {_MAX_TEXT} characters")
        return value

    def seconds(self, name: str, default: float) -> float:
        """Return a field that is a number of seconds."""
        value = self.fields.get(name, default)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= _MAX_SECONDS:
            raise ValueError(f"{name} must be from 0 to {_MAX_SECONDS:.0f} seconds, not {value!a}")
        return float(value)

    def flag(self, name: str) -> bool:
        """Return a field that is true or false, false if it is missing."""
        value = self.fields.get(name, False)
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false, not {value!a}")  # noqa: TRY004  # as for all invalid data
        return value

    def agent(self, *, is_required: bool) -> Agent:
        """Return the agent of the tenant that the field `agent` names."""
        agents = self.chat.tenant.agents or (_STAND_IN,)
        wanted = self.fields.get("agent")
        if wanted is None and not is_required:
            return agents[0]
        for agent in agents:
            if agent.party_id == wanted:
                return agent
        known = ", ".join(agent.party_id for agent in agents)
        raise ValueError(f"agent must be one of {known}, not {wanted!a}")


def _join(order: _Order) -> list[WireEvent]:
    if order.player.agent is not None:
        chat_id = order.chat.chat_id
        raise LocalProtocolError(f"cannot join in chat {chat_id}: the seat's agent is there")
    agent = order.agent(is_required=False)
    order.player.agent = agent
    left = [agent_left(party_id) for party_id in order.chat.party_ids]
    return [*left, status("connecting"), agent_joined(agent), status("connected")]


def _say(order: _Order) -> list[WireEvent]:
    return [message(order.text("text"), order.agent_id)]


def _start_typing(order: _Order) -> list[WireEvent]:
    return [typing(order.agent_id)]


def _stop_typing(order: _Order) -> list[WireEvent]:
    return [not_typing(order.agent_id)]


def _show_form(order: _Order) -> list[WireEvent]:
    name = order.text("name")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"name must have at most {LONGEST_NAME} characters")
    is_secure = order.flag("secure")
    timeout = order.seconds("timeout", _FORM_TIMEOUT)
    order.player.form_count += 1
    request_id = f"seat-{order.player.form_count}"
    if is_secure:
        return [secure_form_shown(request_id, name)]
    return [form_shown(request_id, name, timeout)]


def _transfer(order: _Order) -> list[WireEvent]:
    before, agent = order.agent_id, order.agent(is_required=True)
    if agent.party_id == before:
        raise ValueError("agent must be another one than the agent in the chat")
    order.player.agent = agent
    return [agent_joined(agent), agent_left(before)]


def _queue(order: _Order) -> list[WireEvent]:
    before, seconds = order.agent_id, order.seconds("ewt", _EWT)
    order.player.agent = None
    return [agent_left(before), status("queued", f"{seconds:.0f}")]


_ENDS: Final[Mapping[str, WireEvent]] = {
    "ended": ended(),
    "failed": status("failed", None),
    "timed_out": inactive(),
}


def _end(order: _Order) -> list[WireEvent]:
    how = order.fields.get("how", "ended")
    if not isinstance(how, str) or how not in _ENDS:
        raise ValueError(f"how must be one of {', '.join(_ENDS)}, not {how!a}")
    return [_ENDS[how]]


ACTIONS: Final[dict[str, Callable[[Any], list[WireEvent]]]] = {
    "join": _join,
    "say": _say,
    "start_typing": _start_typing,
    "stop_typing": _stop_typing,
    "show_form": _show_form,
    "transfer": _transfer,
    "queue": _queue,
    "end": _end,
}
"""The functions of the actions by name: each returns the events to send."""
