"""Rare branches of the client: kinds of ends, numbers outside JSON, forged ids."""

from __future__ import annotations

from math import inf, nan

import pytest

from chatfsm import ChatSession, commands, inputs
from chatfsm._client import ending, snapshot
from chatfsm._client.http_api import post_body
from chatfsm._client.journal import Recorded
from chatfsm._client.state import Ending, EndingKind
from chatfsm.client_effects import Undelivered
from chatfsm.events import Ended, InactivityTimeout, Status
from tests.client.conftest import ClientHarness
from tests.client.test_posting import FORM, names


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        ("ended", Ended()),
        ("inactivity_timeout", InactivityTimeout("bye")),
        ("failed", Status("failed")),
        ("lost", inputs.Lost("bye")),
    ],
)
def test_each_end_is_an_input_of_the_session(kind: EndingKind, item: object) -> None:
    """The session receives the input of the end that was held back."""
    assert ending._item_of(Ending(kind, "bye")) == item


def test_a_journal_writes_no_number_that_json_lacks() -> None:
    """A sum of large numbers is infinite: its journal line has a text in its place."""
    lines: list[str] = []
    recorded = Recorded(ChatSession("chat-1"), lines.append)
    recorded._write_line({"at": inf})
    assert '"at": "inf"' in lines[-1]


def test_a_form_answer_of_unknown_fate_is_undelivered_at_the_end(chat: ClientHarness) -> None:
    """It was posted, and the chat ended before it was confirmed."""
    chat.reply_poll(FORM)
    chat.receive(commands.SubmitForm("7", {"a": "b"}))
    chat.run_to_deadline()
    reported = chat.reply_poll({"event": "ended"})
    while "Terminated" not in names(reported):
        assert chat.client.deadline is not None
        reported = chat.tick(at=chat.client.deadline)
    assert any(isinstance(effect, Undelivered) for effect in reported)


@pytest.mark.parametrize("pending", [[["1", "poll"]], [[1.0, "poll"]]])
def test_the_id_of_a_request_is_an_integer(pending: object) -> None:
    """Another type in a forged snapshot is refused."""
    with pytest.raises(ValueError, match=r"^the id of a request must be an integer$"):
        snapshot._purposes(pending)


@pytest.mark.parametrize("at", [inf, -inf, nan])
def test_a_time_in_a_snapshot_is_finite(at: float) -> None:
    """Python's JSON also reads infinite numbers and NaN, which are refused."""
    with pytest.raises(ValueError, match=r"^a time must be finite$"):
        snapshot._finite(at)


def test_no_body_holds_a_number_that_json_lacks() -> None:
    """Servers refuse NaN, so the client refuses to write it."""
    with pytest.raises(ValueError, match="JSON"):
        post_body([{"event": "chat_session_location", "latitude": float("nan")}])
