"""A snapshot: plain JSON that a session comes back from, equal to what it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import inf
from typing import Any

import pytest
from attrs import fields
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import (
    ChatSession,
    LocalProtocolError,
    SendFailed,
    Sent,
    Settings,
    SnapshotError,
    Tick,
    commands,
    decode,
    effects,
)
from chatfsm._session import snapshot
from chatfsm._session.snapshot_fields import read_state
from chatfsm._session.state import (
    Call,
    ClosedForm,
    Counts,
    OpenForm,
    Outgoing,
    OwnTyping,
    Service,
    SessionState,
)
from chatfsm.models import Form, Party
from chatfsm.signaling import IceCandidate
from chatfsm.testing.strategies import inputs as any_inputs

seconds = st.floats(-1e9, 1e9)


def hears(session: ChatSession, word: str, /, *, now: float = 0.0, **fields: Any) -> list[Any]:
    """The session hears one wire event; `word` is its name without "chat_session_"."""
    (event,) = decode({"event": f"chat_session_{word}", **fields})
    return session.receive(event, now=now)


def says(session: ChatSession, text: str, *, now: float = 0.0) -> str:
    """The app says something; the id that it took."""
    return sent_of(session.receive(commands.SendText(text), now=now)).msg_ids[0]


def sent_of(told: list[effects.Effect]) -> effects.SendEvents:
    """The one piece of work for the transport among effects."""
    (work,) = [effect for effect in told if isinstance(effect, effects.SendEvents)]
    return work


def restarted(session: ChatSession, *, now: float = 0.0, then: float | None = None) -> ChatSession:
    """The session after a restart, on a clock that shows `then`."""
    kept = json.loads(json.dumps(session.snapshot(now=now), allow_nan=False))
    return ChatSession.restore(kept, settings=session.settings, now=now if then is None else then)


def connected() -> ChatSession:
    """A session with an agent, at time 0."""
    session = ChatSession("chat-1")
    hears(session, "status", state="connected")
    hears(session, "party_joined", party_id="ann", type="internal", display_name="Ann")
    return session


def test_a_snapshot_says_what_it_is_and_of_which_version() -> None:
    """Whoever finds one can tell whose it is."""
    kept = connected().snapshot(now=0.0)
    assert kept["format"] == "chatfsm.session"
    assert kept["version"] == snapshot.VERSION
    assert set(kept) == {"format", "version", "memory", "digest"}


def test_a_snapshot_is_plain_json() -> None:
    """Nothing but dicts with texts as keys, lists, texts, finite numbers, true, false and null."""
    session = connected()
    hears(session, "case_set", case_id="case-1")
    says(session, "hello \ud800")
    kept = session.snapshot(now=0.5)
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept


def test_a_snapshot_leaves_the_session_as_it_is() -> None:
    """A session goes on after a snapshot, which does not change any more."""
    session = connected()
    says(session, "one")
    kept = session.snapshot(now=1.0)
    text = json.dumps(kept)
    twin = restarted(session, now=1.0)
    assert session == twin
    says(session, "two", now=2.0)
    hears(session, "party_left", party_id="ann")
    assert json.dumps(kept) == text
    assert session != twin


def test_what_a_snapshot_holds_cannot_be_changed_through_a_session_made_of_it() -> None:
    """Two sessions of one snapshot share nothing."""
    session = connected()
    says(session, "one")
    kept = session.snapshot(now=0.0)
    text = json.dumps(kept)
    one, other = (ChatSession.restore(kept, now=0.0) for _ in "12")
    one.receive(Sent(["1"]), now=0.0)
    hears(one, "typing", party_id="ann")
    assert json.dumps(kept) == text
    assert other == session


def test_a_new_session_survives() -> None:
    """Even one that has heard nothing."""
    session = ChatSession("chat-1")
    assert restarted(session) == session


def test_a_session_that_is_over_survives() -> None:
    """It stays over: nothing follows from anything, and nothing may be ordered."""
    session = connected()
    hears(session, "inactivity_timeout", msg="too long")
    again = restarted(session)
    assert again == session
    assert (again.done, again.outcome, again.outcome_text) == (True, "timed_out", "too long")
    assert hears(again, "message", party_id="ann", msg="late") == []
    with pytest.raises(LocalProtocolError, match="the session is over"):
        says(again, "hello?")


def reordered(value: Any) -> Any:
    """The same JSON, all keys in the reverse of the order of the alphabet."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in sorted(value, reverse=True)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def test_a_store_may_reorder_the_keys() -> None:
    """JSON objects have no order: what the session does next is the same all the same."""
    session = connected()
    for request_id in ("2", "3", "1"):
        hears(session, "form_show", form_request_id=request_id, form_name="survey")
    for party_id in ("b", "c", "a"):
        hears(session, "typing", party_id=party_id)
    said = [says(session, str(number), now=1.0) for number in range(6)]  # "1" to "11"
    session.receive(SendFailed(said, "lost", retryable=True), now=1.0)
    kept = json.loads(json.dumps(reordered(session.snapshot(now=1.0))))
    again = ChatSession.restore(kept, now=1.0)
    assert again == session
    assert again.forms == session.forms
    assert again.typing == session.typing
    assert list(again.outbox) == list(session.outbox) == said


