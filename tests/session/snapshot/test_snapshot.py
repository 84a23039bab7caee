"""Snapshots: plain JSON from which an equal session is restored."""

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


def feed(session: ChatSession, event_name: str, /, *, now: float = 0.0, **fields: Any) -> list[Any]:
    """Feed one event of the server; `name` is its wire name without "chat_session_"."""
    (event,) = decode({"event": f"chat_session_{event_name}", **fields})
    return session.receive(event, now=now)


def send_text(session: ChatSession, text: str, *, now: float = 0.0) -> str:
    """Feed a `SendText`; return the id that it took."""
    return send_events_of(session.receive(commands.SendText(text), now=now)).msg_ids[0]


def send_events_of(sent_effects: list[effects.Effect]) -> effects.SendEvents:
    """The only `SendEvents` among effects."""
    (work,) = [effect for effect in sent_effects if isinstance(effect, effects.SendEvents)]
    return work


def restarted(session: ChatSession, *, now: float = 0.0, then: float | None = None) -> ChatSession:
    """The session after a restart, on a clock that shows `then`."""
    kept = json.loads(json.dumps(session.snapshot(now=now), allow_nan=False))
    return ChatSession.restore(kept, settings=session.settings, now=now if then is None else then)


def connected() -> ChatSession:
    """A session with an agent, at time 0."""
    session = ChatSession("chat-1")
    feed(session, "status", state="connected")
    feed(session, "party_joined", party_id="ann", type="internal", display_name="Ann")
    return session


def test_a_snapshot_has_a_format_and_a_version() -> None:
    """A snapshot has its format and its version."""
    kept = connected().snapshot(now=0.0)
    assert kept["format"] == "chatfsm.session"
    assert kept["version"] == snapshot.VERSION
    assert set(kept) == {"format", "version", "memory", "digest"}


def test_a_snapshot_is_plain_json() -> None:
    """It has dicts with text keys, lists, texts, finite numbers, true, false and null only."""
    session = connected()
    feed(session, "case_set", case_id="case-1")
    send_text(session, "hello \ud800")
    kept = session.snapshot(now=0.5)
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept


def test_a_snapshot_leaves_the_session_as_it_is() -> None:
    """A session continues after a snapshot, which does not change any more."""
    session = connected()
    send_text(session, "one")
    kept = session.snapshot(now=1.0)
    text = json.dumps(kept)
    restored = restarted(session, now=1.0)
    assert session == restored
    send_text(session, "two", now=2.0)
    feed(session, "party_left", party_id="ann")
    assert json.dumps(kept) == text
    assert session != restored


def test_a_restored_session_does_not_change_its_snapshot() -> None:
    """Two sessions of one snapshot share nothing."""
    session = connected()
    send_text(session, "one")
    kept = session.snapshot(now=0.0)
    text = json.dumps(kept)
    one, other = (ChatSession.restore(kept, now=0.0) for _ in "12")
    one.receive(Sent(["1"]), now=0.0)
    feed(one, "typing", party_id="ann")
    assert json.dumps(kept) == text
    assert other == session


def test_a_new_session_survives() -> None:
    """A session without inputs survives a restart."""
    session = ChatSession("chat-1")
    assert restarted(session) == session


def test_a_session_that_is_over_survives() -> None:
    """It stays over: events have no effects, and commands are refused."""
    session = connected()
    feed(session, "inactivity_timeout", msg="too long")
    again = restarted(session)
    assert again == session
    assert (again.done, again.outcome, again.outcome_text) == (True, "timed_out", "too long")
    assert feed(again, "message", party_id="ann", msg="late") == []
    with pytest.raises(LocalProtocolError, match="the session is over"):
        send_text(again, "hello?")


