"""`ContactCenter`: HTTP requests in, replies out, in the time of the caller."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from types import MappingProxyType
from typing import Any, Final

from attrs import evolve

from chatfsm.simulator import chat_events, polling
from chatfsm.simulator.agent_pool import AgentPool
from chatfsm.simulator.auth import authenticate
from chatfsm.simulator.chat_events import send_events
from chatfsm.simulator.handlers import find_route
from chatfsm.simulator.http_api import ApiCall, RefusedError, error_reply, parse_request
from chatfsm.simulator.player import ScenarioPlayer
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.state import CenterChat, CenterState, OnEvent, Player, PlayerFactory
from chatfsm.simulator.tenants import Tenant, domain_of
from chatfsm.transport import HttpReply, HttpRequest

__all__ = ["ContactCenter"]

_LATEST_VERSION: Final = 2
# A player does all that is due in one call. One whose next step is always due at once waits for the
# next `collect` after so many rounds, so that no call runs for ever.
_MAX_ROUNDS: Final = 100


class ContactCenter:
    """A contact center of one or several tenants that speaks both versions of the API, without IO.

        center = ContactCenter([tenant])
        reply = center.handle(request, now=0.0)

    Every method takes `now`, in seconds from 0. Call `collect` after each other method, and at
    `deadline`. The same calls with the same `seed` give the same replies. `on_event` is called with
    the chat's id and each event. `make_player` makes the player of a new chat. Raises ValueError if
    two tenants have the same url.
    """

    def __init__(
        self,
        tenants: Iterable[Tenant],
        settings: CenterSettings | None = None,
        *,
        seed: int = 0,
        on_event: OnEvent | None = None,
        make_player: PlayerFactory = ScenarioPlayer,
    ) -> None:
        tenants_given = list(tenants)
        by_url = {domain_of(tenant.url): tenant for tenant in tenants_given}
        if len(by_url) < len(tenants_given):
            raise ValueError("tenants must have different urls, whatever their case")
        self._state = CenterState(
            by_url,
            settings or CenterSettings(),
            seed,
            make_player,
            on_event,
            {tenant.url: AgentPool(list(tenant.agents)) for tenant in tenants_given},
        )

    @property
    def settings(self) -> CenterSettings:
        """The settings of the center."""
        return self._state.settings

    @property
    def tenants(self) -> Mapping[str, Tenant]:
        """The tenants by their domains, in lower case; read-only."""
        return MappingProxyType(self._state.tenants)

    @property
    def chats(self) -> Mapping[str, CenterChat]:
        """All chats that the center keeps, by chat id; read-only."""
        return MappingProxyType(self._state.chats)

    @property
    def on_event(self) -> OnEvent | None:
        """The callback with the chat's id and each event; may be set at any time."""
        return self._state.on_event

    @on_event.setter
    def on_event(self, on_event: OnEvent | None) -> None:
        self._state.on_event = on_event

    @property
    def wall_clock(self) -> float:
        """Seconds since 1970 by the center's clock, at the last call of `handle` or `collect`."""
        return self._state.wall_clock

    @property
    def deadline(self) -> float | None:
        """The time of the next call of `collect`; None: nothing is due."""
        state = self._state
        if state.ready_replies or state.answerable:
            return state.now
        return _next_alarm_at(state)

    def handle(self, request: HttpRequest, *, now: float) -> HttpReply | None:
        """Return the reply to a request, or None for a poll that `collect` answers later."""
        self._advance(now)
        call: ApiCall | None = None
        try:
            call = parse_request(request)
            route = find_route(call)
            client = authenticate(self._state, call, route)
            reply = route.handler(self._state, call, client)
        except RefusedError as refused:
            reply = error_reply(request.id, refused, call.version if call else _LATEST_VERSION)
        self._wake_players()
        if reply is not None and call is not None and call.new_cookie:
            reply = evolve(reply, headers={**reply.headers, "set-cookie": call.new_cookie})
        return reply

    def collect(self, *, now: float) -> list[HttpReply]:
        """Do what is due by `now`, and return the replies of held polls."""
        self._advance(now)
        state = self._state
        for chat in [state.chats[name] for name in state.answerable if name in state.chats]:
            polling.answer_held_poll(state, chat)
        state.answerable.clear()
        self._wake_players()
        ready, state.ready_replies = state.ready_replies, []
        return ready

    def send_event(self, chat_id: str, event: Mapping[str, Any], *, now: float) -> None:
        """Send an event in a chat, beside what its player sends.

        Raises KeyError for an unknown chat, and ValueError if the chat is over or the event has no
        name or is not JSON.
        """
        self._advance(now)
        chat = self._state.chats[chat_id]
        if chat.is_over:
            raise ValueError(f"cannot send an event in chat {chat_id}: it is over")
        if not isinstance(event.get("event"), str):
            raise ValueError("event must have a field named event that is a string")  # noqa: TRY004  # the value is wrong, not its type
        json.dumps(dict(event), allow_nan=False)
        send_events(self._state, chat, [event])
        self._wake_players()

    def replace_player(self, chat_id: str, player: Player, *, now: float) -> None:
        """Give a chat another player. The earlier one is closed, and its agents are free.

        Raises KeyError for an unknown chat, and ValueError if the chat is over.
        """
        self._advance(now)
        state = self._state
        chat = state.chats[chat_id]
        if chat.is_over:
            raise ValueError(f"cannot replace the player of chat {chat_id}: it is over")
        del state.chats_by_waiter[chat.player]
        chat.player.close(now=state.now)
        chat.player = player
        state.chats_by_waiter[player] = chat
        send_events(state, chat, player.start(now=state.now))
        self._wake_players()

    def abort_poll(self, request_id: int, *, now: float) -> None:
        """Note that the connection of a held poll broke; other request ids change nothing."""
        self._advance(now)
        polling.disconnect_poll(self._state, request_id)
        self._wake_players()

    def restart(self, *, now: float) -> list[int]:
        """Restart the server, and return the ids of requests whose connection breaks.

        Sessions and histories survive. Events that no poll has delivered are in the history only.
        """
        self._advance(now)
        broken = polling.disconnect_all_polls(self._state)
        self._wake_players()
        return broken

    def jump_clock(self, seconds: float) -> None:
        """Move the wall clock, which only timestamps show, by some seconds."""
        self._state.clock_jump += seconds

    def _advance(self, now: float) -> None:
        """Do everything that is due by `now`; earlier times count as the latest one."""
        state = self._state
        state.now = max(state.now, now)
        for _ in range(_MAX_ROUNDS):
            found = _due_chats(state)
            for chat in found:
                self._check_chat(chat)
            self._wake_players()
            if not found:
                return

    def _check_chat(self, chat: CenterChat) -> None:
        state = self._state
        due_at = None if chat.is_over else chat.player.deadline
        if due_at is not None and due_at <= state.now:
            send_events(state, chat, chat.player.wake(now=state.now))
        if not chat.is_over:
            chat_events.check_inactivity(state, chat)
        polling.answer_held_poll(state, chat)
        _set_alarm(state, chat)

    def _wake_players(self) -> None:
        """Wake the players that the agent pools notify, then set the alarms of changed chats."""
        state = self._state
        for _ in range(_MAX_ROUNDS):
            waiters = [
                waiter for agents in state.agent_pools.values() for waiter in agents.take_notified()
            ]
            for waiter in waiters:
                chat = state.chats_by_waiter.get(waiter)
                if chat is not None:
                    send_events(state, chat, chat.player.wake(now=state.now))
            if not waiters:
                break
        for chat in [state.chats[name] for name in state.dirty if name in state.chats]:
            _set_alarm(state, chat)
            if chat.held_poll is not None and chat.pending:
                state.answerable[chat.chat_id] = None
        state.dirty.clear()


