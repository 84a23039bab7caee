"""The end of a chat: what was never posted, what is in doubt, and what may still be fetched."""

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


def in_doubt(chat: Stage) -> Stage:
    """A message was posted, and no reply came; another one waits behind it."""
    chat.says("a")
    chat.says("b")
    chat.fails("post", "protocol")
    return chat


def fates(chat: Stage) -> dict[str, str]:
    """What has become of the messages."""
    assert chat.client.session is not None
    return chat.client.session.outbox


@pytest.mark.parametrize(("end", "outcome"), ENDS)
@pytest.mark.parametrize("has_arrived", [True, False])
def test_a_last_history_settles_what_is_in_doubt(
    chat: Stage, end: dict[str, Any], outcome: str, has_arrived: bool
) -> None:
    """The end waits for it: what arrived is sent, and what did not may be said again."""
    in_doubt(chat)
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
def test_the_last_history_obeys_retry_after(chat: Stage, asked: str, is_asked: bool) -> None:
    """It is asked for when the wait is over, or never if the end does not wait for so long."""
    in_doubt(chat)
    assert chat.is_due() == ["history"]
    chat.replies("history", status=429, at=chat.now, retry_after=asked)
    since = chat.now
    chat.polled({"event": "ended"})
    assert "history" not in chat.pending
    assert chat.is_due() == (["history"] if is_asked else [])
    assert chat.now == since + (7.0 if is_asked else chat.settings.settle_timeout)
    assert chat.client.done is not is_asked


@pytest.mark.parametrize("body", [b"", {"error_code": "5005"}])
def test_a_server_that_keeps_no_history_leaves_the_doubt(chat: Stage, body: Any) -> None:
    """The outcome is that of the end, and the message stays unconfirmed."""
    in_doubt(chat).polled({"event": "ended"})
    told = chat.replies("history", body, status=404)
    assert fates(chat) == {"1": "unconfirmed", "3": "failed"}
    assert told[-1] == effects.Terminated("ended", "")


@pytest.mark.parametrize("how", ["timeout", "connect"])
def test_the_last_history_is_asked_for_once(chat: Stage, how: str) -> None:
    """A chat that is over is not held open by a network that is away."""
    in_doubt(chat).polled({"event": "ended"})
    chat.fails("history", how)
    assert chat.client.done
    assert fates(chat)["1"] == "unconfirmed"


def test_the_end_waits_for_ten_seconds_at_most(chat: Stage) -> None:
    """A server that says nothing is not waited for."""
    in_doubt(chat).polled({"event": "ended"}, at=1.0)
    assert chat.client.deadline == 11.0
    told = chat.ticks(at=11.0)
    assert told[-1] == effects.Terminated("ended", "")
    assert fates(chat) == {"1": "unconfirmed", "3": "failed"}


def test_a_post_in_flight_answers_for_itself(chat: Stage) -> None:
    """The end that the poll brings before the POST is answered makes no doubt of it."""
    chat.says("a")
    chat.polled({"event": "ended"})
    assert not chat.client.done
    assert chat.pending == ["post"]
    told = chat.replies("post")
    assert fates(chat) == {"1": "sent"}
    assert told[-1] == effects.Terminated("ended", "")


def test_a_post_in_flight_that_is_refused_was_not_taken(chat: Stage) -> None:
    """The server has no such chat any more: the message may be said again elsewhere."""
    chat.says("a")
    chat.polled({"event": "ended"})
    told = chat.replies("post", {"error_code": "5005"}, status=404)
    assert fates(chat) == {"1": "failed"}
    assert told[-1] == effects.Terminated("ended", "")


def test_a_post_in_flight_that_is_lost_is_looked_up(chat: Stage) -> None:
    """In the last history, after the time in which it may still arrive."""
    chat.says("a")
    chat.polled({"event": "ended"}, at=1.0)
    chat.fails("post", "protocol", at=1.5)
    assert chat.is_due() == ["history"]
    assert chat.now == 3.5
    chat.remembers(own("a", "1"))
    assert fates(chat) == {"1": "sent"}
    assert chat.client.done


def test_an_end_that_was_asked_for_is_not_held_back(chat: Stage) -> None:
    """No message is in doubt while only `End` is on its way."""
    chat.receives(c.End())
    chat.polled({"event": "ended"})
    assert chat.client.done


def test_what_was_never_posted_fails_as_such(chat: Stage) -> None:
    """Nothing is in doubt, so nothing is waited for; an answer to a form is reported as well."""
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


def test_a_chat_that_is_gone_has_no_history(chat: Stage) -> None:
    """The server does not know it: what is in doubt stays so, and nothing is asked."""
    in_doubt(chat)
    told = chat.replies("poll", status=404)
    assert chat.client.done
    assert fates(chat) == {"1": "unconfirmed", "3": "failed"}
    assert told[-1].outcome == "gone"


def test_a_history_of_a_chat_that_is_over_hides_no_end(chat: Stage) -> None:
    """It is refused after the end, while the poll still has the last events."""
    in_doubt(chat)
    while "history" not in chat.pending:
        chat.is_due()
    assert chat.replies("history", status=404) == []
    assert chat.posted == [["a"]]
    told = chat.polled({"event": "message", "party_id": "ann", "msg": "bye"}, {"event": "ended"})
    assert "MessageReceived" in names(told)
    assert told[-1] == effects.Terminated("ended", "")
    assert fates(chat) == {"1": "unconfirmed", "3": "failed"}


