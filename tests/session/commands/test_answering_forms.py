"""Forms that the customer answers or cancels, in time or too late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatfsm import commands as c
from chatfsm.effects import FormClosed, FormOpened, MessageSent, SendEvents, WarningCleared
from chatfsm.models import Form
from tests.session.posting import posting

if TYPE_CHECKING:
    from tests.session.commands.conftest import Harness


def test_a_form_is_answered(harness: Harness) -> None:
    """An answer closes the form and is posted with the name of the form."""
    harness.show_form("7", "survey")

    effects = harness.receive(c.SubmitForm("7", {"mood": "good"}))

    assert effects == [
        FormClosed(Form("7", "survey"), "submitted"),
        posting(
            {
                "event": "chat_session_form_data",
                "form_request_id": "7",
                "form_name": "survey",
                "data": {"mood": "good"},
            }
        ),
    ]
    assert harness.session.forms == ()


def test_a_secure_form_is_answered(harness: Harness) -> None:
    """A secure form is answered as secure, whatever the command has."""
    harness.feed("secure_form_show", form_request_id="8", form_id="card")

    (event,) = harness.send(c.SubmitForm("8", {"pin": "1"}, form_name="mine", secure=False))

    assert event == {
        "event": "chat_session_secure_form_data",
        "form_request_id": "8",
        "form_name": "card",
        "data": {"pin": "1"},
    }


def test_a_plain_form_is_not_answered_as_secure(harness: Harness) -> None:
    """A plain form is answered as plain, whatever the command has."""
    harness.show_form("7", "survey")

    (event,) = harness.send(c.SubmitForm("7", {}, form_name="mine", secure=True))

    assert event["event"] == "chat_session_form_data"
    assert event["form_name"] == "survey"


def test_a_form_without_a_name_is_answered_without_one(harness: Harness) -> None:
    """The answer to a form without a name has no name."""
    harness.feed("form_show", form_request_id="7")

    assert harness.send(c.SubmitForm("7", {"a": 1})) == [
        {"event": "chat_session_form_data", "form_request_id": "7", "data": {"a": 1}}
    ]


def test_a_form_is_cancelled(harness: Harness) -> None:
    """A cancel closes the form and is posted as `chat_form_data_cancel`, without "session"."""
    harness.show_form("7", "survey")

    effects = harness.receive(c.CancelForm("7"))

    assert effects == [
        FormClosed(Form("7", "survey"), "cancelled"),
        posting(
            {
                "event": "chat_form_data_cancel",
                "form_request_id": "7",
                "form_name": "survey",
            }
        ),
    ]


def test_a_secure_form_is_cancelled(harness: Harness) -> None:
    """The cancel of a secure form has its own event."""
    harness.feed("secure_form_show", form_request_id="8", form_id="card")

    assert harness.send(c.CancelForm("8", form_name="mine")) == [
        {
            "event": "chat_session_secure_form_cancel",
            "form_request_id": "8",
            "form_name": "card",
        }
    ]


def test_a_prompt_is_answered_by_a_text(harness: Harness) -> None:
    """A text answers the open prompt as form data, closes it, and is posted as a message too."""
    harness.show_form("7", "")

    effects = harness.receive(c.SendText("Ada", "<i>Ada</i>"))

    assert effects == [
        FormClosed(Form("7", ""), "submitted"),
        posting(
            {
                "event": "chat_session_form_data",
                "form_request_id": "7",
                "form_name": "",
                "data": {"text": "Ada"},
            },
            {
                "event": "chat_session_message",
                "msg": "<i>Ada</i>",
                "msg_text": "Ada",
                "msg_id": "1",
            },
            msg_id="1",
        ),
    ]
    assert harness.session.forms == ()
    assert len(harness.send(c.SendText("and more"))) == 1


def test_a_text_answers_the_latest_prompt_alone(harness: Harness) -> None:
    """Of two prompts the later one is answered; the next text answers the other."""
    harness.show_form("7", "")
    harness.show_form("8", "")

    assert harness.send(c.SendText("a"))[0]["form_request_id"] == "8"
    assert [form.request_id for form in harness.session.forms] == ["7"]
    assert harness.send(c.SendText("b"))[0]["form_request_id"] == "7"


def test_a_text_answers_no_form_with_a_name(harness: Harness) -> None:
    """A text leaves forms with a name and secure forms open."""
    harness.show_form("7", "survey")
    harness.feed("secure_form_show", form_request_id="8", form_id="")

    assert len(harness.send(c.SendText("a"))) == 1
    assert len(harness.session.forms) == 2


def test_a_text_answers_no_prompt_that_expired(harness: Harness) -> None:
    """A prompt whose deadline has passed takes no text, also before a tick."""
    harness.show_form("7", "", form_timeout=5)

    effects = harness.receive(c.SendText("a"), at=5.0)

    assert effects[0] == FormClosed(Form("7", "", deadline=5.0), "expired")
    assert [event["event"] for event in harness.posted(effects)] == ["chat_session_message"]


@pytest.mark.parametrize(
    "command",
    [c.SendFile("F1", "image"), c.SendLocation(1.0, 2.0), c.SendNavigation("p")],
    ids=lambda command: type(command).__name__,
)
def test_only_a_text_answers_a_prompt(harness: Harness, command: c.Command) -> None:
    """Commands other than `SendText` leave the prompt open."""
    harness.show_form("7", "")

    assert len(harness.send(command)) == 1
    assert len(harness.session.forms) == 1


def test_a_prompt_may_be_answered_as_a_form(harness: Harness) -> None:
    """The answer to a prompt as a form has the empty name, and no message is posted."""
    harness.show_form("7", "")

    assert harness.send(c.SubmitForm("7", {"text": "Ada"})) == [
        {
            "event": "chat_session_form_data",
            "form_request_id": "7",
            "form_name": "",
            "data": {"text": "Ada"},
        }
    ]
    assert len(harness.send(c.SendText("a"))) == 1


def test_the_echo_of_an_answer_answers_nothing_else(harness: Harness) -> None:
    """The echo of a text closes no prompt that was shown after the text."""
    harness.send_text("Ada")
    harness.show_form("7", "")

    assert harness.echo("1", "Ada") == [MessageSent("1")]
    assert len(harness.session.forms) == 1


def test_typing_prompt_and_text_go_in_one_post(harness: Harness) -> None:
    """A text ends typing, answers the prompt and clears the warning, in one post."""
    harness.show_form("7", "")
    harness.send(c.StartTyping())
    harness.feed("timeout_warning", msg="Still there?")

    effects = harness.receive(c.SendText("Ada"))

    assert [type(effect) for effect in effects] == [FormClosed, WarningCleared, SendEvents]
    assert [event["event"] for event in harness.posted(effects)] == [
        "chat_session_not_typing",
        "chat_session_form_data",
        "chat_session_message",
    ]


def test_a_form_never_shown_is_not_answered(harness: Harness) -> None:
    """An answer to an unknown form is refused, with the reason."""
    assert harness.refused(c.SubmitForm("7", {})) == (
        "cannot answer form '7': the server has not shown it"
    )
    assert (
        harness.refused(c.CancelForm("7")) == "cannot cancel form '7': the server has not shown it"
    )


def test_a_form_is_answered_once(harness: Harness) -> None:
    """A second answer is refused, and so is a cancel after an answer."""
    harness.show_form("7")
    harness.send(c.SubmitForm("7", {}), at=0.0)

    assert harness.refused(c.SubmitForm("7", {}), at=3.0) == (
        "cannot answer form '7': it was answered 3 s ago"
    )
    assert harness.refused(c.CancelForm("7")) == "cannot cancel form '7': it was answered 3 s ago"


def test_a_cancelled_form_is_not_answered(harness: Harness) -> None:
    """An answer to a form that either side has cancelled is refused."""
    harness.show_form("7")
    harness.send(c.CancelForm("7"), at=0.0)
    harness.feed("secure_form_show", form_request_id="8", form_id="card")
    harness.feed("secure_form_cancel", form_request_id="8", at=1.0)

    assert harness.refused(c.SubmitForm("7", {}), at=11.0) == (
        "cannot answer form '7': it was cancelled 11 s ago"
    )
    assert harness.refused(c.SubmitForm("8", {})) == (
        "cannot answer form '8': it was cancelled 10 s ago"
    )


@pytest.mark.parametrize("ticked", [False, True], ids=["before_tick", "after_tick"])
@pytest.mark.parametrize(
    ("command", "verb"), [(c.SubmitForm("7", {}), "answer"), (c.CancelForm("7"), "cancel")]
)
def test_an_expired_form_is_not_answered(
    harness: Harness, command: c.Command, verb: str, ticked: bool
) -> None:
    """A late answer is refused with the time since the deadline, also before a tick."""
    harness.show_form("7", form_timeout=30, at=0.0)
    if ticked:
        harness.tick(at=35.0)

    assert harness.refused(command, at=42.0) == f"cannot {verb} form '7': it expired 12 s ago"


def test_a_form_is_answered_until_its_deadline(harness: Harness) -> None:
    """An answer is allowed until the deadline, and refused at the deadline."""
    harness.show_form("7", form_timeout=30, at=0.0)
    assert harness.refused(c.SubmitForm("7", {}), at=30.0) == (
        "cannot answer form '7': it expired 0 s ago"
    )

    assert len(harness.send(c.SubmitForm("7", {}), at=29.9)) == 1


def test_a_form_shown_again_is_answered_again(harness: Harness) -> None:
    """A form that is shown again with another content can be answered again."""
    harness.show_form("7", "survey")
    harness.send(c.SubmitForm("7", {}))

    assert harness.show_form("7", "second survey") == [FormOpened(Form("7", "second survey"))]
    assert harness.send(c.SubmitForm("7", {}))[0]["form_name"] == "second survey"


def test_the_replacing_form_is_the_one_answered(harness: Harness) -> None:
    """The answer to a form that was replaced goes to its replacement."""
    harness.show_form("7", "survey")
    harness.show_form("7", "other")

    assert harness.send(c.SubmitForm("7", {}))[0]["form_name"] == "other"


def test_the_echo_of_an_answer_is_not_reported(harness: Harness) -> None:
    """The form data that a log repeats closes nothing again."""
    harness.show_form("7", "survey")
    harness.send(c.SubmitForm("7", {}))

    assert harness.feed("form_data", form_request_id="7", form_name="survey", data={}) == []


def test_names_of_forms_are_quoted(harness: Harness) -> None:
    """The error text quotes the id of the form in ASCII and shortened."""
    text = harness.refused(c.SubmitForm("é\n" + "x" * 500, {}))

    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 200


def test_the_answers_given_are_a_copy(harness: Harness) -> None:
    """A later change of the answers by the app does not change the command."""
    answers: dict[str, object] = {"mood": "good"}
    harness.show_form("7")
    command = c.SubmitForm("7", answers)
    answers["mood"] = "bad"

    assert harness.send(command)[0]["data"] == {"mood": "good"}


def test_no_more_closed_forms_are_remembered_than_may_be_open(make_harness: type[Harness]) -> None:
    """Of answered forms the last `max_forms` are remembered, the others count as never shown."""
    harness = make_harness(max_forms=2)
    for request_id in ("1", "2", "3"):
        harness.show_form(request_id)
        harness.send(c.SubmitForm(request_id, {}))

    assert "the server has not shown it" in harness.refused(c.SubmitForm("1", {}))
    assert "it was answered 0 s ago" in harness.refused(c.SubmitForm("2", {}))
    assert "it was answered 0 s ago" in harness.refused(c.SubmitForm("3", {}))


def test_a_form_beyond_the_bound_is_not_answered(make_harness: type[Harness]) -> None:
    """A form beyond `max_forms` counts as never shown."""
    harness = make_harness(max_forms=1)
    harness.show_form("7")
    harness.show_form("8")

    assert "the server has not shown it" in harness.refused(c.SubmitForm("8", {}))
    assert len(harness.send(c.SubmitForm("7", {}))) == 1
