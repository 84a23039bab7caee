"""What the customer does: it is taken, remembered, confirmed, and the play hears of it."""

from __future__ import annotations

from typing import Any, Final

from chatfsm.simulator import idling, wire
from chatfsm.simulator.chat import Chat, Event
from chatfsm.simulator.desk import Desk
from chatfsm.simulator.telling import keep, report, tell

__all__ = ["hear"]

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


def hear(desk: Desk, chat: Chat, event: Event) -> None:
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
        idling.note_activity(desk, chat)
    if event["event"] == wire.MESSAGE:
        tell(desk, chat, _receipt(chat, event))
    if event["event"] == wire.END:
        tell(desk, chat, [{"event": wire.ENDED}])
    else:
        tell(desk, chat, chat.play.hear(event, now=desk.now))


def _as_history_has_it(desk: Desk, chat: Chat, event: Event) -> Event:
    """The customer's own, under the chat's id; what answers a secure form is left out."""
    written = {**event, "party_id": chat.chat_id, "timestamp": desk.timestamp}
    if event["event"] == wire.SECURE_FORM_DATA and "data" in event:
        written["data"] = {}
    return written


def _confirm(desk: Desk, chat: Chat, event: Event) -> None:
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
