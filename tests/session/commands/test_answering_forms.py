"""Forms that the customer answers, refuses, or answers too late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatfsm import commands as c
from chatfsm.effects import FormClosed, FormOpened, MessageSent, SendEvents, WarningCleared
from chatfsm.models import Form
from tests.session.posting import posting

if TYPE_CHECKING:
    from tests.session.commands.conftest import Talk


def test_a_form_is_answered(talk: Talk) -> None:
    """An answer closes the form and goes out with the form's own name."""
    talk.shows("7", "survey")

    effects = talk.receives(c.SubmitForm("7", {"mood": "good"}))

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
    assert talk.session.forms == ()


def test_a_secure_form_is_answered(talk: Talk) -> None:
    """A secure form is answered as secure, whatever the command says."""
    talk.hears("secure_form_show", form_request_id="8", form_id="card")

    (event,) = talk.orders(c.SubmitForm("8", {"pin": "1"}, form_name="mine", secure=False))

    assert event == {
        "event": "chat_session_secure_form_data",
        "form_request_id": "8",
        "form_name": "card",
        "data": {"pin": "1"},
    }


def test_a_usual_form_is_not_made_secure(talk: Talk) -> None:
    """Whether a form is secure is the server's to say."""
    talk.shows("7", "survey")

    (event,) = talk.orders(c.SubmitForm("7", {}, form_name="mine", secure=True))

    assert event["event"] == "chat_session_form_data"
    assert event["form_name"] == "survey"


def test_a_form_without_a_name_is_answered_without_one(talk: Talk) -> None:
    """Where the server gave no name, none goes back."""
    talk.hears("form_show", form_request_id="7")

    assert talk.orders(c.SubmitForm("7", {"a": 1})) == [
        {"event": "chat_session_form_data", "form_request_id": "7", "data": {"a": 1}}
    ]


def test_a_form_is_cancelled(talk: Talk) -> None:
    """A refusal closes the form and goes out by the name that has no "session" in it."""
    talk.shows("7", "survey")

    effects = talk.receives(c.CancelForm("7"))

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


def test_a_secure_form_is_cancelled(talk: Talk) -> None:
    """A secure form is refused by its own event."""
    talk.hears("secure_form_show", form_request_id="8", form_id="card")

    assert talk.orders(c.CancelForm("8", form_name="mine")) == [
        {
            "event": "chat_session_secure_form_cancel",
            "form_request_id": "8",
            "form_name": "card",
        }
    ]


def test_a_prompt_is_answered_by_a_text(talk: Talk) -> None:
    """A text answers the open prompt as form data, goes out as a message too, and closes it."""
    talk.shows("7", "")

    effects = talk.receives(c.SendText("Ada", "<i>Ada</i>"))

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
    assert talk.session.forms == ()
    assert len(talk.orders(c.SendText("and more"))) == 1


def test_a_text_answers_the_latest_prompt_alone(talk: Talk) -> None:
    """Of two prompts the later is answered; the next text answers the other."""
    talk.shows("7", "")
    talk.shows("8", "")

    assert talk.orders(c.SendText("a"))[0]["form_request_id"] == "8"
    assert [form.request_id for form in talk.session.forms] == ["7"]
    assert talk.orders(c.SendText("b"))[0]["form_request_id"] == "7"


def test_a_text_answers_no_form_with_a_name(talk: Talk) -> None:
    """A form with a name, or a secure one, waits on whatever is said."""
    talk.shows("7", "survey")
    talk.hears("secure_form_show", form_request_id="8", form_id="")

    assert len(talk.orders(c.SendText("a"))) == 1
    assert len(talk.session.forms) == 2


def test_a_text_answers_no_prompt_that_expired(talk: Talk) -> None:
    """A prompt whose time has passed swallows no text, though no tick came."""
    talk.shows("7", "", form_timeout=5)

    effects = talk.receives(c.SendText("a"), at=5.0)

    assert effects[0] == FormClosed(Form("7", "", deadline=5.0), "expired")
    assert [event["event"] for event in talk.posted(effects)] == ["chat_session_message"]


@pytest.mark.parametrize(
    "command",
    [c.SendFile("F1", "image"), c.SendLocation(1.0, 2.0), c.SendNavigation("p")],
    ids=lambda command: type(command).__name__,
)
def test_only_a_text_answers_a_prompt(talk: Talk, command: c.Command) -> None:
    """What is no text leaves the prompt open."""
    talk.shows("7", "")

    assert len(talk.orders(command)) == 1
    assert len(talk.session.forms) == 1


def test_a_prompt_may_be_answered_as_a_form(talk: Talk) -> None:
    """A prompt answered as a form bears its empty name, and no message goes out."""
    talk.shows("7", "")

    assert talk.orders(c.SubmitForm("7", {"text": "Ada"})) == [
        {
            "event": "chat_session_form_data",
            "form_request_id": "7",
            "form_name": "",
            "data": {"text": "Ada"},
        }
    ]
    assert len(talk.orders(c.SendText("a"))) == 1


def test_the_echo_of_an_answer_answers_nothing_else(talk: Talk) -> None:
    """The echo of a text closes no prompt that was shown after it."""
    talk.says("Ada")
    talk.shows("7", "")

    assert talk.echoes("1", "Ada") == [MessageSent("1")]
    assert len(talk.session.forms) == 1


