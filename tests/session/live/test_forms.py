from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatfsm.effects import Anomaly, FormClosed, FormOpened, MessageReceived
from chatfsm.models import Form

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness


@pytest.mark.parametrize(
    ("timeout", "deadline"),
    [("60", 105.0), (60, 105.0), (0.5, 45.5), (None, None), ("", None), ("0", None), (-5, None)],
)
def test_a_form_opens_with_its_deadline(
    harness: Harness, timeout: object, deadline: float | None
) -> None:
    """A form is reported with its deadline, counted from `now`; 0 or no timeout is no deadline."""
    form = Form("7", "survey", secure=False, deadline=deadline)

    assert harness.show_form("7", form_timeout=timeout, at=45.0) == [FormOpened(form)]
    assert harness.session.forms == (form,)
    assert harness.session.deadline == deadline


def test_an_id_may_come_as_a_number(harness: Harness) -> None:
    """The id of a form is a text, also if the wire has a number."""
    assert harness.feed("form_show", form_request_id=7) == [FormOpened(Form("7"))]
    assert harness.feed("form_data", form_request_id="7") == [
        FormClosed(Form("7"), "submitted"),
    ]


def test_a_secure_form_opens_by_its_form_id(harness: Harness) -> None:
    """The name of a secure form is its form_id, and it has no deadline."""
    form = Form("8", "card", secure=True)

    effects = harness.feed(
        "secure_form_show", form_request_id="8", form_id="card", form_timeout="5"
    )

    assert effects == [FormOpened(form)]
    assert harness.session.forms == (form,)
    assert harness.session.deadline is None


@pytest.mark.parametrize(
    ("form", "prompt"),
    [
        (Form("7", ""), True),
        (Form("7", "survey"), False),
        (Form("7"), False),
        (Form("7", "", secure=True), False),
    ],
)
def test_an_empty_name_is_a_text_prompt(form: Form, prompt: bool) -> None:
    """A form with an empty name is a text prompt, unless it is secure."""
    assert form.is_text_prompt is prompt


def test_open_forms_are_in_the_order_of_opening(harness: Harness) -> None:
    """Open forms are listed in the order of opening; each closes separately."""
    harness.show_form("7")
    harness.show_form("8")
    harness.show_form("9")

    assert harness.feed("form_data", form_request_id="8") == [
        FormClosed(Form("8", "survey"), "submitted"),
    ]
    assert [form.request_id for form in harness.session.forms] == ["7", "9"]


@pytest.mark.parametrize(
    "fields",
    [
        {"form_name": "survey", "form_timeout": "60", "channel": "web"},
        {"form_name": "survey", "form_timeout": 60, "channel": "web", "timestamp": "200"},
        {"form_name": "survey", "form_timeout": 60.0, "channel": "web", "timestamp": 300},
    ],
)
def test_the_same_form_while_open_is_a_duplicate(harness: Harness, fields: dict[str, Any]) -> None:
    """A form that is shown again with all fields but the timestamp equal is a duplicate."""
    harness.show_form("7", form_timeout="60", channel="web", timestamp="100", at=0.0)

    assert harness.feed("form_show", form_request_id="7", at=20.0, **fields) == []
    assert harness.session.counts.duplicates == 1
    assert harness.session.deadline == 60.0


@pytest.mark.parametrize(
    "change",
    [
        {"form_name": "other"},
        {"form_name": ""},
        {"form_name": None},
        {"form_timeout": "61"},
        {"form_timeout": None},
        {"channel": "sms"},
        {"hint": "new field"},
    ],
)
@pytest.mark.parametrize("timestamp", [None, "100"])
def test_another_form_of_the_same_id_replaces(
    harness: Harness, change: dict[str, Any], timestamp: str | None
) -> None:
    """A form with the id of an open one and another field, the timestamp aside, replaces it."""
    fields = {"form_name": "survey", "form_timeout": "60", "channel": "web"}
    harness.feed("form_show", form_request_id="7", timestamp=timestamp, **fields)
    [old] = harness.session.forms

    effects = harness.feed(
        "form_show", form_request_id="7", timestamp=timestamp, at=5.0, **{**fields, **change}
    )

    [new] = harness.session.forms
    assert effects == [FormClosed(old, "replaced"), FormOpened(new)]


def test_a_secure_form_replaces_a_plain_one(harness: Harness) -> None:
    """A secure form replaces a plain one of the same id and name."""
    harness.show_form("7", "card")

    assert harness.feed("secure_form_show", form_request_id="7", form_id="card") == [
        FormClosed(Form("7", "card"), "replaced"),
        FormOpened(Form("7", "card", secure=True)),
    ]


def test_a_repeated_secure_form_is_a_duplicate(harness: Harness) -> None:
    """A secure form that is shown again while it is open is a duplicate."""
    harness.feed("secure_form_show", form_request_id="8", form_id="card", timestamp="100")

    assert harness.feed("secure_form_show", form_request_id="8", form_id="card") == []
    assert harness.session.counts.duplicates == 1


def test_a_form_expires(harness: Harness) -> None:
    """A form is closed as expired at its deadline, once."""
    harness.show_form("7", form_timeout="10", at=1.0)

    assert harness.tick(at=10.9) == []
    assert harness.tick(at=11.0) == [FormClosed(Form("7", "survey", deadline=11.0), "expired")]
    assert harness.session.forms == ()
    assert harness.session.deadline is None
    assert harness.tick(at=12.0) == []


