"""chatfsm's own client runs whole chats against the center, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm import Tick, api, commands, effects
from chatfsm._client.client import ChatClient
from chatfsm.client_effects import ApiFailed, ApiSucceeded
from chatfsm.endpoint import Endpoint
from chatfsm.transport import HttpFailure, HttpRequest
from tests.simulator.center.office import PHOTO, Event, Office, Script, event, says


class Customer:
    """A client of the center's; what it told, and what it asked."""

    def __init__(self, office: Office, version: int, *, quoted: bool = True) -> None:
        self.office = office
        place = ("https://any.example", "tenant.example", "demo", "anna")
        self.client = ChatClient(Endpoint(*place, version=version, quoted=quoted))
        self.told: list[Any] = []
        self.statuses: list[int] = []
        self.deaf = False
        """Whether the connections of polls break."""

    def does(self, item: Any) -> None:
        """Hear something, and all that follows from it at this time."""
        waiting = [item]
        center, now = self.office.center, self.office.now
        while waiting:
            for effect in self.client.receive(waiting.pop(0), now=now):
                if not isinstance(effect, HttpRequest):
                    self.told.append(effect)
                    continue
                reply = center.handle(effect, now=now)
                if reply is not None:
                    self.statuses.append(reply.status)
                    waiting.append(reply)
                elif self.deaf:
                    center.abort_poll(effect.id, now=now)
                    waiting.append(HttpFailure(effect.id, "protocol"))
            waiting += center.collect(now=now)

    def waits(self, seconds: float) -> None:
        """Time passes for both."""
        office, end = self.office, self.office.now + seconds
        while True:
            moments = (self.client.deadline, office.center.deadline)
            due = [at for at in moments if at is not None and at <= end]
            if not due:
                break
            office.now = max(office.now, min(due))
            for reply in office.center.collect(now=office.now):
                self.statuses.append(reply.status)
                self.does(reply)
            self.does(Tick())
        office.now = end

    def asks(self, call: Any) -> Any:
        """Make a call, and give its answer."""
        self.does(call)
        (answer,) = [
            one for one in self.told if isinstance(one, ApiSucceeded) and one.request is call
        ]
        return answer.result

    def heard(self, kind: type) -> list[Any]:
        return [one for one in self.told if isinstance(one, kind)]


def obliging(given: Event) -> list[Event]:
    """An agent who shows a form when somebody speaks, thanks for it, and goes."""
    match given:
        case {"event": "chat_session_message", "msg": text}:
            form = event("form_show", form_request_id="1", form_name="survey", form_timeout="60")
            return [event("typing", party_id="A1"), says(f"You said: {text}"), form]
        case {"event": "chat_session_form_data", "data": data}:
            return [says(f"{data['stars']} stars, thank you")]
        case _:
            return []


def agent() -> Script:
    joined = event("party_joined", party_id="A1", display_name="Ann", type="internal")
    first = [event("status", state="queued", ewt="2")]
    later = [(2.0, [joined, event("status", state="connected", ewt=""), says("Hello")])]
    return Script(first, later, obliging)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("quoted", [True, False])
def test_a_whole_chat(version: int, quoted: bool) -> None:
    """Request, messages, a form, and the end: nothing is lost, refused, or told twice."""
    office = Office(agent)
    customer = Customer(office, version, quoted=quoted)
    customer.does(api.RequestChat(parameters={"name": "A"}))
    customer.waits(5)
    customer.does(commands.SendText("Good morning"))
    customer.waits(30)
    (opened,) = customer.heard(effects.FormOpened)
    customer.does(commands.SubmitForm(opened.form.request_id, {"stars": "5"}))
    customer.waits(30)
    customer.does(commands.End())
    customer.waits(1)
    texts = [one.message.text for one in customer.heard(effects.MessageReceived)]
    assert texts == ["Hello", "You said: Good morning", "5 stars, thank you"]
    assert [one.msg_id for one in customer.heard(effects.MessageSent)] == ["1"]
    receipts = customer.heard(effects.DeliveryConfirmed)
    assert [one.msg_id for one in receipts] == ["1"] * (version == 2)
    assert [one.outcome for one in customer.heard(effects.Terminated)] == ["ended"]
    assert not customer.heard(effects.Anomaly) + customer.heard(ApiFailed)
    assert set(customer.statuses) == {200}
    (chat,) = office.center.chats.values()
    assert (chat.outcome, chat.version, chat.is_over) == ("ended", version, True)
    assert customer.client.session is not None
    # The state that the request was answered with is in the first poll too, and in version 1 what
    # the reply to a POST brought: typing, a message and the form; and the second message.
    assert customer.client.session.counts.duplicates == (4 if version == 1 else 1)