def test_the_latest_text_prompt_stays_the_latest_whatever_the_order_of_keys() -> None:
    """The next text answers the prompt that was shown last, after a restart too."""
    session = connected()
    for request_id in ("1", "2"):
        hears(session, "form_show", form_request_id=request_id, form_name="")
    again = ChatSession.restore(reordered(session.snapshot(now=0.0)), now=0.0)
    order = commands.SendText("yes")
    assert again.receive(order, now=0.0) == session.receive(order, now=0.0)


def test_typing_ends_as_many_seconds_later_on_another_clock() -> None:
    """A deadline is so many seconds off, whatever the clock shows."""
    session = connected()
    hears(session, "typing", party_id="ann", now=100.0)
    again = restarted(session, now=110.0, then=7.0)
    assert (again.deadline, again.typing) == (27.0, ("ann",))
    assert again.receive(Tick(), now=26.5) == []
    assert again.receive(Tick(), now=27.0) == [effects.TypingStopped("ann", "timeout")]


def test_a_form_expires_as_many_seconds_later_on_another_clock() -> None:
    """The customer has the time that was left."""
    session = connected()
    hears(session, "form_show", form_request_id="1", form_name="survey", form_timeout=60, now=5.0)
    again = restarted(session, now=25.0, then=1_000.0)
    (form,) = again.forms
    assert form.deadline == 1_040.0
    assert again.receive(Tick(), now=1_040.0) == [effects.FormClosed(form, "expired")]


def test_what_was_due_while_nobody_ran_happens_at_the_next_input() -> None:
    """A deadline that had passed when the session was put away has passed when it is back."""
    session = connected()
    hears(session, "typing", party_id="ann", now=0.0)
    again = restarted(session, now=31.0, then=-500.0)
    assert again.deadline == -501.0
    assert again.receive(Tick(), now=-500.0) == [effects.TypingStopped("ann", "timeout")]


def test_own_typing_is_renewed_and_ends_in_time_on_another_clock() -> None:
    """The throttle and the idle time of the customer's own typing go on."""
    session = connected()
    session.receive(commands.StartTyping(), now=50.0)
    again = restarted(session, now=52.0, then=2.0)
    assert again.deadline == 5.0
    assert again.receive(commands.StartTyping(), now=4.0) == []
    assert again.receive(commands.StartTyping(), now=8.5) == []
    renewed = sent_of(again.receive(commands.StartTyping(), now=10.0))
    assert renewed.events == ({"event": "chat_session_typing"},)
    other = restarted(session, now=52.0, then=2.0)
    stopped = sent_of(other.receive(Tick(), now=5.0))
    assert stopped.events == ({"event": "chat_session_not_typing"},)


