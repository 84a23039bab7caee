"""Sessions that the server no longer knows, and secrets in reprs, logs and errors."""

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
    from tests.session.commands.conftest import Harness

SECRET = "4929-MARKED-SECRET"  # noqa: S105  # marked, so that tests can search for it


@pytest.mark.parametrize(
    "state", ["establishing", "ivr", "queued", "connecting", "connected", "completed"]
)
def test_a_lost_session_is_gone(harness: Harness, state: str) -> None:
    """A session that the server does not know is gone, from any state."""
    harness.feed("status", state=state)

    assert harness.lose("error 5005") == [
        StateChanged(state, "gone"),
        Terminated("gone", "error 5005"),
    ]
    assert harness.session.done
    assert harness.session.outcome == "gone"
    assert harness.session.outcome_text == "error 5005"
    assert harness.session.deadline is None


def test_a_loss_may_have_no_reason(harness: Harness) -> None:
    """Without a reason the text of the end is empty."""
    assert harness.receive(Lost())[-1] == Terminated("gone", "")
    assert harness.session.outcome_text == ""


def test_a_loss_closes_everything(harness: Harness) -> None:
    """A loss ends typing, forms, the call and pending messages, in this order."""
    harness.feed("typing", party_id="ann")
    harness.show_form("7")
    harness.signal("OFFER_CALL")
    harness.send_text()

    assert harness.lose() == [
        StateChanged("establishing", "gone"),
        TypingStopped("ann", "terminated"),
        FormClosed(Form("7", "survey"), "terminated"),
        CallChanged("offered", "ended"),
        MessageUnconfirmed("1", "the session is over"),
        Terminated("gone", "error 5005"),
    ]


def test_a_session_is_lost_once(harness: Harness) -> None:
    """After the end a loss is not reported, and neither is an end after a loss."""
    harness.lose("first")
    before = harness.copy_state()

    assert harness.lose("second") == []
    assert harness.copy_state() == before
    assert harness.end() == []
    assert harness.session.outcome == "gone"
    assert harness.session.outcome_text == "first"


def test_a_loss_after_the_end_changes_nothing(harness: Harness) -> None:
    """A session that has ended cannot be lost."""
    harness.end()

    assert harness.lose() == []
    assert harness.session.outcome == "ended"


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
def test_inputs_of_the_transport_after_the_end_change_nothing(
    harness: Harness, item: Input
) -> None:
    """After the end no input of the transport changes anything."""
    harness.send_text()
    harness.lose()
    before = harness.copy_state()

    assert harness.receive(item, at=1e6) == []
    assert harness.copy_state() == before


def test_the_answers_of_a_secure_form_are_nowhere(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    """The answers of a secure form are in the post, and nowhere else."""
    caplog.set_level(logging.DEBUG)
    harness.feed("secure_form_show", form_request_id="8", form_id="card")
    command = c.SubmitForm("8", {"card": SECRET, SECRET: "1", "deep": [{"a": SECRET}]})
    effects = harness.receive(command)
    harness.refused(command)
    again = harness.refused(c.SubmitForm("8", {"card": SECRET}), at=5.0)

    assert harness.posted(effects)[0]["data"]["card"] == SECRET
    assert json.dumps(harness.posted(effects)).count(SECRET) == 3
    seen = [
        repr(command),
        repr(effects),
        str(effects),
        *map(repr, effects),
        repr(harness.session),
        repr(harness.session._state),
        json.dumps(harness.session.snapshot(now=harness.now)),
        *(json.dumps(to_json(effect)) for effect in effects),
        again,
        *(record.getMessage() for record in caplog.records),
        caplog.text,
    ]
    assert not [text for text in seen if SECRET in text]


def test_the_answers_of_a_secure_form_are_not_sent_again(harness: Harness) -> None:
    """A text after a secure form is sent again without the answers of the form."""
    harness.feed("secure_form_show", form_request_id="8", form_id="card")
    harness.send(c.StartTyping())
    harness.send(c.SubmitForm("8", {"card": SECRET}))
    harness.send_text("done")
    harness.unconfirmed("1")

    again = harness.posted(harness.history())

    assert again[-1]["msg"] == "done"
    assert SECRET not in json.dumps(again)
    assert SECRET not in json.dumps(harness.session.snapshot(now=0.0))


def test_message_texts_are_in_no_repr_and_no_log(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    """No repr of an effect or a session contains message texts, and no log above DEBUG."""
    caplog.set_level(logging.INFO)
    effects = harness.receive(c.SendText(SECRET))
    effects += harness.unconfirmed("1")
    effects += harness.history()
    effects += harness.echo("1", SECRET)
    effects += harness.lose()

    assert len(effects) > 4
    assert SECRET not in repr(effects)
    assert SECRET not in repr(harness.session)
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
def test_no_refusal_quotes_the_content_of_a_command(
    make_harness: type[Harness], command: c.Command, situation: str
) -> None:
    """The error of a refused command contains nothing of its content, whatever the reason."""
    harness = make_harness(max_unsent=1 if situation == "full" else 9)
    if situation != "new":
        harness.send_text()
    if situation == "over":
        harness.end()

    text = harness.try_command(command)

    assert SECRET not in text
    assert text or situation != "over"
