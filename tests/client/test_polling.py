"""Polling: one poll at a time, at a harmless pace, for as long as there is a chat."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from chatfsm import LocalProtocolError, effects
from chatfsm.api import GetFile, GetVersion
from chatfsm.client_effects import ApiFailed, LinkChanged
from chatfsm.transport import HttpReply
from tests.client.conftest import CHAT, Stage, kind_of, query_of

HELLO = {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}
TYPING = {"event": "typing", "party_id": "ann"}


def test_what_a_poll_brings_is_told_and_the_next_one_is_asked(chat: Stage) -> None:
    """Events are heard in order, and the next poll goes out at once."""
    told = chat.polled(TYPING, HELLO, at=9.0)
    assert [type(effect) for effect in told] == [
        LinkChanged,
        effects.TypingStarted,
        effects.TypingStopped,
        effects.MessageReceived,
    ]
    assert chat.pending == ["poll"]


def test_an_empty_poll_is_followed_at_once(chat: Stage) -> None:
    """A server that held its empty poll is asked again in the same moment."""
    chat.polled(at=15.0)
    assert chat.pending == ["poll"]


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b'{"events":null}', b'{"events":[]}', b"[]"])
def test_a_poll_may_be_empty_in_many_ways(chat: Stage, body: bytes) -> None:
    """A success without events is an empty poll, whatever stands there instead."""
    chat.replies("poll", body, at=10.0)
    assert chat.pending == ["poll"]
    assert chat.client.health(10.0).failures == 0


@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_no_events_as_an_error_is_an_empty_poll(chat: Stage, status: int) -> None:
    """Error 5511 is an empty poll, whatever status it comes with."""
    chat.replies("poll", {"error_code": "5511"}, status=status, at=10.0)
    assert chat.pending == ["poll"]
    assert chat.client.health(10.0).failures == 0


def test_a_poll_that_is_answered_instantly_is_no_storm(chat: Stage) -> None:
    """A proxy that answers empty polls from its cache is asked once a second."""
    for second in range(1, 20):
        chat.polled()
        assert chat.pending == []
        assert chat.client.deadline == second
        assert chat.is_due() == ["poll"]


def test_cached_events_are_no_storm_either(chat: Stage) -> None:
    """The same message from a cache, again and again, is told once and asked for once a second."""
    told = chat.polled(HELLO, at=5.0)
    for _ in range(20):
        began = chat.now
        told += chat.polled(HELLO)
        assert chat.is_due() == ["poll"]
        assert chat.now == began + 1.0
    assert [type(effect) for effect in told].count(effects.MessageReceived) == 1


def test_a_flood_of_unknown_events_is_paced(chat: Stage) -> None:
    """What is told each time anew comes ten times a second at most."""
    chat.polled({"event": "weather"})
    assert chat.is_due() == ["poll"]
    assert chat.now == pytest.approx(0.1)


def test_no_two_polls_have_the_same_url(chat: Stage) -> None:
    """A query parameter changes each time, and caches are told not to keep anything."""
    for second in (5.0, 10.0, 15.0):
        chat.polled(at=second)
    polls = [request for request in chat.requests if kind_of(request) == "poll"]
    assert len({request.url for request in polls}) == 4
    assert all(query_of(request)["tenantUrl"] == ["tenant.example.com"] for request in polls)
    assert all(("Cache-Control", "no-cache") in request.headers for request in polls)


def test_a_poll_is_given_at_least_20_seconds(chat: Stage, stages: type[Stage]) -> None:
    """A poll waits for 30 s, and no setting makes it less than 20."""
    assert chat.asked("poll").timeout == 30.0
    with pytest.raises(
        ValueError, match=r"poll_timeout must be from 20 to 1000000000 seconds, not 19\.9"
    ):
        stages(poll_timeout=19.9)


def test_errors_back_off_up_to_a_limit(chat: Stage) -> None:
    """Each failure waits longer, never longer than the limit, and never at once."""
    waits = []
    for _ in range(10):
        chat.replies("poll", status=429)
        before = chat.now
        assert chat.pending == []
        assert chat.is_due() == ["poll"]
        waits.append(chat.now - before)
    steps = [min(2.0**attempt, 30.0) for attempt in range(10)]
    assert all(step / 2 <= wait <= step for step, wait in zip(steps, waits, strict=True))
    assert len(set(waits[5:])) == 5, "jitter"


def test_the_count_resets_on_success(chat: Stage) -> None:
    """Five errors over a whole life do not end a chat: each success starts anew."""
    for _ in range(12):
        chat.replies("poll", status=429)
        assert chat.is_due() == ["poll"]
        chat.polled(at=chat.now + 5)
        chat.remembers()
        while "poll" not in chat.pending:
            chat.is_due()
    chat.fails("poll", "connect")
    assert chat.client.health(chat.now).failures == 1
    assert chat.client.health(chat.now).next_in <= 1.0


def test_one_bad_event_does_not_take_its_batch_along(chat: Stage) -> None:
    """Unknown and malformed events are told as such, and the rest is heard."""
    told = chat.polled({"event": "weather"}, {"event": "typing"}, HELLO, at=3.0)
    kinds = {type(effect) for effect in told}
    assert {effects.UnknownReceived, effects.Anomaly, effects.MessageReceived} <= kinds


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, {"error_code": "5509"}, {}),
        (400, {"error_code": 5509}, {}),
        (429, {"error_code": "5509"}, {}),
        (400, b"", {}),
        (400, b"busy", {}),
        (429, b"", {}),
    ],
)
def test_a_server_that_is_busy_is_waited_for(
    chat: Stage, status: int, body: object, headers: dict[str, str]
) -> None:
    """5509, a 400 without a code, and 429 wait and poll again; nothing was lost."""
    chat.replies("poll", body, status=status, at=1.0)
    assert chat.client.health(1.0).link == "waiting"
    assert chat.is_due() == ["poll"]
    assert 1.5 <= chat.now <= 2.0, "from 1.0 on, the first wait"


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [("7", 7.0, 7.0), ("0.1", 0.5, 1.0), ("9999", 120.0, 120.0), ("-4", 0.5, 1.0), ("x", 0.5, 1.0)],
)
def test_retry_after_is_honoured_within_bounds(
    chat: Stage, asked: str, least: float, most: float
) -> None:
    """The server's own wish counts, up to two minutes; what is no number of seconds does not."""
    chat.replies("poll", status=429, at=0.0, retry_after=asked)
    assert chat.is_due() == ["poll"]
    assert least <= chat.now <= most