def reordered(value: Any) -> Any:
    """The same JSON with the keys of all objects in reverse alphabetical command."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in sorted(value, reverse=True)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def test_a_store_may_reorder_the_keys() -> None:
    """The command of keys in JSON objects does not change later effects."""
    session = connected()
    for request_id in ("2", "3", "1"):
        feed(session, "form_show", form_request_id=request_id, form_name="survey")
    for party_id in ("b", "c", "a"):
        feed(session, "typing", party_id=party_id)
    sent_ids = [send_text(session, str(number), now=1.0) for number in range(6)]  # "1" to "11"
    session.receive(SendFailed(sent_ids, "lost", retryable=True), now=1.0)
    kept = json.loads(json.dumps(reordered(session.snapshot(now=1.0))))
    again = ChatSession.restore(kept, now=1.0)
    assert again == session
    assert again.forms == session.forms
    assert again.typing == session.typing
    assert list(again.outbox) == list(session.outbox) == sent_ids


def test_the_latest_text_prompt_survives_any_order_of_keys() -> None:
    """The next text answers the prompt that was shown last, after a restart too."""
    session = connected()
    for request_id in ("1", "2"):
        feed(session, "form_show", form_request_id=request_id, form_name="")
    again = ChatSession.restore(reordered(session.snapshot(now=0.0)), now=0.0)
    command = commands.SendText("yes")
    assert again.receive(command, now=0.0) == session.receive(command, now=0.0)


def test_typing_ends_as_many_seconds_later_on_another_clock() -> None:
    """A deadline is a number of seconds away, whatever the clock shows."""
    session = connected()
    feed(session, "typing", party_id="ann", now=100.0)
    again = restarted(session, now=110.0, then=7.0)
    assert (again.deadline, again.typing) == (27.0, ("ann",))
    assert again.receive(Tick(), now=26.5) == []
    assert again.receive(Tick(), now=27.0) == [effects.TypingStopped("ann", "timeout")]


def test_a_form_expires_as_many_seconds_later_on_another_clock() -> None:
    """The customer has the rest of the time."""
    session = connected()
    feed(session, "form_show", form_request_id="1", form_name="survey", form_timeout=60, now=5.0)
    again = restarted(session, now=25.0, then=1_000.0)
    (form,) = again.forms
    assert form.deadline == 1_040.0
    assert again.receive(Tick(), now=1_040.0) == [effects.FormClosed(form, "expired")]


def test_a_deadline_that_passed_before_the_restart_is_due() -> None:
    """A deadline that had passed at the snapshot has passed after the restart."""
    session = connected()
    feed(session, "typing", party_id="ann", now=0.0)
    again = restarted(session, now=31.0, then=-500.0)
    assert again.deadline == -501.0
    assert again.receive(Tick(), now=-500.0) == [effects.TypingStopped("ann", "timeout")]


def test_own_typing_is_renewed_and_ends_in_time_on_another_clock() -> None:
    """The throttle and the idle time of the customer's own typing continue."""
    session = connected()
    session.receive(commands.StartTyping(), now=50.0)
    again = restarted(session, now=52.0, then=2.0)
    assert again.deadline == 5.0
    assert again.receive(commands.StartTyping(), now=4.0) == []
    assert again.receive(commands.StartTyping(), now=8.5) == []
    renewed = send_events_of(again.receive(commands.StartTyping(), now=10.0))
    assert renewed.events == ({"event": "chat_session_typing"},)
    other = restarted(session, now=52.0, then=2.0)
    stopped = send_events_of(other.receive(Tick(), now=5.0))
    assert stopped.events == ({"event": "chat_session_not_typing"},)


def test_the_age_of_a_closed_form_survives_on_another_clock() -> None:
    """The error of a refused answer has the right number of seconds."""
    session = connected()
    feed(session, "form_show", form_request_id="1", form_name="survey", now=10.0)
    session.receive(commands.SubmitForm("1", {"a": "b"}), now=20.0)
    again = restarted(session, now=25.0, then=1_000.0)
    with pytest.raises(LocalProtocolError, match=r"it was answered 12 s ago"):
        again.receive(commands.CancelForm("1"), now=1_007.0)


