"""What the customer does: it is taken, remembered, confirmed, and the play hears of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chatfsm._protocol import names as wire
from chatfsm.simulator.polling import answer_held
from chatfsm.simulator.state import CenterState, Chat, Event, Outcome

__all__ = ["hear", "keep", "look", "moments", "note_activity", "report", "tell"]

# Source: PROTOCOL.md §3. What else a customer posts is heard, and stands in no history.
_KEPT: Final = frozenset(
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


def hear(desk: CenterState, chat: Chat, event: Event) -> None:
    """One event of the customer's; after the session's end it is only remembered."""
    chat.said.append(event)
    del chat.said[: -desk.settings.max_history]
    written = _as_history_has_it(desk, chat, event)
    if event["event"] in _KEPT:
        keep(desk, chat, written)
    report(desk, chat, written)
    desk.stirred[chat.chat_id] = None
    if chat.is_over:
        return
    if event["event"] in _RECEIPTS:
        _confirm(desk, chat, event)
    else:
        note_activity(desk, chat)
    if event["event"] == wire.MESSAGE:
        tell(desk, chat, _receipt(chat, event))
    if event["event"] == wire.END:
        tell(desk, chat, [{"event": wire.ENDED}])
    else:
        tell(desk, chat, chat.play.hear(event, now=desk.now))


def _as_history_has_it(desk: CenterState, chat: Chat, event: Event) -> Event:
    """The customer's own, under the chat's id; what answers a secure form is left out."""
    written = {**event, "party_id": chat.chat_id, "timestamp": desk.timestamp}
    if event["event"] == wire.SECURE_FORM_DATA and "data" in event:
        written["data"] = {}
    return written


def _confirm(desk: CenterState, chat: Chat, event: Event) -> None:
    subject = event.get("ref_msg_id") or event.get("msg_id")
    if subject is None:
        return
    chat.receipts[str(subject)] = _RECEIPTS[event["event"]]
    while len(chat.receipts) > desk.settings.max_history:
        del chat.receipts[next(iter(chat.receipts))]


def _receipt(chat: Chat, event: Event) -> list[dict[str, Any]]:
    """The center has the message; whoever came last is said to have it."""
    if not event.get("msg_id"):
        return []
    receipt = {"event": wire.MESSAGE_DELIVERED, "ref_msg_id": event["msg_id"]}
    return [{**receipt, **({"party_id": chat.present[-1]} if chat.present else {})}]


# What the center says becomes news, history, and what is known of the chat.

# Source: PROTOCOL.md §2, "what really arrives".
_WITHOUT_TIME: Final = frozenset({wire.STATUS, wire.ENDED, wire.TYPING, wire.NOT_TYPING})
_NUMBERED: Final = frozenset(
    {
        wire.MESSAGE,
        wire.FILE,
        wire.LOCATION,
        wire.SIGNALING,
        wire.COBROWSING_REQUESTED,
    }
)
_PASSING: Final = frozenset({wire.STATUS, wire.TYPING, wire.NOT_TYPING})
# Version 1 knows neither receipts nor cases.
_SECOND_ONLY: Final = frozenset(
    {
        wire.MESSAGE_DELIVERED,
        wire.MESSAGE_READ,
        wire.CASE_SET,
    }
)
_ENDS: Final[dict[str, Outcome]] = {
    wire.ENDED: "ended",
    wire.INACTIVITY_TIMEOUT: "timed_out",
    wire.MISSPELLED_TIMEOUT: "timed_out",
}
_FAILED: Final = "failed"


def tell(desk: CenterState, chat: Chat, events: Iterable[Mapping[str, Any]]) -> None:
    """Let something happen: its times and ids are filled in, and a session may be over by it.

    What comes in one go with the end is still told, as it is by real servers.
    """
    for given in events:
        if chat.version == 1 and given["event"] in _SECOND_ONLY:
            continue
        event = _filled(desk, chat, given)
        chat.news.append(event)
        del chat.news[: -desk.settings.max_news]
        keep(desk, chat, event)
        report(desk, chat, event)
        _note(chat, event)
        outcome = _outcome_of(event)
        if outcome is not None and not chat.is_over:
            _end(desk, chat, outcome)
    desk.stirred[chat.chat_id] = None


def keep(desk: CenterState, chat: Chat, event: Event) -> None:
    """Put an event into the history, unless it is of a kind that has no place there."""
    name = event["event"]
    if name in _PASSING or (name == wire.SIGNALING and not desk.settings.signals_in_history):
        return
    chat.past.append(event)
    del chat.past[: -desk.settings.max_history]


def report(desk: CenterState, chat: Chat, event: Event) -> None:
    """Tell whoever writes a log."""
    if desk.on_event is not None:
        desk.on_event(chat.chat_id, event)


def _filled(desk: CenterState, chat: Chat, given: Mapping[str, Any]) -> Event:
    event = dict(given)
    name = event["event"]
    if name in _NUMBERED:
        if "msg_id" not in event:
            event["msg_id"] = str(chat.next_number)
        chat.next_number = max(chat.next_number, _after(event["msg_id"]))
    if name not in _WITHOUT_TIME:
        event.setdefault("timestamp", desk.timestamp)
    return event


def _after(msg_id: object) -> int:
    """The even number after a script's own id, so that it is not given twice."""
    written = str(msg_id)
    # Real ids are small numbers; others cannot meet them.
    if not (written.isascii() and written.isdigit() and len(written) <= len("999999999")):
        return 0
    return int(written) // 2 * 2 + 2


