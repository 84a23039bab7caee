"""The end of a chat: unsent and unconfirmed messages, and requests after the end."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm import commands as c
from chatfsm import effects
from chatfsm.api import Download, GetFile, GetPhoto, GetVersion
from chatfsm.client_effects import ApiFailed, ApiSucceeded, Undelivered
from chatfsm.transport import HttpReply
from tests.client.conftest import CHAT, ClientHarness, kind_of
from tests.client.test_posting import FORM, PROMPT, names, own

ENDS: list[tuple[dict[str, Any], str]] = [
    ({"event": "ended"}, "ended"),
    ({"event": "inactivity_timeout", "msg": "bye"}, "timed_out"),
    ({"event": "status", "state": "failed"}, "failed"),
]
FILE_PATH = f"chats/{CHAT}/files/f-1"


def with_an_unconfirmed_text(chat: ClientHarness) -> ClientHarness:
    """Return the chat with one unconfirmed message, and another one waiting behind it."""
    chat.send_text("a")
    chat.send_text("b")
    chat.fail("post", "protocol")
    return chat


def fates(chat: ClientHarness) -> dict[str, str]:
    """Return the fate of each message."""
    assert chat.client.session is not None
    return chat.client.session.outbox


@pytest.mark.parametrize(("end", "outcome"), ENDS)
@pytest.mark.parametrize("has_arrived", [True, False])
def test_a_last_history_settles_unconfirmed_messages(
    chat: ClientHarness, end: dict[str, Any], outcome: str, has_arrived: bool
) -> None:
    """The end waits for it: messages in the history are sent, and the others failed."""
    with_an_unconfirmed_text(chat)
    reported = chat.reply_poll(end)
    assert not chat.client.done
    assert "Terminated" not in names(reported)
    assert chat.pending == ["history"]
    reported = chat.reply_history(*([own("a", "1")] if has_arrived else []), end)
    assert fates(chat) == {"1": "sent" if has_arrived else "failed", "3": "failed"}
    assert names(reported)[-2:] == ["LinkChanged", "Terminated"]
    assert reported[-1].outcome == outcome
    assert chat.client.done
    assert chat.client.deadline is None
    assert effects.MessageFailed("3", "not posted: the chat is over") in reported
    assert chat.posted == [["a"]], "nothing is posted to an ended chat"


@pytest.mark.parametrize(("asked", "is_asked"), [("7", True), ("60", False)])
def test_the_last_history_respects_retry_after(
    chat: ClientHarness, asked: str, is_asked: bool
) -> None:
    """It is requested when the wait is over, or never if the end does not wait so long."""
    with_an_unconfirmed_text(chat)
    assert chat.run_to_deadline() == ["history"]
    chat.reply("history", status=429, at=chat.now, retry_after=asked)
    since = chat.now
    chat.reply_poll({"event": "ended"})
    assert "history" not in chat.pending
    assert chat.run_to_deadline() == (["history"] if is_asked else [])
    assert chat.now == since + (7.0 if is_asked else chat.settings.settle_timeout)
    assert chat.client.done is not is_asked


@pytest.mark.parametrize("body", [b"", {"error_code": "5005"}])
def test_without_a_history_the_message_stays_unconfirmed(chat: ClientHarness, body: Any) -> None:
    """The outcome is that of the end, and the message stays unconfirmed."""
    with_an_unconfirmed_text(chat).reply_poll({"event": "ended"})
    reported = chat.reply("history", body, status=404)
    assert fates(chat) == {"1": "unconfirmed", "3": "failed"}
    assert reported[-1] == effects.Terminated("ended", "")


@pytest.mark.parametrize("how", ["timeout", "connect"])
def test_the_last_history_is_requested_once(chat: ClientHarness, how: str) -> None:
    """A failed history request is not repeated after the end."""
    with_an_unconfirmed_text(chat).reply_poll({"event": "ended"})
    chat.fail("history", how)
    assert chat.client.done
    assert fates(chat)["1"] == "unconfirmed"


def test_the_end_waits_for_ten_seconds_at_most(chat: ClientHarness) -> None:
    """The end is reported after 10 s without a reply."""
    with_an_unconfirmed_text(chat).reply_poll({"event": "ended"}, at=1.0)
    assert chat.client.deadline == 11.0
    reported = chat.tick(at=11.0)
    assert reported[-1] == effects.Terminated("ended", "")
    assert fates(chat) == {"1": "unconfirmed", "3": "failed"}


def test_a_reply_to_a_post_in_flight_decides(chat: ClientHarness) -> None:
    """If the poll reports the end before the POST's reply, the reply settles the message."""
    chat.send_text("a")
    chat.reply_poll({"event": "ended"})
    assert not chat.client.done
    assert chat.pending == ["post"]
    reported = chat.reply("post")
    assert fates(chat) == {"1": "sent"}
    assert reported[-1] == effects.Terminated("ended", "")


