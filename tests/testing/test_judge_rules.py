"""Each rule of a judge: requests that break it, and similar ones that do not."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm.simulator.faults import PRESETS
from chatfsm.simulator.network import BrokenExchange
from chatfsm.testing.judge import Judge
from chatfsm.testing.judge_rules import RULES
from chatfsm.transport import HttpReply
from tests.simulator.network.conftest import world_of
from tests.testing.traffic import AUTH, Traffic

HISTORY = "chats/c1/history"
HI = {"event": "chat_session_message", "party_id": "A", "msg_id": "2", "msg": "Hi."}
TYPING = {"event": "chat_session_typing", "party_id": "A"}
ONE = {"event": "chat_session_message", "msg_id": "1", "msg": "One."}
READ = {"event": "chat_session_message_read", "ref_msg_id": "2"}
BUSY = {"error_code": "5509", "error_message": "busy"}


def test_every_rule_has_a_reason() -> None:
    """Each rule has a sentence and a severity."""
    for name, rule in RULES.items():
        assert rule.name == name
        assert rule.severity in {"error", "warning"}
        assert rule.explanation.endswith(".")


# history-after-gap


def lost_poll(traffic: Traffic, *events: Any, kind: str = "reset") -> None:
    number = traffic.poll()
    traffic.handle(number, *events)
    traffic.lose(number, kind)


def polls_on(traffic: Traffic, *events: Any) -> None:
    """Poll for half a minute and longer."""
    for _ in range(3):
        traffic.wait(12.0)
        traffic.reply(traffic.poll(), *events)


def test_lost_events_without_a_history() -> None:
    """One violation per gap: a broken reply, a cancelled poll, a poll refused as busy."""
    traffic = Traffic()
    lost_poll(traffic, HI, TYPING)
    polls_on(traffic)
    polls_on(traffic)
    assert traffic.broken == ["history-after-gap"]
    number = traffic.poll()
    traffic.cancel(number)
    traffic.handle(number, {**HI, "msg_id": "4"})
    polls_on(traffic)
    number = traffic.poll()
    traffic.handle(number, {**HI, "msg_id": "6"})
    traffic.cancel(number)
    polls_on(traffic)
    number = traffic.poll()
    traffic.handle(number, {**HI, "msg_id": "8"})
    busy = HttpReply(number, 429, {}, b'{"error_code":"5509"}')
    traffic.arrive(number, busy)
    polls_on(traffic)
    assert traffic.broken == ["history-after-gap"] * 4
    text = str(traffic.judge.verdict())
    assert "no history was asked for since this poll lost chat_session_message" in text


def test_polls_without_a_gap() -> None:
    """No event was lost, the history was requested, or the chat has ended."""
    traffic = Traffic()
    lost_poll(traffic, TYPING)
    polls_on(traffic)
    traffic.lose(traffic.poll())
    lost_poll(traffic, HI)
    traffic.lose(traffic.send("GET", HISTORY))
    polls_on(traffic)
    lost_poll(traffic, {**HI, "msg_id": "4"})
    polls_on(traffic, {**HI, "msg_id": "4"})
    lost_poll(traffic, {**HI, "msg_id": "6"})
    for _ in range(5):
        traffic.reply(traffic.poll())
    traffic.wait(60.0)
    traffic.reply(traffic.poll(), {"event": "chat_session_ended"})
    assert traffic.broken == []


def test_a_gap_that_only_the_end_shows() -> None:
    """The next poll has the end, so no history can be requested."""
    traffic = Traffic()
    lost_poll(traffic, HI)
    traffic.reply(traffic.poll(), {"event": "chat_session_ended"})
    traffic.judge.on_left(now=traffic.now)
    assert traffic.broken == []


# backoff, retry-after


def failures(traffic: Traffic, delay: float, count: int = 6, **failure: Any) -> None:
    for _ in range(count):
        number = traffic.poll(at=traffic.now + delay)
        if failure:
            traffic.reply(number, **failure)
        else:
            traffic.lose(number, "refused")


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
    """From the third attempt on, each attempt right after a failure is a violation."""
    traffic = Traffic()
    failures(traffic, 0.1, **failure)
    assert traffic.broken == ["backoff"] * 3


def test_loops_that_are_not_tight() -> None:
    """A second between, two quick attempts, a success between, and other requests are accepted."""
    traffic = Traffic()
    failures(traffic, 1.0)
    traffic.reply(traffic.poll())
    failures(traffic, 0.0, 3)
    traffic.reply(traffic.poll())
    failures(traffic, 0.0, 3)
    for number in range(9):  # each with a new text
        traffic.lose(traffic.post({**ONE, "msg_id": str(number)}, at=traffic.now), "refused")
    traffic.reply(traffic.poll())
    failures(traffic, 0.0, status=400, body={"error_code": "5511", "error_message": "no events"})
    assert traffic.broken == []


def test_a_retry_after_of_the_server() -> None:
    """A shorter wait is a warning; a wait of two minutes is always enough."""
    traffic = Traffic()

    def refused(seconds: str, then: float) -> None:
        number = traffic.poll()
        traffic.arrive(number, HttpReply(number, 503, {"retry-after": seconds}, b""))
        traffic.reply(traffic.poll(at=traffic.now + then))

    refused("5", 5.0)
    refused("3600", 121.0)
    assert traffic.warned == []
    refused("5", 4.0)
    assert traffic.warned == ["retry-after"]


# arrived-once, in-order, no-blind-resend, text-given-up


def test_a_message_that_arrives_again() -> None:
    """The copy comes after a lost reply, after a success, or in the same POST."""
    traffic = Traffic()
    number = traffic.text("1", "One.")
    traffic.handle(number)
    traffic.lose(number)
    traffic.reply(traffic.text("1", "One."))
    assert traffic.broken == ["arrived-once"]
    traffic.reply(traffic.text("1", "One."))
    traffic.reply(traffic.post(*[{**ONE, "msg_id": "3"}] * 2))
    assert traffic.broken == ["arrived-once"] * 3


def test_copies_that_no_client_can_detect() -> None:
    """The history lacked the message, a request was late, or the message was refused before."""
    traffic = Traffic()
    number = traffic.text("1", "One.")
    traffic.handle(number)
    traffic.lose(number)
    traffic.reply(traffic.send("GET", HISTORY), HI)  # from a cache
    traffic.reply(traffic.text("1", "One."))
    number = traffic.text("3", "Three.")
    traffic.cancel(number)
    traffic.reply(traffic.send("GET", HISTORY), HI)
    traffic.wait(1.0)
    traffic.reply(traffic.text("3", "Three."))
    traffic.wait(1.0)
    traffic.handle(number)
    traffic.reply(traffic.text("5", "Five."), status=503, body={"error_code": "5001"})
    traffic.reply(traffic.text("5", "Five."))
    assert traffic.broken == []
    assert traffic.warned == []


def test_a_message_that_is_sent_again_without_evidence() -> None:
    """It had not arrived, but the client could not know; a history that has it is no excuse."""
    traffic = Traffic()
    traffic.lose(traffic.text("1", "One."))
    traffic.reply(traffic.text("1", "One."))
    assert (traffic.broken, traffic.warned) == ([], ["no-blind-resend"])
    number = traffic.text("3", "Three.")
    traffic.handle(number)
    traffic.lose(number)
    traffic.reply(traffic.send("GET", HISTORY), {**ONE, "msg_id": "3"})
    traffic.reply(traffic.text("3", "Three."))
    assert traffic.broken == ["arrived-once"]


def test_a_message_that_overtakes_another() -> None:
    """The second was posted while the first was unconfirmed."""
    traffic = Traffic()
    traffic.lose(traffic.text("1", "One."))
    traffic.reply(traffic.text("3", "Three."))
    traffic.reply(traffic.send("GET", HISTORY), HI)
    traffic.reply(traffic.text("1", "One."))
    assert traffic.broken == ["in-order"]


def test_messages_that_are_in_order() -> None:
    """A refused message may be sent again later, and a batch may be sent in parts."""
    traffic = Traffic()
    traffic.reply(traffic.text("1", "One."), status=400, body={"error_code": "5003"})
    traffic.reply(traffic.text("3", "Three."))
    traffic.reply(traffic.text("1", "One."))
    traffic.lose(traffic.text("5", "Five."), "refused")  # reported, and sent again after the next
    traffic.reply(traffic.text("7", "Seven."))
    traffic.reply(traffic.text("5", "Five."))
    both = ({**ONE, "msg_id": "9"}, {**ONE, "msg_id": "11"})
    traffic.reply(traffic.post(*both), status=500, body="")
    traffic.reply(traffic.send("GET", HISTORY), HI)
    traffic.lose(traffic.post(both[0]), "refused")
    traffic.reply(traffic.post(both[0]))
    traffic.reply(traffic.post(both[1]))
    assert traffic.broken == []


def test_a_text_that_is_given_up() -> None:
    """The violation comes a minute after the last attempt, unless refused or after the end."""
    traffic = Traffic()
    traffic.lose(traffic.text("1", "One."))
    traffic.reply(traffic.text("3", "x"), status=400, body={"error_code": "5003"})
    traffic.wait(59.0)
    assert traffic.warned == []
    traffic.wait(9.0)
    assert traffic.warned == ["text-given-up"]
    traffic.reply(traffic.poll(), {"event": "chat_session_ended"})
    assert traffic.warned == []


# told-once, receipts


def test_a_second_receipt_for_a_copy() -> None:
    """A cache has repeated the poll, and the client sends a second receipt."""
    traffic = Traffic()
    traffic.reply(traffic.poll(), HI)
    traffic.reply(traffic.post(READ))
    traffic.reply(traffic.poll(), HI)
    traffic.reply(traffic.post(READ))
    assert traffic.broken == ["told-once"]


def test_receipts_that_may_come_again() -> None:
    """Receipts may repeat if no recent copy came, the first was lost, or their kind differs."""
    traffic = Traffic()
    traffic.reply(traffic.poll(), HI)
    traffic.lose(traffic.post(READ))
    traffic.reply(traffic.poll(), HI)
    traffic.reply(traffic.post(READ))
    traffic.reply(traffic.post(READ))
    traffic.reply(traffic.poll(), {**HI, "msg_id": "4"})
    read = {**READ, "ref_msg_id": "4"}
    traffic.reply(traffic.post(read))
    traffic.reply(traffic.poll(), {**HI, "msg_id": "4", "msg": "other"})
    traffic.reply(traffic.post(read))
    traffic.reply(traffic.poll(), {**HI, "msg_id": "4"})
    traffic.reply(traffic.post({**read, "event": "chat_session_message_delivered"}))
    traffic.wait(6.0)
    traffic.reply(traffic.post(read))
    assert traffic.broken == []


def test_messages_without_receipts() -> None:
    """One violation has the number of messages; receipts for unknown messages are one as well."""
    traffic = Traffic()
    traffic.reply(traffic.poll(), HI, {**HI, "msg_id": "4"}, {**HI, "msg_id": "6"})
    traffic.reply(traffic.post(READ))
    traffic.wait(5.0)
    assert traffic.warned == ["receipts"]
    assert "2 of 3 messages have no receipt" in str(traffic.judge.verdict())
    traffic.reply(traffic.post({**READ, "ref_msg_id": "99"}))
    assert traffic.warned == ["receipts"] * 2


def test_messages_that_need_no_receipt() -> None:
    """No receipt is needed in version 1, for own messages, in histories, or without an id."""
    traffic = Traffic(version=1)
    traffic.reply(traffic.poll(), HI)
    traffic.wait(9.0)
    assert traffic.warned == []
    traffic = Traffic()
    nameless = {name: value for name, value in HI.items() if name != "msg_id"}
    traffic.reply(traffic.send("GET", HISTORY), HI)
    traffic.reply(traffic.poll(), HI, nameless, {**HI, "msg_id": "8", "party_id": "C1"})
    traffic.reply(traffic.post({"event": "chat_session_message_read"}))
    traffic.wait(9.0)
    traffic.reply(traffic.poll(), {**HI, "msg_id": "4"})
    assert traffic.warned == []


@pytest.mark.parametrize("fate", ["lost", "given up", "refused"])
def test_a_receipt_waits_for_a_post(fate: str) -> None:
    """No receipt is missing while a POST is pending, or soon after one that failed or was slow."""
    traffic = Traffic()
    post = traffic.text("1", "Hello.")
    traffic.reply(traffic.poll(), HI)
    traffic.wait(30.0)
    assert "receipts" not in traffic.warned
    if fate == "lost":
        traffic.lose(post)
    elif fate == "given up":
        traffic.cancel(post)
    else:
        traffic.reply(post, status=503)
    traffic.wait(50.0)
    assert "receipts" not in traffic.warned
    traffic.reply(traffic.text("1", "Hello."))
    traffic.wait(4.0)
    assert "receipts" not in traffic.warned
    traffic.wait(2.0)
    assert "receipts" in traffic.warned


def test_a_receipt_that_had_time_before_a_post() -> None:
    """A client that posts texts without receipts gets a warning, sooner or later."""
    traffic = Traffic()
    traffic.reply(traffic.poll(), HI)
    for number in range(3):
        traffic.reply(traffic.text(str(2 * number + 1), "Hello."))
        traffic.wait(2.0)
    post = traffic.text("9", "Hello?")
    traffic.lose(post)
    assert traffic.warned == ["receipts"]
    traffic.reply(traffic.post(READ))
    assert traffic.warned == []


def test_a_failing_post_excuses_receipts_for_a_minute() -> None:
    """A client that sends nothing afterwards sends no receipts either."""
    traffic = Traffic()
    traffic.reply(traffic.poll(), HI)
    traffic.lose(traffic.text("1", "Hello."))
    traffic.wait(60.0)
    assert "receipts" not in traffic.warned
    traffic.wait(6.0)
    assert "receipts" in traffic.warned


def test_no_receipt_follows_the_end() -> None:
    """Messages that came with the end, or just before it, cannot be confirmed."""
    traffic = Traffic()
    traffic.reply(traffic.poll(), HI)
    traffic.reply(traffic.poll(), {**HI, "msg_id": "4"}, {"event": "chat_session_ended"})
    traffic.wait(60.0)
    assert traffic.warned == []
    traffic = Traffic()
    traffic.reply(traffic.poll(), HI)
    traffic.wait(6.0)
    traffic.reply(traffic.poll(), {"event": "chat_session_ended"})
    assert traffic.warned == ["receipts"], "there was time before the end"


def test_a_returned_chat_needs_receipts_again() -> None:
    """After the server returns the chat, its new messages need receipts."""
    traffic = Traffic()
    traffic.reply(traffic.poll(), {"event": "chat_session_ended"})
    opened = traffic.send("POST", "chats", raw=b"{}")
    traffic.reply(opened, body={"chat_id": "c1", "is_new_chat": True})
    traffic.reply(traffic.poll(), HI)
    traffic.wait(6.0)
    assert traffic.warned == ["receipts"]


# no-end-call-echo


def signal(kind: str, msg_id: str = "2", party: str | None = "A") -> dict[str, Any]:
    event: dict[str, Any] = {"event": "chat_session_signaling", "msg_id": msg_id}
    event["data"] = {"type": kind}
    return event if party is None else {**event, "party_id": party}


def own(kind: str) -> dict[str, Any]:
    return signal(kind, "1", None)


def test_an_echo_of_the_end_of_a_call() -> None:
    """The violation is found also if the signal is JSON text."""
    traffic = Traffic()
    traffic.reply(traffic.post(own("ANSWER_CALL")))
    traffic.reply(traffic.poll(), {**signal("END_CALL"), "data": '{"type": "END_CALL"}'})
    traffic.post(own("END_CALL"))
    assert traffic.broken == ["no-end-call-echo"]


def test_ends_of_calls_that_are_no_echo() -> None:
    """An END_CALL that comes first, waits, is of the next call, follows a copy, or is refused."""
    traffic = Traffic()
    traffic.reply(traffic.post(own("END_CALL")))
    traffic.reply(traffic.poll(), signal("END_CALL"), {**signal("x"), "data": "no JSON"})
    traffic.reply(traffic.poll(), signal("OFFER_CALL", "4"))
    traffic.reply(traffic.poll(), signal("END_CALL"))  # a copy
    traffic.reply(traffic.post(own("END_CALL")))
    post = traffic.post(ONE)
    traffic.reply(traffic.poll(), signal("END_CALL", "6"), signal("END_CALL", "1", "c1"))
    traffic.lose(post)
    traffic.post(own("END_CALL"))
    traffic.reply(traffic.count)
    traffic.reply(traffic.poll(), signal("END_CALL", "8"))
    traffic.reply(traffic.post(own("CALL_REJECTED"), own("END_CALL")))
    traffic.reply(traffic.send("GET", HISTORY), signal("END_CALL", "10"))
    traffic.reply(traffic.post(own("END_CALL")))
    assert traffic.broken == []


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
    """A required field is missing."""
    traffic = Traffic()
    traffic.post(event)
    assert traffic.broken == ["well-formed-event"]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"events": {}}', b"\xff"])
def test_a_body_that_is_malformed(raw: bytes) -> None:
    """The body is not an object with a list of events."""
    traffic = Traffic()
    traffic.send("POST", "chats/c1/events", raw=raw)
    assert traffic.broken == ["well-formed-event"]


def test_events_that_are_well_formed() -> None:
    """All events that clients send are accepted; an event outside the API is a warning."""
    traffic = Traffic()
    traffic.post(
        ONE,
        {"event": "chat_session_message", "msg_text": "", "msg_id": "3"},
        {"event": "chat_session_typing", "msg": "the draft"},
        {"event": "chat_session_file", "file_id": "f", "file_type": "image", "msg_id": ""},
        {"event": "chat_session_form_data", "form_request_id": 1, "data": "Form not found"},
        {"event": "chat_form_data_cancel", "form_request_id": "1", "form_name": ""},
        {"event": "chat_session_end"},
        signal("ICE_CANDIDATE"),
    )
    traffic.post()
    assert (traffic.broken, traffic.warned) == ([], [])
    traffic.post({"event": "chat_session_smile"})
    assert (traffic.broken, traffic.warned) == ([], ["known-event"])


def test_uploads() -> None:
    """One part must have a file name; the name of the part is free."""
    traffic = Traffic()
    part = (
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nHi\r\n--b--\r\n'
    )
    headers = {"Authorization": AUTH, "Content-Type": "multipart/form-data; boundary=b"}
    traffic.send("POST", "files", raw=part, headers=headers)
    assert traffic.broken == []
    traffic.send("POST", "files", raw=part, headers={**headers, "Content-Type": "text/plain"})
    traffic.send("POST", "files", raw=part.replace(b"; filename", b"; x"), headers=headers)
    assert traffic.broken == ["well-formed-upload"] * 2


def test_credentials() -> None:
    """Each request except downloads needs them; quotes are optional."""
    traffic = Traffic()
    scheme = "MOBILE-API-140-327-PLAIN"
    traffic.send("GET", "availability", headers={"authorization": f"{scheme} appId=a, clientId=b"})
    for path in ("chats/c1/files/f1", "chats/c1/profilephotos/A", "chats/c1/chaticon"):
        traffic.send("GET", path, headers={})
    assert traffic.broken == []
    traffic.send("GET", "availability", headers={})
    traffic.send("POST", "chats", headers={"Authorization": "Basic YTpi"})
    traffic.send("POST", "files", headers={"Authorization": f'{scheme} appId="a"'}, raw=b"")
    assert traffic.broken == ["credentials-in-header"] * 3 + ["well-formed-upload"]


# history-when-joining, uncached-polls, patient-poll


@pytest.mark.parametrize("is_new", [False, "false"])
def test_a_session_with_a_history(is_new: Any) -> None:
    """Its history must be requested, after some time."""
    traffic = Traffic()
    traffic.reply(traffic.send("POST", "chats"), body={"chat_id": "c1", "is_new_chat": is_new})
    traffic.reply(traffic.poll())
    assert traffic.warned == []
    polls_on(traffic)
    assert traffic.warned == ["history-when-joining"]
    traffic.reply(traffic.send("GET", HISTORY))
    assert traffic.warned == []


def test_a_session_that_is_new_or_known() -> None:
    """A new session has no history; a session that the client polls already needs none."""
    traffic = Traffic()
    traffic.reply(traffic.send("POST", "chats"), body={"chat_id": "c1", "is_new_chat": True})
    polls_on(traffic)
    traffic.reply(traffic.send("GET", "chats/active"), body={"chat_id": "c1", "state": "queued"})
    polls_on(traffic)
    assert traffic.warned == []


def test_polls_that_a_cache_may_answer() -> None:
    """One violation: no header against caching, or a repeated URL."""
    traffic = Traffic()
    for _ in range(2):
        traffic.reply(traffic.send("GET", "chats/c1/events", query=""))
    assert traffic.warned == ["uncached-polls"]
    traffic.reply(traffic.send("GET", "chats/c2/events", headers={"Authorization": AUTH}))
    assert traffic.warned == ["uncached-polls"] * 2


def test_polls_that_are_cancelled_early() -> None:
    """Three cancellations after equal times are a timeout; one or two are a stopped process."""
    traffic = Traffic()
    for seconds in (13.0, 13.0, 4.0, 25.0, 25.0, 25.0):
        traffic.cancel(traffic.poll(), at=traffic.now + seconds)
    assert traffic.warned == []
    for _ in range(6):
        traffic.cancel(traffic.poll(), at=traffic.now + 13.0)
    assert traffic.warned == ["patient-poll"]


# Own client.


LOSSES = "drop-request:post:0.3,drop-request:poll:0.1"
REFUSED_HISTORIES = [
    f"{LOSSES},{status}:history:0.5" for status in ("404", "404/5005", "404/5601", "400/5003")
]


@pytest.mark.parametrize("faults", [*PRESETS, *REFUSED_HISTORIES, "storm,404:history"])
@pytest.mark.parametrize("seed", range(4))
def test_the_own_client_passes(faults: str, seed: int) -> None:
    """The client is killed and restored, in both versions, with and without notice of aborts."""
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
    """Exchanges without an outcome are dropped in the end."""
    traffic = Traffic()
    for _ in range(10_005):
        traffic.send("GET", "version", at=0.0)
    assert len(traffic.judge._open) == 10_000
    traffic.judge.on_arrival(BrokenExchange(1, "reset"), now=1.0)
    assert len(traffic.judge._open) == 10_000
