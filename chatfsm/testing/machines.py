"""State machines of Hypothesis that test a session or a client: a `ChatSession`, or your own.

    from chatfsm.testing.machines import SessionMachine

    class MySessionMachine(SessionMachine):
        def make_session(self):
            return MySession("chat-1")

    TestMySession = MySessionMachine.TestCase

Rules are what may happen, invariants are what must hold then. Add rules and invariants to a
subclass as to any `RuleBasedStateMachine`. Needs hypothesis (extra `testing`).

`check_session` and `check_client` of `chatfsm.testing.conformance` run these machines.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from attrs import evolve

from chatfsm import effects
from chatfsm import events as e
from chatfsm._client.client import ChatClient
from chatfsm._protocol import names as wire
from chatfsm._protocol.codec import decode, decode_item
from chatfsm._session.session import ChatSession
from chatfsm.adapters._base import missing_library
from chatfsm.commands import CancelForm, Command, End, SendText, SubmitForm
from chatfsm.endpoint import Endpoint
from chatfsm.errors import LocalProtocolError
from chatfsm.inputs import History, Lost, SendFailed, Sent, Tick
from chatfsm.settings import ClientSettings, Settings
from chatfsm.testing._client_world import FATES, ClientWorld
from chatfsm.testing.invariants import SessionChecker, require, terminated_is_last

try:
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
except ImportError:
    raise missing_library("hypothesis", extra="testing") from None

from chatfsm.testing import strategies as chats
from chatfsm.testing._opening_world import OPENING_FATES, OpeningWorld

__all__ = [
    "CLIENT_SETTINGS",
    "ENDPOINT",
    "SETTINGS",
    "ClientMachine",
    "OpeningMachine",
    "SessionMachine",
]

SETTINGS: Final = Settings(
    max_ids=8, max_parties=2, max_typists=2, max_forms=2, max_candidates=2, max_unsent=3
)
"""Settings of the sessions of `SessionMachine`: small limits, so that a few steps reach them."""
CLIENT_SETTINGS: Final = ClientSettings(max_attempts=1_000_000, max_batch=3)
"""Settings of the clients of `ClientMachine`: no message is given up, and batches are full soon."""
ENDPOINT: Final = Endpoint(
    "https://chat.example.com", "tenant.example.com", "the-app", "the-client"
)
"""An endpoint with invented credentials; the machines connect to nothing."""
_FAR: Final = 2**20
# A session that ends at once is soon dull.
_STEPS_BEFORE_END: Final = 6


class SessionMachine(RuleBasedStateMachine):
    """Tests a session with whatever a server, an app and a transport may do, at any time.

    Two sessions receive the same. One is restored from its snapshot now and then, on another clock;
    both must return the same effects, remember the same and keep the rules of `SessionChecker`.
    Override `make_session` to test a session of your own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.session = self.make_session()
        self.twin = self.make_session()
        """A session that receives the same, and is never restored."""
        self.now = 0.0
        self.clock = 0.0
        """Seconds by which the session's clock is ahead of `now`, which is the twin's."""
        self.items: list[Any] = []
        """All that the server has sent."""
        self.checker = SessionChecker()
        self.effects: list[Any] = []
        self.has_history = False
        self.sent: dict[str, dict[str, Any]] = {}
        """Own messages by msg_id, as they were posted."""
        self.settled: set[str] = set()
        """Ids of own messages that were reported as sent or failed."""
        self._outbox: dict[str, str] = {}

    def make_session(self) -> Any:
        """Return a new session of the chat "chat-1"; two must be alike. Override it.

        It has the members of `SessionLike`, `receive` and `snapshot`.
        """
        return ChatSession("chat-1", settings=SETTINGS)

    def restore_session(self, snapshot: dict[str, Any], *, now: float) -> Any:
        """Return the session of a snapshot, by `restore` of its class. Override it for wrappers."""
        restore = type(self.session).restore
        return restore(snapshot, settings=self.session.settings, now=now)

    def memory(self) -> object:
        """Return what a refused command must not change."""
        return self.session.snapshot(now=self.session_now), self.session.deadline

    @property
    def session_now(self) -> float:
        """The time on the clock of the session."""
        return self.now + self.clock

    # Rules.

    @initialize(state=st.sampled_from(("ivr", "queued", "connected")))
    def begin(self, state: str) -> None:
        """The server tells the first state."""
        self.receive_item({"event": wire.STATUS, "state": state})

    @rule(item=chats.wire_events(ending=False))
    def receive_event(self, item: dict[str, Any]) -> None:
        """The server sends an event."""
        self.receive_item(item)

    # Of all events alone, few parties would type and speak in one run.
    @rule(item=chats.wire_events(e.PartyJoined, e.PartyLeft, e.Typing, e.NotTyping, e.Message))
    def receive_from_party(self, item: dict[str, Any]) -> None:
        """A party joins, leaves, types or speaks."""
        self.receive_item(item)

    @rule(item=chats.odd_wire_events())
    def receive_odd_event(self, item: Any) -> None:
        """The server sends something odd."""
        self.receive_item(item)

    @precondition(lambda self: self.items)
    @rule(data=st.data())
    def receive_again(self, data: st.DataObject) -> None:
        """The server sends an event again."""
        self.receive_item(data.draw(st.sampled_from(self.items)))

    @precondition(lambda self: len(self.items) > _STEPS_BEFORE_END)
    @rule(item=chats.wire_events(), is_lost=st.booleans())
    def receive_end(self, item: dict[str, Any], is_lost: bool) -> None:
        """The server sends an event that may end the session, or does not know the session."""
        if is_lost:
            self.receive(Lost("no such chat"))
        else:
            self.receive_item(item)

    @rule(command=chats.commands())
    def command(self, command: Command) -> None:
        """The app gives a command, allowed or not."""
        self.give(command)

    @rule(text=st.sampled_from(("hello", "<b>hello</b>")))
    def send_text(self, text: str) -> None:
        """The app sends a text."""
        self.give(SendText(text))

    @precondition(lambda self: self.session.forms)
    @rule(data=st.data(), is_cancelled=st.booleans())
    def answer_form(self, data: st.DataObject, is_cancelled: bool) -> None:
        """The app answers or cancels an open form, which it may."""
        request_id = data.draw(st.sampled_from(self.session.forms)).request_id
        answer = SubmitForm(request_id, {"answer": "yes"})
        told = self.give(CancelForm(request_id) if is_cancelled else answer)
        require(told is not None, "the answer to an open form was refused")

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), has_arrived=st.booleans(), retryable=st.booleans())
    def report_result(self, data: st.DataObject, has_arrived: bool, retryable: bool) -> None:
        """The transport reports the outcome of messages, once or again, or of unknown ones."""
        ids = st.sampled_from((*self.sent, "another"))
        msg_ids = data.draw(st.lists(ids, min_size=1, max_size=3, unique=True))
        self.receive(Sent(msg_ids) if has_arrived else SendFailed(msg_ids, "no", retryable))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def receive_echo(self, data: st.DataObject) -> None:
        """The server sends an own message back."""
        self.receive_item(self._echo(data))

    @rule(page=chats.histories(), data=st.data())
    def receive_history(self, page: History, data: st.DataObject) -> None:
        """The transport brings a page of anything, of earlier events, and of own messages."""
        items: list[Any] = []
        if self.items:
            items += data.draw(st.lists(st.sampled_from(self.items), max_size=3))
        has_echo = data.draw(st.booleans())
        if has_echo and self.sent:
            items.append(self._echo(data))
        self.has_history = True
        events: list[Any] = [*page.events, *decode(items)]
        history = History(events, complete=page.complete)
        self.receive(chats.with_exact_times(history))

    @rule(pause=chats.pauses())
    def wait(self, pause: float) -> None:
        """Time passes."""
        self.now += pause
        self.receive(Tick())

    @precondition(lambda self: self.session.deadline is not None)
    @rule()
    def wait_for_deadline(self) -> None:
        """Time passes until the session's deadline."""
        self.now = max(self.now, self.session.deadline - self.clock)
        require(self.receive(Tick()), "nothing was due at the deadline")

    @rule(pause=chats.pauses())
    def tick_early(self, pause: float) -> None:
        """A tick comes late from a queue, with an earlier time: it changes nothing."""
        earlier = self.now - pause
        if self.twin.deadline is None or earlier < self.twin.deadline:
            before = self.memory()
            told = self.session.receive(Tick(), now=earlier + self.clock)
            told += self.twin.receive(Tick(), now=earlier)
            require(not told, "an early tick had effects")
            require(self.memory() == before, "an early tick changed the session")

    @rule(clock=st.one_of(st.none(), st.integers(-_FAR, _FAR)))
    def restart(self, clock: int | None) -> None:
        """The process restarts, on the same clock or on another."""
        snapshot = self.session.snapshot(now=self.session_now)
        kept = json.dumps(snapshot, allow_nan=False)
        self.clock = self.clock if clock is None else float(clock)
        self.session = self.restore_session(json.loads(kept), now=self.session_now)
        again = self.session.snapshot(now=self.session_now)
        require(json.dumps(again) == kept, "the snapshot of a restored session differs")

    # What rules do.

    def receive_item(self, item: Any) -> None:
        """Receive the event of a JSON object."""
        self.items.append(item)
        self.receive(chats.with_exact_times(decode_item(item)))

    def give(self, command: Command) -> list[Any] | None:
        """Give a command; return the effects, or None if both sessions refuse it."""
        before = self.memory()
        try:
            return self.receive(command)
        except LocalProtocolError as error:
            refusal = str(error)
        require(self.memory() == before, "a refused command changed the session")
        refusal_of_twin = "no reason"
        try:
            self.twin.receive(command, now=self.now)
        except LocalProtocolError as error:
            refusal_of_twin = str(error)
        same = f"a session refuses {type(command).__name__} for {refusal}, its twin for"
        require(refusal == refusal_of_twin, f"{same} {refusal_of_twin}")
        return None

    def receive(self, item: Any) -> list[Any]:
        """Give an input to both sessions, check the effects, and return them."""
        was_done = self.session.done
        told: list[Any] = self.session.receive(item, now=self.session_now)
        told_twin = self.twin.receive(item, now=self.now)
        is_same = [self._on_twins_clock(effect) for effect in told] == told_twin
        require(is_same, "two sessions with the same inputs have different effects")
        require(not (was_done and told), "effects after the end")
        self.checker.check(told, self.session, now=self.session_now)
        for effect in told:
            if isinstance(effect, effects.SendEvents):
                self._keep_sent(effect, item)
            if isinstance(effect, (effects.MessageSent, effects.MessageFailed)):
                self.settled.add(effect.msg_id)
            json.dumps(effects.to_json(effect), allow_nan=False)
        self._outbox |= self.session.outbox
        self.effects += told
        return told

    def _echo(self, data: st.DataObject) -> dict[str, Any]:
        event = data.draw(st.sampled_from(list(self.sent.values())))
        chat_id = self.session.chat_id
        return {**event, "party_id": data.draw(st.sampled_from((chat_id, chat_id.upper())))}

    def _on_twins_clock(self, effect: Any) -> Any:
        if isinstance(effect, (effects.FormOpened, effects.FormClosed)):
            deadline = effect.form.deadline
            if deadline is not None:
                return evolve(effect, form=evolve(effect.form, deadline=deadline - self.clock))
        return effect

    def _keep_sent(self, work: effects.SendEvents, item: Any) -> None:
        """Only an unconfirmed message that a complete history lacks is sent again."""
        for msg_id in work.msg_ids:
            if msg_id in self._outbox:
                require(self._outbox[msg_id] == "unconfirmed", f"{msg_id} was sent again")
                is_complete = isinstance(item, History) and item.complete
                require(is_complete, f"{msg_id} was sent again before the history was complete")
            events = [event for event in work.events if event.get("msg_id") == msg_id]
            require(len(events) == 1, f"{msg_id} must be one event, not {len(events)}")
            was = self.sent.setdefault(msg_id, events[0])
            require(was == events[0], f"{msg_id} was sent again with other content")

    # Invariants.

    @invariant()
    def parties_are_in_order(self) -> None:
        """Parties are listed as they were added, unless a history told of earlier ones."""
        if not self.has_history:
            is_ordered = list(self.session.parties) == list(self.checker.parties.values())
            require(is_ordered, "the parties are not in the order of joining")

    @invariant()
    def twins_remember_the_same(self) -> None:
        """Restarts and other clocks change nothing in what a session remembers."""
        kept = self.session.snapshot(now=self.session_now)
        is_same = json.dumps(kept) == json.dumps(self.twin.snapshot(now=self.now))
        require(is_same, "a restart or another clock changed what a session remembers")

    @invariant()
    def typing_ends_in_time(self) -> None:
        """While a party types, the deadline is at most `typing_timeout` away."""
        if self.session.typing:
            last = self.session_now + self.session.settings.typing_timeout
            deadline = self.session.deadline
            is_near = deadline is not None and deadline <= last
            require(is_near, "typing goes on for longer than typing_timeout")

    @invariant()
    def own_messages_are_accounted_for(self) -> None:
        """A message that was sent is in the outbox, or was settled."""
        outbox = self.session.outbox
        require(set(outbox) <= set(self.sent), "the outbox has a message that was not sent")
        for msg_id in self.sent:
            is_open = outbox.get(msg_id) in {"pending", "unconfirmed"}
            if msg_id in outbox or msg_id not in self.settled:
                why = f"{msg_id} is {outbox.get(msg_id)}, which disagrees with the effects"
                require(is_open == (msg_id not in self.settled), why)
        is_over = self.session.done and "pending" in outbox.values()
        require(not is_over, "a message is pending after the end")


