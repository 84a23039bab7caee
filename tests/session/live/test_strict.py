from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest

from chatfsm import History, RemoteProtocolError, decode
from chatfsm.effects import (
    Anomaly,
    AnomalyKind,
    FormClosed,
    FormOpened,
    MessageReceived,
    StateChanged,
    TypingStarted,
    TypingStopped,
    UnknownReceived,
)
from chatfsm.models import Form

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness

Wire = dict[str, Any]

SMALL = {"max_parties": 1, "max_typists": 1, "max_forms": 1, "max_candidates": 1}
CONNECTED: Wire = {"event": "chat_session_status", "state": "connected"}
ANN_JOINS: Wire = {"event": "chat_session_party_joined", "party_id": "ann"}
ANN_TYPES: Wire = {"event": "chat_session_typing", "party_id": "ann"}
ANN_SAYS: Wire = {
    "event": "chat_session_message",
    "party_id": "ann",
    "msg_id": "2",
    "msg": "one",
}
FORM: Wire = {"event": "chat_session_form_show", "form_request_id": "7", "timestamp": "100"}
CANDIDATE: Wire = {
    "event": "chat_session_signaling",
    "data": {"type": "ICE_CANDIDATE", "candidate": "a"},
}
COBROWSING: Wire = {"event": "chat_session_cobrowsing_requested", "msg_id": "2"}

# Kind, the events before, and the event that breaks the protocol.
BREACHES: dict[str, tuple[str, list[Wire], object]] = {
    "unexpected transition": (
        "unexpected_transition",
        [CONNECTED],
        {"event": "chat_session_status", "state": "establishing", "ewt": "5"},
    ),
    "unknown state": (
        "unknown_state",
        [CONNECTED],
        {"event": "chat_session_status", "state": "paused", "ewt": "5"},
    ),
    "unknown party": (
        "unknown_party",
        [ANN_JOINS],
        {"event": "chat_session_party_left", "party_id": "bob"},
    ),
    "unknown party that types": (
        "unknown_party",
        [ANN_TYPES],
        {"event": "chat_session_party_left", "party_id": "ann"},
    ),
    "malformed": ("malformed", [ANN_JOINS], {"event": "chat_session_typing"}),
    "no object": ("malformed", [ANN_JOINS], 7),
    "message id reused": ("id_reused", [ANN_SAYS, ANN_TYPES], {**ANN_SAYS, "msg": "two"}),
    "own message id reused": (
        "id_reused",
        [{**ANN_SAYS, "party_id": "chat-1", "timestamp": 5}],
        {**ANN_SAYS, "party_id": "chat-1", "timestamp": 9, "msg": "two"},
    ),
    "file id reused": (
        "id_reused",
        [{"event": "chat_session_file", "msg_id": "2", "file_id": "f-1"}],
        {"event": "chat_session_file", "msg_id": "2", "file_id": "f-2"},
    ),
    "location id reused": (
        "id_reused",
        [{"event": "chat_session_location", "msg_id": "2", "latitude": 1}],
        {"event": "chat_session_location", "msg_id": "2", "latitude": 2},
    ),
    "signal id reused": (
        "id_reused",
        [{**CANDIDATE, "msg_id": "2"}],
        {**CANDIDATE, "msg_id": "2", "data": {"type": "OFFER_CALL"}},
    ),
    "cobrowsing id reused": (
        "id_reused",
        [COBROWSING],
        {**COBROWSING, "event": "chat_session_cobrowsing_started"},
    ),
    "too many parties": ("too_many_parties", [ANN_JOINS], {**ANN_JOINS, "party_id": "bob"}),
    "too many typists": ("too_many_typists", [ANN_TYPES], {**ANN_TYPES, "party_id": "bob"}),
    "too many forms": ("too_many_forms", [FORM], {**FORM, "form_request_id": "8"}),
    "too many candidates": ("too_many_candidates", [CANDIDATE], CANDIDATE),
    "too many candidates with ids": (
        "too_many_candidates",
        [{**CANDIDATE, "msg_id": "2"}],
        {**CANDIDATE, "msg_id": "4"},
    ),
    "unknown": ("unknown", [ANN_JOINS], {"event": "chat_session_surprise"}),
}


@pytest.mark.parametrize("case", BREACHES)
def test_a_breach_raises_and_changes_nothing(make_harness: type[Harness], case: str) -> None:
    """A strict session raises with the kind of the breach, and its state is unchanged."""
    kind, before, breach = BREACHES[case]
    harness = make_harness(strict=True, **SMALL)
    harness.feed_batch(*before)
    memory, wake = harness.copy_state()

    with pytest.raises(RemoteProtocolError, match=f"^{kind}: ") as caught:
        harness.feed_batch(breach)

    assert caught.value.kind == kind
    assert caught.value.effects == ()
    assert harness.copy_state() == (memory, wake)


def test_a_refused_text_of_a_history_answers_no_prompt(make_harness: type[Harness]) -> None:
    """A text of a history that a strict session refuses leaves the open prompts unchanged."""
    harness = make_harness(strict=True)
    harness.message("chat-1", "one", "2", timestamp=1)
    harness.show_form("7", "", timestamp=5)
    again = {**ANN_SAYS, "party_id": "chat-1", "timestamp": 9, "msg": "two"}

    with pytest.raises(RemoteProtocolError, match=r"^id_reused: "):
        harness.receive(History(tuple(decode([again]))))

    assert [form.request_id for form in harness.session.forms] == ["7"]


