"""Judge: verdicts about clients, from their requests and replies alone."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm.testing.judge import MAX_VIOLATIONS, Judge, JudgementError, Verdict, Violation
from chatfsm.transport import HttpReply, HttpRequest
from tests.testing.traffic import HOST, Traffic

ENDED = {"event": "chat_session_ended"}
GONE = {"error_code": "5005", "error_message": "no such chat"}


def test_a_second_poll_while_one_is_held() -> None:
    """The violation is reported when the first is answered, or at the end of the run."""
    traffic = Traffic()
    traffic.poll()
    second = traffic.poll()
    assert traffic.broken == []  # the client may be about to cancel the first
    traffic.wait(2.0)
    assert traffic.broken == ["one-poll-at-a-time"]
    traffic.reply(1)
    assert traffic.broken == ["one-poll-at-a-time"]
    traffic.reply(second)
    assert traffic.broken == ["one-poll-at-a-time"]


def test_a_poll_that_is_cancelled_as_the_next_begins() -> None:
    """A server may see the next poll first, so a cancellation soon after it is accepted."""
    traffic = Traffic()
    traffic.poll(at=1.0)
    traffic.poll(at=14.0)
    traffic.cancel(1, at=14.2)
    traffic.reply(2)
    assert traffic.broken == []
    traffic.poll(at=15.0)
    traffic.poll(at=20.0)
    traffic.cancel(3, at=25.0)
    assert traffic.broken == ["one-poll-at-a-time"]


def test_polls_one_after_the_other() -> None:
    """Polls of another chat and other requests do not count."""
    traffic = Traffic()
    for _ in range(3):
        traffic.reply(traffic.poll())
    traffic.lose(traffic.poll(), "reset")
    traffic.poll()
    traffic.send("GET", "chats/c2/events")
    traffic.send("GET", "chats/c1/history")
    traffic.wait(9.0)
    assert traffic.broken == []


@pytest.mark.parametrize(
    "event",
    [
        ENDED,
        {"event": "chat_session_inactivity_timeout"},
        {"event": "chat_session_inactvity_timeout"},
        {"event": "chat_session_status", "state": "failed"},
    ],
)
def test_a_poll_after_the_end(event: dict[str, str]) -> None:
    """Each poll after an event that ends the session is a violation."""
    traffic = Traffic()
    traffic.reply(traffic.poll(), event)
    assert traffic.broken == []
    traffic.reply(traffic.poll(), status=404, body=GONE)
    traffic.reply(traffic.poll(), status=404, body=GONE)
    assert traffic.broken == ["no-poll-after-end"] * 2


@pytest.mark.parametrize(("status", "body"), [(404, GONE), (404, ""), (400, GONE)])
def test_a_poll_after_a_404(status: int, body: Any) -> None:
    """The server has said that the chat does not exist."""
    traffic = Traffic()
    traffic.reply(traffic.poll(), status=status, body=body)
    traffic.poll()
    assert traffic.broken == ["no-poll-after-end"]


def test_replies_that_are_no_end() -> None:
    """A proxy's page, a refused POST, an old end in a history and a lost end do not count."""
    traffic = Traffic()
    traffic.reply(traffic.poll(), {"event": "chat_session_status", "state": "completed"})
    page = HttpReply(traffic.poll(), 404, {}, b"<html>404 page not found</html>")
    traffic.arrive(page.id, page)
    traffic.reply(traffic.text("1", "Hello."), status=404, body=GONE)
    traffic.reply(traffic.send("GET", "chats/c1/history"), status=404, body=GONE)
    traffic.reply(traffic.send("GET", "chats/c1/history"), ENDED)
    number = traffic.poll()
    traffic.handle(number, ENDED)
    traffic.lose(number, "truncated")
    mended = HttpReply(
        traffic.poll(), 200, {}, b'{"x":"\xff","events":[{"event":"chat_session_ended"}]}'
    )
    traffic.arrive(mended.id, mended)
    traffic.reply(traffic.poll())
    assert traffic.broken == []


def test_an_end_that_crosses_a_poll() -> None:
    """In version 1 the reply to a POST may have the end while a poll is in flight."""
    traffic = Traffic(version=1)
    post = traffic.text("1", "Hello.")
    traffic.reply(post, ENDED)
    traffic.poll(at=traffic.now + 0.1)
    assert traffic.broken == []
    traffic.reply(traffic.count, ENDED)
    traffic.poll()
    assert traffic.broken == ["no-poll-after-end"]