def test_typing_prompt_and_text_go_in_one_post(talk: Talk) -> None:
    """A text ends typing, answers the prompt and clears the warning, in one post."""
    talk.shows("7", "")
    talk.orders(c.StartTyping())
    talk.hears("timeout_warning", msg="Still there?")

    effects = talk.receives(c.SendText("Ada"))

    assert [type(effect) for effect in effects] == [FormClosed, WarningCleared, SendEvents]
    assert [event["event"] for event in talk.posted(effects)] == [
        "chat_session_not_typing",
        "chat_session_form_data",
        "chat_session_message",
    ]


def test_a_form_never_shown_is_not_answered(talk: Talk) -> None:
    """An answer to nothing is refused, with the reason."""
    assert talk.refused(c.SubmitForm("7", {})) == (
        "cannot answer form '7': the server has not shown it"
    )
    assert talk.refused(c.CancelForm("7")) == "cannot cancel form '7': the server has not shown it"


def test_a_form_is_answered_once(talk: Talk) -> None:
    """A second answer is refused, and so is a refusal after an answer."""
    talk.shows("7")
    talk.orders(c.SubmitForm("7", {}), at=0.0)

    assert talk.refused(c.SubmitForm("7", {}), at=3.0) == (
        "cannot answer form '7': it was answered 3 s ago"
    )
    assert talk.refused(c.CancelForm("7")) == "cannot cancel form '7': it was answered 3 s ago"


def test_a_cancelled_form_is_not_answered(talk: Talk) -> None:
    """What was refused, by either side, is answered no more."""
    talk.shows("7")
    talk.orders(c.CancelForm("7"), at=0.0)
    talk.hears("secure_form_show", form_request_id="8", form_id="card")
    talk.hears("secure_form_cancel", form_request_id="8", at=1.0)

    assert talk.refused(c.SubmitForm("7", {}), at=11.0) == (
        "cannot answer form '7': it was cancelled 11 s ago"
    )
    assert talk.refused(c.SubmitForm("8", {})) == (
        "cannot answer form '8': it was cancelled 10 s ago"
    )


@pytest.mark.parametrize("ticked", [False, True], ids=["unnoticed", "told"])
@pytest.mark.parametrize(
    ("command", "verb"), [(c.SubmitForm("7", {}), "answer"), (c.CancelForm("7"), "cancel")]
)
def test_an_expired_form_is_not_answered(
    talk: Talk, command: c.Command, verb: str, ticked: bool
) -> None:
    """An answer that comes too late is refused with the time since it was due, ticked or not."""
    talk.shows("7", form_timeout=30, at=0.0)
    if ticked:
        talk.ticks(at=35.0)

    assert talk.refused(command, at=42.0) == f"cannot {verb} form '7': it expired 12 s ago"


def test_a_form_is_answered_until_its_deadline(talk: Talk) -> None:
    """A moment before the deadline an answer is legal, and at the deadline it is not."""
    talk.shows("7", form_timeout=30, at=0.0)
    assert talk.refused(c.SubmitForm("7", {}), at=30.0) == (
        "cannot answer form '7': it expired 0 s ago"
    )

    assert len(talk.orders(c.SubmitForm("7", {}), at=29.9)) == 1


def test_a_form_shown_again_is_answered_again(talk: Talk) -> None:
    """A form that comes back with other content is another form to answer."""
    talk.shows("7", "survey")
    talk.orders(c.SubmitForm("7", {}))

    assert talk.shows("7", "second survey") == [FormOpened(Form("7", "second survey"))]
    assert talk.orders(c.SubmitForm("7", {}))[0]["form_name"] == "second survey"


def test_the_replacing_form_is_the_one_answered(talk: Talk) -> None:
    """Where a form was replaced, the answer goes to the one that replaced it."""
    talk.shows("7", "survey")
    talk.shows("7", "other")

    assert talk.orders(c.SubmitForm("7", {}))[0]["form_name"] == "other"


def test_the_echo_of_an_answer_is_no_news(talk: Talk) -> None:
    """The form data that comes back in a log closes nothing a second time."""
    talk.shows("7", "survey")
    talk.orders(c.SubmitForm("7", {}))

    assert talk.hears("form_data", form_request_id="7", form_name="survey", data={}) == []


def test_names_of_forms_are_quoted(talk: Talk) -> None:
    """A refusal names the form in plain ASCII, and cuts what is long."""
    text = talk.refused(c.SubmitForm("é\n" + "x" * 500, {}))

    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 200


def test_the_answers_given_are_a_copy(talk: Talk) -> None:
    """What the app does with its answers afterwards does not change what is sent."""
    answers: dict[str, object] = {"mood": "good"}
    talk.shows("7")
    command = c.SubmitForm("7", answers)
    answers["mood"] = "bad"

    assert talk.orders(command)[0]["data"] == {"mood": "good"}


def test_no_more_closed_forms_are_remembered_than_may_be_open(talks: type[Talk]) -> None:
    """Of many forms that were answered the last are remembered, the others as never shown."""
    talk = talks(max_forms=2)
    for request_id in ("1", "2", "3"):
        talk.shows(request_id)
        talk.orders(c.SubmitForm(request_id, {}))

    assert "the server has not shown it" in talk.refused(c.SubmitForm("1", {}))
    assert "it was answered 0 s ago" in talk.refused(c.SubmitForm("2", {}))
    assert "it was answered 0 s ago" in talk.refused(c.SubmitForm("3", {}))


def test_a_form_that_had_no_room_is_not_answered(talks: type[Talk]) -> None:
    """A form that the session could not keep open was not shown, as far as the app knows."""
    talk = talks(max_forms=1)
    talk.shows("7")
    talk.shows("8")

    assert "the server has not shown it" in talk.refused(c.SubmitForm("8", {}))
    assert len(talk.orders(c.SubmitForm("7", {}))) == 1
