"""The end of a chat: unsent and unconfirmed messages, and requests after the end."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm import commands as c
from chatfsm import effects
from chatfsm.api import Download, GetFile, GetPhoto, GetVersion
from chatfsm.client_effects import ApiFailed, ApiSucceeded, Undelivered
from chatfsm.transport import HttpReply
from tests.client.conftest import CHAT, Stage, kind_of
from tests.client.test_posting import FORM, PROMPT, names, own

ENDS: list[tuple[dict[str, Any], str]] = [
    ({"event": "ended"}, "ended"),
    ({"event": "inactivity_timeout", "msg": "bye"}, "timed_out"),
    ({"event": "status", "state": "failed"}, "failed"),
]
FILE_PATH = f"chats/{CHAT}/files/f-1"


def with_an_unconfirmed_text(chat: Stage) -> Stage:
    """Return the chat with one unconfirmed message, and another one waiting behind it."""
    chat.says("a")
    chat.says("b")
    chat.fails("post", "protocol")
    return chat


def fates(chat: Stage) -> dict[str, str]:
    """Return the fate of each message."""
    assert chat.client.session is not None
    return chat.client.session.outbox


@pytest.mark.parametrize(("end", "outcome"), ENDS)
@pytest.mark.parametrize("has_arrived", [True, False])
def test_a_last_history_settles_unconfirmed_messages(
    chat: Stage, end: dict[str, Any], outcome: str, has_arrived: bool
) -> None:
    """The end waits for it: messages in the history are sent, and the others failed."""
    with_an_unconfirmed_text(chat)
    told = chat.polled(end)
    assert not chat.client.done
    assert "Terminated" not in names(told)
    assert chat.pending == ["history"]
    told = chat.remembers(*([own("a", "1")] if has_arrived else []), end)
    assert fates(chat) == {"1": "sent" if has_arrived else "failed", "3": "failed"}
    assert names(told)[-2:] == ["LinkChanged", "Terminated"]
    assert told[-1].outcome == outcome
    assert chat.client.done
    assert chat.client.deadline is None
    assert effects.MessageFailed("3", "not posted: the chat is over") in told
    assert chat.posted == [["a"]], "nothing is posted to a chat that is over"


@pytest.mark.parametrize(("asked", "is_asked"), [("7", True), ("60", False)])
def test_the_last_history_respects_retry_after(chat: Stage, asked: str, is_asked: bool) -> None:
    """It is requested when the wait is over, or never if the end does not wait so long."""
    with_an_unconfirmed_text(chat)
    assert chat.is_due() == ["history"]
    chat.replies("history", status=429, at=chat.now, retry_after=asked)
    since = chat.now
    chat.polled({"event": "ended"})
    assert "history" not in chat.pending
    assert chat.is_due() == (["history"] if is_asked else [])
    assert chat.now == since + (7.0 if is_asked else chat.settings.settle_timeout)
    assert chat.client.done is not is_asked


@pytest.mark.parametrize("body", [b"", {"error_code": "5005"}])
def test_without_a_history_the_message_stays_unconfirmed(chat: Stage, body: Any) -> None:
    """The outcome is that of the end, and the message stays unconfirmed."""
    with_an_unconfirmed_text(chat).polled({"event": "ended"})
    told = chat.replies("history", body, status=404)
    assert fates(chat) == {"1": "unconfirmed", "3": "failed"}
    assert told[-1] == effects.Terminated("ended", "")


@pytest.mark.parametrize("how", ["timeout", "connect"])
def test_the_last_history_is_requested_once(chat: Stage, how: str) -> None:
    """A failed history request is not repeated after the end."""
    with_an_unconfirmed_text(chat).polled({"event": "ended"})
    chat.fails("history", how)
    assert chat.client.done
    assert fates(chat)["1"] == "unconfirmed"


def test_the_end_waits_for_ten_seconds_at_most(chat: Stage) -> None:
    """The end is reported after 10 s without a reply."""
    with_an_unconfirmed_text(chat).polled({"event": "ended"}, at=1.0)
    assert chat.client.deadline == 11.0
    told = chat.ticks(at=11.0)
    assert told[-1] == effects.Terminated("ended", "")
    assert fates(chat) == {"1": "unconfirmed", "3": "failed"}


def test_a_reply_to_a_post_in_flight_decides(chat: Stage) -> None:
    """If the poll reports the end before the POST's reply, the reply settles the message."""
    chat.says("a")
    chat.polled({"event": "ended"})
    assert not chat.client.done
    assert chat.pending == ["post"]
    told = chat.replies("post")
    assert fates(chat) == {"1": "sent"}
    assert told[-1] == effects.Terminated("ended", "")


