"""Command `chatfsm demo`: one chat with two clients at once, and a comparison of the results."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from importlib.resources import files
from importlib.util import find_spec
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
from chatfsm.client_effects import ChatEffect
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
Two clients have the same chat with a simulated contact center on this machine, over HTTP: \
chatfsm, and a simple polling loop. Both meet the same script and the same faults."""


def run(options: Namespace) -> int:
    """Run the command and return its exit code. Raises `ChatError`."""
    if find_spec("aiohttp") is None:
        raise ChatError("the demo needs aiohttp: pip install 'chatfsm[simulator]'")
    printer = printer_for(sys.stdout, options.color)
    printer.paragraph(_INTRODUCTION)
    return ExitCode.SUCCESS if play(options.seed, printer) else ExitCode.FAILURE


# The script, the customer and the faults.

TENANT_URL: Final = "tenant.example"
APP_ID: Final = "demo"
CLIENT_ID: Final = "demo-customer"

ANSWERS: Final = {
    "Welcome! What is it about?": "A parcel that never came.",
    "Good morning, this is Pilar. Which parcel?": "TW-20417, due on Monday.",
    "It is still in our depot, I am sorry.": "It is a birthday present!",
    "Is somebody at home at four?": "Yes, all afternoon.",
}
"""Texts of the script, and the customer's answers, which the script waits for. So polls and POSTs
have the same numbers on a slow machine, and faults can be placed by number."""

FAULTS: Final = Faults.parse("duplicate:poll@4,truncate:poll@5,reset:post@4")


def build_center(seed: int) -> ContactCenter:
    """Return a new contact center with an agent and the script, equal for equal seeds."""
    scenario = from_json(files("chatfsm._cli").joinpath("scenario.json").read_bytes())
    pilar = Agent(party_id="PILAR", display_name="Pilar", first_name="Pilar")
    entry = AppEntry(app_id=APP_ID, scenario=scenario)
    return ContactCenter([Tenant(url=TENANT_URL, entries=(entry,), agents=(pilar,))], seed=seed)


@define
class ScriptedCustomer:
    """Customer who answers each known text once."""

    answers: Mapping[str, str]
    """Answer to each text."""
    sent: list[str] = field(factory=list, init=False)

    def answer_to(self, text: str) -> str | None:
        """Return the answer to a text; None if there is none, or it was sent before."""
        answer = self.answers.get(text)
        if answer is None or answer in self.sent:
            return None
        self.sent.append(answer)
        return answer


# The two clients.

_MAX_LATE_POLLS: Final = 5
"""Polls of a chat that is over, enough to show that the loop would never stop."""

_FAST_SETTINGS: Final = ClientSettings(
    session=Settings(typing_timeout=1.2), poll_every=0.1, backoff_first=0.2, settle_delay=0.3
)
"""Shorter than the defaults, to keep the demo short; the order of events is the same."""
# Seconds: enough to post the last messages to a server on this machine.
_CLOSING_TIMEOUT: Final = 0.3


def _endpoint(url: str) -> Endpoint:
    return Endpoint(url, TENANT_URL, APP_ID, CLIENT_ID, allow_http=True)


def _customer() -> ScriptedCustomer:
    return ScriptedCustomer(ANSWERS)


@define
class ChatfsmRun:
    """One chat with chatfsm and its blocking driver."""

    log: RowLog
    on_row: Callable[[], object]
    """Called after a row was added to the log."""
    customer: ScriptedCustomer = field(factory=_customer, init=False)
    received: list[str] = field(factory=list, init=False)
    """Texts that were shown to the customer."""
    typing: tuple[str, ...] = field(default=(), init=False)
    forms: tuple[str, ...] = field(default=(), init=False)
    was_stopped: bool = field(default=False, init=False)

    def run(self, url: str, timeout: float) -> None:
        """Run the chat to its end, for at most `timeout` seconds."""
        client = ChatClient(_endpoint(url), settings=_FAST_SETTINGS)
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

    def _handle(self, chat: Chat, effect: ChatEffect) -> None:
        session = chat.inspect(lambda client: client.session)
        if session is not None:
            self.log.formatter.set_session(session)
        self.log.add_effect(effect)
        self.on_row()
        if isinstance(effect, MessageReceived):
            self.received.append(effect.message.text)
            answer = self.customer.answer_to(effect.message.text)
            if answer is not None:
                self.log.add("sent", "customer", answer, "own")
                chat.send_text(answer)