# Alarms: a heap of the times at which chats are due, so that quiet chats cost nothing.

# Fewer outdated alarms than this are left in the heap.
_STALE_ALLOWED: Final = 64


def _set_alarm(state: CenterState, chat: CenterChat) -> None:
    """Set the chat's alarm to the earliest of its deadlines."""
    deadlines = [chat.held_poll.until] if chat.held_poll else []
    if not chat.is_over:
        deadlines += chat_events.inactivity_deadlines(state, chat)
        deadlines += [] if chat.player.deadline is None else [chat.player.deadline]
    at = min(deadlines, default=None)
    if at == chat.alarm_at:
        return
    chat.alarm_at = at
    if at is not None:
        state.alarm_count += 1
        heappush(state.alarms, (at, state.alarm_count, chat.chat_id))
        _drop_stale_alarms(state)


def _next_alarm_at(state: CenterState) -> float | None:
    """Return the time of the next alarm; outdated alarms are removed."""
    while state.alarms:
        at, _, chat_id = state.alarms[0]
        chat = state.chats.get(chat_id)
        if chat is not None and chat.alarm_at == at:
            return at
        heappop(state.alarms)
    return None


def _drop_stale_alarms(state: CenterState) -> None:
    """Remove the outdated alarms once they are most of the heap."""
    if len(state.alarms) > 2 * len(state.chats) + _STALE_ALLOWED:
        state.alarms = [
            entry
            for entry in state.alarms
            if entry[2] in state.chats and state.chats[entry[2]].alarm_at == entry[0]
        ]
        heapify(state.alarms)


def _due_chats(state: CenterState) -> list[CenterChat]:
    """Return the chats that are due now, each once, in the order of their alarms."""
    found = []
    while (at := _next_alarm_at(state)) is not None and at <= state.now:
        chat = state.chats[heappop(state.alarms)[2]]
        chat.alarm_at = None
        found.append(chat)
    return found
