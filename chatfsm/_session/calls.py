"""Calls: the voice or video call as far as signaling shows it; media are the app's."""

from __future__ import annotations

import json
from typing import Final, TypeGuard, cast

from attrs import evolve

from chatfsm import commands, events, signaling
from chatfsm._plain import json_safe, snake_case, to_plain
from chatfsm._protocol.codec import decode_item, encode
from chatfsm._protocol.structuring import LONGEST_NAME
from chatfsm._session import tables
from chatfsm._session.duplicates import (
    Seen,
    is_duplicate,
    lookup,
    remember,
    scope_for,
    value_fingerprint,
)
from chatfsm._session.outbox import check_msg_id, observe_own_id, take_msg_id
from chatfsm._session.state import Call, Turn
from chatfsm.effects import CallChanged, SignalReceived
from chatfsm.errors import LocalProtocolError

_SIGNAL_TRIGGERS: Final[dict[type, str]] = {
    signaling.CallRequest: "request_call",
    signaling.CallOffer: "offer_call",
    signaling.CallAnswer: "answer_call",
    signaling.CallRejection: "call_rejected",
    signaling.CallEnd: "end_call",
}

CallCommand = (
    commands.RequestCall
    | commands.AnswerCall
    | commands.RejectCall
    | commands.SendCandidate
    | commands.EndCall
)

_COMMAND_TRIGGERS: Final[dict[type, str]] = {
    commands.RequestCall: "request_call",
    commands.AnswerCall: "answer",
    commands.RejectCall: "reject",
    commands.SendCandidate: "candidate",
    commands.EndCall: "hang_up",
}

# Before the answer, the other side's candidates cannot be used yet (PROTOCOL.md §4).
_EARLY: Final = frozenset({"idle", "requested", "offered"})


def is_signal_duplicate(turn: Turn, event: events.Signaling) -> bool:
    """Whether this signal was reported before."""
    content = value_fingerprint(event.signal)
    scope = scope_for(turn.memory, event.party_id, "signal")
    observe_own_id(turn, event)
    if event.msg_id and lookup(turn.memory, scope, event.msg_id, content) is Seen.SAME:
        return turn.count_duplicate()
    _report_overflow(turn, event.signal)
    return is_duplicate(turn, scope, event.msg_id, content)


def on_signal(turn: Turn, event: events.Signaling) -> None:
    """Report a signal and the transition of the call, if the table has one."""
    signal = event.signal
    if _is_early(signal, turn) and not _is_full(turn):
        _keep_candidate(turn, signal)
    if isinstance(signal, signaling.CallOffer) and not turn.memory.is_own(event.party_id):
        turn.memory.call = evolve(turn.memory.call, party=event.party_id)
    turn.effects.append(SignalReceived(event.party_id, signal))
    _transition(turn, _SIGNAL_TRIGGERS.get(type(signal), ""))


def check_call(turn: Turn, command: CallCommand) -> None:
    """Refuse a command that the state of the call does not allow."""
    trigger = _COMMAND_TRIGGERS[type(command)]
    if trigger not in tables.CALL.moves[turn.memory.call.state]:
        what = snake_case(type(command)).replace("_", " ")
        raise LocalProtocolError(f"cannot {what}: the call is {turn.memory.call.state}")
    check_msg_id(turn, command)


def send_call_signal(turn: Turn, command: CallCommand) -> None:
    """Send the signal of a command to the party that offered the call."""
    _send_signal(turn, command)
    if isinstance(command, commands.RejectCall):
        # A client that rejects sends both signals (PROTOCOL.md §4).
        _send_signal(turn, commands.EndCall(destination_party_id=command.destination_party_id))
    _transition(turn, _COMMAND_TRIGGERS[type(command)])


def request_contact(turn: Turn, command: commands.RequestPhoneCall | commands.RequestSms) -> None:
    """Request a phone call or a text message; neither is a call of this session."""
    _send_signal(turn, command)


def _send_signal(
    turn: Turn, command: CallCommand | commands.RequestPhoneCall | commands.RequestSms
) -> None:
    """Send a signal and remember it, so that its echo is a duplicate."""
    memory = turn.memory
    to = command.destination_party_id or memory.call.party
    event = encode(evolve(command, msg_id=take_msg_id(turn, command), destination_party_id=to))
    turn.queue_event(event)
    echo = cast("events.Signaling", decode_item({**event, "party_id": memory.chat_id}))
    scope = scope_for(memory, memory.chat_id, "signal")
    remember(turn, scope, str(event["msg_id"]), value_fingerprint(echo.signal))


def end_with_session(turn: Turn, _item: object) -> None:
    """End the call, because the session is over."""
    _transition(turn, "termination")


def _transition(turn: Turn, trigger: str) -> None:
    call = turn.memory.call
    destination = tables.CALL.moves[call.state].get(trigger, call.state)
    if destination != call.state:
        turn.memory.call = Call(
            destination,
            None if destination in {"ended", "rejected"} else call.party,
            call.candidates if destination in _EARLY else (),
        )
        turn.effects.append(CallChanged(call.state, destination))


def _is_early(signal: signaling.Signal, turn: Turn) -> TypeGuard[signaling.IceCandidate]:
    return isinstance(signal, signaling.IceCandidate) and turn.memory.call.state in _EARLY


def _is_full(turn: Turn) -> bool:
    return len(turn.memory.call.candidates) >= turn.settings.max_candidates


def _report_overflow(turn: Turn, signal: signaling.Signal) -> None:
    if _is_early(signal, turn) and _is_full(turn):
        text = f"more than {turn.settings.max_candidates} ICE candidates before the answer"
        turn.report_violation("too_many_candidates", text, to_plain(signal))


def _keep_candidate(turn: Turn, candidate: signaling.IceCandidate) -> None:
    """Keep a candidate for the answer; unknown fields only if they are short."""
    extra = cast("dict[str, object]", json_safe(candidate.extra))
    if extra and len(json.dumps(extra)) > LONGEST_NAME:
        extra = {}
    call = turn.memory.call
    turn.memory.call = evolve(call, candidates=(*call.candidates, evolve(candidate, extra=extra)))