class ClientMachine(RuleBasedStateMachine):
    """Tests a client in one chat: requests arrive, are lost, copied or refused; processes die.

    `ClientChecker` checks each step. In the end, when nothing fails any more, both sides must
    agree: each text of the customer arrived once and in order, each answer to a form once, and each
    text of the agent was reported once. Override `make_client` to test a client of your own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = ClientWorld(self.make_client(), self.restore_client)
        self.is_ending = False
        self._texts = 0

    def make_client(self) -> Any:
        """Return a new client without a chat. Override it.

        It has the members of `ClientLike`, `endpoint`, `receive` and `snapshot`.
        """
        return ChatClient(ENDPOINT, settings=CLIENT_SETTINGS)

    def restore_client(self, snapshot: dict[str, Any], now: float) -> Any:
        """Return the client of a snapshot, by `restore` of its class. Override it for wrappers."""
        client = self.world.client
        return type(client).restore(snapshot, client.endpoint, settings=client.settings, now=now)

    @precondition(lambda self: not self.is_ending)
    @rule()
    def send_text(self) -> None:
        """The customer sends a text."""
        self.world.send_text()

    @precondition(lambda self: not self.is_ending)
    @rule()
    def agent_writes(self) -> None:
        """The agent sends a text."""
        self.world.center.write(f"answer {self._texts}")
        self._texts += 1

    @precondition(lambda self: not self.is_ending)
    @rule()
    def agent_shows_form(self) -> None:
        """The agent shows a form."""
        self.world.center.show_form()

    @precondition(lambda self: not self.is_ending and self.world.client.session.forms)
    @rule()
    def answer_form(self) -> None:
        """The customer answers a form."""
        self.world.answer_form()

    @rule(too_long=st.sampled_from((0.0, 3.0, 1_000.0)))
    def wait(self, too_long: float) -> None:
        """Time passes until the client's deadline, and longer if the computer was busy or slept."""
        self.world.wait(too_long)

    @rule()
    def tick(self) -> None:
        """The app ticks, though nothing is due."""
        self.world.tick()

    @precondition(lambda self: self.world.pending)
    @rule(fate=st.sampled_from(FATES))
    def decide(self, fate: str) -> None:
        """Decide the outcome of the oldest request."""
        self.world.decide(fate)

    @rule(arrived=st.booleans())
    def restart(self, arrived: bool) -> None:
        """The process dies, and restarts from the last snapshot."""
        self.world.restart(arrived=arrived)

    @precondition(lambda self: not self.is_ending)
    @rule()
    def end(self) -> None:
        """The customer ends the chat, when all that was sent has arrived."""
        self.world.calm_down()
        self.is_ending = True
        self.world.receive(End())

    def teardown(self) -> None:
        """Let the chat settle, and compare what both sides know."""
        if sys.exc_info()[0] is None:  # no step has failed
            self.world.calm_down()
            self.check_agreement()

    def check_agreement(self) -> None:
        """Check that both sides agree. Raises AssertionError."""
        self.world.check_agreement()
        terminated_is_last(self.world.effects)
        is_open = self.is_ending and not self.world.client.done
        require(not is_open, "the customer ended the chat, and the client goes on")