@pytest.mark.parametrize("event_name", ["form_data", "secure_form_data"])
def test_an_answer_closes_the_form(harness: Harness, event_name: str) -> None:
    """The customer's answer in a log closes the form as submitted."""
    harness.show_form("7")

    assert harness.feed(event_name, form_request_id="7", form_name="survey", data={"a": "b"}) == [
        FormClosed(Form("7", "survey"), "submitted"),
    ]
    assert harness.session.forms == ()


@pytest.mark.parametrize("event_name", ["chat_form_data_cancel", "secure_form_cancel"])
def test_a_cancel_closes_the_form(harness: Harness, event_name: str) -> None:
    """Each kind of cancel, from either side, closes the form as cancelled."""
    harness.show_form("7")

    assert harness.feed(event_name, form_request_id="7") == [
        FormClosed(Form("7", "survey"), "cancelled"),
    ]
    assert harness.session.forms == ()


@pytest.mark.parametrize(
    "event_name", ["form_data", "secure_form_data", "chat_form_data_cancel", "secure_form_cancel"]
)
def test_closing_a_form_that_is_not_open_is_an_anomaly(harness: Harness, event_name: str) -> None:
    """An answer or cancel of a form that is not open is an anomaly; a repeat is a duplicate."""
    unknown = Anomaly("form_not_open", "form '7' was not shown")
    assert harness.feed(event_name, form_request_id="7") == [unknown]
    harness.show_form("8")
    assert harness.feed(event_name, form_request_id="7") == [], "a repeat is a duplicate"
    assert harness.session.counts.duplicates == 1
    assert [form.request_id for form in harness.session.forms] == ["8"]


def test_a_late_answer_reports_since_when_the_form_is_closed(
    harness: Harness, strict: Harness
) -> None:
    """The anomaly of a late answer names reason and seconds; a strict session does not raise."""
    for each in (harness, strict):
        each.show_form("7", form_timeout=20, at=0.0)
        each.tick(at=20.0)

        late = each.feed("form_data", form_request_id="7", at=32.0)

        assert late == [Anomaly("form_not_open", "form '7' expired 12 s before")]


def test_a_form_expires_at_its_deadline_however_late_the_tick_is(harness: Harness) -> None:
    """The time of expiry is the deadline, also if that is 0, and not the time of the tick."""
    harness.show_form("7", form_timeout=20, at=-20.0)
    harness.tick(at=30.0)

    late = harness.feed("form_data", form_request_id="7", at=32.0)

    assert late == [Anomaly("form_not_open", "form '7' expired 32 s before")]


def test_form_data_that_is_a_text_answers_no_form(harness: Harness) -> None:
    """Form data that is a text (web client v4, PROTOCOL.md §3) leaves the form open."""
    harness.show_form("7", "")

    assert harness.feed("form_data", form_request_id="7", data="Form not found") == []
    assert len(harness.session.forms) == 1
    assert harness.feed("form_data", form_request_id="9", data="Form not found") == []


def test_a_prompt_has_its_content(harness: Harness) -> None:
    """The content of a prompt is in the form, and not in its repr."""
    [opened] = harness.show_form("7", "", form_content="Which parcel?")

    assert opened == FormOpened(Form("7", "", content="Which parcel?"))
    assert "parcel" not in repr(opened)


@pytest.mark.parametrize("event_name", ["form_data", "chat_form_data_cancel"])
def test_an_answer_to_no_form_is_only_counted(harness: Harness, event_name: str) -> None:
    """A client event about a form without an id closes no form."""
    harness.show_form("7")

    assert harness.feed(event_name) == []
    assert len(harness.session.forms) == 1
    assert harness.session.counts.events == 2


@pytest.mark.parametrize("party_id", ["chat-1", "CHAT-1"])
def test_an_own_message_answers_the_latest_text_prompt(harness: Harness, party_id: str) -> None:
    """The customer's text closes the text prompt that was opened last, before it is reported."""
    harness.show_form("5", "")
    harness.show_form("6", "")
    harness.show_form("7")

    closed, reported = harness.message(party_id, "blue", "1")

    assert closed == FormClosed(Form("6", ""), "submitted")
    assert isinstance(reported, MessageReceived)
    assert [form.request_id for form in harness.session.forms] == ["5", "7"]
    assert harness.message(party_id, "green", "3")[0] == FormClosed(Form("5", ""), "submitted")
    assert len(harness.message(party_id, "red", "5")) == 1
    assert [form.request_id for form in harness.session.forms] == ["7"]


def test_the_latest_prompt_is_the_one_that_was_replaced_last(harness: Harness) -> None:
    """A prompt that replaced another counts as opened at that time."""
    harness.show_form("5", "")
    harness.show_form("6", "")
    harness.show_form("5", "", channel="web")

    assert harness.message("chat-1", "blue", "1")[0] == FormClosed(Form("5", ""), "submitted")


def test_messages_of_agents_answer_no_prompt(harness: Harness) -> None:
    """A message of an agent leaves the text prompt open."""
    harness.show_form("5", "")

    assert len(harness.message("ann", "blue", "2")) == 1
    assert len(harness.session.forms) == 1


def test_a_repeated_own_message_answers_no_other_prompt(harness: Harness) -> None:
    """A duplicate of an own message does not answer a prompt that was opened after it."""
    harness.message("chat-1", "blue", "1")
    harness.show_form("5", "")

    assert harness.message("chat-1", "blue", "1") == []
    assert len(harness.session.forms) == 1


def test_form_data_beside_the_message_reports_nothing(harness: Harness) -> None:
    """The form data beside the text that answered a prompt reports nothing."""
    harness.show_form("5", "")
    harness.message("chat-1", "blue", "1")

    assert harness.feed("form_data", form_request_id="5", form_name="", data={"text": "blue"}) == []
