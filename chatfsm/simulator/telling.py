"""What the center says becomes news, history, and what is known of the chat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chatfsm.simulator import wire
from chatfsm.simulator.chat import Chat, Event, Outcome
from chatfsm.simulator.desk import Desk
from chatfsm.simulator.polling import answer_held

__all__ = ["keep", "report", "tell"]

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


def tell(desk: Desk, chat: Chat, events: Iterable[Mapping[str, Any]]) -> None:
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


def keep(desk: Desk, chat: Chat, event: Event) -> None:
    """Put an event into the history, unless it is of a kind that has no place there."""
    name = event["event"]
    if name in _PASSING or (name == wire.SIGNALING and not desk.settings.signals_in_history):
        return
    chat.past.append(event)
    del chat.past[: -desk.settings.max_history]


def report(desk: Desk, chat: Chat, event: Event) -> None:
    """Tell whoever writes a log."""
    if desk.on_event is not None:
        desk.on_event(chat.chat_id, event)


def _filled(desk: Desk, chat: Chat, given: Mapping[str, Any]) -> Event:
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


def _end(desk: Desk, chat: Chat, outcome: Outcome) -> None:
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