def test_a_history_does_not_end_the_wait_that_the_server_asked_for(chat: Stage) -> None:
    """A chat that the history does not know is polled once more, but when the wait is over."""
    chat.says("a")
    chat.replies("poll", status=429, at=0.0, retry_after="9")
    chat.fails("post", "protocol", at=0.0)
    assert chat.is_due() == ["history"]
    chat.replies("history", {"error_code": "5005"}, status=404)
    assert chat.is_due() == ["poll"]
    assert chat.now == 9.0


def test_an_unreachable_history_does_not_end_that_wait_either(chat: Stage) -> None:
    """The failures of another request put a poll off, and never bring it forward."""
    chat.says("a")
    chat.replies("poll", status=429, at=0.0, retry_after="9")
    chat.fails("post", "protocol", at=0.0)
    assert chat.is_due() == ["history"]
    chat.fails("history", "connect")
    assert chat.is_due() == ["history"]
    assert chat.now < 9.0
    chat.remembers()
    while "poll" not in chat.pending:
        assert chat.is_due()
    assert chat.now >= 9.0


def test_a_date_to_retry_after_is_not_read(chat: Stage) -> None:
    """The client has no calendar: the usual delay counts."""
    chat.replies("poll", status=503, retry_after="Wed, 21 Oct 2026 07:28:00 GMT")
    assert chat.is_due() == ["history"]
    assert chat.now <= 1.0


@pytest.mark.parametrize("code", ["1000", "5003", "5006", "5603", "9999"])
def test_other_refusals_are_retried_without_a_storm(chat: Stage, code: str) -> None:
    """A poll that the server refuses for whatever else is asked again, at the pace of errors."""
    for _ in range(8):
        chat.replies("poll", {"error_code": code}, status=400)
        assert chat.is_due() == ["poll"]
    assert chat.now > 30.0


def test_a_redirect_is_not_followed(chat: Stage) -> None:
    """A 3xx is the answer of a portal, and passes: no request goes to where it points."""
    chat.replies("poll", status=302, location="https://elsewhere.example.com/")
    assert chat.is_due() == ["history"]
    assert all(request.url.startswith("https://chat.example.com/") for request in chat.requests)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, b"", "status 404"),
        (404, {"error_code": "5005"}, "error 5005"),
        (400, {"error_code": 5005}, "error 5005"),
        (200, {"error_code": "5005"}, "error 5005"),
    ],
)
def test_a_session_that_is_gone_is_polled_no_more(
    chat: Stage, status: int, body: object, reason: str
) -> None:
    """5005, or a 404 on the chat, ends it, with the reason, and nothing is asked ever after."""
    told = chat.replies("poll", body, status=status, at=1.0)
    assert told[-2:] == [LinkChanged("over", "gone"), effects.Terminated("gone", reason)]
    assert chat.client.done
    assert chat.client.deadline is None
    assert chat.ticks(at=999.0) == []
    assert chat.pending == []


