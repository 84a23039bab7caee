"""`SessionChecker` and `check_restore` find and name errors, and accept correct sessions."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm import ChatSession, Settings, SnapshotError, commands, decode, effects
from chatfsm.testing.invariants import SessionChecker, check_restore

PARTY = {"event": "chat_session_party_joined", "party_id": "A", "type": "internal"}
MESSAGE = {"event": "chat_session_message", "party_id": "A", "msg_id": "2", "msg": "hello"}
FILE = {"event": "chat_session_file", "party_id": "A", "msg_id": "4", "file_id": "f"}
PLACE = {"event": "chat_session_location", "party_id": "A", "msg_id": "6", "latitude": "1"}
FORM = {"event": "chat_session_form_show", "form_request_id": "7", "form_name": "survey"}
TYPING = {"event": "chat_session_typing", "party_id": "A"}
CONNECTED = {"event": "chat_session_status", "state": "connected"}
ENDED = {"event": "chat_session_ended"}
OFFER = {"event": "chat_session_signaling", "party_id": "A", "data": {"type": "OFFER_CALL"}}


def effects_of(session: ChatSession, *items: dict[str, Any], now: float = 1.0) -> list[Any]:
    """Return the effects of events."""
    return [e for item in decode(list(items)) for e in session.receive(item, now=now)]


def checked(*items: dict[str, Any]) -> tuple[ChatSession, SessionChecker, list[Any]]:
    """Return a session, its checker, and its effects."""
    session, checker = ChatSession("chat-1"), SessionChecker()
    reported = effects_of(session, *items)
    checker.check(reported, session, now=1.0)
    return session, checker, reported


def test_a_correct_session_passes() -> None:
    """The session goes from the first party to the end."""
    session, checker, reported = checked(
        CONNECTED, PARTY, MESSAGE, MESSAGE, FILE, PLACE, FORM, OFFER
    )
    for order in (commands.SendText("good morning"), commands.SubmitForm("7", {"stars": "5"})):
        reported += (more := session.receive(order, now=2.0))
        checker.check(more, session, now=2.0)
    for items in ((TYPING,), ({**PARTY, "display_name": "Ann"}, ENDED), (MESSAGE,)):
        reported += (more := effects_of(session, *items, now=3.0))
        checker.check(more, session, now=3.0)
    assert checker.effects == len(reported)
    assert checker.is_over
    check_restore(session, now=3.0)


@pytest.mark.parametrize(
    ("items", "again", "sentence"),
    [
        ((MESSAGE,), 0, "message '2' was reported twice"),
        ((FILE,), 0, "file '4' was reported twice"),
        ((PLACE,), 0, "location '6' was reported twice"),
        ((PARTY,), 0, "party 'A' was added twice"),
        ((FORM,), 0, "form '7' was opened twice"),
        ((TYPING,), 0, "'A' started typing twice"),
        ((CONNECTED,), 0, "the state was connected, but changed from establishing"),
        ((OFFER,), -1, "the call was offered, not idle"),
        ((ENDED,), -1, "effect after Terminated: Terminated"),
    ],
)
def test_a_repeated_effect_is_found(
    items: tuple[dict[str, Any], ...], again: int, sentence: str
) -> None:
    """Each kind of effect is recognized by its identity."""
    session, checker, reported = checked(*items)
    with pytest.raises(AssertionError, match=sentence):
        checker.check([reported[again]], session, now=1.0)


def _party(**names: str) -> Any:
    session = ChatSession("chat-1")
    (added,) = effects_of(session, {**PARTY, **names})
    return added.party


def _form() -> Any:
    (opened,) = effects_of(ChatSession("chat-1"), FORM)
    return opened.form


@pytest.mark.parametrize(
    ("effect", "sentence"),
    [
        (effects.StateChanged("queued", "queued"), "changed from queued to itself"),
        (effects.CallChanged("idle", "idle"), "the call changed from idle to itself"),
        (effects.CallChanged("active", "ended"), "the call was idle, not active"),
        (effects.PartyChanged(_party()), "party 'A' changed, but was not added"),
        (effects.PartyRemoved(_party()), "party 'A' was removed, but not added"),
        (effects.TypingStopped("A", "timeout"), "'A' stopped typing, but had not started"),
        (effects.FormClosed(_form(), "expired"), "form '7' was closed, but not open"),
        (effects.PartyAdded(_party()), "the session's parties differ from the effects"),
        (effects.TypingStarted("A"), "the session's typists differ from the effects"),
        (effects.FormOpened(_form()), "the session's open forms differ from the effects"),
        (effects.CallChanged("idle", "offered"), "the call is idle, but offered by the effects"),
        (
            effects.StateChanged("ivr", "queued"),
            "the state is establishing, but queued by the effects",
        ),
        (
            effects.Terminated("ended"),
            "the session is over, but Terminated was not returned, or twice",
        ),
    ],
)
def test_an_effect_without_its_state_is_found(effect: Any, sentence: str) -> None:
    """An effect must agree with the session's properties."""
    session, checker, _ = checked()
    with pytest.raises(AssertionError, match=sentence):
        checker.check([effect], session, now=1.0)


