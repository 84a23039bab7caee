"""The watchers see what is wrong, say it in a sentence, and are silent where nothing is."""

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


def heard(session: ChatSession, *items: dict[str, Any], now: float = 1.0) -> list[Any]:
    """What a session tells of events."""
    return [e for item in decode(list(items)) for e in session.receive(item, now=now)]


def watched(*items: dict[str, Any]) -> tuple[ChatSession, SessionChecker, list[Any]]:
    """A session, who watched it, and what it told."""
    session, watcher = ChatSession("chat-1"), SessionChecker()
    told = heard(session, *items)
    watcher.check(told, session, now=1.0)
    return session, watcher, told


def test_a_session_that_does_well_is_left_alone() -> None:
    """From the first party to the end."""
    session, watcher, told = watched(CONNECTED, PARTY, MESSAGE, MESSAGE, FILE, PLACE, FORM, OFFER)
    for order in (commands.SendText("good morning"), commands.SubmitForm("7", {"stars": "5"})):
        told += (more := session.receive(order, now=2.0))
        watcher.check(more, session, now=2.0)
    for items in ((TYPING,), ({**PARTY, "display_name": "Ann"}, ENDED), (MESSAGE,)):
        told += (more := heard(session, *items, now=3.0))
        watcher.check(more, session, now=3.0)
    assert watcher.effects == len(told)
    assert watcher.is_over
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
def test_what_is_told_twice_is_seen(
    items: tuple[dict[str, Any], ...], again: int, sentence: str
) -> None:
    """Whatever it is, by its identity."""
    session, watcher, told = watched(*items)
    with pytest.raises(AssertionError, match=sentence):
        watcher.check([told[again]], session, now=1.0)


def _party(**names: str) -> Any:
    session = ChatSession("chat-1")
    (added,) = heard(session, {**PARTY, **names})
    return added.party


def _form() -> Any:
    (opened,) = heard(ChatSession("chat-1"), FORM)
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
def test_what_is_not_so_is_seen(effect: Any, sentence: str) -> None:
    """What was told, and the session knows nothing of."""
    session, watcher, _ = watched()
    with pytest.raises(AssertionError, match=sentence):
        watcher.check([effect], session, now=1.0)


def test_a_party_that_changes_to_the_same_is_seen() -> None:
    """A change is a change."""
    session, watcher, (added,) = watched(PARTY)
    with pytest.raises(AssertionError, match="party 'A' changed to the same"):
        watcher.check([effects.PartyChanged(added.party)], session, now=1.0)


def test_an_end_that_nobody_told_is_seen() -> None:
    """A session that is over without a word."""
    session, watcher, _ = watched()
    heard(session, ENDED)
    with pytest.raises(AssertionError, match="the session is over"):
        watcher.check([], session, now=1.0)


def test_a_message_is_settled_once() -> None:
    """It has arrived or it was refused, and that is that."""
    session, watcher, _ = watched()
    watcher.check([effects.MessageSent("1")], session, now=1.0)
    with pytest.raises(AssertionError, match="message '1' was settled twice"):
        watcher.check([effects.MessageFailed("1", "no")], session, now=1.0)


def test_what_has_no_id_may_be_said_again() -> None:
    """And so may everything, once the session has said that it forgets."""
    nameless = {**MESSAGE, "msg_id": ""}
    session, watcher, told = watched(nameless, MESSAGE)
    watcher.check([told[0]], session, now=1.0)
    watcher.check([effects.Anomaly("too_many_ids", "")], session, now=1.0)
    watcher.check([told[1]], session, now=1.0)
    assert watcher.effects == 5


class Claims:
    """A session that says of itself what it is told to."""

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
    """Its deadline, and its memory."""
    session, watcher = ChatSession("chat-1"), SessionChecker()
    told = heard(session, *items)
    claiming: Any = Claims(session, **claims)
    if sentence is None:
        watcher.check(told, claiming, now=1.0)
        assert watcher.effects == len(told)
        return
    with pytest.raises(AssertionError, match=sentence):
        watcher.check(told, claiming, now=1.0)


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
    session, watcher, _ = watched(*items)
    told = [e for e in heard(session, ENDED) if isinstance(e, effects.Terminated)]
    opened = {"forms": (_form(),)} if "forms" in was else was
    claiming: Any = Claims(session, **opened, state="establishing")
    with pytest.raises(AssertionError, match=sentence):
        watcher.check(told, claiming, now=1.0)


def test_a_snapshot_that_is_no_good_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot be read, or that makes another session."""
    session, _, _ = watched(PARTY)

    def unreadable(*_args: Any, **_named: Any) -> Any:
        raise SnapshotError("no good")

    monkeypatch.setattr(ChatSession, "restore", unreadable)
    with pytest.raises(AssertionError, match="a snapshot cannot be restored: no good"):
        check_restore(session, now=1.0)
    monkeypatch.setattr(ChatSession, "restore", lambda *_args, **_named: ChatSession("chat-1"))
    with pytest.raises(AssertionError, match="differs from the original"):
        check_restore(session, now=1.0)