@pytest.mark.parametrize("event", ["ended", "inactivity_timeout"])
def test_an_end_stops_the_polling(chat: Stage, event: str) -> None:
    """After the session's end there is no poll, no deadline, and one `Terminated`, told last."""
    told = chat.polled({"event": event}, {"event": "ended"}, HELLO, at=1.0)
    assert isinstance(told[-1], effects.Terminated)
    assert sum(isinstance(effect, effects.Terminated) for effect in told) == 1
    assert chat.client.deadline is None
    assert chat.pending == []
    assert chat.client.session is not None
    assert chat.client.session.counts.late == 2


def test_failed_stops_the_polling(chat: Stage) -> None:
    """A status failed is an end as well."""
    chat.polled({"event": "status", "state": "failed"}, at=1.0)
    assert chat.client.done


def test_completed_does_not_stop_the_polling(chat: Stage) -> None:
    """A survey may follow a completed conversation, so polls go on."""
    chat.polled({"event": "status", "state": "completed"}, at=1.0)
    assert chat.pending == ["poll"]


def test_typing_ends_by_itself_while_a_poll_is_held(chat: Stage) -> None:
    """The session's deadlines are the client's."""
    chat.polled(TYPING, at=1.0)
    assert chat.client.deadline == 31.0
    assert chat.ticks(at=31.0) == [effects.TypingStopped("ann", "timeout")]


def test_time_must_be_finite(chat: Stage) -> None:
    """A time that is no number is refused, and changes nothing."""
    assert "finite" in chat.refused(HttpReply(chat.asked("poll").id, 200, {}, b""), at=float("nan"))


def test_what_is_no_input_is_a_type_error(chat: Stage) -> None:
    """An item that is no input is a mistake of the caller's."""
    with pytest.raises(TypeError, match="Resume and Tick, not str"):
        chat.receives("hello")


def test_nothing_can_be_said_before_there_is_a_chat(stage: Stage) -> None:
    """A command needs a chat."""
    with pytest.raises(LocalProtocolError, match="there is no chat yet"):
        stage.says()
    assert stage.client.deadline is None
    assert stage.ticks(at=5.0) == []


def test_the_repr_names_the_chat_and_no_secret(stage: Stage, chat: Stage) -> None:
    """A client's repr is for logs."""
    assert repr(stage.client) == "<ChatClient of no chat, waiting>"
    assert repr(chat.client) == f"<ChatClient of <ChatSession '{CHAT}', queued>, waiting>"
    assert "the-app" not in repr(chat.client.endpoint)


def test_each_request_names_its_purpose(chat: Stage) -> None:
    """The purpose does not depend on the URL: a file that is called like the polls is no poll."""
    chat.fails("poll", at=1.0)
    chat.says("a")
    chat.receives(GetFile("events"))
    chat.is_due()
    purposes = [
        (urlsplit(request.url).path.partition("/v2/")[2], request.purpose)
        for request in chat.requests
    ]
    assert purposes == [
        ("chats", "api"),
        ("chats/chat-1/events", "poll"),
        ("chats/chat-1/events", "post"),
        ("chats/chat-1/files/events", "api"),
        ("chats/chat-1/history", "history"),
    ]


def test_the_first_of_several_deadlines_is_the_next(stages: type[Stage]) -> None:
    """A request that is given up early is not held up by one that may take longer."""
    chat = stages(poll_timeout=60.0, request_timeout=30.0, timeout_grace=5.0).opens()
    assert chat.client.deadline == 65.0
    chat.receives(GetVersion(), at=10.0)
    assert chat.client.deadline == 45.0
    (failed,) = chat.ticks(at=45.0)
    assert isinstance(failed, ApiFailed)
    assert chat.client.deadline == 65.0


@pytest.mark.parametrize("kind", ["poll", "history"])
def test_a_refusal_of_the_credentials_is_no_failure_to_be_retried(
    stages: type[Stage], kind: str
) -> None:
    """Nothing is counted, and nothing is due until `Resume`."""
    chat = stages().opens() if kind == "poll" else stages(chat_id=CHAT)
    chat.ticks()
    assert chat.pending == [kind]
    chat.replies(kind, status=401)
    assert chat.client.health(chat.now).failures == 0
    assert chat.client.deadline is None


def test_what_is_only_asked_has_no_body(chat: Stage) -> None:
    """Neither a poll nor a history says anything."""
    poll = chat.asked("poll")
    chat.fails("poll", "timeout", at=1.0)
    chat.is_due()
    for request in (poll, chat.asked("history")):
        assert (request.method, request.body) == ("GET", b"")
        assert dict(request.headers)["Content-Type"] == "application/json; charset=UTF-8"


def test_a_chat_that_is_gone_is_told_as_over_and_nothing_else(chat: Stage) -> None:
    """The link is not told as failed before."""
    told = chat.replies("poll", status=404, at=1.0)
    assert told == [
        effects.StateChanged("queued", "gone"),
        LinkChanged("over", "gone"),
        effects.Terminated("gone", "status 404"),
    ]