def test_a_refused_post_in_flight_has_failed(chat: Stage) -> None:
    """The server has no such chat any more, so the message has failed for certain."""
    chat.says("a")
    chat.polled({"event": "ended"})
    told = chat.replies("post", {"error_code": "5005"}, status=404)
    assert fates(chat) == {"1": "failed"}
    assert told[-1] == effects.Terminated("ended", "")


def test_a_lost_post_in_flight_is_looked_up(chat: Stage) -> None:
    """The last history is requested after the time in which the message may still arrive."""
    chat.says("a")
    chat.polled({"event": "ended"}, at=1.0)
    chat.fails("post", "protocol", at=1.5)
    assert chat.is_due() == ["history"]
    assert chat.now == 3.5
    chat.remembers(own("a", "1"))
    assert fates(chat) == {"1": "sent"}
    assert chat.client.done


def test_an_end_by_the_customer_is_not_held_back(chat: Stage) -> None:
    """A pending POST with only `End` holds no unconfirmed message."""
    chat.receives(c.End())
    chat.polled({"event": "ended"})
    assert chat.client.done


def test_unsent_messages_fail_at_once(chat: Stage) -> None:
    """No history is requested; an unsent answer to a form is reported as well."""
    chat.polled(FORM, at=1.0)
    chat.says("a")
    chat.says("b")
    chat.receives(c.SubmitForm("7", {"age": "44"}))
    chat.replies("post", {"error_code": "5001"}, status=503)
    told = chat.polled({"event": "ended"})
    why = "not posted: the chat is over"
    assert effects.MessageFailed("1", why) in told
    assert effects.MessageFailed("3", why) in told
    assert [e.why for e in told if isinstance(e, Undelivered)] == [why]
    assert told[-1] == effects.Terminated("ended", "")
    assert "MessageUnconfirmed" not in names(told)


def test_no_history_is_requested_after_5005(chat: Stage) -> None:
    """After 5005 no history is requested, and the message stays unconfirmed."""
    with_an_unconfirmed_text(chat)
    told = chat.replies("poll", status=404)
    assert chat.client.done
    assert fates(chat) == {"1": "unconfirmed", "3": "failed"}
    assert told[-1].outcome == "gone"


def test_a_refused_history_hides_no_end(chat: Stage) -> None:
    """A history may be refused after the end, while the poll still has the last events."""
    with_an_unconfirmed_text(chat)
    while "history" not in chat.pending:
        chat.is_due()
    assert chat.replies("history", status=404) == []
    assert chat.posted == [["a"]]
    told = chat.polled({"event": "message", "party_id": "ann", "msg": "bye"}, {"event": "ended"})
    assert "MessageReceived" in names(told)
    assert told[-1] == effects.Terminated("ended", "")
    assert fates(chat) == {"1": "unconfirmed", "3": "failed"}


def test_a_live_chat_without_a_history_goes_on(chat: Stage) -> None:
    """The poll is answered, so the history was refused for another reason, permanently."""
    with_an_unconfirmed_text(chat)
    while "history" not in chat.pending:
        chat.is_due()
    chat.replies("history", status=404)
    chat.polled()
    assert chat.posted == [["a"], ["b"]]
    assert fates(chat) == {"1": "unconfirmed", "3": "pending"}
    assert "history" not in chat.pending


def test_the_first_end_counts(chat: Stage) -> None:
    """Later events do not change the outcome while the end is held back."""
    with_an_unconfirmed_text(chat)
    chat.polled(
        {"event": "inactivity_timeout", "msg": "too long"},
        {"event": "ended"},
        {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "late"},
    )
    chat.says("c")
    told = chat.remembers()
    assert told[-1] == effects.Terminated("timed_out", "too long")
    assert effects.MessageFailed("5", "not posted: the chat is over") in told
    assert not [e for e in chat.told if isinstance(e, effects.MessageReceived)]


def test_events_after_the_end_are_counted_as_late(chat: Stage) -> None:
    """Events after the end in the same batch are counted as late, if all messages are confirmed."""
    chat.polled({"event": "ended"}, {"event": "ended"}, {"event": "typing", "party_id": "ann"})
    assert chat.client.session is not None
    assert chat.client.session.counts.late == 2


def test_an_end_that_is_held_back_survives_a_restart(chat: Stage) -> None:
    """A restored client reports the end that was held back."""
    with_an_unconfirmed_text(chat)
    chat.polled({"event": "inactivity_timeout", "msg": "too long"}, at=1.0)
    chat.restarts(at=500.0)
    chat.ticks()
    assert chat.pending == ["history"]
    told = chat.remembers(own("a", "1"))
    assert told[-1] == effects.Terminated("timed_out", "too long")
    assert fates(chat) == {"1": "sent", "3": "failed"}