@pytest.mark.parametrize("version", [1, 2])
def test_every_call_is_answered(version: int) -> None:
    """The client reads what the center writes, for each method that there is."""
    office = Office(agent)
    customer = Customer(office, version)
    assert customer.asks(api.CheckAvailability()).is_available
    assert [one.name for one in customer.asks(api.GetExpectedParameters())] == ["name", "mail"]
    customer.asks(api.RequestChat())
    assert customer.asks(api.GetActiveChat()).chat_id in office.center.chats
    uploaded = customer.asks(api.UploadFile("a.txt", b"abc", "text/plain"))
    assert uploaded.file_name == "a.txt"
    assert customer.asks(api.GetFile(uploaded.file_id)).content == b"abc"
    assert customer.asks(api.GetPhoto("A1")).content == PHOTO
    assert [one.username for one in customer.asks(api.GetIceServers())] == [None, "u"]
    if version == 1:
        assert customer.asks(api.RequestSmsChat(phone_number="5550100")).code == 0
        return
    customer.asks(api.SubscribeNotifications(android_firebase_device_token="t"))  # noqa: S106  # of nobody
    assert len(customer.asks(api.GetCaseHistory())) == 1
    assert customer.asks(api.GetVersion()).text == office.center.settings.server_version
    (chat_id,) = office.center.chats
    office.tells(chat_id, event("case_set", case_id="C-1"))
    customer.asks(api.CloseCase())
    assert office.chat(chat_id).case_id is None


@pytest.mark.parametrize("notices_aborts", [True, False])
def test_what_a_broken_poll_swallows_is_found_in_the_history(notices_aborts: bool) -> None:
    """The client is told everything once, whether the center noticed or not."""
    office = Office(agent, notices_aborts=notices_aborts)
    customer = Customer(office, 2)
    customer.deaf = True
    customer.does(api.RequestChat())
    customer.waits(1)
    customer.deaf = False
    customer.waits(60)
    texts = [one.message.text for one in customer.heard(effects.MessageReceived)]
    assert texts == ["Hello"]


def test_a_client_that_loses_its_server_comes_back() -> None:
    """After a restart the polls go on, and what was not delivered is told from the history."""
    office = Office(agent)
    customer = Customer(office, 2)
    customer.does(api.RequestChat())
    customer.waits(5)
    (chat_id,) = office.center.chats
    office.center.send_event(chat_id, says("Unheard"), now=office.now)
    for number in office.center.restart(now=office.now):
        customer.does(HttpFailure(number, "protocol"))
    customer.waits(60)
    texts = [one.message.text for one in customer.heard(effects.MessageReceived)]
    assert texts == ["Hello", "Unheard"]
    assert not office.chat(chat_id).is_over


def test_a_silent_customer_is_warned_and_let_go() -> None:
    """As the session understands it."""
    office = Office(agent, inactivity_timeout=100.0)
    customer = Customer(office, 2)
    customer.does(api.RequestChat())
    customer.waits(120)
    assert len(customer.heard(effects.WarningRaised)) == 1
    assert [one.outcome for one in customer.heard(effects.Terminated)] == ["timed_out"]
