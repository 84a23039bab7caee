"""Events of a chat: from the customer, to the customer, and the inactivity timeout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chatfsm._protocol import names as wire
from chatfsm.simulator.polling import add_pending, answer_held_poll
from chatfsm.simulator.state import CenterChat, CenterState, ChatEnd
from chatfsm.simulator.wire_events import WireEvent, delivered, ended, inactive, warning

__all__ = [
    "add_to_history",
    "check_inactivity",
    "inactivity_deadlines",
    "note_activity",
    "notify_observer",
    "receive_event",
    "send_events",
]

# Source: PROTOCOL.md §3. Other events of a customer are in no history.
_IN_HISTORY: Final = frozenset(
    {
        wire.MESSAGE,
        wire.FORM_DATA,
        wire.FORM_DATA_CANCEL,
        wire.SECURE_FORM_DATA,
        wire.SECURE_FORM_CANCEL,
        wire.SIGNALING,
        wire.FILE,
        wire.LOCATION,
        wire.NAVIGATION,
        wire.COBROWSING_REJECTED,
        wire.COBROWSING_STARTED,
        wire.COBROWSING_ENDED,
        wire.DISCONNECT,
        wire.END,
    }
)
_RECEIPTS: Final = {
    wire.MESSAGE_DELIVERED: "delivered",
    wire.MESSAGE_READ: "read",
}


def receive_event(state: CenterState, chat: CenterChat, event: WireEvent) -> None:
    """Handle one event of the customer's: history, receipt, and the answer of the player.

    After the session's end the event is only kept.
    """
    chat.customer_events.append(event)
    del chat.customer_events[: -state.settings.max_history]
    recorded = _history_form(state, chat, event)
    if event["event"] in _IN_HISTORY:
        add_to_history(state, chat, recorded)
    notify_observer(state, chat, recorded)
    state.dirty[chat.chat_id] = None
    if chat.is_over:
        return
    if event["event"] in _RECEIPTS:
        _note_receipt(state, chat, event)
    else:
        note_activity(state, chat)
    if event["event"] == wire.MESSAGE:
        send_events(state, chat, _delivery_receipt(chat, event))
    if event["event"] == wire.END:
        send_events(state, chat, [ended()])
    else:
        send_events(state, chat, chat.player.receive(event, now=state.now))


def _history_form(state: CenterState, chat: CenterChat, event: WireEvent) -> WireEvent:
    """Return the event with the chat's id and a time, without the answers to a secure form."""
    written = {**event, "party_id": chat.chat_id, "timestamp": state.timestamp}
    if event["event"] == wire.SECURE_FORM_DATA and "data" in event:
        written["data"] = {}
    return written


def _note_receipt(state: CenterState, chat: CenterChat, event: WireEvent) -> None:
    subject = event.get("ref_msg_id") or event.get("msg_id")
    if subject is None:
        return
    chat.receipts[str(subject)] = _RECEIPTS[event["event"]]
    while len(chat.receipts) > state.settings.max_history:
        del chat.receipts[next(iter(chat.receipts))]


def _delivery_receipt(chat: CenterChat, event: WireEvent) -> list[dict[str, Any]]:
    """Return the delivery receipt for a message, on behalf of the party who joined last."""
    if not event.get("msg_id"):
        return []
    return [delivered(event["msg_id"], chat.party_ids[-1] if chat.party_ids else None)]


def _receipt_party(chat: CenterChat) -> str:
    """Return the party of a receipt without one: shipped clients need a party in each."""
    return chat.party_ids[-1] if chat.party_ids else chat.last_sender or chat.service_party_id


# Events to the customer.

# Source: PROTOCOL.md §2, "what really arrives".
_WITHOUT_TIMESTAMP: Final = frozenset({wire.STATUS, wire.ENDED, wire.TYPING, wire.NOT_TYPING})
_WITH_MSG_ID: Final = frozenset(
    {
        wire.MESSAGE,
        wire.FILE,
        wire.LOCATION,
        wire.SIGNALING,
        wire.COBROWSING_REQUESTED,
    }
)
# Statuses are in the history: after a reload, web clients know nothing else.
_TRANSIENT: Final = frozenset({wire.TYPING, wire.NOT_TYPING})
# Version 1 knows neither receipts nor cases.
_ONLY_VERSION_2: Final = frozenset(
    {
        wire.MESSAGE_DELIVERED,
        wire.MESSAGE_READ,
        wire.CASE_SET,
    }
)
_ENDS_BY_EVENT: Final[dict[str, ChatEnd]] = {
    wire.ENDED: "ended",
    wire.INACTIVITY_TIMEOUT: "timed_out",
    wire.MISSPELLED_TIMEOUT: "timed_out",
}
_FAILED: Final = "failed"


def send_events(state: CenterState, chat: CenterChat, events: Iterable[Mapping[str, Any]]) -> None:
    """Send events to the customer, with a timestamp and a msg_id added where they belong.

    An event may end the session; the events after it are still sent, as real servers do.
    """
    for given in events:
        if chat.version == 1 and given["event"] in _ONLY_VERSION_2:
            continue
        event = _completed(state, chat, given)
        add_pending(chat, event, state.settings.max_pending)
        add_to_history(state, chat, event)
        notify_observer(state, chat, event)
        _update_chat(chat, event)
        outcome = _outcome_of(event)
        if outcome is not None and not chat.is_over:
            _end_session(state, chat, outcome)
    state.dirty[chat.chat_id] = None