@pytest.mark.parametrize("case", BREACHES)
def test_a_breach_is_reported_by_a_lenient_session(make_harness: type[Harness], case: str) -> None:
    """The error of a strict session has the kind and text that a lenient session reports last."""
    kind, before, breach = BREACHES[case]
    lenient, strict = make_harness(**SMALL), make_harness(strict=True, **SMALL)
    for harness in (lenient, strict):
        harness.feed_batch(*before)

    reported = lenient.feed_batch(breach)[-1]
    with pytest.raises(RemoteProtocolError) as caught:
        strict.feed_batch(breach)

    if kind == "unknown":
        assert reported == UnknownReceived("chat_session_surprise", breach)
        assert str(caught.value) == "unknown: no event is called 'chat_session_surprise'"
    else:
        assert isinstance(reported, Anomaly)
        assert reported.kind == kind
        assert str(caught.value) == f"{kind}: {reported.text}"
    assert lenient.session.counts.anomalies == (0 if kind == "unknown" else 1)


def test_every_kind_of_anomaly_is_covered() -> None:
    """The breaches above are of all kinds but those that never raise."""
    kinds = {kind for kind, _, _ in BREACHES.values()}

    assert kinds == {*get_args(AnomalyKind), "unknown"} - {
        "too_many_ids",
        "form_not_open",
        "unreadable_time",
    }


@pytest.mark.parametrize("case", BREACHES)
def test_a_strict_session_goes_on_after_a_breach(make_harness: type[Harness], case: str) -> None:
    """After the error a strict session handles the next event as if there had been no breach."""
    _, before, breach = BREACHES[case]
    harness, undisturbed = make_harness(strict=True, **SMALL), make_harness(strict=True, **SMALL)
    for each in (harness, undisturbed):
        each.feed_batch(*before)
    with pytest.raises(RemoteProtocolError):
        harness.feed_batch(breach)

    assert harness.end() == undisturbed.end()
    assert harness.session.counts == undisturbed.session.counts


# Those that stay breaches if more than one party may type and more than one form may be open.
WITHOUT_BOUNDS = [
    case
    for case, (_, before, _) in BREACHES.items()
    if ANN_TYPES not in before and FORM not in before
]


@pytest.mark.parametrize("case", WITHOUT_BOUNDS)
def test_effects_due_before_a_breach_are_not_undone(make_harness: type[Harness], case: str) -> None:
    """The error has the effects that were due before the breach, and they are not undone."""
    _, before, breach = BREACHES[case]
    harness = make_harness(strict=True, max_parties=1, max_candidates=1)
    harness.feed_batch(*before)
    harness.typing("eve", at=0.0)
    harness.show_form("9", form_timeout="20")
    reported = harness.session.counts.effects

    with pytest.raises(RemoteProtocolError) as caught:
        harness.feed_batch(breach, at=30.0)

    assert caught.value.effects == (
        FormClosed(Form("9", "survey", deadline=20.0), "expired"),
        TypingStopped("eve", "timeout"),
    )
    assert harness.session.typing == ()
    assert harness.session.forms == ()
    assert harness.session.deadline is None
    assert harness.session.counts.effects == reported + 2


def test_a_due_effect_makes_space(make_harness: type[Harness]) -> None:
    """A typing party or form is not one too many if a due effect makes space for it."""
    harness = make_harness(strict=True, **SMALL)
    harness.typing("ann", at=0.0)
    harness.show_form("7", form_timeout="20")

    assert harness.typing("bob", at=30.0) == [
        FormClosed(Form("7", "survey", deadline=20.0), "expired"),
        TypingStopped("ann", "timeout"),
        TypingStarted("bob"),
    ]
    assert harness.show_form("8") == [FormOpened(Form("8", "survey"))]


def test_a_breach_in_a_history_affects_no_other_event(strict: Harness) -> None:
    """The error of a history has the effects of its other events, and the session goes on."""
    one, other = ({**ANN_SAYS, "msg_id": msg_id} for msg_id in ("2", "4"))
    page = decode([one, {**one, "msg": "two"}, ANN_TYPES, {"event": "surprise"}, other])
    strict.typing("eve", at=0.0)

    with pytest.raises(RemoteProtocolError, match="id_reused") as caught:
        strict.receive(History(page), at=30.0)

    stopped, *reported = caught.value.effects
    assert stopped == TypingStopped("eve", "timeout")
    assert all(isinstance(effect, MessageReceived) and effect.replayed for effect in reported)
    assert [effect.message.msg_id for effect in reported] == ["2", "4"]
    assert strict.session.counts.events == 4
    assert strict.message("ann", "without an id") == strict.message("ann", "without an id")
    with pytest.raises(RemoteProtocolError) as caught:
        strict.receive(History(page))
    assert caught.value.effects == ()


def test_a_strict_session_raises_only_for_breaches(strict: Harness) -> None:
    """Duplicates, stale leaves and answers to closed forms raise nothing."""
    strict.join("ann", timestamp="100")
    strict.join("ann", timestamp="100")
    strict.message("ann", "one", "2")
    strict.message("ann", "one", "2")
    strict.leave("ann", timestamp="200")
    strict.leave("ann", timestamp="200")
    strict.join("ann", timestamp="100")
    strict.feed("not_typing", party_id="zoe")
    strict.feed("form_data", form_request_id="7")
    strict.signal("END_CALL")
    strict.signal("TELEPATHY")

    assert strict.session.counts.duplicates == 4
    assert strict.status("connected") == [StateChanged("establishing", "connected")]


@pytest.mark.parametrize("odd", [{"event": "chat_session_surprise"}, 7])
def test_a_breach_in_a_history_raises_each_time(make_harness: type[Harness], odd: object) -> None:
    """A breach of a history is not remembered, so the same history raises again."""
    harness = make_harness(strict=True)
    memory = harness.copy_state()

    for _ in range(2):
        with pytest.raises(RemoteProtocolError):
            harness.receive(History(decode([odd])))

    assert harness.copy_state() == memory
