"""A session under whatever may be sent, ordered or lost, at whatever time: what always holds."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chatfsm import (
    ChatSession,
    History,
    LocalProtocolError,
    Lost,
    SendFailed,
    Sent,
    Settings,
    Tick,
    commands,
    effects,
)
from chatfsm._protocol.codec import decode_item
from chatfsm.testing.invariants import SessionChecker
from chatfsm.testing.strategies import (
    commands as any_commands,
)
from chatfsm.testing.strategies import (
    histories,
    odd_wire_events,
    pauses,
    wire_events,
    with_exact_times,
)

# Small bounds, so that a few steps reach them.
SETTINGS = Settings(
    max_ids=8, max_parties=2, max_typists=2, max_forms=2, max_candidates=2, max_unsent=3
)
FAR = 2**20


class SessionMachine(RuleBasedStateMachine):
    """Two sessions hear the same; what they tell is followed as an app would.

    The first is put away now and then, and goes on on another clock; its twin never is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.session = ChatSession("chat-1", settings=SETTINGS)
        self.twin = ChatSession("chat-1", settings=SETTINGS)
        self.now = 0.0
        self.clock = 0.0
        """How far the clock of the session is ahead of that of its twin, which is `now`."""
        self.said: list[Any] = []
        self.watcher = SessionChecker()
        """Keeps the books that an app would keep."""
        self.recalled = False
        """Whether a history was heard."""
        self.heard = 0
        self.told = 0
        self.texts: dict[str, dict[str, Any]] = {}
        """What was said, by msg_id, as it went out."""
        self.fates: dict[str, str] = {}
        """What became of it, as the outbox had it last."""
        self.settled: set[str] = set()
        """Of what it was told that it arrived, or was refused."""

    @initialize(state=st.sampled_from(("ivr", "queued", "connected")))
    def begins(self, state: str) -> None:
        self.hear({"event": "chat_session_status", "state": state})

    @rule(item=wire_events(ending=False))
    def hears_an_event(self, item: dict[str, Any]) -> None:
        self.hear(item)

    @rule(item=odd_wire_events())
    def hears_something_odd(self, item: Any) -> None:
        self.hear(item)

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def hears_something_again(self, data: st.DataObject) -> None:
        self.hear(data.draw(st.sampled_from(self.said)))

    @precondition(lambda self: len(self.said) > 6)
    @rule(item=wire_events(), lost=st.booleans())
    def hears_what_may_end_it(self, item: dict[str, Any], lost: bool) -> None:
        if lost:
            self.receive(Lost("no such chat"))
        else:
            self.hear(item)

    @rule(order=any_commands())
    def orders_something(self, order: commands.Command) -> None:
        self.order(order)

    @rule(text=st.sampled_from(("hello", "<b>hello</b>")))
    def says_something(self, text: str) -> None:
        self.order(commands.SendText(text))

    @precondition(lambda self: self.session.forms)
    @rule(data=st.data(), cancel=st.booleans())
    def answers_a_form(self, data: st.DataObject, cancel: bool) -> None:
        request_id = data.draw(st.sampled_from(self.session.forms)).request_id
        answer = commands.SubmitForm(request_id, {"answer": "yes"})
        assert self.order(commands.CancelForm(request_id) if cancel else answer) is not None

    @precondition(lambda self: self.texts)
    @rule(data=st.data(), arrived=st.booleans(), retryable=st.booleans())
    def learns_what_became_of_it(self, data: st.DataObject, arrived: bool, retryable: bool) -> None:
        """The transport says so, once or again, of some or of nothing that is known."""
        ids = st.sampled_from((*self.texts, "another"))
        msg_ids = data.draw(st.lists(ids, min_size=1, max_size=3, unique=True))
        self.receive(Sent(msg_ids) if arrived else SendFailed(msg_ids, "no", retryable))

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def hears_an_echo(self, data: st.DataObject) -> None:
        self.hear(self.echo(data))

    @rule(page=histories(), data=st.data())
    def hears_a_history(self, page: History, data: st.DataObject) -> None:
        """A page of anything, of what was heard before, and of echoes of what was said."""
        items = []
        if self.said:
            items += data.draw(st.lists(st.sampled_from(self.said), max_size=3))
        if self.texts and data.draw(st.booleans()):
            items.append(self.echo(data))
        self.recalled = True
        more = tuple(decode_item(item) for item in items)
        self.receive(with_exact_times(History((*page.events, *more), complete=page.complete)))

    @rule(pause=pauses())
    def time_passes(self, pause: float) -> None:
        self.now += pause
        self.receive(Tick())

    @precondition(lambda self: self.session.deadline is not None)
    @rule()
    def the_deadline_comes(self) -> None:
        assert self.session.deadline is not None
        self.now = max(self.now, self.session.deadline - self.clock)
        assert self.receive(Tick()), "a deadline that nothing is due at"

    @rule(pause=pauses())
    def an_early_tick_comes(self, pause: float) -> None:
        """Ticks that come from a clock behind do nothing."""
        earlier = self.now - pause
        if self.twin.deadline is None or earlier < self.twin.deadline:
            was = repr(self.session._state)
            assert self.session.receive(Tick(), now=earlier + self.clock) == []
            assert self.twin.receive(Tick(), now=earlier) == []
            assert repr(self.session._state) == was

    @rule(ahead=st.one_of(st.none(), st.integers(-FAR, FAR)))
    def is_put_away_and_comes_back(self, ahead: int | None) -> None:
        """A restart, on the same clock or on another."""
        kept = json.loads(json.dumps(self.session.snapshot(now=self.at), allow_nan=False))
        same = ChatSession.restore(deepcopy(kept), settings=SETTINGS, now=self.at)
        assert same == self.session, "a round trip is equality"
        self.clock = self.clock if ahead is None else float(ahead)
        self.session = ChatSession.restore(kept, settings=SETTINGS, now=self.at)
        assert self.session.snapshot(now=self.at) == kept

    @property
    def at(self) -> float:
        """The time on the clock of the session."""
        return self.now + self.clock

    def echo(self, data: st.DataObject) -> dict[str, Any]:
        """Something that was said, as the server passes it on."""
        said = data.draw(st.sampled_from(list(self.texts.values())))
        return {**said, "party_id": data.draw(st.sampled_from(("chat-1", "CHAT-1")))}

    def hear(self, item: Any) -> None:
        self.said.append(item)
        self.receive(with_exact_times(decode_item(item)))

    def order(self, order: commands.Command) -> list[effects.Effect] | None:
        """The effects of an order; None where it was refused, which leaves no trace."""
        before = deepcopy(self.session._state), self.session._state.deadline_bound
        try:
            return self.receive(order)
        except LocalProtocolError as error:
            refusal = str(error)
        assert (self.session._state, self.session._state.deadline_bound) == before
        with pytest.raises(LocalProtocolError) as other:
            self.twin.receive(order, now=self.now)
        assert str(other.value) == refusal, "refused after a restart otherwise"
        return None

    def receive(self, item: Any) -> list[effects.Effect]:
        was_done = self.session.done
        told = self.session.receive(item, now=self.at)
        known = [self.on_the_twins_clock(effect) for effect in told]
        assert known == self.twin.receive(item, now=self.now), "the same inputs, other effects"
        if was_done:
            assert told == [], "effects after the end"
        self.watcher.check(told, self.session, now=self.at)
        for effect in told:
            if isinstance(effect, effects.SendEvents):
                self.keep_what_is_said(effect, item)
            if isinstance(effect, (effects.MessageSent, effects.MessageFailed)):
                self.settle(effect.msg_id)
            json.dumps(effects.to_json(effect), allow_nan=False)
        self.fates |= self.session.outbox
        self.told += len(told)
        if isinstance(item, History):
            self.heard += len(item.events)
        elif type(item).__module__ == "chatfsm.events":
            self.heard += 1
        return told

    def on_the_twins_clock(self, effect: effects.Effect) -> effects.Effect:
        if isinstance(effect, (effects.FormOpened, effects.FormClosed)):
            deadline = effect.form.deadline
            if deadline is not None:
                return evolve(effect, form=evolve(effect.form, deadline=deadline - self.clock))
        return effect

    def keep_what_is_said(self, work: effects.SendEvents, item: Any) -> None:
        """Only what was in doubt, and is not in a complete history, is said again."""
        for msg_id in work.msg_ids:
            if msg_id in self.fates:
                assert self.fates[msg_id] == "unconfirmed", "said again, and was in no doubt"
                assert isinstance(item, History)
                assert item.complete, "said again before all pages had come"
            said = [event for event in work.events if event.get("msg_id") == msg_id]
            assert len(said) == 1
            assert self.texts.setdefault(msg_id, said[0]) == said[0], "said again otherwise"

    def settle(self, msg_id: str) -> None:
        """It arrived, or was refused: that is told once."""
        assert msg_id in self.texts
        assert msg_id not in self.settled, "settled twice"
        self.settled.add(msg_id)

    @invariant()
    def they_stand_in_the_order_of_joining(self) -> None:
        if not self.recalled:  # a history tells who joined before whom, out of turn
            assert list(self.session.parties) == list(self.watcher.parties.values())

    @invariant()
    def both_remember_the_same(self) -> None:
        kept = self.session.snapshot(now=self.at)
        assert json.dumps(kept) == json.dumps(self.twin.snapshot(now=self.now))
        if not self.clock:
            assert self.session._state == self.twin._state

    @invariant()
    def whoever_types_has_a_deadline(self) -> None:
        deadline = self.session.deadline
        if self.session.typing:
            assert deadline is not None
            assert deadline <= self.at + SETTINGS.typing_timeout
        if deadline is not None:
            assert self.session._state.deadline_bound <= deadline

    @invariant()
    def all_that_was_said_is_in_one_state(self) -> None:
        outbox = self.session.outbox
        assert set(outbox) <= set(self.texts)
        for msg_id in self.texts:
            if msg_id not in outbox:
                assert msg_id in self.settled, "forgotten before it was settled"
            else:
                is_open = outbox[msg_id] in {"pending", "unconfirmed"}
                assert is_open == (msg_id not in self.settled)
        if self.session.done:
            assert "pending" not in outbox.values()

    @invariant()
    def nothing_survives_the_end(self) -> None:
        if self.session.done:
            assert self.session._state.own_typing is None

    @invariant()
    def what_is_read_by_nobody_is_bounded(self) -> None:
        memory = self.session._state
        told = memory.seen_ids or {}
        assert memory.seen_count == sum(len(ids) for ids in told.values()) <= SETTINGS.max_ids
        assert all(told.values()), "a speaker of whom nothing is remembered"
        assert len(memory.joined_at) in {len(memory.parties), 0}
        assert len(memory.departed or ()) <= SETTINGS.max_parties
        assert len(memory.closed_forms or ()) <= SETTINGS.max_forms

    @invariant()
    def everything_is_counted(self) -> None:
        counts = self.session.counts
        assert counts.events + counts.late == self.heard
        assert counts.effects == self.told


TestSessionMachine = SessionMachine.TestCase