def add_to_history(state: CenterState, chat: CenterChat, event: WireEvent) -> None:
    """Append an event to the history, unless it is of a kind that histories leave out."""
    name = event["event"]
    if name in _TRANSIENT or (name == wire.SIGNALING and not state.settings.signals_in_history):
        return
    chat.history.append(event)
    del chat.history[: -state.settings.max_history]


def notify_observer(state: CenterState, chat: CenterChat, event: WireEvent) -> None:
    """Call the center's `on_event`."""
    if state.on_event is not None:
        state.on_event(chat.chat_id, event)


def _completed(state: CenterState, chat: CenterChat, given: Mapping[str, Any]) -> WireEvent:
    event = dict(given)
    name = event["event"]
    if name in _WITH_MSG_ID:
        if "msg_id" not in event:
            event["msg_id"] = str(chat.next_msg_id)
        chat.next_msg_id = max(chat.next_msg_id, _next_even_number(event["msg_id"]))
    if name in _RECEIPTS and not event.get("party_id"):
        event["party_id"] = _receipt_party(chat)
    # Strict decoders of shipped clients need these.
    if name == wire.STATUS:
        event.setdefault("ewt", "")
    elif name == wire.FORM_SHOW:
        event.setdefault("channel", "web")
    if name not in _WITHOUT_TIMESTAMP:
        event.setdefault("timestamp", state.timestamp)
    return event


def _next_even_number(msg_id: object) -> int:
    """Return the even number after a msg_id of the scenario's own, so that it is not used again."""
    written = str(msg_id)
    # Real ids are small numbers; other ids cannot equal a generated one.
    if not (written.isascii() and written.isdigit() and len(written) <= len("999999999")):
        return 0
    return int(written) // 2 * 2 + 2


def _update_chat(chat: CenterChat, event: WireEvent) -> None:
    """Update the chat's state, parties and case by an event."""
    match event:
        case {"event": wire.STATUS, "state": str(state)}:
            chat.state = state
            chat.ewt = str(event.get("ewt") or "0")
        case {"event": wire.MESSAGE, "party_id": str(party)}:
            chat.last_sender = party
        case {"event": wire.PARTY_JOINED, "party_id": str(party)}:
            chat.party_ids = [one for one in chat.party_ids if one != party] + [party]
        case {"event": wire.PARTY_LEFT, "party_id": str(party)}:
            chat.party_ids = [one for one in chat.party_ids if one != party]
        case {"event": wire.CASE_SET}:
            case_id = event.get("case_id")
            chat.case_id = str(case_id) if case_id else None


def _outcome_of(event: WireEvent) -> ChatEnd | None:
    if event["event"] == wire.STATUS:
        return "failed" if event.get("state") == _FAILED else None
    return _ENDS_BY_EVENT.get(event["event"])


def _end_session(state: CenterState, chat: CenterChat, outcome: ChatEnd) -> None:
    """End the session: release its agents, and let its client open another one."""
    chat.outcome = outcome
    chat.player.close(now=state.now)
    state.chats_by_waiter.pop(chat.player, None)
    state.live_chats.pop((chat.tenant_url, chat.client_id), None)
    state.ended_chat_ids[chat.chat_id] = None
    while len(state.ended_chat_ids) > state.settings.max_ended_chats:
        oldest = next(iter(state.ended_chat_ids))
        del state.ended_chat_ids[oldest]
        answer_held_poll(state, state.chats.pop(oldest))


# Inactivity: warn and then disconnect a silent customer; disconnect one that stops polling. Source:
# PROTOCOL.md §5.

_WARNING_TEXT: Final = "Are you still there?"
_INACTIVE_TEXT: Final = "The chat was closed because of inactivity."
_NOT_POLLING_TEXT: Final = "The chat was closed because its client stopped polling."


def note_activity(state: CenterState, chat: CenterChat) -> None:
    """Note that the customer did something: the inactivity timeout starts again."""
    chat.active_at = state.now
    chat.is_warned = False


def inactivity_deadlines(state: CenterState, chat: CenterChat) -> list[float]:
    """Return the times at which a live chat has to be checked."""
    timeout = _timeout(state, chat)
    quiet_at = chat.active_at + (timeout if chat.is_warned else timeout / 2)
    if chat.held_poll is not None:
        return [quiet_at]
    return [quiet_at, chat.polled_at + state.settings.poll_timeout]


def check_inactivity(state: CenterState, chat: CenterChat) -> None:
    """Warn or disconnect the customer if it is time."""
    timeout = _timeout(state, chat)
    if state.now >= chat.active_at + timeout / 2 and not chat.is_warned:
        chat.is_warned = True
        send_events(state, chat, [warning(_WARNING_TEXT)])
    if state.now >= chat.active_at + timeout:
        _time_out(state, chat, _INACTIVE_TEXT)
    elif chat.held_poll is None and state.now >= chat.polled_at + state.settings.poll_timeout:
        _time_out(state, chat, _NOT_POLLING_TEXT)


def _timeout(state: CenterState, chat: CenterChat) -> float:
    own = chat.entry.inactivity_timeout
    return state.settings.inactivity_timeout if own is None else own


def _time_out(state: CenterState, chat: CenterChat, text: str) -> None:
    """End by both events in one reply, as captured; the first one decides the outcome."""
    send_events(state, chat, (inactive(text), ended()))
