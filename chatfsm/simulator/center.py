"""The contact center: requests in, replies out, and a time for each."""

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
from chatfsm.simulator.handlers import find_method
from chatfsm.simulator.http_api import ApiCall, RefusedError, error_reply, parse_request
from chatfsm.simulator.player import ScenarioPlayer
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.state import CenterChat, CenterState, OnEvent, PlayerFactory
from chatfsm.simulator.tenants import Tenant
from chatfsm.transport import HttpReply, HttpRequest

__all__ = ["ContactCenter", "due_chats", "next_alarm_at", "set_alarm"]

_LATEST_VERSION: Final = 2
# A play whose next step is always due at once would never let go; what is due after so many waits
# for the next `collect`. A play does all that is due in one.
_MAX_ROUNDS: Final = 100


class ContactCenter:
    """A server of both versions of the API, without IO: told what is asked, and when.

    Call `collect` after each of the others, and when `deadline` has come. The same requests at the
    same times, with the same `seed`, get the same replies. `make_play` makes what plays the
    center's part in a chat. Raises ValueError for two tenants with one domain.
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
        by_url = {tenant.url.lower(): tenant for tenant in tenants_given}
        if len(by_url) < len(tenants_given):
            raise ValueError("two tenants have the same url")
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
        """How it behaves."""
        return self._state.settings

    @property
    def chats(self) -> Mapping[str, CenterChat]:
        """All chats that are kept, by their ids: to be read."""
        return MappingProxyType(self._state.chats)

    @property
    def deadline(self) -> float | None:
        """When to call `collect`; None: nothing will happen by itself."""
        state = self._state
        if state.ready_replies or state.answerable:
            return state.now
        return next_alarm_at(state)

    def handle(self, request: HttpRequest, *, now: float) -> HttpReply | None:
        """Answer a request, whatever it is; None: a poll that waits, and is answered later."""
        self._advance(now)
        call: ApiCall | None = None
        try:
            call = parse_request(request)
            method = find_method(call)
            client = authenticate(self._state, call, method)
            reply = method.handler(self._state, call, client)
        except RefusedError as refused:
            reply = error_reply(request.id, refused, call.version if call else _LATEST_VERSION)
        self._wake_players()
        if reply is not None and call is not None and call.new_cookie:
            reply = evolve(reply, headers={**reply.headers, "set-cookie": call.new_cookie})
        return reply

    def collect(self, *, now: float) -> list[HttpReply]:
        """Let happen what is due, and give the replies of polls that need wait no longer."""
        self._advance(now)
        state = self._state
        for chat in [state.chats[name] for name in state.answerable if name in state.chats]:
            polling.answer_held_poll(state, chat)
        state.answerable.clear()
        self._wake_players()
        ready, state.ready_replies = state.ready_replies, []
        return ready

    def send_event(self, chat_id: str, event: Mapping[str, Any], *, now: float) -> None:
        """Let somebody of the center do something, by hand.

        Raises KeyError for a chat that is not there, ValueError for one that is over, and for what
        is no event.
        """
        self._advance(now)
        chat = self._state.chats[chat_id]
        if chat.is_over:
            raise ValueError(f"cannot tell chat {chat_id} anything: it is over")
        if not isinstance(event.get("event"), str):
            raise ValueError("what is told must name its event")  # noqa: TRY004  # it is a value
        json.dumps(dict(event), allow_nan=False)
        send_events(self._state, chat, [event])
        self._wake_players()

    def abort_poll(self, request_id: int, *, now: float) -> None:
        """The connection of a held poll broke; for any other request nothing follows."""
        self._advance(now)
        polling.disconnect_poll(self._state, request_id)
        self._wake_players()

    def restart(self, *, now: float) -> list[int]:
        """Restart the server: the ids of requests whose connection breaks.

        Sessions and histories survive; what no poll has brought is in the histories only.
        """
        self._advance(now)
        broken = polling.disconnect_all_polls(self._state)
        self._wake_players()
        return broken

    def jump_clock(self, seconds: float) -> None:
        """Let the wall clock jump: timestamps, and nothing else."""
        self._state.clock_jump += seconds

    def _advance(self, now: float) -> None:
        """All that is due until now happens; time never goes back."""
        state = self._state
        state.now = max(state.now, now)
        for _ in range(_MAX_ROUNDS):
            found = due_chats(state)
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
        set_alarm(state, chat)

    def _wake_players(self) -> None:
        """Wake the plays whose agents are free, and see when what was stirred is due next."""
        state = self._state
        for _ in range(_MAX_ROUNDS):
            called = [
                play for agents in state.agent_pools.values() for play in agents.take_notified()
            ]
            for play in called:
                chat = state.chats_by_waiter.get(play)
                if chat is not None:
                    send_events(state, chat, chat.player.wake(now=state.now))
            if not called:
                break
        for chat in [state.chats[name] for name in state.dirty if name in state.chats]:
            set_alarm(state, chat)
            if chat.held_poll is not None and chat.pending:
                state.answerable[chat.chat_id] = None
        state.dirty.clear()


# When to look at which chat: a heap, so that thousands of quiet chats cost nothing.

# So many alarms that are out of date are not worth tidying up.
_STALE_ALLOWED: Final = 64


def set_alarm(state: CenterState, chat: CenterChat) -> None:
    """Look at the chat again when something of it is due next."""
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


def next_alarm_at(state: CenterState) -> float | None:
    """When the next chat is due; what is out of date is thrown away."""
    while state.alarms:
        at, _, chat_id = state.alarms[0]
        chat = state.chats.get(chat_id)
        if chat is not None and chat.alarm_at == at:
            return at
        heappop(state.alarms)
    return None


def _drop_stale_alarms(state: CenterState) -> None:
    """Throw away all that is out of date, where it is most of the heap."""
    if len(state.alarms) > 2 * len(state.chats) + _STALE_ALLOWED:
        state.alarms = [
            entry
            for entry in state.alarms
            if entry[2] in state.chats and state.chats[entry[2]].alarm_at == entry[0]
        ]
        heapify(state.alarms)


def due_chats(state: CenterState) -> list[CenterChat]:
    """The chats that are due now, each once, in the order of their times."""
    found = []
    while (at := next_alarm_at(state)) is not None and at <= state.now:
        chat = state.chats[heappop(state.alarms)[2]]
        chat.alarm_at = None
        found.append(chat)
    return found
