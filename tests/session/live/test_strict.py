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
    from tests.session.live.conftest import Play

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

# What went before, and what then breaks the protocol.
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
def test_a_breach_raises_and_changes_nothing(plays: type[Play], case: str) -> None:
    """A strict session raises, naming the kind, and remembers exactly what it did before."""
    kind, before, breach = BREACHES[case]
    play = plays(strict=True, **SMALL)
    play.hears_batch(*before)
    memory, wake = play.recalls()

    with pytest.raises(RemoteProtocolError, match=f"^{kind}: ") as caught:
        play.hears_batch(breach)

    assert caught.value.kind == kind
    assert caught.value.effects == ()
    assert play.recalls() == (memory, wake)


def test_a_refused_text_of_a_history_answers_no_prompt(plays: type[Play]) -> None:
    """A text of a history that a strict session refuses leaves the open prompts as they are."""
    play = plays(strict=True)
    play.says("chat-1", "one", "2", timestamp=1)
    play.shows("7", "", timestamp=5)
    again = {**ANN_SAYS, "party_id": "chat-1", "timestamp": 9, "msg": "two"}

    with pytest.raises(RemoteProtocolError, match=r"^id_reused: "):
        play.receives(History(tuple(decode([again]))))

    assert [form.request_id for form in play.session.forms] == ["7"]


@pytest.mark.parametrize("case", BREACHES)
def test_a_breach_is_told_by_a_lenient_session(plays: type[Play], case: str) -> None:
    """What a strict session raises, a lenient one tells last, with the same kind and text."""
    kind, before, breach = BREACHES[case]
    lenient, strict = plays(**SMALL), plays(strict=True, **SMALL)
    for play in (lenient, strict):
        play.hears_batch(*before)

    told = lenient.hears_batch(breach)[-1]
    with pytest.raises(RemoteProtocolError) as caught:
        strict.hears_batch(breach)

    if kind == "unknown":
        assert told == UnknownReceived("chat_session_surprise", breach)
        assert str(caught.value) == "unknown: no event is called 'chat_session_surprise'"
    else:
        assert isinstance(told, Anomaly)
        assert told.kind == kind
        assert str(caught.value) == f"{kind}: {told.text}"
    assert lenient.session.counts.anomalies == (0 if kind == "unknown" else 1)


def test_every_kind_of_anomaly_is_met_here() -> None:
    """The breaches above are all the kinds there are, but for those that raise nowhere."""
    kinds = {kind for kind, _, _ in BREACHES.values()}

    assert kinds == {*get_args(AnomalyKind), "unknown"} - {
        "too_many_ids",
        "form_not_open",
        "unreadable_time",
    }


@pytest.mark.parametrize("case", BREACHES)
def test_a_strict_session_goes_on_after_a_breach(plays: type[Play], case: str) -> None:
    """After the error the session hears the next event as if there had been none."""
    _, before, breach = BREACHES[case]
    play, undisturbed = plays(strict=True, **SMALL), plays(strict=True, **SMALL)
    for each in (play, undisturbed):
        each.hears_batch(*before)
    with pytest.raises(RemoteProtocolError):
        play.hears_batch(breach)

    assert play.ends() == undisturbed.ends()
    assert play.session.counts == undisturbed.session.counts


# Those that stay breaches though more than one may type and more than one form may be open.
ROOMY = [
    case
    for case, (_, before, _) in BREACHES.items()
    if ANN_TYPES not in before and FORM not in before
]


@pytest.mark.parametrize("case", ROOMY)
def test_what_was_due_before_a_breach_stays_done(plays: type[Play], case: str) -> None:
    """The error carries what was due before the breach, and that is not undone."""
    _, before, breach = BREACHES[case]
    play = plays(strict=True, max_parties=1, max_candidates=1)
    play.hears_batch(*before)
    play.types("eve", at=0.0)
    play.shows("9", form_timeout="20")
    told = play.session.counts.effects

    with pytest.raises(RemoteProtocolError) as caught:
        play.hears_batch(breach, at=30.0)

    assert caught.value.effects == (
        FormClosed(Form("9", "survey", deadline=20.0), "expired"),
        TypingStopped("eve", "timeout"),
    )
    assert play.session.typing == ()
    assert play.session.forms == ()
    assert play.session.deadline is None
    assert play.session.counts.effects == told + 2


def test_what_was_due_makes_room(plays: type[Play]) -> None:
    """A typist or form is not one too many where what is due makes room for it."""
    play = plays(strict=True, **SMALL)
    play.types("ann", at=0.0)
    play.shows("7", form_timeout="20")

    assert play.types("bob", at=30.0) == [
        FormClosed(Form("7", "survey", deadline=20.0), "expired"),
        TypingStopped("ann", "timeout"),
        TypingStarted("bob"),
    ]
    assert play.shows("8") == [FormOpened(Form("8", "survey"))]


def test_a_breach_in_a_history_costs_nothing_else(strict: Play) -> None:
    """What a page tells before and after a breach is in the error, and the present is none."""
    one, other = ({**ANN_SAYS, "msg_id": msg_id} for msg_id in ("2", "4"))
    page = decode([one, {**one, "msg": "two"}, ANN_TYPES, {"event": "surprise"}, other])
    strict.types("eve", at=0.0)

    with pytest.raises(RemoteProtocolError, match="id_reused") as caught:
        strict.receives(History(page), at=30.0)

    stopped, *told = caught.value.effects
    assert stopped == TypingStopped("eve", "timeout")
    assert all(isinstance(effect, MessageReceived) and effect.replayed for effect in told)
    assert [effect.message.msg_id for effect in told] == ["2", "4"]
    assert strict.session.counts.events == 4
    assert strict.says("ann", "without an id") == strict.says("ann", "without an id")
    with pytest.raises(RemoteProtocolError) as caught:
        strict.receives(History(page))
    assert caught.value.effects == ()


def test_a_strict_session_tells_what_is_no_breach(strict: Play) -> None:
    """Duplicates, old leavings and answers to dead forms raise nothing."""
    strict.joins("ann", timestamp="100")
    strict.joins("ann", timestamp="100")
    strict.says("ann", "one", "2")
    strict.says("ann", "one", "2")
    strict.leaves("ann", timestamp="200")
    strict.leaves("ann", timestamp="200")
    strict.joins("ann", timestamp="100")
    strict.hears("not_typing", party_id="zoe")
    strict.hears("form_data", form_request_id="7")
    strict.signals("END_CALL")
    strict.signals("TELEPATHY")

    assert strict.session.counts.duplicates == 4
    assert strict.status("connected") == [StateChanged("establishing", "connected")]


@pytest.mark.parametrize("odd", [{"event": "chat_session_surprise"}, 7])
def test_a_breach_is_one_each_time_that_a_history_brings_it(plays: type[Play], odd: object) -> None:
    """What was raised was not told, so it is not taken for told when its page comes again."""
    play = plays(strict=True)
    memory = play.recalls()

    for _ in range(2):
        with pytest.raises(RemoteProtocolError):
            play.receives(History(decode([odd])))

    assert play.recalls() == memory