def test_a_refused_post_in_flight_has_failed(chat: ClientHarness) -> None:
    """The server has no such chat any more, so the message has failed for certain."""
    chat.send_text("a")
    chat.reply_poll({"event": "ended"})
    reported = chat.reply("post", {"error_code": "5005"}, status=404)
    assert fates(chat) == {"1": "failed"}
    assert reported[-1] == effects.Terminated("ended", "")


def test_a_lost_post_in_flight_is_looked_up(chat: ClientHarness) -> None:
    """The last history is requested after the time in which the message may still arrive."""
    chat.send_text("a")
    chat.reply_poll({"event": "ended"}, at=1.0)
    chat.fail("post", "protocol", at=1.5)
    assert chat.run_to_deadline() == ["history"]
    assert chat.now == 3.5
    chat.reply_history(own("a", "1"))
    assert fates(chat) == {"1": "sent"}
    assert chat.client.done


def test_an_end_by_the_customer_is_not_held_back(chat: ClientHarness) -> None:
    """A pending POST with only `End` holds no unconfirmed message."""
    chat.receive(c.End())
    chat.reply_poll({"event": "ended"})
    assert chat.client.done


def test_unsent_messages_fail_at_once(chat: ClientHarness) -> None:
    """No history is requested; an unsent answer to a form is reported as well."""
    chat.reply_poll(FORM, at=1.0)
    chat.send_text("a")
    chat.send_text("b")
    chat.receive(c.SubmitForm("7", {"age": "44"}))
    chat.reply("post", {"error_code": "5001"}, status=503)
    reported = chat.reply_poll({"event": "ended"})
    why = "not posted: the chat is over"
    assert effects.MessageFailed("1", why) in reported
    assert effects.MessageFailed("3", why) in reported
    assert [e.why for e in reported if isinstance(e, Undelivered)] == [why]
    assert reported[-1] == effects.Terminated("ended", "")
    assert "MessageUnconfirmed" not in names(reported)


def test_no_history_is_requested_after_5005(chat: ClientHarness) -> None:
    """After 5005 no history is requested, and the message stays unconfirmed."""
    with_an_unconfirmed_text(chat)
    reported = chat.reply("poll", status=404)
    assert chat.client.done
    assert fates(chat) == {"1": "unconfirmed", "3": "failed"}
    assert reported[-1].outcome == "gone"


def test_a_refused_history_hides_no_end(chat: ClientHarness) -> None:
    """A history may be refused after the end, while the poll still has the last events."""
    with_an_unconfirmed_text(chat)
    while "history" not in chat.pending:
        chat.run_to_deadline()
    assert chat.reply("history", status=404) == []
    assert chat.posted == [["a"]]
    reported = chat.reply_poll(
        {"event": "message", "party_id": "ann", "msg": "bye"}, {"event": "ended"}
    )
    assert "MessageReceived" in names(reported)
    assert reported[-1] == effects.Terminated("ended", "")
    assert fates(chat) == {"1": "unconfirmed", "3": "failed"}


def test_a_live_chat_without_a_history_goes_on(chat: ClientHarness) -> None:
    """The poll is answered, so the history was refused for another reason, permanently."""
    with_an_unconfirmed_text(chat)
    while "history" not in chat.pending:
        chat.run_to_deadline()
    chat.reply("history", status=404)
    chat.reply_poll()
    assert chat.posted == [["a"], ["b"]]
    assert fates(chat) == {"1": "unconfirmed", "3": "pending"}
    assert "history" not in chat.pending


def test_the_first_end_counts(chat: ClientHarness) -> None:
    """Later events do not change the outcome while the end is held back."""
    with_an_unconfirmed_text(chat)
    chat.reply_poll(
        {"event": "inactivity_timeout", "msg": "too long"},
        {"event": "ended"},
        {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "late"},
    )
    chat.send_text("c")
    reported = chat.reply_history()
    assert reported[-1] == effects.Terminated("timed_out", "too long")
    assert effects.MessageFailed("5", "not posted: the chat is over") in reported
    assert not [e for e in chat.effects if isinstance(e, effects.MessageReceived)]


def test_events_after_the_end_are_counted_as_late(chat: ClientHarness) -> None:
    """Events after the end in the same batch are counted as late, if all messages are confirmed."""
    chat.reply_poll({"event": "ended"}, {"event": "ended"}, {"event": "typing", "party_id": "ann"})
    assert chat.client.session is not None
    assert chat.client.session.counts.late == 2


def test_an_end_that_is_held_back_survives_a_restart(chat: ClientHarness) -> None:
    """A restored client reports the end that was held back."""
    with_an_unconfirmed_text(chat)
    chat.reply_poll({"event": "inactivity_timeout", "msg": "too long"}, at=1.0)
    chat.restart(at=500.0)
    chat.tick()
    assert chat.pending == ["history"]
    reported = chat.reply_history(own("a", "1"))
    assert reported[-1] == effects.Terminated("timed_out", "too long")
    assert fates(chat) == {"1": "sent", "3": "failed"}


