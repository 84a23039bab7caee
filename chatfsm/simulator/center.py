"""The contact center: requests in, replies out, and a time for each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from types import MappingProxyType
from typing import Any, Final

from attrs import evolve

from chatfsm.simulator import chat_events, polling
from chatfsm.simulator.agent_pool import Agents
from chatfsm.simulator.auth import admitted
from chatfsm.simulator.chat_events import tell
from chatfsm.simulator.handlers import method_for
from chatfsm.simulator.http_api import Asked, RefusedError, refusal, taken_apart
from chatfsm.simulator.player import Play
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.state import CenterState, Chat, OnEvent, PlayMaker
from chatfsm.simulator.tenants import Tenant
from chatfsm.transport import HttpReply, HttpRequest

__all__ = ["ContactCenter", "due", "next_at", "set_alarm"]

_LATEST: Final = 2
# A play whose next step is always due at once would never let go; what is due after so many waits
# for the next `collect`. A play does all that is due in one.
_MOST_ROUNDS: Final = 100


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
        make_play: PlayMaker = Play,
    ) -> None:
        every = list(tenants)
        by_url = {tenant.url.lower(): tenant for tenant in every}
        if len(by_url) < len(every):
            raise ValueError("two tenants have the same url")
        self._desk = CenterState(
            by_url,
            settings or CenterSettings(),
            seed,
            make_play,
            on_event,
            {tenant.url: Agents(list(tenant.agents)) for tenant in every},
        )

    @property
    def settings(self) -> CenterSettings:
        """How it behaves."""
        return self._desk.settings

    @property
    def chats(self) -> Mapping[str, Chat]:
        """All chats that are kept, by their ids: to be read."""
        return MappingProxyType(self._desk.chats)

    @property
    def deadline(self) -> float | None:
        """When to call `collect`; None: nothing will happen by itself."""
        desk = self._desk
        if desk.ready or desk.answerable:
            return desk.now
        return next_at(desk)

    def handle(self, request: HttpRequest, *, now: float) -> HttpReply | None:
        """Answer a request, whatever it is; None: a poll that waits, and is answered later."""
        self._reach(now)
        asked: Asked | None = None
        try:
            asked = taken_apart(request)
            method = method_for(asked)
            caller = admitted(self._desk, asked, method)
            reply = method.handler(self._desk, asked, caller)
        except RefusedError as refused:
            reply = refusal(request.id, refused, asked.version if asked else _LATEST)
        self._settle()
        if reply is not None and asked is not None and asked.cookie:
            reply = evolve(reply, headers={**reply.headers, "set-cookie": asked.cookie})
        return reply

    def collect(self, *, now: float) -> list[HttpReply]:
        """Let happen what is due, and give the replies of polls that need wait no longer."""
        self._reach(now)
        desk = self._desk
        for chat in [desk.chats[name] for name in desk.answerable if name in desk.chats]:
            polling.answer_held(desk, chat)
        desk.answerable.clear()
        self._settle()
        ready, desk.ready = desk.ready, []
        return ready

    def tell(self, chat_id: str, event: Mapping[str, Any], *, now: float) -> None:
        """Let somebody of the center do something, by hand.

        Raises KeyError for a chat that is not there, ValueError for one that is over, and for what
        is no event.
        """
        self._reach(now)
        chat = self._desk.chats[chat_id]
        if chat.is_over:
            raise ValueError(f"cannot tell chat {chat_id} anything: it is over")
        if not isinstance(event.get("event"), str):
            raise ValueError("what is told must name its event")  # noqa: TRY004  # it is a value
        json.dumps(dict(event), allow_nan=False)
        tell(self._desk, chat, [event])
        self._settle()

    def give_up(self, request_id: int, *, now: float) -> None:
        """The connection of a held poll broke; for any other request nothing follows."""
        self._reach(now)
        polling.break_off(self._desk, request_id)
        self._settle()

    def restart(self, *, now: float) -> list[int]:
        """Restart the server: the ids of requests whose connection breaks.

        Sessions and histories survive; what no poll has brought is in the histories only.
        """
        self._reach(now)
        broken = polling.break_off_all(self._desk)
        self._settle()
        return broken

    def jump(self, seconds: float) -> None:
        """Let the wall clock jump: timestamps, and nothing else."""
        self._desk.skew += seconds

    def _reach(self, now: float) -> None:
        """All that is due until now happens; time never goes back."""
        desk = self._desk
        desk.now = max(desk.now, now)
        for _ in range(_MOST_ROUNDS):
            found = due(desk)
            for chat in found:
                self._look(chat)
            self._settle()
            if not found:
                return

    def _look(self, chat: Chat) -> None:
        desk = self._desk
        due_at = None if chat.is_over else chat.play.deadline
        if due_at is not None and due_at <= desk.now:
            tell(desk, chat, chat.play.wake(now=desk.now))
        if not chat.is_over:
            chat_events.look(desk, chat)
        polling.answer_held(desk, chat)
        set_alarm(desk, chat)

    def _settle(self) -> None:
        """Wake the plays whose agents are free, and see when what was stirred is due next."""
        desk = self._desk
        for _ in range(_MOST_ROUNDS):
            called = [play for agents in desk.agents.values() for play in agents.called()]
            for play in called:
                chat = desk.playing.get(play)
                if chat is not None:
                    tell(desk, chat, chat.play.wake(now=desk.now))
            if not called:
                break
        for chat in [desk.chats[name] for name in desk.stirred if name in desk.chats]:
            set_alarm(desk, chat)
            if chat.poll is not None and chat.news:
                desk.answerable[chat.chat_id] = None
        desk.stirred.clear()


# When to look at which chat: a heap, so that thousands of quiet chats cost nothing.

# So many alarms that are out of date are not worth tidying up.
_FEW: Final = 64


def set_alarm(desk: CenterState, chat: Chat) -> None:
    """Look at the chat again when something of it is due next."""
    moments = [chat.poll.until] if chat.poll else []
    if not chat.is_over:
        moments += chat_events.moments(desk, chat)
        moments += [] if chat.play.deadline is None else [chat.play.deadline]
    at = min(moments, default=None)
    if at == chat.alarm:
        return
    chat.alarm = at
    if at is not None:
        desk.rung += 1
        heappush(desk.alarms, (at, desk.rung, chat.chat_id))
        _tidy(desk)


def next_at(desk: CenterState) -> float | None:
    """When the next chat is due; what is out of date is thrown away."""
    while desk.alarms:
        at, _, chat_id = desk.alarms[0]
        chat = desk.chats.get(chat_id)
        if chat is not None and chat.alarm == at:
            return at
        heappop(desk.alarms)
    return None


def _tidy(desk: CenterState) -> None:
    """Throw away all that is out of date, where it is most of the heap."""
    if len(desk.alarms) > 2 * len(desk.chats) + _FEW:
        desk.alarms = [
            entry
            for entry in desk.alarms
            if entry[2] in desk.chats and desk.chats[entry[2]].alarm == entry[0]
        ]
        heapify(desk.alarms)


def due(desk: CenterState) -> list[Chat]:
    """The chats that are due now, each once, in the order of their times."""
    found = []
    while (at := next_at(desk)) is not None and at <= desk.now:
        chat = desk.chats[heappop(desk.alarms)[2]]
        chat.alarm = None
        found.append(chat)
    return found