@given(seconds, seconds, seconds)
def test_all_times_are_kept_exactly(received: float, pause: float, timeout: float) -> None:
    """On the same clock a restored session is equal, to the last bit of its deadlines."""
    session = connected()
    feed(session, "typing", party_id="ann", now=received)
    limit = abs(timeout)
    feed(session, "form_show", form_request_id="1", form_timeout=limit, now=received)
    feed(session, "form_show", form_request_id="2", form_name="x", now=received)
    session.receive(commands.StartTyping(), now=received)
    session.receive(commands.CancelForm("2"), now=received)
    assert restarted(session, now=received + abs(pause)) == session


def test_a_form_closed_long_ago_is_kept_exactly() -> None:
    """A time near zero survives a snapshot that is taken when the clock shows thousands."""
    session = connected()
    feed(session, "form_show", form_request_id="1", form_name="survey")
    session.receive(commands.CancelForm("1"), now=0.1)
    assert restarted(session, now=1000.3) == session


def test_the_outbox_survives() -> None:
    """The outbox after a restart has the same pending, sent, unconfirmed and failed messages."""
    session = connected()
    sent_ids = [send_text(session, text) for text in ("one", "two", "three", "four")]
    session.receive(Sent(sent_ids[:1]), now=0.0)
    session.receive(SendFailed(sent_ids[1:2], "reply lost", retryable=True), now=0.0)
    session.receive(SendFailed(sent_ids[2:3], "refused", retryable=False), now=0.0)
    again = restarted(session)
    states = ["sent", "unconfirmed", "failed", "pending"]
    assert again.outbox == dict(zip(sent_ids, states, strict=True))
    assert send_text(again, "five") == "9"


def test_an_echo_after_a_restart_is_still_an_echo() -> None:
    """The echo of a message confirms it and is not reported."""
    session = connected()
    msg_id = send_text(session, "hello")
    again = restarted(session)
    assert feed(again, "message", party_id="CHAT-1", msg_id=msg_id, msg="hello") == [
        effects.MessageSent(msg_id)
    ]


def test_duplicates_are_known_after_a_restart() -> None:
    """A cached poll is not reported again by a new process."""
    session = connected()
    sent_ids = {"party_id": "ann", "msg_id": "2", "msg": "hello"}
    feed(session, "message", **sent_ids)
    again = restarted(session)
    assert feed(again, "message", **sent_ids) == []
    assert again.counts.duplicates == session.counts.duplicates + 1


def test_a_full_table_of_ids_survives() -> None:
    """The command of the ids survives, so that the oldest is forgotten next."""
    session = ChatSession("chat-1", settings=Settings(max_ids=3))
    for msg_id in ("4", "2", "3", "1"):
        feed(session, "message", party_id="ann", msg_id=msg_id, msg="hello")
    again = restarted(session)
    for one in (session, again):
        assert feed(one, "message", party_id="ann", msg_id="2", msg="hello") == []
        assert feed(one, "message", party_id="ann", msg_id="4", msg="hello") != []
    assert again == session


def test_a_call_and_its_early_candidates_survive() -> None:
    """The app may answer the call after a restart, with all candidates."""
    session = connected()
    offer = {"type": "OFFER_CALL", "sdp": "v=0"}
    candidate = {"type": "ICE_CANDIDATE", "candidate": "c", "sdpMLineIndex": 1, "new": [{"a": 1}]}
    feed(session, "signaling", party_id="ann", msg_id="2", data=offer)
    feed(session, "signaling", party_id="ann", msg_id="4", data=candidate)
    again = restarted(session)
    assert again == session
    assert (again.call, again.early_candidates) == ("offered", session.early_candidates)
    assert again.early_candidates[0].extra == {"new": [{"a": 1}]}
    command = commands.AnswerCall("v=0")
    assert again.receive(command, now=0.0) == session.receive(command, now=0.0)


def test_a_deeply_nested_candidate_survives() -> None:
    """A snapshot accepts any depth that the codec accepts."""
    deep: Any = "deep"
    for _ in range(31):
        deep = [deep]
    session = connected()
    data = {"type": "ICE_CANDIDATE", "candidate": "c", "new": deep}
    feed(session, "signaling", party_id="ann", msg_id="4", data=data)
    assert len(session.early_candidates) == 1
    assert restarted(session) == session