def test_how_long_ago_a_form_was_closed_is_still_known_on_another_clock() -> None:
    """The refusal to answer it says the right time."""
    session = connected()
    hears(session, "form_show", form_request_id="1", form_name="survey", now=10.0)
    session.receive(commands.SubmitForm("1", {"a": "b"}), now=20.0)
    again = restarted(session, now=25.0, then=1_000.0)
    with pytest.raises(LocalProtocolError, match=r"it was answered 12 s ago"):
        again.receive(commands.CancelForm("1"), now=1_007.0)


@given(seconds, seconds, seconds)
def test_every_moment_is_kept_exactly(heard: float, pause: float, timeout: float) -> None:
    """On the same clock a session is equal after a restart, to the last bit of its deadlines."""
    session = connected()
    hears(session, "typing", party_id="ann", now=heard)
    limit = abs(timeout)
    hears(session, "form_show", form_request_id="1", form_timeout=limit, now=heard)
    hears(session, "form_show", form_request_id="2", form_name="x", now=heard)
    session.receive(commands.StartTyping(), now=heard)
    session.receive(commands.CancelForm("2"), now=heard)
    assert restarted(session, now=heard + abs(pause)) == session


def test_a_form_closed_long_ago_is_kept_exactly() -> None:
    """A moment near zero survives a snapshot that is taken when the clock shows thousands."""
    session = connected()
    hears(session, "form_show", form_request_id="1", form_name="survey")
    session.receive(commands.CancelForm("1"), now=0.1)
    assert restarted(session, now=1000.3) == session


def test_what_was_said_survives() -> None:
    """The outbox: what is pending, sent, in doubt or refused is so after a restart."""
    session = connected()
    said = [says(session, text) for text in ("one", "two", "three", "four")]
    session.receive(Sent(said[:1]), now=0.0)
    session.receive(SendFailed(said[1:2], "reply lost", retryable=True), now=0.0)
    session.receive(SendFailed(said[2:3], "refused", retryable=False), now=0.0)
    again = restarted(session)
    states = ["sent", "unconfirmed", "failed", "pending"]
    assert again.outbox == dict(zip(said, states, strict=True))
    assert says(again, "five") == "9"


def test_an_echo_after_a_restart_is_still_an_echo() -> None:
    """What the session said itself, come back, confirms it and is no news."""
    session = connected()
    msg_id = says(session, "hello")
    again = restarted(session)
    assert hears(again, "message", party_id="CHAT-1", msg_id=msg_id, msg="hello") == [
        effects.MessageSent(msg_id)
    ]


def test_duplicates_are_known_after_a_restart() -> None:
    """A cached poll tells nothing twice, even to a new process."""
    session = connected()
    said = {"party_id": "ann", "msg_id": "2", "msg": "hello"}
    hears(session, "message", **said)
    again = restarted(session)
    assert hears(again, "message", **said) == []
    assert again.counts.duplicates == session.counts.duplicates + 1


def test_a_window_that_is_full_stays_full() -> None:
    """Which ids are the oldest is remembered too."""
    session = ChatSession("chat-1", settings=Settings(max_ids=3))
    for msg_id in ("4", "2", "3", "1"):
        hears(session, "message", party_id="ann", msg_id=msg_id, msg="hello")
    again = restarted(session)
    for one in (session, again):
        assert hears(one, "message", party_id="ann", msg_id="2", msg="hello") == []
        assert hears(one, "message", party_id="ann", msg_id="4", msg="hello") != []
    assert again == session


