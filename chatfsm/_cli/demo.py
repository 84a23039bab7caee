"""`chatfsm demo`: one chat, by two clients at once, and what became of it."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from importlib.resources import files
from importlib.util import find_spec
from io import TextIOWrapper
from threading import Thread, Timer
from typing import Any, Final

from attrs import define, field

from chatfsm._cli import ExitCode
from chatfsm._cli.demo_report import (
    ChatResult,
    DemoPrinter,
    ObservedNetwork,
    RowLog,
    printer_for,
    report_lines,
)
from chatfsm._cli.naive_client import PollingLoop
from chatfsm._client.client import ChatClient
from chatfsm._protocol.codec import decode
from chatfsm.adapters.stdlib import Sender
from chatfsm.drivers.threads import Chat
from chatfsm.effects import MessageReceived
from chatfsm.endpoint import Endpoint
from chatfsm.errors import ChatError
from chatfsm.events import Message
from chatfsm.settings import ClientSettings, Settings
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.faults import Faults
from chatfsm.simulator.scenario import from_json
from chatfsm.simulator.tenants import Agent, AppEntry, Tenant

__all__ = [
    "ANSWERS",
    "APP_ID",
    "CLIENT_ID",
    "FAULTS",
    "TENANT_URL",
    "ChatfsmRun",
    "LoopRun",
    "ScriptedCustomer",
    "build_center",
    "play",
    "run",
]

_INTRODUCTION: Final = """\
One chat with a contact center, over HTTP on this machine alone, had twice at the same time: by \
chatfsm, and by a plain polling loop. Both meet the same script and the same faults."""


def run(options: Namespace) -> int:
    """Show the demo as the command line says; returns the exit status. Raises `ChatError`."""
    if find_spec("aiohttp") is None:
        raise ChatError("the demo needs aiohttp: pip install 'chatfsm[simulator]'")
    if isinstance(sys.stdout, TextIOWrapper):
        # What a terminal's encoding may not have is shown escaped.
        sys.stdout.reconfigure(errors="backslashreplace")
    printer = printer_for(sys.stdout, options.color)
    printer.paragraph(_INTRODUCTION)  # before what takes a moment

    return ExitCode.SUCCESS if play(options.seed, printer) else ExitCode.FAILURE


# What is played in the demo: the script, the people, and what goes wrong, all of it data.

TENANT_URL: Final = "tenant.example"
APP_ID: Final = "demo"
CLIENT_ID: Final = "demo-customer"

ANSWERS: Final = {
    "Welcome! What is it about?": "A parcel that never came.",
    "Good morning, this is Pilar. Which parcel?": "TW-20417, due on Monday.",
    "It is still in our depot, I am sorry.": "It is a birthday present!",
    "Is somebody at home at four?": "Yes, all afternoon.",
}
"""What the customer says to which text of the script, which waits for it. So every poll until the
pause brings what the one text before it has led to, however slow the machine is, and the faults
can be placed by the numbers of polls and POSTs."""

FAULTS: Final = Faults.parse("duplicate:poll@4,truncate:poll@5,reset:post@4")


def build_center(seed: int) -> ContactCenter:
    """A contact center of its own, with an agent and the script; the same for the same seed."""
    scenario = from_json(files("chatfsm._cli").joinpath("scenario.json").read_bytes())
    pilar = Agent(party_id="PILAR", display_name="Pilar", first_name="Pilar")
    entry = AppEntry(app_id=APP_ID, scenario=scenario)
    return ContactCenter([Tenant(url=TENANT_URL, entries=(entry,), agents=(pilar,))], seed=seed)


# The person at the keyboard, who is the same in front of every client.


@define
class ScriptedCustomer:
    """Somebody who answers what is read for the first time, and has nothing to add later."""

    answers: Mapping[str, str]
    """What is said to which text."""
    sent: list[str] = field(factory=list, init=False)

    def answer_to(self, text: str) -> str | None:
        """What there is to say to a text that was shown; None: nothing, or it was said before."""
        answer = self.answers.get(text)
        if answer is None or answer in self.sent:
            return None
        self.sent.append(answer)
        return answer


# The two who have the chat: chatfsm behind its blocking driver, and the polling loop.

_FAST_SETTINGS: Final = ClientSettings(
    session=Settings(typing_timeout=1.2), poll_every=0.1, backoff_first=0.2, settle_delay=0.3
)
"""What takes seconds, and half a minute of typing, in the usual settings: nobody watches a demo for
as long. The order of things is the same."""
# Seconds that an interrupted chat has to bring what was said to a server on this machine.
_CLOSING_TIMEOUT: Final = 0.3


def _endpoint(url: str) -> Endpoint:
    return Endpoint(url, TENANT_URL, APP_ID, CLIENT_ID, allow_http=True)


def _customer() -> ScriptedCustomer:
    return ScriptedCustomer(ANSWERS)


@define
class ChatfsmRun:
    """The chat as chatfsm tells it."""

    log: RowLog
    on_row: Callable[[], object]
    """Called when there is something new in the diary."""
    customer: ScriptedCustomer = field(factory=_customer, init=False)
    received: list[str] = field(factory=list, init=False)
    """The texts that the customer was told."""
    typing: tuple[str, ...] = field(default=(), init=False)
    forms: tuple[str, ...] = field(default=(), init=False)
    was_stopped: bool = field(default=False, init=False)
    _client: ChatClient = field(init=False)

    def run(self, url: str, timeout: float) -> None:
        """Have the chat, to its end, or for so many seconds."""
        client = self._client = ChatClient(_endpoint(url), settings=_FAST_SETTINGS)
        with Sender() as send, Chat(client, send, closing_timeout=_CLOSING_TIMEOUT) as chat:
            stopping = Timer(timeout, chat.close)
            stopping.daemon = True
            stopping.start()
            try:
                chat.open()
                for effect in chat:
                    self._handle(chat, effect)
            finally:
                stopping.cancel()
        self.was_stopped = not client.done
        session = client.session
        if session is not None:
            names = {party.party_id: party.name for party in session.parties}
            self.typing = tuple(names.get(party_id, party_id) for party_id in session.typing)
            self.forms = tuple(form.name or form.request_id for form in session.forms)

    def _handle(self, chat: Chat, effect: object) -> None:
        session = chat.inspect(lambda _client: self._client.session)
        if session is not None:
            self.log.formatter.set_session(session)
        self.log.add_effect(effect)
        self.on_row()
        if isinstance(effect, MessageReceived):
            self.received.append(effect.message.text)
            answer = self.customer.answer_to(effect.message.text)
            if answer is not None:
                self.log.add("said", "customer", answer, "own")
                chat.send_text(answer)


@define
class LoopRun:
    """The chat as the polling loop shows it, in a thread of its own."""

    log: RowLog
    customer: ScriptedCustomer = field(factory=_customer, init=False)
    was_stopped: bool = field(default=False, init=False)
    _loop: PollingLoop = field(init=False)
    _thread: Thread = field(init=False)

    def start(self, url: str) -> None:
        """Begin the chat."""
        endpoint = _endpoint(url)
        address = endpoint.url_for("chats", nonce="0")
        self._loop = PollingLoop(address, dict(endpoint.headers()), self._show)
        self._thread = Thread(target=self._loop.run, name="chatfsm-naive", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> None:
        """Wait for its end, for so many seconds."""
        self._thread.join(timeout)

    def stop(self) -> None:
        """Let it end after what it does just now, from any thread."""
        if not self._loop.is_over:
            self._loop.is_over = self.was_stopped = True

    def on_late_poll(self, number: int, enough: int) -> None:
        """It has polled a chat that is over, for so many times now; stop it once it is enough."""
        if number == 1:
            self.log.add("late", "", "the server says that there is no such chat", "bad")
        if number >= enough:
            self.stop()
            self.log.add("late", "", f"it is stopped, after {number} such polls", "bad")

    @property
    def received(self) -> list[str]:
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
        self.log.add(what, who, text, "plain")
        if what == "message":
            answer = self.customer.answer_to(text)
            if answer is not None:
                self.log.add("said", "customer", answer, "own")
                self._loop.send_text(answer)


# Both chats, each with a center and faults of its own, and what is told of them.

_CLIENTS: Final = ("the polling loop", "chatfsm")
# Polls of a chat that is over, after which it is plain that the loop would go on for ever.
_MAX_LATE_POLLS: Final = 5
# Seconds for each client; a demo takes five.
_CLIENT_TIMEOUT: Final = 30.0


@define
class _DemoCenter:
    """A contact center of its own, the way there, and the diary of whoever comes."""

    log: RowLog
    center: ContactCenter
    network: ObservedNetwork

    @classmethod
    def create(cls, seed: int, now: Callable[[], float]) -> _DemoCenter:
        """One before anybody came."""
        diary, stand_in = RowLog(now), build_center(seed)
        struck = lambda words: diary.add("fault", "", words, "bad")  # noqa: E731
        return cls(diary, stand_in, ObservedNetwork(stand_in, FAULTS, struck, seed=seed))

    def open(self, stack: ExitStack) -> str:
        """Serve it until the stack is done; returns the URL. Raises `ChatError`."""
        from chatfsm.simulator.server.server import SimulatorServer  # noqa: PLC0415  # needs the extra, and time

        try:
            return stack.enter_context(SimulatorServer(self.network)).url
        except OSError as error:
            raise ChatError(f"cannot serve on the loopback: {error.strerror}") from None

    def result_of(self, client: ChatfsmRun | LoopRun) -> ChatResult:
        """What became of the chat that was had here."""
        [chat] = self.center.chats.values()
        past = _messages(chat.history)
        return ChatResult(
            fault_count=self.network.fault_count,
            customer_sent=client.customer.sent,
            center_received=[event.msg or "" for event in _messages(chat.customer_events)],
            center_sent=[event.msg or "" for event in past if event.party_id != chat.chat_id],
            customer_received=client.received,
            typing=client.typing,
            forms=client.forms,
            late_polls=self.network.late_polls,
            was_stopped=client.was_stopped,
        )


def _messages(items: list[dict[str, Any]]) -> list[Message]:
    return [event for event in decode(items) if isinstance(event, Message)]


def play(seed: int, printer: DemoPrinter) -> bool:
    """Let both have their chat, and tell of it; whether chatfsm's came through whole."""
    loop, ours = _run_both(seed, printer)
    outcomes = loop, ours
    printer.table(_CLIENTS, report_lines(outcomes))
    for name, outcome in zip(_CLIENTS, outcomes, strict=True):
        for what, texts in (("Lost", outcome.lost), ("Doubled", outcome.doubled)):
            if texts:
                printer.paragraph(f"{what} by {name}: {'; '.join(texts)}")
    return ours.is_intact


def _run_both(seed: int, printer: DemoPrinter) -> tuple[ChatResult, ChatResult]:
    """The outcomes of the loop, whose rows are printed at the end, and of chatfsm."""
    began = time.monotonic()
    now = lambda: time.monotonic() - began  # noqa: E731
    for_loop, for_us = _DemoCenter.create(seed, now), _DemoCenter.create(seed, now)
    by_loop = LoopRun(for_loop.log)
    for_loop.network.on_late_poll = lambda number: by_loop.on_late_poll(number, _MAX_LATE_POLLS)
    ours = ChatfsmRun(for_us.log, lambda: printer.rows(for_us.log.take_rows()))
    printer.heading("What chatfsm tells")
    with ExitStack() as stack:
        by_loop.start(for_loop.open(stack))
        stack.callback(by_loop.stop)
        ours.run(for_us.open(stack), _CLIENT_TIMEOUT)
        by_loop.wait(_CLIENT_TIMEOUT)
        by_loop.stop()
    printer.rows(for_us.log.take_rows())
    printer.heading("")
    printer.heading("What the polling loop shows")
    printer.rows(for_loop.log.take_rows())
    printer.heading("")
    return for_loop.result_of(by_loop), for_us.result_of(ours)
