from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatfsm.effects import Anomaly, FormClosed, FormOpened, MessageReceived
from chatfsm.models import Form

if TYPE_CHECKING:
    from tests.session.live.conftest import Play


@pytest.mark.parametrize(
    ("timeout", "deadline"),
    [("60", 105.0), (60, 105.0), (0.5, 45.5), (None, None), ("", None), ("0", None), (-5, None)],
)
def test_a_form_opens_with_its_deadline(
    play: Play, timeout: object, deadline: float | None
) -> None:
    """A form is told with the moment of its end, counted from now; 0 or nothing is no limit."""
    form = Form("7", "survey", secure=False, deadline=deadline)

    assert play.shows("7", form_timeout=timeout, at=45.0) == [FormOpened(form)]
    assert play.session.forms == (form,)
    assert play.session.deadline == deadline


def test_an_id_may_come_as_a_number(play: Play) -> None:
    """A form's id is a text, whatever came."""
    assert play.hears("form_show", form_request_id=7) == [FormOpened(Form("7"))]
    assert play.hears("form_data", form_request_id="7") == [
        FormClosed(Form("7"), "submitted"),
    ]


def test_a_secure_form_opens_by_its_form_id(play: Play) -> None:
    """A secure form is called by its form id and has no deadline."""
    form = Form("8", "card", secure=True)

    effects = play.hears("secure_form_show", form_request_id="8", form_id="card", form_timeout="5")

    assert effects == [FormOpened(form)]
    assert play.session.forms == (form,)
    assert play.session.deadline is None


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
    """A form whose name is empty, and not missing, is a text prompt, unless it is secure."""
    assert form.is_text_prompt is prompt


def test_forms_wait_in_the_order_of_opening(play: Play) -> None:
    """Forms that wait are listed in the order of opening; each closes by itself."""
    play.shows("7")
    play.shows("8")
    play.shows("9")

    assert play.hears("form_data", form_request_id="8") == [
        FormClosed(Form("8", "survey"), "submitted"),
    ]
    assert [form.request_id for form in play.session.forms] == ["7", "9"]


@pytest.mark.parametrize(
    "fields",
    [
        {"form_name": "survey", "form_timeout": "60", "channel": "web"},
        {"form_name": "survey", "form_timeout": 60, "channel": "web", "timestamp": "200"},
        {"form_name": "survey", "form_timeout": 60.0, "channel": "web", "timestamp": 300},
    ],
)
def test_the_same_form_while_open_is_absorbed(play: Play, fields: dict[str, Any]) -> None:
    """A form shown again with every field but the time the same changes nothing."""
    play.shows("7", form_timeout="60", channel="web", timestamp="100", at=0.0)

    assert play.hears("form_show", form_request_id="7", at=20.0, **fields) == []
    assert play.session.counts.duplicates == 1
    assert play.session.deadline == 60.0


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
    play: Play, change: dict[str, Any], timestamp: str | None
) -> None:
    """A form that differs in any field but the time closes the one that waits, and opens."""
    fields = {"form_name": "survey", "form_timeout": "60", "channel": "web"}
    play.hears("form_show", form_request_id="7", timestamp=timestamp, **fields)
    [old] = play.session.forms

    effects = play.hears(
        "form_show", form_request_id="7", timestamp=timestamp, at=5.0, **{**fields, **change}
    )

    [new] = play.session.forms
    assert effects == [FormClosed(old, "replaced"), FormOpened(new)]


def test_a_secure_form_replaces_a_plain_one(play: Play) -> None:
    """A form of the same id and name that became secure is another form."""
    play.shows("7", "card")

    assert play.hears("secure_form_show", form_request_id="7", form_id="card") == [
        FormClosed(Form("7", "card"), "replaced"),
        FormOpened(Form("7", "card", secure=True)),
    ]


def test_a_secure_form_again_is_absorbed(play: Play) -> None:
    """A secure form shown again while it waits is no news."""
    play.hears("secure_form_show", form_request_id="8", form_id="card", timestamp="100")

    assert play.hears("secure_form_show", form_request_id="8", form_id="card") == []
    assert play.session.counts.duplicates == 1


def test_a_form_expires(play: Play) -> None:
    """A form whose deadline passes is closed as expired, once."""
    play.shows("7", form_timeout="10", at=1.0)

    assert play.ticks(at=10.9) == []
    assert play.ticks(at=11.0) == [FormClosed(Form("7", "survey", deadline=11.0), "expired")]
    assert play.session.forms == ()
    assert play.session.deadline is None
    assert play.ticks(at=12.0) == []


@pytest.mark.parametrize("word", ["form_data", "secure_form_data"])
def test_an_answer_closes_the_form(play: Play, word: str) -> None:
    """The customer's answer, met in a log, closes the form as submitted."""
    play.shows("7")

    assert play.hears(word, form_request_id="7", form_name="survey", data={"a": "b"}) == [
        FormClosed(Form("7", "survey"), "submitted"),
    ]
    assert play.session.forms == ()