def test_a_call_and_its_early_candidates_survive() -> None:
    """The app may answer after a restart, with all the candidates that had come."""
    session = connected()
    offer = {"type": "OFFER_CALL", "sdp": "v=0"}
    candidate = {"type": "ICE_CANDIDATE", "candidate": "c", "sdpMLineIndex": 1, "new": [{"a": 1}]}
    hears(session, "signaling", party_id="ann", msg_id="2", data=offer)
    hears(session, "signaling", party_id="ann", msg_id="4", data=candidate)
    again = restarted(session)
    assert again == session
    assert (again.call, again.early_candidates) == ("offered", session.early_candidates)
    assert again.early_candidates[0].extra == {"new": [{"a": 1}]}
    order = commands.AnswerCall("v=0")
    assert again.receive(order, now=0.0) == session.receive(order, now=0.0)


def test_a_candidate_nested_as_deep_as_the_wire_may_survives() -> None:
    """What the codec lets in, a snapshot keeps."""
    deep: Any = "deep"
    for _ in range(31):
        deep = [deep]
    session = connected()
    data = {"type": "ICE_CANDIDATE", "candidate": "c", "new": deep}
    hears(session, "signaling", party_id="ann", msg_id="4", data=data)
    assert len(session.early_candidates) == 1
    assert restarted(session) == session


def test_a_call_without_candidates_survives() -> None:
    """Who called is known after a restart, so that the answer goes there."""
    session = connected()
    data = {"type": "OFFER_CALL", "sdp": "v=0"}
    hears(session, "signaling", party_id="ann", msg_id="2", data=data)
    again = restarted(session)
    work = sent_of(again.receive(commands.AnswerCall("v=0"), now=0.0))
    assert work.events[0]["destination_party_id"] == "ann"


def test_counts_survive() -> None:
    """The books of a session go on where they were."""
    session = connected()
    hears(session, "nobody_knows")
    hears(session, "message", party_id="ann", msg_id="2", msg="hello")
    assert session.counts.unknown == 1
    assert restarted(session).counts == session.counts


def test_a_warning_the_case_and_the_name_survive() -> None:
    """What the service said is still known."""
    session = connected()
    hears(session, "case_set", case_id="case-1")
    hears(session, "info", service_name="Bank")
    hears(session, "timeout_warning", msg="still there?")
    hears(session, "cobrowsing_requested", msg_id="2")
    again = restarted(session)
    assert (again.case_id, again.service_name) == ("case-1", "Bank")
    assert (again.warning, again.cobrowsing) == ("still there?", "requested")


@pytest.mark.parametrize("answered", [False, True])
def test_what_answers_a_secure_form_is_in_no_snapshot(answered: bool) -> None:
    """It goes out, and is kept nowhere: neither before the transport took it nor after."""
    session = connected()
    hears(session, "secure_form_show", form_request_id="7", form_id="card")
    says(session, "a message beside it")
    order = commands.SubmitForm("7", {"card": "4111-MARK", "MARK-name": ["MARK"]})
    work = sent_of(session.receive(order, now=1.0))
    assert "MARK" in str(work.events), "it does go out"
    if answered:
        data = {"party_id": "chat-1", "form_request_id": "7", "data": {"card": "4111-MARK"}}
        hears(session, "secure_form_data", **data)
    assert "MARK" not in json.dumps(session.snapshot(now=2.0))


def test_settings_are_not_in_a_snapshot() -> None:
    """They are the caller's: the same text comes of sessions with other settings."""
    kept = [
        ChatSession("chat-1", settings=settings).snapshot(now=0.0)
        for settings in (Settings(), Settings(strict=True, max_ids=7, typing_idle=123.0))
    ]
    assert kept[0] == kept[1]
    settings = Settings(max_unsent=1)
    again = ChatSession.restore(kept[0], settings=settings, now=0.0)
    assert again.settings is settings
    says(again, "one")
    with pytest.raises(LocalProtocolError, match="cannot send more"):
        says(again, "two")


def test_the_usual_settings_are_those_of_a_restored_session() -> None:
    """Where none are given."""
    assert ChatSession.restore(connected().snapshot(now=0.0), now=0.0).settings == Settings()


class Ours(ChatSession):
    """A class of an app's own."""