def test_a_call_without_candidates_survives() -> None:
    """The party that offered the call survives, as the destination of the answer."""
    session = connected()
    data = {"type": "OFFER_CALL", "sdp": "v=0"}
    feed(session, "signaling", party_id="ann", msg_id="2", data=data)
    again = restarted(session)
    work = send_events_of(again.receive(commands.AnswerCall("v=0"), now=0.0))
    assert work.events[0]["destination_party_id"] == "ann"


def test_counts_survive() -> None:
    """The counts of a session continue after a restart."""
    session = connected()
    feed(session, "nobody_knows")
    feed(session, "message", party_id="ann", msg_id="2", msg="hello")
    assert session.counts.unknown == 1
    assert restarted(session).counts == session.counts


def test_a_warning_the_case_and_the_name_survive() -> None:
    """Case, service, warning and co-browsing survive."""
    session = connected()
    feed(session, "case_set", case_id="case-1")
    feed(session, "info", service_name="Bank")
    feed(session, "timeout_warning", msg="still there?")
    feed(session, "cobrowsing_requested", msg_id="2")
    again = restarted(session)
    assert (again.case_id, again.service_name) == ("case-1", "Bank")
    assert (again.warning, again.cobrowsing) == ("still there?", "requested")


@pytest.mark.parametrize("answered", [False, True])
def test_the_answers_of_a_secure_form_are_in_no_snapshot(answered: bool) -> None:
    """The answers are posted and kept nowhere, before and after the confirmation."""
    session = connected()
    feed(session, "secure_form_show", form_request_id="7", form_id="card")
    send_text(session, "a message beside it")
    command = commands.SubmitForm("7", {"card": "4111-MARK", "MARK-name": ["MARK"]})
    work = send_events_of(session.receive(command, now=1.0))
    assert "MARK" in str(work.events), "it does go out"
    if answered:
        data = {"party_id": "chat-1", "form_request_id": "7", "data": {"card": "4111-MARK"}}
        feed(session, "secure_form_data", **data)
    assert "MARK" not in json.dumps(session.snapshot(now=2.0))


def test_settings_are_not_in_a_snapshot() -> None:
    """Settings are given by the caller, so that the snapshot does not depend on them."""
    kept = [
        ChatSession("chat-1", settings=settings).snapshot(now=0.0)
        for settings in (Settings(), Settings(strict=True, max_ids=7, typing_idle=123.0))
    ]
    assert kept[0] == kept[1]
    settings = Settings(max_unsent=1)
    again = ChatSession.restore(kept[0], settings=settings, now=0.0)
    assert again.settings is settings
    send_text(again, "one")
    with pytest.raises(LocalProtocolError, match="cannot send more"):
        send_text(again, "two")


def test_a_restored_session_has_the_default_settings() -> None:
    """A session that is restored without settings has the default ones."""
    assert ChatSession.restore(connected().snapshot(now=0.0), now=0.0).settings == Settings()


class Subclass(ChatSession):
    """A subclass of an app."""


def test_a_subclass_is_restored_as_itself() -> None:
    """`restore` makes an instance of the class on which it was called."""
    assert type(Subclass.restore(Subclass("chat-1").snapshot(now=0.0), now=0.0)) is Subclass


@pytest.mark.parametrize("now", [float("nan"), float("inf"), float("-inf")])
def test_a_time_that_is_not_finite_is_refused(now: float) -> None:
    """Both `snapshot` and `restore` refuse a `now` that is not finite."""
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
    """Each migration makes the body of the next version, and all of them are applied."""
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


def test_the_present_version_is_not_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot of the present version is not migrated."""
    kept = connected().snapshot(now=0.0)
    before = snapshot.VERSION - 1
    monkeypatch.setitem(snapshot.MIGRATIONS, before, lambda body: {**body, "warning": "migrated"})
    assert ChatSession.restore(kept, now=0.0).warning is None


def test_a_migration_with_an_invalid_result_is_a_snapshot_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The result of the migrations is validated like a present snapshot."""
    kept = connected().snapshot(now=0.0)
    present = snapshot.VERSION
    monkeypatch.setattr(snapshot, "VERSION", present + 1)
    for step in (lambda body: {**body, "other": 1}, lambda body: body["none"]):
        monkeypatch.setitem(snapshot.MIGRATIONS, present, step)
        with pytest.raises(SnapshotError, match="not a session's memory"):
            ChatSession.restore(kept, now=0.0)