@pytest.mark.parametrize("word", ["chat_form_data_cancel", "secure_form_cancel"])
def test_a_cancel_closes_the_form(play: Play, word: str) -> None:
    """Either cancel, from either side, closes the form as cancelled."""
    play.shows("7")

    assert play.hears(word, form_request_id="7") == [
        FormClosed(Form("7", "survey"), "cancelled"),
    ]
    assert play.session.forms == ()


@pytest.mark.parametrize(
    "word", ["form_data", "secure_form_data", "chat_form_data_cancel", "secure_form_cancel"]
)
def test_closing_what_is_not_open_is_an_anomaly(play: Play, word: str) -> None:
    """An answer or cancel of a form that is not open changes nothing, and is no violation."""
    unknown = Anomaly("form_not_open", "form '7' was not shown")
    assert play.hears(word, form_request_id="7") == [unknown]
    play.shows("8")
    assert play.hears(word, form_request_id="7") == [], "a repeat is a duplicate"
    assert play.session.counts.duplicates == 1
    assert [form.request_id for form in play.session.forms] == ["8"]


def test_a_late_answer_says_since_when_the_form_is_closed(play: Play, strict: Play) -> None:
    """Its anomaly names the reason and the seconds; a strict session does not raise for it."""
    for stage in (play, strict):
        stage.shows("7", form_timeout=20, at=0.0)
        stage.ticks(at=20.0)

        late = stage.hears("form_data", form_request_id="7", at=32.0)

        assert late == [Anomaly("form_not_open", "form '7' expired 12 s before")]


def test_a_form_expires_at_its_deadline_however_late_the_tick_is(play: Play) -> None:
    """Also if that is 0 on the clock: it is a moment like any other."""
    play.shows("7", form_timeout=20, at=-20.0)
    play.ticks(at=30.0)

    late = play.hears("form_data", form_request_id="7", at=32.0)

    assert late == [Anomaly("form_not_open", "form '7' expired 32 s before")]


def test_data_that_is_only_a_text_answers_nothing(play: Play) -> None:
    """Web client v4 sends it for each prompt (PROTOCOL.md §3): the form stays open."""
    play.shows("7", "")

    assert play.hears("form_data", form_request_id="7", data="Form not found") == []
    assert len(play.session.forms) == 1
    assert play.hears("form_data", form_request_id="9", data="Form not found") == []


def test_a_prompt_has_a_text(play: Play) -> None:
    """What the server sent as the prompt's text is in the form, and not in its repr."""
    [opened] = play.shows("7", "", form_content="Which parcel?")

    assert opened == FormOpened(Form("7", "", content="Which parcel?"))
    assert "parcel" not in repr(opened)


@pytest.mark.parametrize("word", ["form_data", "chat_form_data_cancel"])
def test_an_answer_to_no_form_is_only_counted(play: Play, word: str) -> None:
    """A client event about a form that does not say which one closes none."""
    play.shows("7")

    assert play.hears(word) == []
    assert len(play.session.forms) == 1
    assert play.session.counts.events == 2


@pytest.mark.parametrize("party_id", ["chat-1", "CHAT-1"])
def test_an_own_message_answers_the_latest_text_prompt(play: Play, party_id: str) -> None:
    """The customer's text closes the text prompt that was opened last, before it is told."""
    play.shows("5", "")
    play.shows("6", "")
    play.shows("7")

    closed, told = play.says(party_id, "blue", "1")

    assert closed == FormClosed(Form("6", ""), "submitted")
    assert isinstance(told, MessageReceived)
    assert [form.request_id for form in play.session.forms] == ["5", "7"]
    assert play.says(party_id, "green", "3")[0] == FormClosed(Form("5", ""), "submitted")
    assert len(play.says(party_id, "red", "5")) == 1
    assert [form.request_id for form in play.session.forms] == ["7"]


def test_the_latest_prompt_is_the_one_that_was_replaced_last(play: Play) -> None:
    """A prompt that replaces an older one counts as opened when it did."""
    play.shows("5", "")
    play.shows("6", "")
    play.shows("5", "", channel="web")

    assert play.says("chat-1", "blue", "1")[0] == FormClosed(Form("5", ""), "submitted")


def test_the_messages_of_others_answer_no_prompt(play: Play) -> None:
    """A message of an agent leaves the text prompt open."""
    play.shows("5", "")

    assert len(play.says("ann", "blue", "2")) == 1
    assert len(play.session.forms) == 1


def test_a_repeated_own_message_answers_no_other_prompt(play: Play) -> None:
    """An own message that comes again does not answer the prompt that was opened since."""
    play.says("chat-1", "blue", "1")
    play.shows("5", "")

    assert play.says("chat-1", "blue", "1") == []
    assert len(play.session.forms) == 1


def test_the_answer_beside_the_message_tells_nothing_more(play: Play) -> None:
    """A text prompt is answered by a message and an answer beside it, and closes once."""
    play.shows("5", "")
    play.says("chat-1", "blue", "1")

    assert play.hears("form_data", form_request_id="5", form_name="", data={"text": "blue"}) == []
