"""Whole chats of a ChatClient with the simulated center, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm import Tick, api, commands, effects
from chatfsm._client.client import ChatClient
from chatfsm.client_effects import ApiFailed, ApiSucceeded
from chatfsm.endpoint import Endpoint
from chatfsm.transport import HttpFailure, HttpRequest
from tests.simulator.center.harness import PHOTO, CenterHarness, Event, Script, agent_message, event


class VirtualCustomer:
    """A client of the center, with its effects and the replies to its API requests."""

    def __init__(self, harness: CenterHarness, version: int, *, quoted: bool = True) -> None:
        self.harness = harness
        place = ("https://any.example", "tenant.example", "demo", "anna")
        self.client = ChatClient(Endpoint(*place, version=version, quoted=quoted))
        self.effects: list[Any] = []
        self.statuses: list[int] = []
        self.polls_break = False
        """Whether the connections of polls break."""

    def receive(self, item: Any) -> None:
        """Give the client an input, and carry out the requests that follow at this time."""
        waiting = [item]
        center, now = self.harness.center, self.harness.now
        while waiting:
            for effect in self.client.receive(waiting.pop(0), now=now):
                if not isinstance(effect, HttpRequest):
                    self.effects.append(effect)
                    continue
                reply = center.handle(effect, now=now)
                if reply is not None:
                    self.statuses.append(reply.status)
                    waiting.append(reply)
                elif self.polls_break:
                    center.abort_poll(effect.id, now=now)
                    waiting.append(HttpFailure(effect.id, "protocol"))
            waiting += center.collect(now=now)

    def advance(self, seconds: float) -> None:
        """Advance the time of the client and of the center."""
        harness, end = self.harness, self.harness.now + seconds
        while True:
            moments = (self.client.deadline, harness.center.deadline)
            due = [at for at in moments if at is not None and at <= end]
            if not due:
                break
            harness.now = max(harness.now, min(due))
            for reply in harness.center.collect(now=harness.now):
                self.statuses.append(reply.status)
                self.receive(reply)
            self.receive(Tick())
        harness.now = end

    def call(self, call: Any) -> Any:
        """Make an API request and return its answer."""
        self.receive(call)
        (answer,) = [
            one for one in self.effects if isinstance(one, ApiSucceeded) and one.request is call
        ]
        return answer.result

    def of_kind(self, kind: type) -> list[Any]:
        return [one for one in self.effects if isinstance(one, kind)]


def answer_as_agent(given: Event) -> list[Event]:
    """Answer as an agent: a form for the first message, thanks for its answer, then leave."""
    match given:
        case {"event": "chat_session_message", "msg": text}:
            form = event("form_show", form_request_id="1", form_name="survey", form_timeout="60")
            return [event("typing", party_id="A1"), agent_message(f"You said: {text}"), form]
        case {"event": "chat_session_form_data", "data": data}:
            return [agent_message(f"{data['stars']} stars, thank you")]
        case _:
            return []


def agent() -> Script:
    joined = event("party_joined", party_id="A1", display_name="Ann", type="internal")
    first = [event("status", state="queued", ewt="2")]
    later = [(2.0, [joined, event("status", state="connected", ewt=""), agent_message("Hello")])]
    return Script(first, later, answer_as_agent)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("quoted", [True, False])
def test_a_whole_chat(version: int, quoted: bool) -> None:
    """Request, messages, a form and the end: nothing is lost, refused or reported twice."""
    harness = CenterHarness(agent)
    customer = VirtualCustomer(harness, version, quoted=quoted)
    customer.receive(api.RequestChat(parameters={"name": "A"}))
    customer.advance(5)
    customer.receive(commands.SendText("Good morning"))
    customer.advance(30)
    (opened,) = customer.of_kind(effects.FormOpened)
    customer.receive(commands.SubmitForm(opened.form.request_id, {"stars": "5"}))
    customer.advance(30)
    customer.receive(commands.End())
    customer.advance(1)
    texts = [one.message.text for one in customer.of_kind(effects.MessageReceived)]
    assert texts == ["Hello", "You said: Good morning", "5 stars, thank you"]
    assert [one.msg_id for one in customer.of_kind(effects.MessageSent)] == ["1"]
    receipts = customer.of_kind(effects.DeliveryConfirmed)
    assert [one.msg_id for one in receipts] == ["1"] * (version == 2)
    assert [one.outcome for one in customer.of_kind(effects.Terminated)] == ["ended"]
    assert not customer.of_kind(effects.Anomaly) + customer.of_kind(ApiFailed)
    assert set(customer.statuses) == {200}
    (chat,) = harness.center.chats.values()
    assert (chat.outcome, chat.version, chat.is_over) == ("ended", version, True)
    assert customer.client.session is not None
    # The status in the reply to the request is in the first poll too, and in version 1 so are the
    # events of the replies to POSTs: typing, a message and the form; and the second message.
    assert customer.client.session.counts.duplicates == (4 if version == 1 else 1)


@pytest.mark.parametrize("version", [1, 2])
def test_every_api_request_is_answered(version: int) -> None:
    """The client can decode the center's answer to each API request."""
    harness = CenterHarness(agent)
    customer = VirtualCustomer(harness, version)
    assert customer.call(api.CheckAvailability()).is_available
    assert [one.name for one in customer.call(api.GetExpectedParameters())] == ["name", "mail"]
    customer.call(api.RequestChat())
    assert customer.call(api.GetActiveChat()).chat_id in harness.center.chats
    uploaded = customer.call(api.UploadFile("a.txt", b"abc", "text/plain"))
    assert uploaded.file_name == "a.txt"
    assert customer.call(api.GetFile(uploaded.file_id)).content == b"abc"
    assert customer.call(api.GetPhoto("A1")).content == PHOTO
    assert [one.username for one in customer.call(api.GetIceServers())] == [None, "u"]
    if version == 1:
        assert customer.call(api.RequestSmsChat(phone_number="5550100")).code == 0
        return
    customer.call(api.SubscribeNotifications(android_firebase_device_token="t"))  # noqa: S106  # a dummy token
    assert len(customer.call(api.GetCaseHistory())) == 1
    assert customer.call(api.GetVersion()).text == harness.center.settings.server_version
    (chat_id,) = harness.center.chats
    harness.send(chat_id, event("case_set", case_id="C-1"))
    customer.call(api.CloseCase())
    assert harness.chat(chat_id).case_id is None