def test_a_class_of_its_own_comes_back_as_that() -> None:
    """`restore` makes what it was called on."""
    assert type(Ours.restore(Ours("chat-1").snapshot(now=0.0), now=0.0)) is Ours


@pytest.mark.parametrize("now", [float("nan"), float("inf"), float("-inf")])
def test_a_time_that_is_no_number_is_refused(now: float) -> None:
    """Neither a snapshot nor a session is made with it."""
    session = connected()
    kept = session.snapshot(now=0.0)
    makers: list[Callable[[], object]] = [
        lambda: session.snapshot(now=now),
        lambda: ChatSession.restore(kept, now=now),
    ]
    for make in makers:
        with pytest.raises(LocalProtocolError, match="finite number of seconds"):
            make()


def test_older_versions_are_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step makes the body of the next version, and all of them are taken."""
    kept = connected().snapshot(now=0.0)
    present = snapshot.VERSION
    assert kept["version"] == present
    monkeypatch.setattr(snapshot, "VERSION", present + 2)
    steps = {
        present: lambda body: {**body, "warning": "step 1"},
        present + 1: lambda body: {**body, "warning": f"{body['warning']}, step 2"},
    }
    for version, step in steps.items():
        monkeypatch.setitem(snapshot.MIGRATIONS, version, step)
    again = ChatSession.restore(kept, now=0.0)
    assert again.warning == "step 1, step 2"
    assert again.snapshot(now=0.0)["version"] == present + 2
    assert restarted(again) == again


def test_the_last_version_alone_is_not_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot of the present version takes no step from the one before."""
    kept = connected().snapshot(now=0.0)
    before = snapshot.VERSION - 1
    monkeypatch.setitem(snapshot.MIGRATIONS, before, lambda body: {**body, "warning": "migrated"})
    assert ChatSession.restore(kept, now=0.0).warning is None


def test_a_migration_that_makes_no_memory_is_a_snapshot_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What comes out of the steps is checked like what came in."""
    kept = connected().snapshot(now=0.0)
    present = snapshot.VERSION
    monkeypatch.setattr(snapshot, "VERSION", present + 1)
    for step in (lambda body: {**body, "other": 1}, lambda body: body["none"]):
        monkeypatch.setitem(snapshot.MIGRATIONS, present, step)
        with pytest.raises(SnapshotError, match="not a session's memory"):
            ChatSession.restore(kept, now=0.0)


def test_what_is_as_in_a_fresh_session_is_left_out() -> None:
    """A snapshot holds what has happened, and the chat's id."""
    kept = ChatSession("chat-1").snapshot(now=0.0)
    assert kept["memory"] == {"chat_id": "chat-1", "counts": {}}


REMEMBERED: dict[str, Any] = {
    **{known.name: number for number, known in enumerate(fields(Counts), 1)},
    "chat_id": "chat-1",
    "token": "a1b2",
    "state": "connected",
    "ewt": 5.0,
    "outcome_text": "too long",
    "parties": (Party("ann", "internal"), Party("ben")),
    "joined_at": (None, (5.0, 9.0)),
    "departed": {"eve": None, "dan": 3.0},
    "departed_complete": False,
    "typing": {"ann": 130.25},
    "forms": {"1": OpenForm(Form("1", "survey", deadline=160.5), b"\x01" * 12, 10.0)},
    "closed_forms": {"0": ClosedForm("expired", 99.0, 9.0)},
    "own_text_at": 8.0,
    "own_typing": OwnTyping(99.5, 104.5),
    "outbox": {"1": Outgoing(({"event": "e", "a": [1.5]},), ("hello", b"\x02" * 12), "sent")},
    "next_number": 3,
    "warning": "still there?",
    "call": Call("offered", "ann", (IceCandidate("c", "0", 1, {"new": None}),)),
    "service": Service("case-1", inf, "Bank", 7.0, "requested"),
    "seen_ids": {"ann": {"2": "hello", (None, "no id", 5.0): ""}, ("read", None): {"1": "ann"}},
    "seen_count": 3,
    "seen_complete": False,
}


