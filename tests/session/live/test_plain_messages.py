"""The usual message is heard in one go, and nothing is different from hearing it step by step."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import ChatSession, Settings, commands, events
from chatfsm._protocol.codec import decode_item
from chatfsm._session.dispatch import EVENT_HANDLERS, MESSAGE_HANDLER

SETTINGS = Settings(max_ids=16, msg_id_format="n")
CHAT = "Chat-1"
PARTIES = st.sampled_from(["ann", "bob", "chat-1", "CHAT-1", None])
TIMES = st.sampled_from(["100", "200", None])


def item(name: str, **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    """An event of the wire, without the fields that are None."""
    made = st.fixed_dictionaries({"event": st.just(f"chat_session_{name}"), **fields})
    return made.map(lambda held: {key: each for key, each in held.items() if each is not None})


USUAL = item(
    "message",
    party_id=PARTIES,
    msg_id=st.sampled_from(["1", "2", "3", "4", "5", "x:7"]),
    msg=st.sampled_from(["Yes", "No", "A text of more than 64 characters " * 3]),
    timestamp=TIMES,
)
UNUSUAL = item(
    "message",
    party_id=PARTIES,
    msg_id=st.sampled_from(["1", "3", None]),
    msg=st.sampled_from(["Yes", "", None]),
    msg_text=st.sampled_from([None, "plain"]),
    attachments=st.sampled_from([None, [{"id": "a"}]]),
)
OTHERS = st.one_of(
    item("typing", party_id=PARTIES),
    item("party_joined", party_id=PARTIES, timestamp=TIMES),
    item("party_left", party_id=PARTIES, timestamp=TIMES),
    item("timeout_warning", msg=st.just("Still there?")),
    item("form_show", form_request_id=st.just("7"), form_name=st.sampled_from(["", "a"])),
    st.just({"event": "chat_session_status", "state": "completed"}),
)
EVENTS = st.one_of(USUAL, USUAL, UNUSUAL, OTHERS).map(decode_item)


def said(msg_id: str, msg: str | None = "Yes", by: str = "chat-1", **fields: Any) -> Any:
    """Somebody has said something."""
    return decode_item(
        {"event": "chat_session_message", "party_id": by, "msg_id": msg_id, "msg": msg, **fields}
    )


WARNED = decode_item({"event": "chat_session_timeout_warning", "msg": "Still there?"})
PROMPTED = decode_item({"event": "chat_session_form_show", "form_request_id": "7", "form_name": ""})
TYPED = decode_item({"event": "chat_session_typing", "party_id": "ann"})
PLAYS = {
    "a warning that is cleared": [said("1"), WARNED, said("3")],
    "a prompt that is answered": [said("1"), PROMPTED, said("3")],
    "a typist who speaks": [said("2", by="ann"), TYPED, said("4", by="ann")],
    "the server's own text": [said("2", by="ann"), said("4", by="ann", msg_text="plain")],
    "a late echo": [
        commands.SendText("Yes"),
        *(said(f"x:{number}") for number in range(16)),
        said("1"),
    ],
    "no content": [said("1", None), said("2", None, by="ann")],
    "texts out of order": [said(n, timestamp=at) for n, at in zip("135", "121", strict=True)],
    "more than are remembered": [said(str(number), by="ann") for number in range(20)],
}


@pytest.mark.parametrize("inputs", PLAYS.values(), ids=PLAYS)
def test_what_is_not_quite_usual(inputs: list[Any]) -> None:
    """Where it matters, it is looked at closely."""
    compare(inputs)


@given(st.lists(EVENTS, max_size=8), st.lists(EVENTS, max_size=12))
def test_the_usual_message_is_heard_as_any_is(before: list[Any], after: list[Any]) -> None:
    """In one go or step by step, the same is told, and the same is remembered."""
    compare([*before, commands.SendText("Yes"), *after])


def compare(inputs: list[Any]) -> None:
    """Hear the same in one go, and step by step."""
    in_one_go, step_by_step = (ChatSession(CHAT, settings=SETTINGS) for _ in range(2))
    for now, each in enumerate(inputs):
        told = in_one_go.receive(each, now=float(now))
        with patch.dict(EVENT_HANDLERS["establishing"], {events.Message: MESSAGE_HANDLER}):
            assert told == step_by_step.receive(each, now=float(now))
        assert in_one_go._memory == step_by_step._memory


def test_the_row_of_a_message_is_that_of_all_living_states() -> None:
    """What the comparison replaces is what is used."""
    living = [row for row in EVENT_HANDLERS.values() if row]
    assert all(row is EVENT_HANDLERS["establishing"] for row in living)
    assert EVENT_HANDLERS["establishing"][events.Message] is not MESSAGE_HANDLER