def test_a_refusal_of_the_credentials_ends_the_wait(chat: ClientHarness) -> None:
    """After refused credentials no history can come, so the end is reported at once."""
    with_an_unconfirmed_text(chat).reply_poll({"event": "ended"})
    chat.reply("history", status=401)
    assert chat.client.done
    assert fates(chat)["1"] == "unconfirmed"


def test_a_refused_history_is_requested_again_at_the_end(chat: ClientHarness) -> None:
    """The end is the last opportunity to learn which messages arrived."""
    chat.send_text("a")
    chat.fail("post", "timeout")
    chat.run_to_deadline()
    chat.reply("history", status=400)
    assert fates(chat) == {"1": "unconfirmed"}
    chat.reply_poll({"event": "ended"})
    assert chat.pending == ["history"]
    chat.reply_history(own("a", "1"))
    assert fates(chat) == {"1": "sent"}


def test_a_message_sent_while_the_end_is_held_back_fails(chat: ClientHarness) -> None:
    """It fails with the other waiting messages when the end is reported."""
    with_an_unconfirmed_text(chat).reply_poll({"event": "ended"})
    before = chat.client.health(chat.now).queued
    chat.send_text("too late")
    assert chat.client.health(chat.now).queued == before + 1
    chat.reply("history", status=404)
    assert list(fates(chat).values()) == ["unconfirmed", "failed", "failed"]


def test_an_answer_sent_with_a_text_is_reported_as_the_text(chat: ClientHarness) -> None:
    """The answer to a prompt is part of the message, which reports its fate."""
    chat.reply_poll(PROMPT, at=1.0)
    chat.send_text("44")
    chat.fail("post", "timeout")
    reported = chat.reply_poll({"event": "ended"})
    reported += chat.reply("history", status=404)
    assert chat.client.done
    assert fates(chat) == {"1": "unconfirmed"}
    assert "Undelivered" not in names(reported)


def test_a_refusal_of_another_request_ends_the_wait_too(chat: ClientHarness) -> None:
    """The history would be refused with the same credentials."""
    chat.receive(GetVersion())
    with_an_unconfirmed_text(chat).reply_poll({"event": "ended"})
    assert "history" in chat.pending
    chat.reply("version", status=401)
    assert chat.client.done
    assert fates(chat)["1"] == "unconfirmed"


def test_a_status_is_no_end_while_a_post_is_in_flight(chat: ClientHarness) -> None:
    """Only the status `failed` is an end; any other is reported at once, and polling goes on."""
    chat.send_text("a")
    reported = chat.reply_poll({"event": "status", "state": "connected"}, at=1.0)
    assert effects.StateChanged("queued", "connected") in reported
    chat.run_to_deadline()
    assert chat.pending == ["poll", "post"]


@pytest.mark.parametrize(
    ("request_", "path"),
    [(GetFile("f-1"), FILE_PATH), (GetPhoto("ann"), f"chats/{CHAT}/profilephotos/ann")],
)
def test_a_file_of_an_ended_chat_is_downloaded(
    chat: ClientHarness, request_: Any, path: str
) -> None:
    """Downloads are possible after the end; other requests are refused."""
    chat.reply_poll({"event": "file", "file_id": "f-1", "party_id": "ann"}, {"event": "ended"})
    assert chat.client.done
    assert chat.receive(request_) == []
    assert [kind_of(chat.requests[-1])] == [path]
    request = chat.requests[-1]
    reported = chat.receive(HttpReply(request.id, 200, {}, b"content"), at=9.0)
    assert reported == [ApiSucceeded(request_, Download(b"content"))]
    assert chat.client.deadline is None
    assert chat.refused(GetVersion()) == "cannot get version: the chat is over"


def test_a_download_continues_after_the_end(chat: ClientHarness) -> None:
    """A pending download is answered after the end, or fails at its timeout."""
    chat.receive(GetFile("f-1"))
    chat.receive(GetFile("f-2"))
    request = next(r for r in chat.requests if r.url.rpartition("/")[2].startswith("f-1"))
    reported = chat.reply_poll({"event": "ended"}, at=5.0)
    assert "ApiFailed" not in names(reported)
    (got,) = chat.receive(HttpReply(request.id, 200, {}, b"content"), at=6.0)
    assert isinstance(got, ApiSucceeded)
    assert chat.client.deadline == 305.0
    (failed,) = chat.tick(at=305.0)
    assert isinstance(failed, ApiFailed)
    assert chat.client.deadline is None


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_download_changes_no_end(chat: ClientHarness, status: int) -> None:
    """A refused download after the end leaves the outcome unchanged."""
    chat.reply_poll({"event": "ended"})
    chat.receive(GetFile("f-1"))
    (failed,) = chat.receive(HttpReply(chat.requests[-1].id, status, {}, b""))
    assert isinstance(failed, ApiFailed)
    assert chat.client.health(0.0).link == "over"
