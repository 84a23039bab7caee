"""A customer of a world: a client, what it has told, and the hand that kills and restores it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chatfsm.conversation.calls import RequestChat
from chatfsm.conversation.client import ChatClient, ClientInput
from chatfsm.conversation.endpoint import Endpoint
from chatfsm.conversation.exchange import HttpRequest
from chatfsm.conversation.tidings import Refused, Tiding
from chatfsm.protocol import commands
from chatfsm.session import effects
from chatfsm.session.session import ChatSession
from chatfsm.session.values import Form

if TYPE_CHECKING:
    from chatfsm.simulator.world import World

__all__ = ["Customer"]


class Customer:
    """One customer, whose process may die at any moment and go on from what it kept.

    What it keeps is a snapshot after each step, as the documentation of `ChatClient` asks for.
    """

    def __init__(self, world: World, number: int, client: ChatClient, endpoint: Endpoint) -> None:
        self.world = world
        self.number = number
        """Counts the customers of a world from 1."""
        self.endpoint = endpoint
        self.client = client
        self.told: list[Tiding] = []
        """All that was told, but requests, over all lives."""
        self.lives = 1
        self.ahead = 0.0
        """Seconds that the clock of this life is ahead of the world's."""
        self.asked: dict[int, float] = {}
        """When each request that was not answered yet times out, on the world's clock."""
        self.is_alive = True
        self.wake: float | None = None
        """When the client's deadline is, on the world's clock."""
        self.clock = self.now
        """The time that the client was told last."""
        self._kept: dict[str, Any] | None = None
        self.is_doomed = False
        """Whether it dies in its next step that has requests."""
        self._opening = RequestChat()
        """What it asked for a chat with, and asks with again."""
        self._opens_again: float | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.number}, life {self.lives}: {self.client!r}>"

    @property
    def now(self) -> float:
        """The time on this customer's clock."""
        return self.world.now + self.ahead

    @property
    def session(self) -> ChatSession | None:
        """The session; None until there is a chat."""
        return self.client.session

    @property
    def chat_id(self) -> str:
        """The id of the chat; "" until there is one."""
        return "" if self.client.session is None else self.client.session.chat_id

    @property
    def done(self) -> bool:
        """Whether the chat is over."""
        return self.client.done

    @property
    def heard(self) -> list[str]:
        """The texts that others said, in the order of telling."""
        return [
            effect.message.text
            for effect in self.told
            if isinstance(effect, effects.MessageReceived) and not effect.message.own
        ]

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms that wait for an answer."""
        return () if self.client.session is None else self.client.session.forms

    def opens(self, call: RequestChat | None = None, *, again: float | None = 5.0) -> list[Tiding]:
        """Ask for a chat; where that fails in passing, again after so many seconds."""
        self._opens_again = again
        self._opening = call or self._opening
        return self.receive(self._opening)

    def says(self, text: str) -> list[Tiding]:
        """Say something."""
        return self.receive(commands.SendText(text))

    def types(self) -> list[Tiding]:
        """Touch a key."""
        return self.receive(commands.StartTyping())

    def answers(self, request_id: str, answer: dict[str, Any]) -> list[Tiding]:
        """Answer a form that is open."""
        return self.receive(commands.SubmitForm(request_id, answer))

    def disconnects(self) -> list[Tiding]:
        """End the conversation; the scenario may go on."""
        return self.receive(commands.Disconnect())

    def ends(self) -> list[Tiding]:
        """End the session."""
        return self.receive(commands.End())

    def receive(self, item: ClientInput) -> list[Tiding]:
        """The client hears something; what follows, without the requests, which go out.

        Raises as `ChatClient.receive` does, and RuntimeError where nobody lives who could hear.
        """
        if not self.is_alive:
            raise RuntimeError(f"customer {self.number} is dead: restart it first")
        self.clock = max(self.clock, self.now)
        return self._hear(item)

    def ticks(self) -> None:
        """The deadline has come; the clock shows it, whatever the sums of clocks amount to."""
        deadline = self.client.deadline
        self.clock = max(self.clock, self.now, self.clock if deadline is None else deadline)
        self._hear(self.world.tick)

    def kill(self, *, before_sending: bool = False) -> None:
        """The process dies, and connections with it; what was sent may have arrived.

        `before_sending`: not now but in its next step that has requests, which never leave.
        """
        if before_sending:
            self.is_doomed = True
            return
        self.is_doomed = False
        self._kept = self.client.snapshot(now=self.clock)
        self._die()

    def restart(self, *, ahead: float | None = None) -> None:
        """Another process goes on from the snapshot, with a clock that shows something else."""
        if self.is_alive or self._kept is None:
            raise RuntimeError(f"customer {self.number} lives: kill it first")
        self.ahead = self.ahead if ahead is None else ahead
        self.clock = self.now
        self.client = ChatClient.restore(
            self._kept, self.endpoint, settings=self.client.settings, now=self.clock
        )
        self.is_alive, self._kept = True, None
        self.lives += 1
        self._plan()
        if self.client.session is None and self._opens_again is not None:
            self.opens(again=self._opens_again)

    def _hear(self, item: ClientInput) -> list[Tiding]:
        world = self.world
        effects_of_step = self.client.receive(item, now=self.clock)
        told: list[Tiding] = [e for e in effects_of_step if not isinstance(e, HttpRequest)]
        self.told += told
        if world.watch is not None:
            world.watch(self, item, effects_of_step)
        if self.is_doomed and len(told) < len(effects_of_step):
            self.kill()
            return told
        for effect in effects_of_step:
            if isinstance(effect, HttpRequest):
                world.send(self, effect)
            elif isinstance(effect, Refused):
                self._open_again(effect)
        self._plan()
        return told

    def _open_again(self, refused: Refused) -> None:
        if self._opens_again is None or not isinstance(refused.call, RequestChat):
            return
        if refused.error.transient:
            life = self.lives
            self.world.at(self.world.now + self._opens_again, lambda: self._reopen(life))

    def _reopen(self, life: int) -> None:
        if self.is_alive and self.lives == life and self.client.session is None:
            self.receive(self._opening)

    def _plan(self) -> None:
        """Have the world wake the client at its deadline."""
        deadline = self.client.deadline
        wake = None if deadline is None else max(self.world.now, deadline - self.ahead)
        if wake != self.wake:
            self.wake = wake
            if wake is not None:
                self.world.wake(self, wake)

    def _die(self) -> None:
        self.is_alive, self.wake = False, None
        asked, self.asked = self.asked, {}
        for request_id in asked:
            self.world.forget(self, request_id)