def _note(chat: Chat, event: Event) -> None:
    """What an event changes in what is known of the chat."""
    match event:
        case {"event": wire.STATUS, "state": str(state)}:
            chat.state = state
            chat.ewt = str(event.get("ewt") or "0")
        case {"event": wire.PARTY_JOINED, "party_id": str(party)}:
            chat.present = [one for one in chat.present if one != party] + [party]
        case {"event": wire.PARTY_LEFT, "party_id": str(party)}:
            chat.present = [one for one in chat.present if one != party]
        case {"event": wire.CASE_SET}:
            case_id = event.get("case_id")
            chat.case_id = str(case_id) if case_id else None


def _outcome_of(event: Event) -> Outcome | None:
    if event["event"] == wire.STATUS:
        return "failed" if event.get("state") == _FAILED else None
    return _ENDS.get(event["event"])


def _end(desk: CenterState, chat: Chat, outcome: Outcome) -> None:
    """The session is over: its agents are free, and its client may have another one."""
    chat.outcome = outcome
    chat.play.close(now=desk.now)
    desk.playing.pop(chat.play, None)
    desk.current.pop((chat.tenant_url, chat.client_id), None)
    desk.over[chat.chat_id] = None
    while len(desk.over) > desk.settings.max_over:
        oldest = next(iter(desk.over))
        del desk.over[oldest]
        answer_held(desk, desk.chats.pop(oldest))


# Who says nothing is warned and then let go; who does not even poll is let go.
#
# Source: PROTOCOL.md §5.

_WARNING: Final = "Are you still there?"
_TOO_QUIET: Final = "The chat was closed, since nothing was said for a while."
_GONE: Final = "The chat was closed, since nobody listened."


def note_activity(desk: CenterState, chat: Chat) -> None:
    """The customer did something."""
    chat.active_at = desk.now
    chat.is_warned = False


def moments(desk: CenterState, chat: Chat) -> list[float]:
    """When a live chat is to be looked at for this."""
    timeout = _timeout(desk, chat)
    quiet_at = chat.active_at + (timeout if chat.is_warned else timeout / 2)
    if chat.poll is not None:
        return [quiet_at]
    return [quiet_at, chat.polled_at + desk.settings.poll_timeout]


def look(desk: CenterState, chat: Chat) -> None:
    """Warn, or let go, where it is time."""
    timeout = _timeout(desk, chat)
    if desk.now >= chat.active_at + timeout / 2 and not chat.is_warned:
        chat.is_warned = True
        tell(desk, chat, [{"event": wire.TIMEOUT_WARNING, "msg": _WARNING}])
    if desk.now >= chat.active_at + timeout:
        _let_go(desk, chat, _TOO_QUIET)
    elif chat.poll is None and desk.now >= chat.polled_at + desk.settings.poll_timeout:
        _let_go(desk, chat, _GONE)


def _timeout(desk: CenterState, chat: Chat) -> float:
    own = chat.entry.inactivity_timeout
    return desk.settings.inactivity_timeout if own is None else own


def _let_go(desk: CenterState, chat: Chat, why: str) -> None:
    """Both events in one go, as they were seen; the first one decides."""
    events = ({"event": wire.INACTIVITY_TIMEOUT, "msg": why},)
    tell(desk, chat, (*events, {"event": wire.ENDED}))
