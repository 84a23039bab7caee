"""A session that the server no longer knows, and secrets that nobody may find."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from chatfsm import History, Lost, SendFailed, Sent, Tick
from chatfsm import commands as c
from chatfsm.effects import (
    CallChanged,
    FormClosed,
    MessageUnconfirmed,
    StateChanged,
    Terminated,
    TypingStopped,
    to_json,
)
from chatfsm.models import Form

if TYPE_CHECKING:
    from chatfsm.inputs import Input
    from tests.session.commands.conftest import Talk

SECRET = "4929-MARKED-SECRET"  # noqa: S105  # marked, so that it can be looked for


@pytest.mark.parametrize(
    "state", ["establishing", "ivr", "queued", "connecting", "connected", "completed"]
)
def test_a_lost_session_is_gone(talk: Talk, state: str) -> None:
    """A session that the server does not know is gone, from whatever state."""
    talk.hears("status", state=state)

    assert talk.is_lost("error 5005") == [
        StateChanged(state, "gone"),
        Terminated("gone", "error 5005"),
    ]
    assert talk.session.done
    assert talk.session.outcome == "gone"
    assert talk.session.outcome_text == "error 5005"
    assert talk.session.deadline is None


def test_a_loss_may_have_no_reason(talk: Talk) -> None:
    """Without a reason the text of the end is empty."""
    assert talk.receives(Lost())[-1] == Terminated("gone", "")
    assert talk.session.outcome_text == ""


def test_a_loss_closes_everything(talk: Talk) -> None:
    """Typing, forms, the call and what was on its way end with a lost session, in this order."""
    talk.hears("typing", party_id="ann")
    talk.shows("7")
    talk.signals("OFFER_CALL")
    talk.says()

    assert talk.is_lost() == [
        StateChanged("establishing", "gone"),
        TypingStopped("ann", "terminated"),
        FormClosed(Form("7", "survey"), "terminated"),
        CallChanged("offered", "ended"),
        MessageUnconfirmed("1", "the session is over"),
        Terminated("gone", "error 5005"),
    ]


def test_a_session_is_lost_once(talk: Talk) -> None:
    """After the end a loss is no news, and neither is an end after a loss."""
    talk.is_lost("first")
    before = talk.recalls()

    assert talk.is_lost("second") == []
    assert talk.recalls() == before
    assert talk.ends() == []
    assert talk.session.outcome == "gone"
    assert talk.session.outcome_text == "first"


def test_a_loss_after_the_end_changes_nothing(talk: Talk) -> None:
    """What has ended cannot be lost."""
    talk.ends()

    assert talk.is_lost() == []
    assert talk.session.outcome == "ended"


@pytest.mark.parametrize(
    "item",
    [
        Sent(("1",)),
        SendFailed(("1",), "no", retryable=True),
        SendFailed(("1",), "no", retryable=False),
        Tick(),
        History(()),
        Lost("again"),
    ],
    ids=lambda item: type(item).__name__,
)
def test_nothing_of_the_transport_is_heard_after_the_end(talk: Talk, item: Input) -> None:
    """After the end no word of the transport changes anything."""
    talk.says()
    talk.is_lost()
    before = talk.recalls()

    assert talk.receives(item, at=1e6) == []
    assert talk.recalls() == before


def test_the_answers_of_a_secure_form_are_nowhere(
    talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    """What answers a secure form is in what goes to the server, and nowhere else."""
    caplog.set_level(logging.DEBUG)
    talk.hears("secure_form_show", form_request_id="8", form_id="card")
    command = c.SubmitForm("8", {"card": SECRET, SECRET: "1", "deep": [{"a": SECRET}]})
    effects = talk.receives(command)
    talk.refused(command)
    again = talk.refused(c.SubmitForm("8", {"card": SECRET}), at=5.0)

    assert talk.posted(effects)[0]["data"]["card"] == SECRET
    assert json.dumps(talk.posted(effects)).count(SECRET) == 3
    seen = [
        repr(command),
        repr(effects),
        str(effects),
        *map(repr, effects),
        repr(talk.session),
        repr(talk.session._state),
        json.dumps(talk.session.snapshot(now=talk.now)),
        *(json.dumps(to_json(effect)) for effect in effects),
        again,
        *(record.getMessage() for record in caplog.records),
        caplog.text,
    ]
    assert not [text for text in seen if SECRET in text]


def test_the_answers_of_a_secure_form_are_not_sent_again(talk: Talk) -> None:
    """A text said right after a secure form takes nothing of it into what may be sent again."""
    talk.hears("secure_form_show", form_request_id="8", form_id="card")
    talk.orders(c.StartTyping())
    talk.orders(c.SubmitForm("8", {"card": SECRET}))
    talk.says("done")
    talk.doubts("1")

    again = talk.posted(talk.recalls_history())

    assert again[-1]["msg"] == "done"
    assert SECRET not in json.dumps(again)
    assert SECRET not in json.dumps(talk.session.snapshot(now=0.0))


def test_what_was_said_is_in_no_repr_and_no_log(
    talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    """No repr of an effect or a session shows what was said, and no log above DEBUG holds it."""
    caplog.set_level(logging.INFO)
    effects = talk.receives(c.SendText(SECRET))
    effects += talk.doubts("1")
    effects += talk.recalls_history()
    effects += talk.echoes("1", SECRET)
    effects += talk.is_lost()

    assert len(effects) > 4
    assert SECRET not in repr(effects)
    assert SECRET not in repr(talk.session)
    assert SECRET not in caplog.text
    assert "terminated" in caplog.text


REFUSED = (
    c.SendText(SECRET, SECRET, msg_id="1"),
    c.SendFile("F1", "image", SECRET, msg_id="1"),
    c.SendLocation(1.0, 2.0, SECRET, msg_id="1"),
    c.SendNavigation(SECRET, SECRET, msg_id="1"),
    c.StartTyping(SECRET),
    c.SubmitForm("7", {"card": SECRET}),
    c.AnswerCall(SECRET),
    c.RejectCall(SECRET, SECRET),
    c.SendCandidate(SECRET),
    c.RequestPhoneCall(SECRET, msg_id="1"),
    c.RequestSms(SECRET, msg_id="1"),
    c.CobrowsingReply("started", cobrowsing_url=SECRET),
)


@pytest.mark.parametrize("command", REFUSED, ids=lambda command: type(command).__name__)
@pytest.mark.parametrize("situation", ["new", "full", "used", "over"])
def test_no_refusal_quotes_what_the_app_sends(
    talks: type[Talk], command: c.Command, situation: str
) -> None:
    """The error of a refused command holds nothing of its content, whatever the reason."""
    talk = talks(max_unsent=1 if situation == "full" else 9)
    if situation != "new":
        talk.says()
    if situation == "over":
        talk.ends()

    text = talk.tried(command)

    assert SECRET not in text
    assert text or situation != "over"
