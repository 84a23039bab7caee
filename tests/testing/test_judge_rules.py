"""Each rule of a judge: what breaks it, and what comes near and does not."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm.simulator.faults import PRESETS
from chatfsm.simulator.network import BrokenExchange
from chatfsm.testing.judge import Judge
from chatfsm.testing.judge_rules import RULES
from chatfsm.transport import HttpReply
from tests.simulator.network.conftest import world_of
from tests.testing.tape import AUTH, Tape

HISTORY = "chats/c1/history"
HI = {"event": "chat_session_message", "party_id": "A", "msg_id": "2", "msg": "Hi."}
TYPING = {"event": "chat_session_typing", "party_id": "A"}
ONE = {"event": "chat_session_message", "msg_id": "1", "msg": "One."}
READ = {"event": "chat_session_message_read", "ref_msg_id": "2"}
BUSY = {"error_code": "5509", "error_message": "busy"}


def test_every_rule_says_why() -> None:
    """In a sentence, with a severity."""
    for name, rule in RULES.items():
        assert rule.name == name
        assert rule.severity in {"error", "warning"}
        assert rule.explanation.endswith(".")


# history-after-gap


def lost_poll(tape: Tape, *events: Any, kind: str = "reset") -> None:
    number = tape.poll()
    tape.handle(number, *events)
    tape.lose(number, kind)


def goes_on(tape: Tape, *events: Any) -> None:
    """Polls for half a minute and more."""
    for _ in range(3):
        tape.wait(12.0)
        tape.reply(tape.poll(), *events)


def test_events_that_are_lost_and_not_asked_for() -> None:
    """Once for each gap: in a broken reply, one that is given up, one that a refusal hides."""
    tape = Tape()
    lost_poll(tape, HI, TYPING)
    goes_on(tape)
    goes_on(tape)
    assert tape.broken == ["history-after-gap"]
    number = tape.poll()
    tape.cancel(number)
    tape.handle(number, {**HI, "msg_id": "4"})
    goes_on(tape)
    number = tape.poll()
    tape.handle(number, {**HI, "msg_id": "6"})
    tape.cancel(number)
    goes_on(tape)
    number = tape.poll()
    tape.handle(number, {**HI, "msg_id": "8"})
    busy = HttpReply(number, 429, {}, b'{"error_code":"5509"}')
    tape.arrive(number, busy)
    goes_on(tape)
    assert tape.broken == ["history-after-gap"] * 4
    text = str(tape.judge.verdict())
    assert "no history was asked for since this poll lost chat_session_message" in text


def test_gaps_that_are_none() -> None:
    """Nothing was in it, the history was asked for, all came otherwise, too soon, or it is over."""
    tape = Tape()
    lost_poll(tape, TYPING)
    goes_on(tape)
    tape.lose(tape.poll())
    lost_poll(tape, HI)
    tape.lose(tape.send("GET", HISTORY))
    goes_on(tape)
    lost_poll(tape, {**HI, "msg_id": "4"})
    goes_on(tape, {**HI, "msg_id": "4"})
    lost_poll(tape, {**HI, "msg_id": "6"})
    for _ in range(5):
        tape.reply(tape.poll())
    tape.wait(60.0)
    tape.reply(tape.poll(), {"event": "chat_session_ended"})
    assert tape.broken == []


def test_a_gap_that_only_the_end_shows() -> None:
    """The poll after it brings the end, and then there is no history to ask for."""
    tape = Tape()
    lost_poll(tape, HI)
    tape.reply(tape.poll(), {"event": "chat_session_ended"})
    tape.judge.on_left(now=tape.now)
    assert tape.broken == []


# backoff, retry-after


def failures(tape: Tape, delay: float, count: int = 6, **failure: Any) -> None:
    for _ in range(count):
        number = tape.poll(at=tape.now + delay)
        if failure:
            tape.reply(number, **failure)
        else:
            tape.lose(number, "refused")


@pytest.mark.parametrize(
    "failure",
    [
        {},
        {"status": 503, "body": ""},
        {"status": 429, "body": BUSY},
        {"status": 401, "body": {"error_code": "3000"}},
    ],
)
def test_a_tight_loop(failure: Any) -> None:
    """From the third attempt on, each that follows its failure at once."""
    tape = Tape()
    failures(tape, 0.1, **failure)
    assert tape.broken == ["backoff"] * 3


def test_loops_that_are_not_tight() -> None:
    """A second a time; two quick attempts; a success between; what is not the same; no events."""
    tape = Tape()
    failures(tape, 1.0)
    tape.reply(tape.poll())
    failures(tape, 0.0, 3)
    tape.reply(tape.poll())
    failures(tape, 0.0, 3)
    for number in range(9):  # each a new text of an impatient person
        tape.lose(tape.post({**ONE, "msg_id": str(number)}, at=tape.now), "refused")
    tape.reply(tape.poll())
    failures(tape, 0.0, status=400, body={"error_code": "5511", "error_message": "no events"})
    assert tape.broken == []


def test_a_server_that_asks_to_wait() -> None:
    """A shorter wait is a warning; two minutes are enough for all."""
    tape = Tape()

    def refused(seconds: str, then: float) -> None:
        number = tape.poll()
        tape.arrive(number, HttpReply(number, 503, {"retry-after": seconds}, b""))
        tape.reply(tape.poll(at=tape.now + then))

    refused("5", 5.0)
    refused("3600", 121.0)
    assert tape.warned == []
    refused("5", 4.0)
    assert tape.warned == ["retry-after"]


# arrived-once, in-order, no-blind-resend, text-given-up


def test_a_message_that_arrives_again() -> None:
    """After its reply was lost, after a success, and in one POST."""
    tape = Tape()
    number = tape.text("1", "One.")
    tape.handle(number)
    tape.lose(number)
    tape.reply(tape.text("1", "One."))
    assert tape.broken == ["arrived-once"]
    tape.reply(tape.text("1", "One."))
    tape.reply(tape.post(*[{**ONE, "msg_id": "3"}] * 2))
    assert tape.broken == ["arrived-once"] * 3


def test_copies_that_no_client_can_know_of() -> None:
    """A history lacked it, though it had arrived; a request was late; it was refused before."""
    tape = Tape()
    number = tape.text("1", "One.")
    tape.handle(number)
    tape.lose(number)
    tape.reply(tape.send("GET", HISTORY), HI)  # from a cache
    tape.reply(tape.text("1", "One."))
    number = tape.text("3", "Three.")
    tape.cancel(number)
    tape.reply(tape.send("GET", HISTORY), HI)
    tape.wait(1.0)
    tape.reply(tape.text("3", "Three."))
    tape.wait(1.0)
    tape.handle(number)
    tape.reply(tape.text("5", "Five."), status=503, body={"error_code": "5001"})
    tape.reply(tape.text("5", "Five."))
    assert tape.broken == []
    assert tape.warned == []


def test_a_message_that_is_sent_again_by_luck() -> None:
    """It had not arrived, as the client could not know; a history that holds it is no excuse."""
    tape = Tape()
    tape.lose(tape.text("1", "One."))
    tape.reply(tape.text("1", "One."))
    assert (tape.broken, tape.warned) == ([], ["no-blind-resend"])
    number = tape.text("3", "Three.")
    tape.handle(number)
    tape.lose(number)
    tape.reply(tape.send("GET", HISTORY), {**ONE, "msg_id": "3"})
    tape.reply(tape.text("3", "Three."))
    assert tape.broken == ["arrived-once"]


def test_a_message_that_overtakes_another() -> None:
    """The second was posted while the first was in doubt."""
    tape = Tape()
    tape.lose(tape.text("1", "One."))
    tape.reply(tape.text("3", "Three."))
    tape.reply(tape.send("GET", HISTORY), HI)
    tape.reply(tape.text("1", "One."))
    assert tape.broken == ["in-order"]


def test_messages_that_are_in_order() -> None:
    """One that was refused may be said anew, and a batch sent in parts."""
    tape = Tape()
    tape.reply(tape.text("1", "One."), status=400, body={"error_code": "5003"})
    tape.reply(tape.text("3", "Three."))
    tape.reply(tape.text("1", "One."))
    tape.lose(tape.text("5", "Five."), "refused")  # reported, and said again after the next
    tape.reply(tape.text("7", "Seven."))
    tape.reply(tape.text("5", "Five."))
    both = ({**ONE, "msg_id": "9"}, {**ONE, "msg_id": "11"})
    tape.reply(tape.post(*both), status=500, body="")
    tape.reply(tape.send("GET", HISTORY), HI)
    tape.lose(tape.post(both[0]), "refused")
    tape.reply(tape.post(both[0]))
    tape.reply(tape.post(both[1]))
    assert tape.broken == []


def test_a_text_that_is_given_up() -> None:
    """A minute after its last attempt; not at once, not after a refusal, not after the end."""
    tape = Tape()
    tape.lose(tape.text("1", "One."))
    tape.reply(tape.text("3", "x"), status=400, body={"error_code": "5003"})
    tape.wait(59.0)
    assert tape.warned == []
    tape.wait(9.0)
    assert tape.warned == ["text-given-up"]
    tape.reply(tape.poll(), {"event": "chat_session_ended"})
    assert tape.warned == []


# told-once, receipts


def test_a_copy_that_is_read_again() -> None:
    """A cache has repeated the poll, and the client says that it was read again."""
    tape = Tape()
    tape.reply(tape.poll(), HI)
    tape.reply(tape.post(READ))
    tape.reply(tape.poll(), HI)
    tape.reply(tape.post(READ))
    assert tape.broken == ["told-once"]


def test_receipts_that_may_come_again() -> None:
    """No copy came, or long ago, or of other content; the first was lost; delivered, not read."""
    tape = Tape()
    tape.reply(tape.poll(), HI)
    tape.lose(tape.post(READ))
    tape.reply(tape.poll(), HI)
    tape.reply(tape.post(READ))
    tape.reply(tape.post(READ))
    tape.reply(tape.poll(), {**HI, "msg_id": "4"})
    read = {**READ, "ref_msg_id": "4"}
    tape.reply(tape.post(read))
    tape.reply(tape.poll(), {**HI, "msg_id": "4", "msg": "other"})
    tape.reply(tape.post(read))
    tape.reply(tape.poll(), {**HI, "msg_id": "4"})
    tape.reply(tape.post({**read, "event": "chat_session_message_delivered"}))
    tape.wait(6.0)
    tape.reply(tape.post(read))
    assert tape.broken == []


def test_messages_without_receipts() -> None:
    """Said once, with their number; so is one for what was not told."""
    tape = Tape()
    tape.reply(tape.poll(), HI, {**HI, "msg_id": "4"}, {**HI, "msg_id": "6"})
    tape.reply(tape.post(READ))
    tape.wait(5.0)
    assert tape.warned == ["receipts"]
    assert "2 of 3 messages have no receipt" in str(tape.judge.verdict())
    tape.reply(tape.post({**READ, "ref_msg_id": "99"}))
    assert tape.warned == ["receipts"] * 2


def test_messages_that_need_no_receipt() -> None:
    """In version 1, own ones, those of a history, those without an id, and those of just now."""
    tape = Tape(version=1)
    tape.reply(tape.poll(), HI)
    tape.wait(9.0)
    assert tape.warned == []
    tape = Tape()
    nameless = {name: value for name, value in HI.items() if name != "msg_id"}
    tape.reply(tape.send("GET", HISTORY), HI)
    tape.reply(tape.poll(), HI, nameless, {**HI, "msg_id": "8", "party_id": "C1"})
    tape.reply(tape.post({"event": "chat_session_message_read"}))
    tape.wait(9.0)
    tape.reply(tape.poll(), {**HI, "msg_id": "4"})
    assert tape.warned == []


@pytest.mark.parametrize("fate", ["lost", "given up", "refused"])
def test_a_receipt_waits_for_a_post(fate: str) -> None:
    """None is missed while a POST is open, nor soon after one that failed or took long."""
    tape = Tape()
    post = tape.text("1", "Hello.")
    tape.reply(tape.poll(), HI)
    tape.wait(30.0)
    assert "receipts" not in tape.warned
    if fate == "lost":
        tape.lose(post)
    elif fate == "given up":
        tape.cancel(post)
    else:
        tape.reply(post, status=503)
    tape.wait(50.0)
    assert "receipts" not in tape.warned
    tape.reply(tape.text("1", "Hello."))
    tape.wait(4.0)
    assert "receipts" not in tape.warned
    tape.wait(2.0)
    assert "receipts" in tape.warned


def test_a_receipt_that_had_time_before_a_post() -> None:
    """A client that could send receipts, but sends texts alone, is warned of, in time or late."""
    tape = Tape()
    tape.reply(tape.poll(), HI)
    for number in range(3):
        tape.reply(tape.text(str(2 * number + 1), "Hello."))
        tape.wait(2.0)
    post = tape.text("9", "Hello?")
    tape.lose(post)
    assert tape.warned == ["receipts"]
    tape.reply(tape.post(READ))
    assert tape.warned == []


def test_a_post_that_fails_for_good_excuses_for_a_minute() -> None:
    """A client that sends nothing any more sends no receipts either."""
    tape = Tape()
    tape.reply(tape.poll(), HI)
    tape.lose(tape.text("1", "Hello."))
    tape.wait(60.0)
    assert "receipts" not in tape.warned
    tape.wait(6.0)
    assert "receipts" in tape.warned


def test_no_receipt_follows_the_end() -> None:
    """What came with the end, or just before it, can be confirmed to no server."""
    tape = Tape()
    tape.reply(tape.poll(), HI)
    tape.reply(tape.poll(), {**HI, "msg_id": "4"}, {"event": "chat_session_ended"})
    tape.wait(60.0)
    assert tape.warned == []
    tape = Tape()
    tape.reply(tape.poll(), HI)
    tape.wait(6.0)
    tape.reply(tape.poll(), {"event": "chat_session_ended"})
    assert tape.warned == ["receipts"], "there was time before the end"


def test_a_chat_that_lives_again_asks_for_receipts_again() -> None:
    """The server hands the chat back after its end, and what it says then is confirmed."""
    tape = Tape()
    tape.reply(tape.poll(), {"event": "chat_session_ended"})
    opened = tape.send("POST", "chats", raw=b"{}")
    tape.reply(opened, body={"chat_id": "c1", "is_new_chat": True})
    tape.reply(tape.poll(), HI)
    tape.wait(6.0)
    assert tape.warned == ["receipts"]


# no-end-call-echo


def signal(kind: str, msg_id: str = "2", party: str | None = "A") -> dict[str, Any]:
    event: dict[str, Any] = {"event": "chat_session_signaling", "msg_id": msg_id}
    event["data"] = {"type": kind}
    return event if party is None else {**event, "party_id": party}


def own(kind: str) -> dict[str, Any]:
    return signal(kind, "1", None)


def test_an_echo_of_the_end_of_a_call() -> None:
    """Also of one that came as a text of JSON."""
    tape = Tape()
    tape.reply(tape.post(own("ANSWER_CALL")))
    tape.reply(tape.poll(), {**signal("END_CALL"), "data": '{"type": "END_CALL"}'})
    tape.post(own("END_CALL"))
    assert tape.broken == ["no-end-call-echo"]


def test_ends_of_calls_that_are_no_echo() -> None:
    """The first to hang up; one that waited for a POST; of the next call; after a copy; refused."""
    tape = Tape()
    tape.reply(tape.post(own("END_CALL")))
    tape.reply(tape.poll(), signal("END_CALL"), {**signal("x"), "data": "no JSON"})
    tape.reply(tape.poll(), signal("OFFER_CALL", "4"))
    tape.reply(tape.poll(), signal("END_CALL"))  # a copy
    tape.reply(tape.post(own("END_CALL")))
    post = tape.post(ONE)
    tape.reply(tape.poll(), signal("END_CALL", "6"), signal("END_CALL", "1", "c1"))
    tape.lose(post)
    tape.post(own("END_CALL"))
    tape.reply(tape.count)
    tape.reply(tape.poll(), signal("END_CALL", "8"))
    tape.reply(tape.post(own("CALL_REJECTED"), own("END_CALL")))
    tape.reply(tape.send("GET", HISTORY), signal("END_CALL", "10"))
    tape.reply(tape.post(own("END_CALL")))
    assert tape.broken == []


# well-formed-event, known-event, well-formed-upload, credentials-in-header


@pytest.mark.parametrize(
    "event",
    [
        "text",
        {"name": "chat_session_typing"},
        {"event": "chat_session_message", "msg_id": "1"},
        {"event": "chat_session_message_read"},
        {"event": "chat_session_form_data", "data": {}},
        {"event": "chat_session_signaling", "msg_id": "1"},
        {"event": "chat_session_file", "file_id": "f", "file_type": "image/png"},
        {"event": "chat_session_file", "file_type": "image"},
    ],
)
def test_an_event_that_is_malformed(event: Any) -> None:
    """It lacks what it is about."""
    tape = Tape()
    tape.post(event)
    assert tape.broken == ["well-formed-event"]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"events": {}}', b"\xff"])
def test_a_body_that_is_malformed(raw: bytes) -> None:
    """It is not an object with a list of events."""
    tape = Tape()
    tape.send("POST", "chats/c1/events", raw=raw)
    assert tape.broken == ["well-formed-event"]


def test_events_that_are_well_formed() -> None:
    """All that clients send; one that the API does not name is a warning."""
    tape = Tape()
    tape.post(
        ONE,
        {"event": "chat_session_message", "msg_text": "", "msg_id": "3"},
        {"event": "chat_session_typing", "msg": "the draft"},
        {"event": "chat_session_file", "file_id": "f", "file_type": "image", "msg_id": ""},
        {"event": "chat_session_form_data", "form_request_id": 1, "data": "Form not found"},
        {"event": "chat_form_data_cancel", "form_request_id": "1", "form_name": ""},
        {"event": "chat_session_end"},
        signal("ICE_CANDIDATE"),
    )
    tape.post()
    assert (tape.broken, tape.warned) == ([], [])
    tape.post({"event": "chat_session_smile"})
    assert (tape.broken, tape.warned) == ([], ["known-event"])


def test_uploads() -> None:
    """One part must have the name of a file, whatever the part is called."""
    tape = Tape()
    part = (
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nHi\r\n--b--\r\n'
    )
    headers = {"Authorization": AUTH, "Content-Type": "multipart/form-data; boundary=b"}
    tape.send("POST", "files", raw=part, headers=headers)
    assert tape.broken == []
    tape.send("POST", "files", raw=part, headers={**headers, "Content-Type": "text/plain"})
    tape.send("POST", "files", raw=part.replace(b"; filename", b"; x"), headers=headers)
    assert tape.broken == ["well-formed-upload"] * 2


def test_credentials() -> None:
    """In each request but downloads; without quotes they are as good."""
    tape = Tape()
    scheme = "MOBILE-API-140-327-PLAIN"
    tape.send("GET", "availability", headers={"authorization": f"{scheme} appId=a, clientId=b"})
    for path in ("chats/c1/files/f1", "chats/c1/profilephotos/A", "chats/c1/chaticon"):
        tape.send("GET", path, headers={})
    assert tape.broken == []
    tape.send("GET", "availability", headers={})
    tape.send("POST", "chats", headers={"Authorization": "Basic YTpi"})
    tape.send("POST", "files", headers={"Authorization": f'{scheme} appId="a"'}, raw=b"")
    assert tape.broken == ["credentials-in-header"] * 3 + ["well-formed-upload"]


# history-when-joining, uncached-polls, patient-poll


@pytest.mark.parametrize("is_new", [False, "false"])
def test_a_session_with_a_past(is_new: Any) -> None:
    """Its history has to be asked for, once there was time for it."""
    tape = Tape()
    tape.reply(tape.send("POST", "chats"), body={"chat_id": "c1", "is_new_chat": is_new})
    tape.reply(tape.poll())
    assert tape.warned == []
    goes_on(tape)
    assert tape.warned == ["history-when-joining"]
    tape.reply(tape.send("GET", HISTORY))
    assert tape.warned == []


def test_a_session_that_is_new_or_known() -> None:
    """A new one has no past; one that the client polls already is asked for again."""
    tape = Tape()
    tape.reply(tape.send("POST", "chats"), body={"chat_id": "c1", "is_new_chat": True})
    goes_on(tape)
    tape.reply(tape.send("GET", "chats/active"), body={"chat_id": "c1", "state": "queued"})
    goes_on(tape)
    assert tape.warned == []


def test_polls_that_a_cache_may_answer() -> None:
    """Said once: without the header, or with the same URL."""
    tape = Tape()
    for _ in range(2):
        tape.reply(tape.send("GET", "chats/c1/events", query=""))
    assert tape.warned == ["uncached-polls"]
    tape.reply(tape.send("GET", "chats/c2/events", headers={"Authorization": AUTH}))
    assert tape.warned == ["uncached-polls"] * 2


def test_polls_that_are_given_up_early() -> None:
    """Three in a row after as long, which is a timeout; once or twice, a process was stopped."""
    tape = Tape()
    for seconds in (13.0, 13.0, 4.0, 25.0, 25.0, 25.0):
        tape.cancel(tape.poll(), at=tape.now + seconds)
    assert tape.warned == []
    for _ in range(6):
        tape.cancel(tape.poll(), at=tape.now + 13.0)
    assert tape.warned == ["patient-poll"]


# Own client.


LOSSES = "drop-request:post:0.3,drop-request:poll:0.1"
REFUSED_HISTORIES = [
    f"{LOSSES},{status}:history:0.5" for status in ("404", "404/5005", "404/5601", "400/5003")
]


@pytest.mark.parametrize("faults", [*PRESETS, *REFUSED_HISTORIES, "storm,404:history"])
@pytest.mark.parametrize("seed", range(4))
def test_the_own_client_passes(faults: str, seed: int) -> None:
    """Killed and restored, in both versions, with a server that does not notice aborts or does."""
    world = world_of(faults, seed=seed, notices_aborts=seed % 2 == 0)
    world.network.observer = judge = Judge()
    customer = world.add_customer("customer", version=1 + seed // 2)
    customer.open_chat()
    world.run_until(lambda: customer.session is not None)
    for number in range(12):
        if not customer.done:
            customer.send_text(f"text {number}")
        world.run((0.0, 0.2, 7.0, 40.0)[number % 4])
        if number % 5 == seed:
            customer.kill()
            world.run(3.0)
            customer.restart()
    world.run(200.0)
    judge.verdict().check()


def test_a_reply_after_the_judge_has_seen_enough() -> None:
    """Exchanges of which nothing comes are forgotten in the end."""
    tape = Tape()
    for _ in range(10_005):
        tape.send("GET", "version", at=0.0)
    assert len(tape.judge._open) == 10_000
    tape.judge.on_arrival(BrokenExchange(1, "reset"), now=1.0)
    assert len(tape.judge._open) == 10_000