def test_a_chat_that_is_returned_again() -> None:
    """The chat exists again once the server returns it."""
    traffic = Traffic()
    traffic.reply(traffic.poll(), status=404, body="")
    traffic.reply(traffic.send("POST", "chats"), body={"chat_id": "c1", "is_new_chat": False})
    traffic.poll()
    assert "no-poll-after-end" not in traffic.broken


def test_an_id_for_two_messages() -> None:
    """The rule holds within one POST too, and if the first message may not have arrived."""
    traffic = Traffic()
    traffic.reply(traffic.text("1", "Hello."))
    traffic.text("1", "Are you there?")
    assert traffic.broken == ["unique-message-ids"]
    traffic.lose(traffic.text("3", "One"))
    traffic.text("3", "Two")
    assert traffic.broken == ["unique-message-ids"] * 2


def test_ids_that_may_be_used_again() -> None:
    """An id may be reused for the same message, after a refusal, and in another chat."""
    traffic = Traffic()
    traffic.lose(traffic.text("1", "Hello."))
    traffic.reply(traffic.text("1", "Hello."))
    traffic.reply(traffic.text("3", "x" * 9), status=400, body={"error_code": "5003"})
    traffic.lose(traffic.text("5", "Now?"), "refused")
    traffic.reply(traffic.text("3", "shorter"))
    traffic.reply(traffic.text("5", "Later."))
    traffic.send("POST", "chats/c2/events", [{"event": "chat_session_message", "msg_id": "1"}])
    for file in ("a", "b"):
        traffic.post({"event": "chat_session_file", "msg_id": "", "file_id": file})
    traffic.post({"event": "chat_session_message_read", "ref_msg_id": "2", "msg_id": "1"})
    assert "unique-message-ids" not in traffic.broken


def test_a_verdict_as_text_json_and_exception() -> None:
    """Each form has the rule, the time and the request, and no credentials."""
    traffic = Traffic()
    message = {"event": "chat_session_message", "party_id": "A", "msg_id": "2", "msg": "Hi."}
    traffic.reply(traffic.poll(), message, ENDED)
    traffic.reply(traffic.text("1", "Hello."))
    traffic.poll(at=3.25)
    verdict = traffic.judge.verdict()
    path = "3 GET /clientweb/api/v2/chats/c1/events"
    assert str(verdict).splitlines()[0] == ("fail: 1 error, 0 warnings; 1 text said, 1 text told")
    assert f"  - at 3.250 s, request {path}: a poll after chat_session_ended" in str(verdict)
    (found,) = verdict.to_json().pop("violations")
    assert verdict.to_json() == {"verdict": "fail", "violations": [found], "said": 1, "told": 1}
    assert list(found) == ["rule", "severity", "explanation", "at", "request"]
    assert (found["rule"], found["severity"], found["at"]) == ("no-poll-after-end", "error", 3.25)
    assert found["request"] == path
    with pytest.raises(JudgementError, match="no-poll-after-end") as caught:
        verdict.check()
    assert caught.value.verdict == verdict


def test_a_verdict_without_violations() -> None:
    """The verdict passes, and `check` does not raise."""
    verdict = Judge().verdict()
    verdict.check()
    assert verdict.to_json() == {"verdict": "pass", "violations": [], "said": 0, "told": 0}
    assert str(verdict) == "pass: 0 errors, 0 warnings; 0 texts said, 0 texts told"


def test_a_report_shows_some_of_many_violations() -> None:
    """The report has the number of all violations."""
    violations = tuple(Violation("no-poll-after-end", 1.0, "1 GET /", "a poll") for _ in range(7))
    text = str(Verdict(violations, 0, 0))
    assert text.count("- at 1.000 s") == 5
    assert text.endswith("- and 2 more")


def test_a_judge_keeps_a_bounded_number_of_violations() -> None:
    """The number of violations that are kept is limited."""
    traffic = Traffic()
    traffic.reply(traffic.poll(), ENDED)
    for _ in range(MAX_VIOLATIONS + 9):
        traffic.poll()
    assert len(traffic.judge.verdict().violations) == MAX_VIOLATIONS


def test_unknown_requests_are_ignored() -> None:
    """Requests outside the API, and replies to unknown requests, are ignored."""
    traffic = Traffic()
    for url in (f"{HOST}/v3/chats/c1/events", "https://[broken/", "https://chat.example.com/"):
        traffic.judge.on_request(HttpRequest(99, "GET", url, ()), now=1.0)
    traffic.handle(7)
    traffic.lose(7)
    traffic.cancel(7)
    assert traffic.judge.verdict().verdict == "pass"
