"""The two who have the chat: chatfsm behind its blocking driver, and the polling loop."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread, Timer
from typing import Final

from attrs import define, field

from chatfsm.adapters.stdlib import Sender
from chatfsm.conversation.client import ChatClient
from chatfsm.conversation.endpoint import Endpoint
from chatfsm.conversation.settings import ClientSettings
from chatfsm.demo.customer import Customer
from chatfsm.demo.diary import Diary
from chatfsm.demo.naive import PollingLoop
from chatfsm.demo.scene import ANSWERS, APP_ID, CLIENT_ID, TENANT_URL
from chatfsm.drivers.threads import Chat
from chatfsm.session.effects import MessageReceived
from chatfsm.session.settings import Settings

__all__ = ["ByChatfsm", "ByLoop"]

_HURRIED: Final = ClientSettings(
    session=Settings(typing_timeout=1.2), poll_every=0.1, backoff_first=0.2, settle=0.3
)
"""What takes seconds, and half a minute of typing, in the usual settings: nobody watches a demo for
as long. The order of things is the same."""
# Seconds that an interrupted chat has to bring what was said to a server on this machine.
_CLOSING: Final = 0.3


def _endpoint(url: str) -> Endpoint:
    return Endpoint(url, TENANT_URL, APP_ID, CLIENT_ID, allow_http=True)


def _customer() -> Customer:
    return Customer(ANSWERS)


@define
class ByChatfsm:
    """The chat as chatfsm tells it."""

    diary: Diary
    shown: Callable[[], object]
    """Called when there is something new in the diary."""
    customer: Customer = field(factory=_customer, init=False)
    told: list[str] = field(factory=list, init=False)
    """The texts that the customer was told."""
    typing: tuple[str, ...] = field(default=(), init=False)
    forms: tuple[str, ...] = field(default=(), init=False)
    was_stopped: bool = field(default=False, init=False)
    _client: ChatClient = field(init=False)

    def run(self, url: str, patience: float) -> None:
        """Have the chat, to its end, or for so many seconds."""
        client = self._client = ChatClient(_endpoint(url), settings=_HURRIED)
        with Sender() as send, Chat(client, send, closing_timeout=_CLOSING) as chat:
            stopping = Timer(patience, chat.close)
            stopping.daemon = True
            stopping.start()
            try:
                chat.open()
                for effect in chat:
                    self._take(chat, effect)
            finally:
                stopping.cancel()
        self.was_stopped = not client.done
        session = client.session
        if session is not None:
            names = {party.party_id: party.name for party in session.parties}
            self.typing = tuple(names.get(party_id, party_id) for party_id in session.typing)
            self.forms = tuple(form.name or form.request_id for form in session.forms)

    def _take(self, chat: Chat, effect: object) -> None:
        session = chat.look(lambda _client: self._client.session)
        if session is not None:
            self.diary.wording.knows(session)
        self.diary.told(effect)
        self.shown()
        if isinstance(effect, MessageReceived):
            self.told.append(effect.message.text)
            answer = self.customer.reads(effect.message.text)
            if answer is not None:
                self.diary.note("said", "customer", answer, "own")
                chat.say(answer)


@define
class ByLoop:
    """The chat as the polling loop shows it, in a thread of its own."""

    diary: Diary
    customer: Customer = field(factory=_customer, init=False)
    was_stopped: bool = field(default=False, init=False)
    _loop: PollingLoop = field(init=False)
    _thread: Thread = field(init=False)

    def start(self, url: str) -> None:
        """Begin the chat."""
        endpoint = _endpoint(url)
        address = endpoint.address("chats", nonce="0")
        self._loop = PollingLoop(address, dict(endpoint.headers()), self._show)
        self._thread = Thread(target=self._loop.run, name="chatfsm-naive", daemon=True)
        self._thread.start()

    def wait(self, patience: float) -> None:
        """Wait for its end, for so many seconds."""
        self._thread.join(patience)

    def stop(self) -> None:
        """Let it end after what it does just now, from any thread."""
        if not self._loop.is_over:
            self._loop.is_over = self.was_stopped = True

    def polled_late(self, number: int, enough: int) -> None:
        """It has polled a chat that is over, for so many times now; stop it once it is enough."""
        if number == 1:
            self.diary.note("late", "", "the server says that there is no such chat", "bad")
        if number >= enough:
            self.stop()
            self.diary.note("late", "", f"it is stopped, after {number} such polls", "bad")

    @property
    def told(self) -> list[str]:
        """The texts that the customer was shown."""
        return self._loop.messages

    @property
    def typing(self) -> list[str]:
        """Who types, by what is shown."""
        return sorted(self._loop.typing)

    @property
    def forms(self) -> list[str]:
        """The forms that are shown."""
        return self._loop.forms

    def _show(self, what: str, who: str, text: str) -> None:
        self.diary.note(what, who, text, "plain")
        if what == "message":
            answer = self.customer.reads(text)
            if answer is not None:
                self.diary.note("said", "customer", answer, "own")
                self._loop.say(answer)
