"""What a judge says of clients, by their requests and replies alone."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm.testing.judge import MAX_VIOLATIONS, Judge, JudgementError, Verdict, Violation
from chatfsm.transport import HttpReply, HttpRequest
from tests.testing.tape import HOST, Tape

ENDED = {"event": "chat_session_ended"}
GONE = {"error_code": "5005", "error_message": "no such chat"}


def test_a_second_poll_while_one_is_held() -> None:
    """It bites at once when the first is answered, and at the end if neither is."""
    tape = Tape()
    tape.poll()
    second = tape.poll()
    assert tape.broken == []  # the first may be about to be given up
    tape.wait(2.0)
    assert tape.broken == ["one-poll-at-a-time"]
    tape.reply(1)
    assert tape.broken == ["one-poll-at-a-time"]
    tape.reply(second)
    assert tape.broken == ["one-poll-at-a-time"]


def test_a_poll_that_is_given_up_as_the_next_begins() -> None:
    """A server may see the next one first: no second poll. Long after, it is one."""
    tape = Tape()
    tape.poll(at=1.0)
    tape.poll(at=14.0)
    tape.cancel(1, at=14.2)
    tape.reply(2)
    assert tape.broken == []
    tape.poll(at=15.0)
    tape.poll(at=20.0)
    tape.cancel(3, at=25.0)
    assert tape.broken == ["one-poll-at-a-time"]


def test_polls_one_after_the_other() -> None:
    """Of one chat; those of another are no concern of it, nor are other requests."""
    tape = Tape()
    for _ in range(3):
        tape.reply(tape.poll())
    tape.lose(tape.poll(), "reset")
    tape.poll()
    tape.send("GET", "chats/c2/events")
    tape.send("GET", "chats/c1/history")
    tape.wait(9.0)
    assert tape.broken == []


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
    """Each poll after an event that ends the session is one too many."""
    tape = Tape()
    tape.reply(tape.poll(), event)
    assert tape.broken == []
    tape.reply(tape.poll(), status=404, body=GONE)
    tape.reply(tape.poll(), status=404, body=GONE)
    assert tape.broken == ["no-poll-after-end"] * 2


@pytest.mark.parametrize(("status", "body"), [(404, GONE), (404, ""), (400, GONE)])
def test_a_poll_after_a_404(status: int, body: Any) -> None:
    """The server has said that the chat is gone."""
    tape = Tape()
    tape.reply(tape.poll(), status=status, body=body)
    tape.poll()
    assert tape.broken == ["no-poll-after-end"]


def test_what_is_no_end() -> None:
    """A proxy's page, a refused POST, an old end in a history, an end that is lost or broken."""
    tape = Tape()
    tape.reply(tape.poll(), {"event": "chat_session_status", "state": "completed"})
    page = HttpReply(tape.poll(), 404, {}, b"<html>404 page not found</html>")
    tape.arrive(page.id, page)
    tape.reply(tape.text("1", "Hello."), status=404, body=GONE)
    tape.reply(tape.send("GET", "chats/c1/history"), status=404, body=GONE)
    tape.reply(tape.send("GET", "chats/c1/history"), ENDED)
    number = tape.poll()
    tape.handle(number, ENDED)
    tape.lose(number, "truncated")
    mended = HttpReply(
        tape.poll(), 200, {}, b'{"x":"\xff","events":[{"event":"chat_session_ended"}]}'
    )
    tape.arrive(mended.id, mended)
    tape.reply(tape.poll())
    assert tape.broken == []


def test_an_end_that_crosses_a_poll() -> None:
    """In version 1 the reply to a POST may bring the end while a poll is on its way."""
    tape = Tape(version=1)
    post = tape.text("1", "Hello.")
    tape.reply(post, ENDED)
    tape.poll(at=tape.now + 0.1)
    assert tape.broken == []
    tape.reply(tape.count, ENDED)
    tape.poll()
    assert tape.broken == ["no-poll-after-end"]


def test_a_chat_that_lives_again() -> None:
    """The server hands the chat back, so it is not gone."""
    tape = Tape()
    tape.reply(tape.poll(), status=404, body="")
    tape.reply(tape.send("POST", "chats"), body={"chat_id": "c1", "is_new_chat": False})
    tape.poll()
    assert "no-poll-after-end" not in tape.broken


def test_an_id_for_two_messages() -> None:
    """Also in one POST, and also if the first may not have arrived."""
    tape = Tape()
    tape.reply(tape.text("1", "Hello."))
    tape.text("1", "Are you there?")
    assert tape.broken == ["unique-message-ids"]
    tape.lose(tape.text("3", "One"))
    tape.text("3", "Two")
    assert tape.broken == ["unique-message-ids"] * 2


def test_ids_that_may_be_used_again() -> None:
    """For the same message, after a refusal, in another chat; and none at all is no id."""
    tape = Tape()
    tape.lose(tape.text("1", "Hello."))
    tape.reply(tape.text("1", "Hello."))
    tape.reply(tape.text("3", "x" * 9), status=400, body={"error_code": "5003"})
    tape.lose(tape.text("5", "Now?"), "refused")
    tape.reply(tape.text("3", "shorter"))
    tape.reply(tape.text("5", "Later."))
    tape.send("POST", "chats/c2/events", [{"event": "chat_session_message", "msg_id": "1"}])
    for file in ("a", "b"):
        tape.post({"event": "chat_session_file", "msg_id": "", "file_id": file})
    tape.post({"event": "chat_session_message_read", "ref_msg_id": "2", "msg_id": "1"})
    assert "unique-message-ids" not in tape.broken


def test_a_verdict_is_a_text_json_and_an_exception() -> None:
    """All of it names the rule, the time and the request, and no credentials."""
    tape = Tape()
    message = {"event": "chat_session_message", "party_id": "A", "msg_id": "2", "msg": "Hi."}
    tape.reply(tape.poll(), message, ENDED)
    tape.reply(tape.text("1", "Hello."))
    tape.poll(at=3.25)
    verdict = tape.judge.verdict()
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
    """It passes, and raises nothing."""
    verdict = Judge().verdict()
    verdict.check()
    assert verdict.to_json() == {"verdict": "pass", "violations": [], "said": 0, "told": 0}
    assert str(verdict) == "pass: 0 errors, 0 warnings; 0 texts said, 0 texts told"


def test_a_report_shows_some_of_many_violations() -> None:
    """And says how many there are."""
    violations = tuple(Violation("no-poll-after-end", 1.0, "1 GET /", "a poll") for _ in range(7))
    text = str(Verdict(violations, 0, 0))
    assert text.count("- at 1.000 s") == 5
    assert text.endswith("- and 2 more")


def test_a_judge_keeps_a_bounded_number_of_violations() -> None:
    """However often a client breaks a rule."""
    tape = Tape()
    tape.reply(tape.poll(), ENDED)
    for _ in range(MAX_VIOLATIONS + 9):
        tape.poll()
    assert len(tape.judge.verdict().violations) == MAX_VIOLATIONS


def test_what_a_judge_does_not_know() -> None:
    """Requests outside of the API, and what comes for requests that it has not seen."""
    tape = Tape()
    for url in (f"{HOST}/v3/chats/c1/events", "https://[broken/", "https://chat.example.com/"):
        tape.judge.on_request(HttpRequest(99, "GET", url, ()), now=1.0)
    tape.handle(7)
    tape.lose(7)
    tape.cancel(7)
    assert tape.judge.verdict().verdict == "pass"