def test_fields_of_a_new_session_are_left_out() -> None:
    """A snapshot has the fields that differ from a new session, and the chat_id."""
    kept = ChatSession("chat-1").snapshot(now=0.0)
    assert kept["memory"] == {"chat_id": "chat-1", "counts": {}}


STATE: dict[str, Any] = {
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


def test_all_fields_of_the_state_are_written() -> None:
    """Every field that is not derived from others survives, with any value."""
    assert set(STATE) == {known.name for known in fields(SessionState) if known.eq}
    memory = SessionState(**STATE)
    kept = json.loads(json.dumps(snapshot.write_snapshot(memory, 100.0)))
    body = kept["memory"]
    assert {*body, *body["counts"]} == {*STATE, "counts"}
    assert read_state(body, 100.0) == memory


class Text(str):
    """A subclass of `str`, as template engines have, with another repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Text({str(self)!r})"


def test_an_instance_of_a_subclass_of_str_is_a_text() -> None:
    """Texts of the app may be instances of a subclass of `str`."""
    session = connected()
    send_text(session, Text("hello"))
    session.receive(commands.MarkRead(Text("2")), now=0.0)
    assert restarted(session) == session
    assert ChatSession.restore(session.snapshot(now=0.0), now=0.0) == session


@pytest.mark.parametrize("text", ["\ud83d", "\ud83d\ude00", "\0", "\0\0a"])
def test_surrogates_survive(text: str) -> None:
    """Two surrogates that form a pair are one character after JSON, which is not a change."""
    session = connected()
    msg_id = send_text(session, text)
    feed(session, "message", party_id="ann", msg_id="2", msg=text)
    again = restarted(session)
    assert again.outbox == session.outbox == {msg_id: "pending"}
    assert restarted(again) == again


def test_first_and_last_join_of_a_party_survive() -> None:
    """A stale join between the two, from a cached poll, is recognized after a restart too."""
    session = connected()
    for at, name in ((5, "Ben"), (9, "Benjamin")):
        feed(session, "party_joined", party_id="ben", display_name=name, timestamp=at)
    assert restarted(session) == session
    assert (5.0, 9.0) in restarted(session)._state.joined_at


def test_ids_and_contents_of_all_kinds_survive() -> None:
    """Long ids, reused ids, events without an id and events without a party survive."""
    session = connected()
    long_id = "ann" * 40
    received: list[tuple[str, dict[str, Any]]] = [
        ("message", {"party_id": "ann", "msg_id": "2", "msg": "hello"}),
        ("message", {"party_id": "ann", "msg_id": "2", "msg": "hello again"}),
        ("message", {"party_id": "ann", "msg_id": "2", "msg": "again" * 40}),
        ("message", {"party_id": "ann", "msg": "no id", "timestamp": 5}),
        ("message", {"party_id": "ann", "msg": "no id, no time"}),
        ("message", {"msg_id": "4", "msg": "no party"}),
        ("message_read", {"party_id": long_id, "ref_msg_id": "1"}),
        ("message_read", {"party_id": "bob" * 40, "ref_msg_id": "1"}),
        ("file", {"party_id": "ann", "file_id": "f", "timestamp": 5}),
    ]
    for event_name, item in received:
        feed(session, event_name, **item)
    again = restarted(session)
    assert again == session
    assert again._state.seen_ids == session._state.seen_ids
    for event_name, item in received:
        assert feed(again, event_name, **item) == feed(session, event_name, **item)


@given(st.lists(any_inputs(), max_size=12), st.floats(0, 1e6), st.floats(-1e6, 1e6))
def test_any_session_survives(items: list[Any], now: float, then: float) -> None:
    """The snapshot of any session is JSON, and restores the complete state."""
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
