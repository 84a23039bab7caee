"""The call, as far as signaling tells; media are the app's."""

from __future__ import annotations

from typing import Final

from chatfsm.protocol import events, signaling
from chatfsm.session import law
from chatfsm.session.effects import CallChanged, SignalReceived
from chatfsm.session.identity import content_of, is_repeat, speaker_of
from chatfsm.session.plain import to_plain, written
from chatfsm.session.state import Turn

_TRIGGERS: Final[dict[type, str]] = {
    signaling.CallRequest: "request_call",
    signaling.CallOffer: "offer_call",
    signaling.CallAnswer: "answer_call",
    signaling.CallRejection: "call_rejected",
    signaling.CallEnd: "end_call",
}

# Before the answer, the other side's candidates cannot be used yet (PROTOCOL.md §4).
_EARLY: Final = frozenset({"idle", "requested", "offered"})


def repeated(turn: Turn, event: events.Signaling) -> bool:
    """Whether this very signal was told before."""
    content = content_of(written(event.signal))
    speaker = speaker_of(turn.memory, event.party_id, "signal")
    return is_repeat(turn, speaker, event.msg_id, content)


def signalled(turn: Turn, event: events.Signaling) -> None:
    """Tell a signal, and what it makes of the call; a move that is in no table is none."""
    signal = event.signal
    if isinstance(signal, signaling.IceCandidate) and turn.memory.call in _EARLY:
        _keep(turn, signal)
    turn.tell(SignalReceived(event.party_id, signal))
    _move(turn, _TRIGGERS.get(type(signal), ""))


def cut(turn: Turn, _event: events.Event) -> None:
    """No call outlives the session."""
    if turn.memory.state in law.OUTCOMES:
        _move(turn, "termination")


def _move(turn: Turn, trigger: str) -> None:
    memory = turn.memory
    destination = law.CALL.moves[memory.call].get(trigger)
    if destination is not None:
        previous, memory.call = memory.call, destination
        if destination not in _EARLY:
            memory.candidates = None
        turn.tell(CallChanged(previous, destination))


def _keep(turn: Turn, candidate: signaling.IceCandidate) -> None:
    kept = turn.memory.candidates or []
    if len(kept) >= turn.settings.max_candidates:
        text = f"more than {turn.settings.max_candidates} candidates before the answer"
        turn.report("too_many_candidates", text, to_plain(candidate))
    else:
        turn.memory.candidates = [*kept, candidate]
