"""`SessionChecker` and `check_restore` find errors, name them, and accept what is correct."""

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
    told = effects_of(session, *items)
    checker.check(told, session, now=1.0)
    return session, checker, told


def test_a_correct_session_passes() -> None:
    """From the first party to the end."""
    session, checker, told = checked(CONNECTED, PARTY, MESSAGE, MESSAGE, FILE, PLACE, FORM, OFFER)
    for order in (commands.SendText("good morning"), commands.SubmitForm("7", {"stars": "5"})):
        told += (more := session.receive(order, now=2.0))
        checker.check(more, session, now=2.0)
    for items in ((TYPING,), ({**PARTY, "display_name": "Ann"}, ENDED), (MESSAGE,)):
        told += (more := effects_of(session, *items, now=3.0))
        checker.check(more, session, now=3.0)
    assert checker.effects == len(told)
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
    """Each kind of effect, by its identity."""
    session, checker, told = checked(*items)
    with pytest.raises(AssertionError, match=sentence):
        checker.check([told[again]], session, now=1.0)


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
    """An effect that does not agree with the session's properties."""
    session, checker, _ = checked()
    with pytest.raises(AssertionError, match=sentence):
        checker.check([effect], session, now=1.0)


def test_a_change_to_the_same_party_is_found() -> None:
    """`PartyChanged` must change the party."""
    session, checker, (added,) = checked(PARTY)
    with pytest.raises(AssertionError, match="party 'A' changed to the same"):
        checker.check([effects.PartyChanged(added.party)], session, now=1.0)


def test_an_end_without_terminated_is_found() -> None:
    """A session that is over without `Terminated`."""
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
    """So may every message, once the session has reported that it forgot ids."""
    nameless = {**MESSAGE, "msg_id": ""}
    session, checker, told = checked(nameless, MESSAGE)
    checker.check([told[0]], session, now=1.0)
    checker.check([effects.Anomaly("too_many_ids", "")], session, now=1.0)
    checker.check([told[1]], session, now=1.0)
    assert checker.effects == 5


class Claims:
    """A session with some properties replaced."""

    def __init__(self, session: ChatSession, **claims: Any) -> None:
        self._session, self._claims = session, claims

    def __getattr__(self, name: str) -> Any:
        claims = self.__dict__["_claims"]
        return claims[name] if name in claims else getattr(self.__dict__["_session"], name)


@pytest.mark.parametrize(
    ("items", "claims", "sentence"),
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
    items: tuple[dict[str, Any], ...], claims: dict[str, Any], sentence: str | None
) -> None:
    """Its deadline, and the bounds of its settings."""
    session, checker = ChatSession("chat-1"), SessionChecker()
    told = effects_of(session, *items)
    claiming: Any = Claims(session, **claims)
    if sentence is None:
        checker.check(told, claiming, now=1.0)
        assert checker.effects == len(told)
        return
    with pytest.raises(AssertionError, match=sentence):
        checker.check(told, claiming, now=1.0)


@pytest.mark.parametrize(
    ("items", "was", "sentence"),
    [
        ((FORM,), {"forms": {"7"}}, "a typist or a form is left after the end"),
        ((OFFER,), {"call": "offered"}, "a call is left after the end"),
    ],
)
def test_nothing_survives_the_end(
    items: tuple[dict[str, Any], ...], was: dict[str, Any], sentence: str
) -> None:
    """Neither a form nor a call."""
    session, checker, _ = checked(*items)
    told = [e for e in effects_of(session, ENDED) if isinstance(e, effects.Terminated)]
    opened = {"forms": (_form(),)} if "forms" in was else was
    claiming: Any = Claims(session, **opened, state="establishing")
    with pytest.raises(AssertionError, match=sentence):
        checker.check(told, claiming, now=1.0)


def test_a_wrong_snapshot_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that cannot be restored, or gives a different session."""
    session, _, _ = checked(PARTY)

    def unreadable(*_args: Any, **_named: Any) -> Any:
        raise SnapshotError("no good")

    monkeypatch.setattr(ChatSession, "restore", unreadable)
    with pytest.raises(AssertionError, match="a snapshot cannot be restored: no good"):
        check_restore(session, now=1.0)
    monkeypatch.setattr(ChatSession, "restore", lambda *_args, **_named: ChatSession("chat-1"))
    with pytest.raises(AssertionError, match="differs from the original"):
        check_restore(session, now=1.0)
