"""Calls: the voice or video call, as far as signaling describes it; media belong to the app."""

from __future__ import annotations

import json
from typing import Final, TypeGuard, cast

from attrs import evolve

from chatfsm import commands, events, signaling
from chatfsm._plain import json_safe, snake_case, to_plain
from chatfsm._protocol.codec import decode_item, encode
from chatfsm._protocol.structuring import LONGEST_NAME
from chatfsm._session import tables
from chatfsm._session.changes import EARLY_STATES, move_call
from chatfsm._session.duplicates import (
    is_duplicate,
    is_seen,
    remember,
    scope_for,
    value_fingerprint,
)
from chatfsm._session.outbox import check_msg_id, observe_own_id, take_msg_id
from chatfsm._session.state import SessionState
from chatfsm.effects import Effect, SignalReceived
from chatfsm.errors import LocalProtocolError

TRIGGERS: Final[dict[type, str]] = {
    signaling.CallRequest: "request_call",
    signaling.CallOffer: "offer_call",
    signaling.CallAnswer: "answer_call",
    signaling.CallRejection: "call_rejected",
    signaling.CallEnd: "end_call",
    commands.RequestCall: "request_call",
    commands.AnswerCall: "answer",
    commands.RejectCall: "reject",
    commands.SendCandidate: "candidate",
    commands.EndCall: "hang_up",
}

CallCommand = (
    commands.RequestCall
    | commands.AnswerCall
    | commands.RejectCall
    | commands.SendCandidate
    | commands.EndCall
)


# DESIGN §3: signaling → `SignalReceived`; `CallChanged` by the call's table; early candidates are
# kept until the answer.
def signaling_event(session: SessionState, event: events.Signaling, effects: list[Effect]) -> None:
    """Report a signal, and move the call."""
    signal, msg_id = event.signal, event.msg_id
    content = value_fingerprint(signal)
    scope = scope_for(session, event.party_id, "signal")
    observe_own_id(session, event)
    if msg_id and is_seen(session, scope, msg_id, content):
        session.count_duplicate(event, effects)
        return
    is_full = len(session.call.candidates) >= session.settings.max_candidates
    if _is_early(signal, session) and is_full:
        text = f"more than {session.settings.max_candidates} ICE candidates before the answer"
        session.report_violation("too_many_candidates", text, to_plain(signal))
    # Remembers the signal: a duplicate has returned above.
    is_duplicate(session, scope, msg_id, content, event, effects)
    if _is_early(signal, session) and not is_full:
        _keep_candidate(session, signal)
    if isinstance(signal, signaling.CallOffer) and not session.is_own(event.party_id):
        session.call = evolve(session.call, party=event.party_id)
    effects.append(SignalReceived(event.party_id, signal))
    move_call(session, TRIGGERS.get(type(signal), ""), effects)


def merge_signaling(session: SessionState, event: events.Signaling, _effects: list[Effect]) -> None:
    """Note the customer's ids in a history; its signals are over, and are not reported."""
    observe_own_id(session, event)


def _is_early(signal: signaling.Signal, session: SessionState) -> TypeGuard[signaling.IceCandidate]:
    """Whether a candidate comes before the call's answer, and cannot be used yet (§4)."""
    return isinstance(signal, signaling.IceCandidate) and session.call.state in EARLY_STATES


def _keep_candidate(session: SessionState, candidate: signaling.IceCandidate) -> None:
    """Keep a candidate for the answer, with its unknown fields if they are short."""
    extra = cast("dict[str, object]", json_safe(candidate.extra))
    if extra and len(json.dumps(extra)) > LONGEST_NAME:
        extra = {}
    call = session.call
    session.call = evolve(call, candidates=(*call.candidates, evolve(candidate, extra=extra)))


# Commands.


def check_call(session: SessionState, command: CallCommand) -> None:
    """Refuse a command that the call's state does not allow. Raises `LocalProtocolError`."""
    if TRIGGERS[type(command)] not in tables.CALL.moves[session.call.state]:
        verb = snake_case(type(command)).replace("_", " ")
        raise LocalProtocolError(f"cannot {verb}: the call is {session.call.state}")
    check_msg_id(session, command)


def send_call_command(session: SessionState, command: CallCommand, effects: list[Effect]) -> None:
    """Send a signal to the party that offered the call, and move the call."""
    _send_signal(session, command)
    if isinstance(command, commands.RejectCall):
        # A client that rejects sends CALL_REJECTED, then END_CALL (PROTOCOL.md §4).
        _send_signal(session, commands.EndCall(destination_party_id=command.destination_party_id))
    move_call(session, TRIGGERS[type(command)], effects)


def request_contact(
    session: SessionState,
    command: commands.RequestPhoneCall | commands.RequestSms,
    _effects: list[Effect],
) -> None:
    """Ask for a phone call or an SMS chat, which is no call of this session."""
    _send_signal(session, command)


def _send_signal(
    session: SessionState, command: CallCommand | commands.RequestPhoneCall | commands.RequestSms
) -> None:
    """Queue a signal, and remember it, so that its echo is a duplicate."""
    to = command.destination_party_id or session.call.party
    event = encode(evolve(command, msg_id=take_msg_id(session, command), destination_party_id=to))
    session.queue_event(event)
    echo = cast("events.Signaling", decode_item({**event, "party_id": session.chat_id}))
    scope = scope_for(session, session.chat_id, "signal")
    remember(session, scope, str(event["msg_id"]), value_fingerprint(echo.signal))