@define
class LoopRun:
    """One chat with the polling loop, in a thread of its own."""

    log: RowLog
    customer: ScriptedCustomer = field(factory=_customer, init=False)
    was_stopped: bool = field(default=False, init=False)
    _loop: PollingLoop = field(init=False)
    _thread: Thread = field(init=False)

    def start(self, url: str) -> None:
        """Start the chat."""
        endpoint = _endpoint(url)
        address = endpoint.url_for("chats", nonce="0")
        self._loop = PollingLoop(address, dict(endpoint.headers()), self._show)
        self._thread = Thread(target=self._loop.run, name="chatfsm-naive", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> None:
        """Wait for the end of the chat, for at most `timeout` seconds."""
        self._thread.join(timeout)

    def stop(self) -> None:
        """End the loop after its present request; from any thread."""
        if not self._loop.is_over:
            self._loop.is_over = self.was_stopped = True

    def on_late_poll(self, number: int) -> None:
        """Log the first poll of a chat that is over, and stop the loop after a few."""
        if number == 1:
            self.log.add("late", "", "the server has no such chat any more", "bad")
        if number >= _MAX_LATE_POLLS:
            self.stop()
            self.log.add("late", "", f"the demo stops the loop, after {number} such polls", "bad")

    @property
    def received(self) -> list[str]:
        """Texts that were shown to the customer."""
        return self._loop.messages

    @property
    def typing(self) -> list[str]:
        """Names of the parties that are shown as typing."""
        return sorted(self._loop.typing)

    @property
    def forms(self) -> list[str]:
        """Names of the forms that are shown as open."""
        return self._loop.forms

    def _show(self, what: str, who: str, text: str) -> None:
        self.log.add(what, who, text, "plain")
        if what == "message":
            answer = self.customer.answer_to(text)
            if answer is not None:
                self.log.add("sent", "customer", answer, "own")
                self._loop.send_text(answer)


# Both chats.

_CLIENTS: Final = ("the polling loop", "chatfsm")
# Seconds for each client; the demo takes about 5.
_CLIENT_TIMEOUT: Final = 30.0


@define
class _DemoCenter:
    """One client's contact center, the network to it, and the log of what happens."""

    log: RowLog
    center: ContactCenter
    network: ObservedNetwork

    @classmethod
    def create(cls, seed: int, now: Callable[[], float]) -> _DemoCenter:
        """Return a center without a chat."""
        log, center = RowLog(now), build_center(seed)
        on_fault = lambda text: log.add("fault", "", text, "bad")  # noqa: E731
        return cls(log, center, ObservedNetwork(center, FAULTS, on_fault, seed=seed))

    def open(self, stack: ExitStack) -> str:
        """Serve the center until the stack is closed; returns its URL. Raises `ChatError`."""
        from chatfsm.simulator.server.server import SimulatorServer  # noqa: PLC0415  # an extra, and slow to import

        try:
            return stack.enter_context(SimulatorServer(self.network)).url
        except OSError as error:
            raise ChatError(f"cannot serve on the loopback: {error.strerror}") from None

    def result_of(self, client: ChatfsmRun | LoopRun) -> ChatResult:
        """Return the result of the chat that the client had with this center."""
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
    """Run both chats and print the report; returns whether chatfsm's chat is intact."""
    results = _run_both(seed, printer)
    printer.table(_CLIENTS, report_lines(results))
    for name, result in zip(_CLIENTS, results, strict=True):
        for what, texts in (("Lost", result.lost), ("Duplicated", result.duplicated)):
            if texts:
                printer.paragraph(f"{what} by {name}: {'; '.join(texts)}")
    return results[1].is_intact


def _run_both(seed: int, printer: DemoPrinter) -> tuple[ChatResult, ChatResult]:
    """Run both chats at once; returns the results of the loop and of chatfsm.

    The rows of chatfsm are printed as they happen, those of the loop at the end.
    """
    started_at = time.monotonic()
    now = lambda: time.monotonic() - started_at  # noqa: E731
    loop_center, chatfsm_center = _DemoCenter.create(seed, now), _DemoCenter.create(seed, now)
    loop = LoopRun(loop_center.log)
    loop_center.network.on_late_poll = loop.on_late_poll
    chatfsm_log = chatfsm_center.log
    chatfsm = ChatfsmRun(chatfsm_log, lambda: printer.rows(chatfsm_log.take_rows()))
    printer.heading("What chatfsm reports")
    with ExitStack() as stack:
        loop.start(loop_center.open(stack))
        stack.callback(loop.stop)
        chatfsm.run(chatfsm_center.open(stack), _CLIENT_TIMEOUT)
        loop.wait(_CLIENT_TIMEOUT)
        loop.stop()
    printer.rows(chatfsm_log.take_rows())
    printer.heading("")
    printer.heading("What the polling loop shows")
    printer.rows(loop_center.log.take_rows())
    printer.heading("")
    return loop_center.result_of(loop), chatfsm_center.result_of(chatfsm)