class OpeningMachine(RuleBasedStateMachine):
    """Tests a client from the request for a chat to the first polls, with refused credentials.

    One chat is requested at a time. Nothing is posted before the history of a chat that may have
    existed before, and nothing is requested while the credentials are refused. Override
    `make_client` to test a client of your own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = OpeningWorld(self.make_client(), self.restore_client)

    def make_client(self) -> Any:
        """Return a new client, without a chat or with the id of one. Override it."""
        return ChatClient(ENDPOINT, settings=CLIENT_SETTINGS)

    def restore_client(self, snapshot: dict[str, Any], now: float) -> Any:
        """Return the client of a snapshot, by `restore` of its class. Override it for wrappers."""
        client = self.world.client
        return type(client).restore(snapshot, client.endpoint, settings=client.settings, now=now)

    @rule()
    def request_chat(self) -> None:
        """The app requests a chat; it may have only one."""
        self.world.request_chat()

    @precondition(lambda self: self.world.opening is not None)
    @rule(
        fate=st.sampled_from(OPENING_FATES),
        is_new=st.sampled_from((True, "true", False, "false", None)),
    )
    def reply_to_request(self, fate: str, is_new: object) -> None:
        """The center answers the request for a chat, or does not."""
        self.world.reply_to_opening(fate, is_new)

    @precondition(lambda self: self.world.others)
    @rule(fate=st.sampled_from(("answered", "unauthorized", "connect")))
    def reply(self, fate: str) -> None:
        """The oldest other request is answered, refused for its credentials, or not sent."""
        self.world.reply(fate)

    @rule()
    def send_text(self) -> None:
        """The customer sends a text; it is refused until there is a chat."""
        self.world.send_text()

    @rule()
    def resume(self) -> None:
        """The app gives new credentials; it is refused unless the old ones were."""
        self.world.resume()

    @rule()
    def wait(self) -> None:
        """Time passes until the client's deadline."""
        self.world.wait()

    @rule()
    def restart(self) -> None:
        """The process dies, and restarts from the last snapshot."""
        self.world.restart()