def test_a_change_to_the_same_party_is_found() -> None:
    """`PartyChanged` must change the party."""
    session, checker, (added,) = checked(PARTY)
    with pytest.raises(AssertionError, match="party 'A' changed to the same"):
        checker.check([effects.PartyChanged(added.party)], session, now=1.0)


def test_an_end_without_terminated_is_found() -> None:
    """A session that is over must have reported `Terminated`."""
    session, checker, _ = checked()
    effects_of(session, ENDED)
    with pytest.raises(AssertionError, match="the session is over"):
        checker.check([], session, now=1.0)


def test_a_message_is_settled_once() -> None:
    """A message is either sent or failed, once."""
    session, checker, _ = checked()
    checker.check([effects.MessageSent("1")], session, now=1.0)
    with pytest.raises(AssertionError, match="message '1' was settled twice"):
        checker.check([effects.MessageFailed("1", "no")], session, now=1.0)


def test_a_message_without_an_id_may_repeat() -> None:
    """The same holds for every message, once the session has reported that it forgot ids."""
    nameless = {**MESSAGE, "msg_id": ""}
    session, checker, reported = checked(nameless, MESSAGE)
    checker.check([reported[0]], session, now=1.0)
    checker.check([effects.Anomaly("too_many_ids", "")], session, now=1.0)
    checker.check([reported[1]], session, now=1.0)
    assert checker.effects == 5


class WithOverrides:
    """A session or a client with some properties replaced."""

    def __init__(self, session: ChatSession, **overrides: Any) -> None:
        self._session, self._overrides = session, overrides

    def __getattr__(self, name: str) -> Any:
        overrides = self.__dict__["_overrides"]
        return overrides[name] if name in overrides else getattr(self.__dict__["_session"], name)


@pytest.mark.parametrize(
    ("items", "overrides", "sentence"),
    [
        ((), {"deadline": 1.0}, "an effect is due and was not returned"),
        ((TYPING,), {"deadline": None}, "a typing indicator has no deadline"),
        ((ENDED,), {"deadline": 9.0}, "the session is over, but has a deadline"),
        ((OFFER,), {"early_candidates": (1,) * 129}, "129 candidates, but the settings allow 128"),
        (
            (PARTY,),
            {"outbox": dict.fromkeys(range(257), "pending")},
            "257 messages unsent, but the settings allow 256",
        ),
        (
            (PARTY,),
            {"outbox": dict.fromkeys(range(513), "sent")},
            "513 messages remembered, but the settings allow 512",
        ),
        ((PARTY,), {"settings": Settings(max_parties=1)}, None),
    ],
)
def test_a_session_is_measured(
    items: tuple[dict[str, Any], ...], overrides: dict[str, Any], sentence: str | None
) -> None:
    """The deadline is checked, and the bounds of the settings."""
    session, checker = ChatSession("chat-1"), SessionChecker()
    reported = effects_of(session, *items)
    overridden: Any = WithOverrides(session, **overrides)
    if sentence is None:
        checker.check(reported, overridden, now=1.0)
        assert checker.effects == len(reported)
        return
    with pytest.raises(AssertionError, match=sentence):
        checker.check(reported, overridden, now=1.0)


@pytest.mark.parametrize(
    ("items", "was", "sentence"),
    [
        ((FORM,), {"forms": {"7"}}, "a typist or a form is left after the end"),
        ((OFFER,), {"call": "offered"}, "a call is left after the end"),
    ],
)
def test_forms_and_calls_do_not_survive_the_end(
    items: tuple[dict[str, Any], ...], was: dict[str, Any], sentence: str
) -> None:
    """No form and no call may be open."""
    session, checker, _ = checked(*items)
    reported = [e for e in effects_of(session, ENDED) if isinstance(e, effects.Terminated)]
    opened = {"forms": (_form(),)} if "forms" in was else was
    overridden: Any = WithOverrides(session, **opened, state="establishing")
    with pytest.raises(AssertionError, match=sentence):
        checker.check(reported, overridden, now=1.0)


def test_a_wrong_snapshot_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that cannot be restored, or gives a different session, is an error."""
    session, _, _ = checked(PARTY)

    def unreadable(*_args: Any, **_named: Any) -> Any:
        raise SnapshotError("no good")

    monkeypatch.setattr(ChatSession, "restore", unreadable)
    with pytest.raises(AssertionError, match="a snapshot cannot be restored: no good"):
        check_restore(session, now=1.0)
    monkeypatch.setattr(ChatSession, "restore", lambda *_args, **_named: ChatSession("chat-1"))
    with pytest.raises(AssertionError, match="differs from the original"):
        check_restore(session, now=1.0)