@pytest.mark.parametrize("notices_aborts", [True, False])
def test_events_of_a_broken_poll_are_in_the_history(notices_aborts: bool) -> None:
    """The client reports each event once, whether or not the center noticed the break."""
    harness = CenterHarness(agent, notices_aborts=notices_aborts)
    customer = VirtualCustomer(harness, 2)
    customer.polls_break = True
    customer.receive(api.RequestChat())
    customer.advance(1)
    customer.polls_break = False
    customer.advance(60)
    texts = [one.message.text for one in customer.of_kind(effects.MessageReceived)]
    assert texts == ["Hello"]


def test_a_client_survives_a_restart_of_the_server() -> None:
    """After a restart polling resumes, and lost events are reported from the history."""
    harness = CenterHarness(agent)
    customer = VirtualCustomer(harness, 2)
    customer.receive(api.RequestChat())
    customer.advance(5)
    (chat_id,) = harness.center.chats
    harness.center.send_event(chat_id, agent_message("Lost"), now=harness.now)
    for number in harness.center.restart(now=harness.now):
        customer.receive(HttpFailure(number, "protocol"))
    customer.advance(60)
    texts = [one.message.text for one in customer.of_kind(effects.MessageReceived)]
    assert texts == ["Hello", "Lost"]
    assert not harness.chat(chat_id).is_over


def test_a_silent_customer_is_warned_and_disconnected() -> None:
    """The session reports the inactivity warning and the end."""
    harness = CenterHarness(agent, inactivity_timeout=100.0)
    customer = VirtualCustomer(harness, 2)
    customer.receive(api.RequestChat())
    customer.advance(120)
    assert len(customer.of_kind(effects.WarningRaised)) == 1
    assert [one.outcome for one in customer.of_kind(effects.Terminated)] == ["timed_out"]
