"""Ledger: the messages of one chat's customer, and checks that all of them arrived."""

from __future__ import annotations

from collections import Counter
from typing import Any

from chatfsm import effects
from chatfsm.client_effects import Undelivered
from chatfsm.simulator.state import CenterChat
from chatfsm.simulator.world import _REQUESTS_PER_CUSTOMER, SimulatedCustomer

_MESSAGE = "chat_session_message"
_FILE = "chat_session_file"
_FORM_DATA = {"chat_session_form_data", "chat_session_secure_form_data"}


def is_reply_in_flight(customer: SimulatedCustomer) -> bool:
    """Whether a reply is in flight, whose events the center no longer holds for the customer."""
    return any(
        arrival is not None
        and flight.replies_left > 0
        and not flight.is_cancelled
        and flight.request.id // _REQUESTS_PER_CUSTOMER == customer.number
        for _, _, flight, arrival in customer.world.network._scheduled
    )


def is_reply_lost(customer: SimulatedCustomer) -> bool:
    """Whether the client waits for a reply that will never come, as only its timeout shows."""
    first = customer.number * _REQUESTS_PER_CUSTOMER
    in_flight = customer.world.network._in_flight
    return any(first + number not in in_flight for number in customer.client._state.pending)


class Ledger:
    """The expectations of one chat, compared with the center when no request is in flight."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        """The customer's texts, in order."""
        self.msg_ids: dict[str, str] = {}
        """The texts by their msg_ids."""
        self.files: list[str] = []
        self.answered: list[str] = []

    def note_text(self, text: str, customer: SimulatedCustomer) -> None:
        """Note a text that the client has accepted."""
        assert customer.session is not None
        self.texts.append(text)
        self.msg_ids[list(customer.session.outbox)[-1]] = text

    def is_settled(self, customer: SimulatedCustomer, chat: CenterChat) -> bool:
        """Whether nothing is queued or in flight, in either direction."""
        client = customer.client
        health = client.health(customer.now)
        state = client._state
        return (
            customer.is_alive
            and not health.queued
            and not chat.pending
            and health.link == "live"
            and state.history == "fresh"
            and state.history_recheck_at is None
            and not any(request.purpose != "poll" for request in state.pending.values())
            and not is_reply_in_flight(customer)
            and not is_reply_lost(customer)
        )

    def check_all(self, customer: SimulatedCustomer, chat: CenterChat) -> None:
        """Check that everything arrived once and in order, and was reported once."""
        self._check_customer_events(customer, chat)
        arrived = [event["msg"] for event in chat.customer_events if event["event"] == _MESSAGE]
        assert arrived == self.texts, f"said {self.texts}, arrived {arrived}"
        failed = [e for e in customer.effects if isinstance(e, effects.MessageFailed)]
        assert not failed, failed
        assert customer.session is not None
        fates = set(customer.session.outbox.values())
        assert fates <= {"sent", "delivered", "read"}, fates
        self._check_received(customer, chat)

    def check_beside_copies(self, customer: SimulatedCustomer, chat: CenterChat) -> None:
        """Check that all texts arrived, in order except for exact copies of earlier ones.

        Nothing may be reported twice, or be invented.
        """
        firsts: dict[str, dict[str, Any]] = {}
        for event in chat.customer_events:
            if event["event"] == _MESSAGE:
                first = firsts.setdefault(event["msg_id"], event)
                assert event == first, f"no copy: {event}, after {first}"
        arrived = [event["msg"] for event in firsts.values()]
        assert arrived == self.texts, f"said {self.texts}, first arrived {arrived}"
        files = dict.fromkeys(e["file_id"] for e in chat.customer_events if e["event"] == _FILE)
        assert list(files) == self.files, f"shared {self.files}, first arrived {list(files)}"
        spoken = Counter(
            event["msg"]
            for event in chat.history
            if event["event"] == _MESSAGE and event.get("party_id") != chat.chat_id
        )
        received = Counter(customer.received_texts)
        assert received <= spoken, f"twice or invented: {received - spoken}"

    def check_roster(self, customer: SimulatedCustomer, chat: CenterChat) -> None:
        """Check that the roster equals the center's."""
        assert customer.session is not None
        known = {party.party_id for party in customer.session.parties}
        assert known == set(chat.party_ids), f"parties {chat.party_ids}, known {known}"

    def check_fates(self, customer: SimulatedCustomer, chat: CenterChat | None) -> None:
        """Check that nothing arrived twice, and that the client reported all lost messages."""
        taken = [] if chat is None else chat.customer_events
        messages = [event for event in taken if event["event"] == _MESSAGE]
        arrived = Counter(event["msg_id"] for event in messages)
        assert all(count == 1 for count in arrived.values()), f"arrived twice: {arrived}"
        reported = {
            effect.msg_id
            for effect in customer.effects
            if isinstance(effect, (effects.MessageFailed, effects.MessageUnconfirmed))
        }
        confirmed = {e.msg_id for e in customer.effects if isinstance(e, effects.MessageSent)}
        for msg_id, text in self.msg_ids.items():
            assert msg_id in arrived or msg_id in reported, f"{text} was lost without a report"
            assert msg_id in arrived or msg_id not in confirmed, f"{text} never arrived"

    def check_end(self, customer: SimulatedCustomer) -> None:
        """Check that the end was reported once, last, with a typed reason."""
        ends = [e for e in customer.effects if isinstance(e, effects.Terminated)]
        assert len(ends) == 1, f"{len(ends)} ends"
        assert customer.effects[-1] is ends[0], "an effect was reported after the end"
        assert customer.session is not None
        assert ends[0].outcome == customer.session.outcome

    def _check_customer_events(self, customer: SimulatedCustomer, chat: CenterChat) -> None:
        """Check files and answers: each once; answers to secure forms may be lost in a restart."""
        files = [event["file_id"] for event in chat.customer_events if event["event"] == _FILE]
        assert files == self.files, f"shared {self.files}, arrived {files}"
        answers = [
            event["form_request_id"]
            for event in chat.customer_events
            if event["event"] in _FORM_DATA and event.get("form_name") != ""
        ]
        lost = [e.subject for e in customer.effects if isinstance(e, Undelivered)]
        assert len(answers) == len(set(answers)), f"answered twice: {answers}"
        assert len(lost) == len(set(lost)), f"lost twice: {lost}"
        assert set(self.answered) == {*answers, *lost}, (self.answered, answers, lost)

    def _check_received(self, customer: SimulatedCustomer, chat: CenterChat) -> None:
        """Check that all messages and files of the agents were received once."""
        theirs = [event for event in chat.history if event.get("party_id") != chat.chat_id]
        spoken = Counter(event["msg"] for event in theirs if event["event"] == _MESSAGE)
        got = Counter(customer.received_texts)
        assert got == spoken, f"lost {spoken - got}, twice or invented {got - spoken}"
        shared = Counter(event["file_id"] for event in theirs if event["event"] == _FILE)
        files: Counter[Any] = Counter()
        for effect in customer.effects:
            if isinstance(effect, effects.FileReceived):
                assert not effect.file.own, "an own file was reported"
                files[effect.file.file_id] += 1
            elif isinstance(effect, effects.MessageReceived):
                assert not effect.message.own, f"own message reported: {effect.message.text}"
        assert files == shared, f"files {shared}, reported {files}"