def test_all_that_is_remembered_is_written() -> None:
    """But for what follows from the rest: every field survives, whatever it holds."""
    assert set(REMEMBERED) == {known.name for known in fields(SessionState) if known.eq}
    memory = SessionState(**REMEMBERED)
    kept = json.loads(json.dumps(snapshot.write_snapshot(memory, 100.0)))
    body = kept["memory"]
    assert {*body, *body["counts"]} == {*REMEMBERED, "counts"}
    assert read_state(body, 100.0) == memory


class Marked(str):
    """A text of a template engine's: it looks like another one where it is shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Marked({str(self)!r})"


def test_a_text_of_a_class_of_its_own_is_a_text() -> None:
    """What the app says may be of a class that says safe, or so."""
    session = connected()
    says(session, Marked("hello"))
    session.receive(commands.MarkRead(Marked("2")), now=0.0)
    assert restarted(session) == session
    assert ChatSession.restore(session.snapshot(now=0.0), now=0.0) == session


@pytest.mark.parametrize("text", ["\ud83d", "\ud83d\ude00", "\0", "\0\0a"])
def test_halves_of_characters_survive(text: str) -> None:
    """Two halves that meet are one character after JSON, and it is no change."""
    session = connected()
    msg_id = says(session, text)
    hears(session, "message", party_id="ann", msg_id="2", msg=text)
    again = restarted(session)
    assert again.outbox == session.outbox == {msg_id: "pending"}
    assert restarted(again) == again


def test_when_somebody_first_and_last_joined_survives() -> None:
    """A joining between the two, from a cached poll, is old after a restart, too."""
    session = connected()
    for at, name in ((5, "Ben"), (9, "Benjamin")):
        hears(session, "party_joined", party_id="ben", display_name=name, timestamp=at)
    assert restarted(session) == session
    assert (5.0, 9.0) in restarted(session)._state.joined_at


def test_ids_and_contents_of_all_kinds_survive() -> None:
    """What is long, came with another content, has no id, or is of nobody."""
    session = connected()
    long_id = "ann" * 40
    heard: list[tuple[str, dict[str, Any]]] = [
        ("message", {"party_id": "ann", "msg_id": "2", "msg": "hello"}),
        ("message", {"party_id": "ann", "msg_id": "2", "msg": "hello again"}),
        ("message", {"party_id": "ann", "msg_id": "2", "msg": "again" * 40}),
        ("message", {"party_id": "ann", "msg": "no id", "timestamp": 5}),
        ("message", {"party_id": "ann", "msg": "no id, no time"}),
        ("message", {"msg_id": "4", "msg": "of nobody"}),
        ("message_read", {"party_id": long_id, "ref_msg_id": "1"}),
        ("message_read", {"party_id": "bob" * 40, "ref_msg_id": "1"}),
        ("file", {"party_id": "ann", "file_id": "f", "timestamp": 5}),
    ]
    for word, item in heard:
        hears(session, word, **item)
    again = restarted(session)
    assert again == session
    assert again._state.seen_ids == session._state.seen_ids
    for word, item in heard:
        assert hears(again, word, **item) == hears(session, word, **item)


@given(st.lists(any_inputs(), max_size=12), st.floats(0, 1e6), st.floats(-1e6, 1e6))
def test_any_session_survives(items: list[Any], now: float, then: float) -> None:
    """Whatever has happened to it, its snapshot is JSON, and brings back all of it."""
    session = ChatSession("chat-1")
    for item in items:
        try:
            session.receive(item, now=now)
        except LocalProtocolError:
            continue
    assert restarted(session, now=now) == session
    elsewhere = restarted(session, now=now, then=then)
    assert elsewhere.counts == session.counts
    assert (elsewhere.parties, elsewhere.typing) == (session.parties, session.typing)
    assert list(elsewhere.outbox.items()) == list(session.outbox.items())