def test_a_chat_that_lives_without_a_history_goes_on(chat: Stage) -> None:
    """A poll is answered: the history was refused for another reason, once and for all."""
    in_doubt(chat)
    while "history" not in chat.pending:
        chat.is_due()
    chat.replies("history", status=404)
    chat.polled()
    assert chat.posted == [["a"], ["b"]]
    assert fates(chat) == {"1": "unconfirmed", "3": "pending"}
    assert "history" not in chat.pending


def test_the_first_end_counts(chat: Stage) -> None:
    """What comes while the end is held back changes nothing."""
    in_doubt(chat)
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
    """Where nothing is in doubt, those of the same batch."""
    chat.polled({"event": "ended"}, {"event": "ended"}, {"event": "typing", "party_id": "ann"})
    assert chat.client.session is not None
    assert chat.client.session.counts.late == 2


def test_an_end_that_is_held_back_survives(chat: Stage) -> None:
    """A process that is killed meanwhile is followed by one that reports the same end."""
    in_doubt(chat)
    chat.polled({"event": "inactivity_timeout", "msg": "too long"}, at=1.0)
    chat.restarts(at=500.0)
    chat.ticks()
    assert chat.pending == ["history"]
    told = chat.remembers(own("a", "1"))
    assert told[-1] == effects.Terminated("timed_out", "too long")
    assert fates(chat) == {"1": "sent", "3": "failed"}


def test_a_refusal_of_the_credentials_ends_the_waiting(chat: Stage) -> None:
    """No history will come."""
    in_doubt(chat).polled({"event": "ended"})
    chat.replies("history", status=401)
    assert chat.client.done
    assert fates(chat)["1"] == "unconfirmed"


def test_a_history_that_was_refused_before_is_asked_for_once_more(chat: Stage) -> None:
    """The end is the last occasion to learn what has arrived."""
    chat.says("a")
    chat.fails("post", "timeout")
    chat.is_due()
    chat.replies("history", status=400)
    assert fates(chat) == {"1": "unconfirmed"}
    chat.polled({"event": "ended"})
    assert chat.pending == ["history"]
    chat.remembers(own("a", "1"))
    assert fates(chat) == {"1": "sent"}


def test_a_message_said_while_the_end_is_held_back_waits_once(chat: Stage) -> None:
    """It fails with the others that wait when the end comes."""
    in_doubt(chat).polled({"event": "ended"})
    before = chat.client.health(chat.now).queued
    chat.says("too late")
    assert chat.client.health(chat.now).queued == before + 1
    chat.replies("history", status=404)
    assert list(fates(chat).values()) == ["unconfirmed", "failed", "failed"]


def test_an_answer_that_its_text_brought_along_is_told_as_the_text(chat: Stage) -> None:
    """The answer to a prompt is part of the message, whose outcome the app learns."""
    chat.polled(PROMPT, at=1.0)
    chat.says("44")
    chat.fails("post", "timeout")
    told = chat.polled({"event": "ended"})
    told += chat.replies("history", status=404)
    assert chat.client.done
    assert fates(chat) == {"1": "unconfirmed"}
    assert "Undelivered" not in names(told)


def test_a_refusal_of_another_request_ends_the_waiting_too(chat: Stage) -> None:
    """The credentials are those of the history."""
    chat.receives(GetVersion())
    in_doubt(chat).polled({"event": "ended"})
    assert "history" in chat.pending
    chat.replies("version", status=401)
    assert chat.client.done
    assert fates(chat)["1"] == "unconfirmed"


def test_a_status_is_no_end_while_a_post_is_in_flight(chat: Stage) -> None:
    """Only a status `failed` is; any other is told at once, and polls go on."""
    chat.says("a")
    told = chat.polled({"event": "status", "state": "connected"}, at=1.0)
    assert effects.StateChanged("queued", "connected") in told
    chat.is_due()
    assert chat.pending == ["poll", "post"]


@pytest.mark.parametrize(
    ("request_", "path"),
    [(GetFile("f-1"), FILE_PATH), (GetPhoto("ann"), f"chats/{CHAT}/profilephotos/ann")],
)
def test_a_file_of_a_chat_that_is_over_is_fetched(chat: Stage, request_: Any, path: str) -> None:
    """As long as the server gives it; nothing else is asked for any more."""
    chat.polled({"event": "file", "file_id": "f-1", "party_id": "ann"}, {"event": "ended"})
    assert chat.client.done
    assert chat.receives(request_) == []
    assert [kind_of(chat.requests[-1])] == [path]
    request = chat.requests[-1]
    told = chat.receives(HttpReply(request.id, 200, {}, b"content"), at=9.0)
    assert told == [ApiSucceeded(request_, Download(b"content"))]
    assert chat.client.deadline is None
    assert chat.refused(GetVersion()) == "cannot get version: the chat is over"


def test_a_download_goes_on_over_the_end(chat: Stage) -> None:
    """What was asked for before it is answered after it; no answer is a failure, in its time."""
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
    """The server gives the file no more."""
    chat.polled({"event": "ended"})
    chat.receives(GetFile("f-1"))
    (failed,) = chat.receives(HttpReply(chat.requests[-1].id, status, {}, b""))
    assert isinstance(failed, ApiFailed)
    assert chat.client.health(0.0).link == "over"