def test_a_refusal_of_the_credentials_ends_the_wait(chat: Stage) -> None:
    """After refused credentials no history can come, so the end is reported at once."""
    with_an_unconfirmed_text(chat).polled({"event": "ended"})
    chat.replies("history", status=401)
    assert chat.client.done
    assert fates(chat)["1"] == "unconfirmed"


def test_a_refused_history_is_requested_again_at_the_end(chat: Stage) -> None:
    """The end is the last opportunity to learn which messages arrived."""
    chat.says("a")
    chat.fails("post", "timeout")
    chat.is_due()
    chat.replies("history", status=400)
    assert fates(chat) == {"1": "unconfirmed"}
    chat.polled({"event": "ended"})
    assert chat.pending == ["history"]
    chat.remembers(own("a", "1"))
    assert fates(chat) == {"1": "sent"}


def test_a_message_sent_while_the_end_is_held_back_fails(chat: Stage) -> None:
    """It fails with the other waiting messages when the end is reported."""
    with_an_unconfirmed_text(chat).polled({"event": "ended"})
    before = chat.client.health(chat.now).queued
    chat.says("too late")
    assert chat.client.health(chat.now).queued == before + 1
    chat.replies("history", status=404)
    assert list(fates(chat).values()) == ["unconfirmed", "failed", "failed"]


def test_an_answer_sent_with_a_text_is_reported_as_the_text(chat: Stage) -> None:
    """The answer to a prompt is part of the message, which reports its fate."""
    chat.polled(PROMPT, at=1.0)
    chat.says("44")
    chat.fails("post", "timeout")
    told = chat.polled({"event": "ended"})
    told += chat.replies("history", status=404)
    assert chat.client.done
    assert fates(chat) == {"1": "unconfirmed"}
    assert "Undelivered" not in names(told)


def test_a_refusal_of_another_request_ends_the_wait_too(chat: Stage) -> None:
    """The history would be refused with the same credentials."""
    chat.receives(GetVersion())
    with_an_unconfirmed_text(chat).polled({"event": "ended"})
    assert "history" in chat.pending
    chat.replies("version", status=401)
    assert chat.client.done
    assert fates(chat)["1"] == "unconfirmed"


def test_a_status_is_no_end_while_a_post_is_in_flight(chat: Stage) -> None:
    """Only the status `failed` is an end; any other is reported at once, and polling goes on."""
    chat.says("a")
    told = chat.polled({"event": "status", "state": "connected"}, at=1.0)
    assert effects.StateChanged("queued", "connected") in told
    chat.is_due()
    assert chat.pending == ["poll", "post"]


@pytest.mark.parametrize(
    ("request_", "path"),
    [(GetFile("f-1"), FILE_PATH), (GetPhoto("ann"), f"chats/{CHAT}/profilephotos/ann")],
)
def test_a_file_of_an_ended_chat_is_downloaded(chat: Stage, request_: Any, path: str) -> None:
    """Downloads are possible after the end; other requests are refused."""
    chat.polled({"event": "file", "file_id": "f-1", "party_id": "ann"}, {"event": "ended"})
    assert chat.client.done
    assert chat.receives(request_) == []
    assert [kind_of(chat.requests[-1])] == [path]
    request = chat.requests[-1]
    told = chat.receives(HttpReply(request.id, 200, {}, b"content"), at=9.0)
    assert told == [ApiSucceeded(request_, Download(b"content"))]
    assert chat.client.deadline is None
    assert chat.refused(GetVersion()) == "cannot get version: the chat is over"


def test_a_download_continues_after_the_end(chat: Stage) -> None:
    """A pending download is answered after the end, or fails at its timeout."""
    chat.receives(GetFile("f-1"))
    chat.receives(GetFile("f-2"))
    request = next(r for r in chat.requests if r.url.rpartition("/")[2].startswith("f-1"))
    told = chat.polled({"event": "ended"}, at=5.0)
    assert "ApiFailed" not in names(told)
    (got,) = chat.receives(HttpReply(request.id, 200, {}, b"content"), at=6.0)
    assert isinstance(got, ApiSucceeded)
    assert chat.client.deadline == 305.0
    (failed,) = chat.ticks(at=305.0)
    assert isinstance(failed, ApiFailed)
    assert chat.client.deadline is None


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_download_changes_no_end(chat: Stage, status: int) -> None:
    """A refused download after the end leaves the outcome unchanged."""
    chat.polled({"event": "ended"})
    chat.receives(GetFile("f-1"))
    (failed,) = chat.receives(HttpReply(chat.requests[-1].id, status, {}, b""))
    assert isinstance(failed, ApiFailed)
    assert chat.client.health(0.0).link == "over"
