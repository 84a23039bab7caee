"""The random actions of a chat's customer and agents, and kills of the customer's process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chatfsm import LocalProtocolError, commands
from chatfsm.api import Resume, UploadFile
from chatfsm.client_effects import ApiSucceeded, AuthorizationFailed, ClientEffect
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.world import SimulatedCustomer, World
from tests.soak.ledger import Ledger
from tests.soak.seeded_random import SeededRandom

# Keywords of the echo scenario.
KEYWORDS = ("form", "prompt", "secure form", "file", "transfer", "queue", "call", "hang up")


class Chat:
    """One customer and the agents of the chat, with random actions."""

    def __init__(self, world: World, center: ContactCenter, name: str, rng: SeededRandom) -> None:
        self.world = world
        self.center = center
        self.rng = rng
        version = 1 if rng.random() < 0.25 else 2
        self.customer: SimulatedCustomer = world.add_customer(name, version=version)
        self.ledger = Ledger()
        self.agent_messages = 0
        self.uploads = 0

    def start(self, until: float) -> None:
        """Open a chat within five seconds, and act until a time."""
        self.world.call_at(self.rng.uniform(0.0, 5.0), self.customer.open_chat)
        self.world.call_at(self.rng.uniform(3.0, 15.0), lambda: self.act(until))
        self.world.call_at(self.rng.uniform(5.0, 25.0), lambda: self.act_as_agents(until))

    def act(self, until: float) -> None:
        """Do one action of the customer, and schedule the next."""
        now = self.world.now
        if now >= until or self.customer.done:
            return
        self.world.call_at(now + self.rng.uniform(0.5, 24.0), lambda: self.act(until))
        if self.customer.is_alive and self.customer.session is not None:
            try:
                self.rng.choice(_ACTIONS)(self)
            except LocalProtocolError:  # a refusal is a valid answer
                return

    def act_as_agents(self, until: float) -> None:
        """Send some events of the agents at once, and schedule the next."""
        now = self.world.now
        chat = self.center.chats.get(self.customer.chat_id)
        if now >= until or self.customer.done:
            return
        self.world.call_at(now + self.rng.uniform(4.0, 40.0), lambda: self.act_as_agents(until))
        if chat is not None and not chat.is_over:
            for event in self._burst():
                self.center.send_event(chat.chat_id, event, now=now)

    def react(self, effects: list[ClientEffect]) -> None:
        """React to effects: share an uploaded file, and resume after a failed authorization."""
        for effect in effects:
            if isinstance(effect, ApiSucceeded) and isinstance(effect.request, UploadFile):
                value: Any = effect.result
                self.world.call_at(
                    self.world.now, lambda file_id=value.file_id: self.share_file(file_id)
                )
            elif isinstance(effect, AuthorizationFailed):
                self.world.call_at(self.world.now + 5.0, self.resume)

    def say(self, text: str) -> None:
        self.customer.send_text(text)
        self.ledger.note_text(text, self.customer)

    def share_file(self, file_id: str) -> None:
        if self.customer.is_alive and not self.customer.done:
            self.customer.receive(commands.SendFile(file_id, "attachment", "notes.txt"))
            self.ledger.files.append(file_id)

    def resume(self) -> None:
        if self.customer.is_alive and not self.customer.done:
            try:
                self.customer.receive(Resume())
            except LocalProtocolError:  # the client is resumed already
                return

    def say_something(self) -> None:
        self.say(f"text {len(self.ledger.texts)}")

    def say_much(self) -> None:
        for _ in range(3):
            if self.customer.is_alive:
                self.say_something()

    def say_keyword(self) -> None:
        self.say(self.rng.choice(KEYWORDS))

    def type(self) -> None:
        self.customer.start_typing()

    def submit_form(self) -> None:
        if self.customer.forms:
            form = self.rng.choice(self.customer.forms)
            if not form.is_text_prompt:
                self.customer.submit_form(form.request_id, {"stars": "5"})
                self.ledger.answered.append(form.request_id)

    def upload_file(self) -> None:
        self.uploads += 1
        content = f"{self.customer.number} {self.uploads}".encode()
        self.customer.receive(UploadFile("notes.txt", content))

    def mark_read(self) -> None:
        self.customer.receive(commands.MarkRead(str(2 * self.agent_messages)))

    def kill(self) -> None:
        """Kill the process, and restart it within 45 seconds, maybe with another clock."""
        customer, lives = self.customer, self.customer.lives
        customer.kill(before_sending=self.rng.random() < 0.3)
        ahead = self.rng.choice((0.0, -1_000.0, 86_400.0))

        def restart() -> None:
            if not customer.is_alive and customer.lives == lives:
                customer.restart(clock_offset=ahead)
            elif customer.lives == lives and not customer.done:  # it dies in its next step
                self.world.call_at(self.world.now + 10.0, restart)

        self.world.call_at(self.world.now + self.rng.uniform(0.0, 45.0), restart)

    def _burst(self) -> list[dict[str, Any]]:
        number = self.customer.number
        party = {"party_id": f"AGENT-{number}"}
        events: list[dict[str, Any]] = []
        for _ in range(1 + int(self.rng.random() * 5)):
            self.agent_messages += 1
            text = {"event": "chat_session_message", "msg": f"answer {self.agent_messages}"}
            events += [
                {"event": "chat_session_typing", **party},
                {"event": "chat_session_not_typing", **party},
                {**text, **party},
            ]
        events.append({**self.rng.choice(_ODDS), **party})
        return events


_ODDS: tuple[dict[str, Any], ...] = (
    {"event": "chat_session_typing"},
    {"event": "chat_session_party_joined", "display_name": "Ines", "type": "internal"},
    {"event": "chat_session_party_left"},
    {"event": "chat_session_location", "latitude": "52.5", "longitude": "13.4"},
    {"event": "chat_session_case_set", "case_id": "case 7"},
    {"event": "chat_session_info", "service_name": "parcels"},
    {"event": "chat_session_timeout_warning", "msg": "Are you there?"},
    {"event": "chat_session_status", "state": "connected", "ewt": "0"},
    {"event": "chat_session_weather", "sky": "blue"},
    {"event": "chat_session_signaling", "data": {"type": "OFFER_CALL", "sdp": "v=0"}},
    {"event": "chat_session_signaling", "data": {"type": "END_CALL"}},
)

_ACTIONS: tuple[Callable[[Chat], None], ...] = (
    *(Chat.say_something, Chat.say_something, Chat.say_something, Chat.say_much),
    *(Chat.say_keyword, Chat.say_keyword, Chat.type, Chat.submit_form, Chat.submit_form),
    *(Chat.upload_file, Chat.mark_read, Chat.kill),
)
