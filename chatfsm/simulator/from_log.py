"""Recorded logs as scenarios: the center's events are sent again, the customer's are awaited.

Typing, receipts, navigation and ICE candidates of the customer are not awaited: another client may
leave them out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from chatfsm._protocol import names as wire
from chatfsm._protocol.structuring import MAX_DEPTH, deeper_than, json_object, timestamp
from chatfsm.simulator.scenario import Await, Pause, Scenario, ScenarioError, ScenarioStep, Tell

__all__ = ["scenario_from_log"]

# Events of customers only (PROTOCOL.md §3), whatever party the log names.
_CUSTOMER_EVENTS: Final = {
    *(wire.FORM_DATA, wire.SECURE_FORM_DATA, wire.FORM_DATA_CANCEL),
    *(wire.END, wire.DISCONNECT, wire.NAVIGATION),
}
_FORM: Final = (wire.FORM_DATA, wire.FORM_DATA_CANCEL)
_SECURE_FORM: Final = (wire.SECURE_FORM_DATA, wire.SECURE_FORM_CANCEL)
# The events to await for one of the log: a form may be answered or cancelled.
_AWAITED: Final[dict[str, tuple[str, ...]]] = {
    wire.MESSAGE: (wire.MESSAGE,),
    wire.FORM_DATA: _FORM,
    wire.FORM_DATA_CANCEL: _FORM,
    wire.SECURE_FORM_DATA: _SECURE_FORM,
    wire.SECURE_FORM_CANCEL: _SECURE_FORM,
    wire.FILE: (wire.FILE,),
    wire.LOCATION: (wire.LOCATION,),
    wire.END: (wire.END,),
    wire.DISCONNECT: (wire.DISCONNECT,),
}
_ANSWER: Final = [wire.ANSWER_CALL, wire.CALL_REJECTED]
_SIGNALS: Final[dict[str, list[str]]] = {
    wire.ANSWER_CALL: _ANSWER,
    wire.CALL_REJECTED: _ANSWER,
    **{
        kind: [kind]
        for kind in (wire.REQUEST_CALL, wire.REQUEST_PHONE_CALL, wire.REQUEST_SMS, wire.END_CALL)
    },
}
# A longer pause, in seconds, or a higher speed is a wrong unit.
_MAX_VALUE: Final = 3_600.0
# The chat ids that an error text lists.
_MAX_NAMED: Final = 5


@frozen
class _Timing:
    speed: float
    max_pause: float
    patience: float


def scenario_from_log(  # noqa: PLR0913  # each is an option of the command
    events: Iterable[object],
    chat_id: str | None = None,
    *,
    default_chat_id: str = "recorded",
    name: str = "recorded",
    speed: float = 1.0,
    max_pause: float = 30.0,
    patience: float = 30.0,
) -> Scenario:
    """Return one chat of a log as a scenario. Raises `ScenarioError` if the log has no such chat.

    `chat_id` is needed if the log has several chats. `default_chat_id` is the chat of events
    without a `chat_id`. `speed` divides the pauses. `max_pause` is the longest pause in seconds.
    `patience` is the seconds after which the scenario stops waiting for an event of the customer's,
    counted from the time that the log's customer took.
    """
    for option, value in {"speed": speed, "max_pause": max_pause, "patience": patience}.items():
        if not 0 <= value <= _MAX_VALUE or not (value or option != "speed"):
            raise ScenarioError(f"{option} must be a number from 0 to {_MAX_VALUE:g}, not {value}")
    own_id, items = _select_chat(events, chat_id, default_chat_id)
    steps = tuple(_steps(items, own_id, _Timing(speed, max_pause, patience)))
    return Scenario(name, steps, title=f"the recorded chat {own_id}", chat_id=own_id)


def _select_chat(
    events: Iterable[object], chat_id: str | None, default_chat_id: str
) -> tuple[str, list[dict[str, Any]]]:
    """Return the id and the events of one chat, in order, without the id in each."""
    chats: dict[str, list[dict[str, Any]]] = {}
    for number, event in enumerate(events, 1):
        if not isinstance(event, Mapping) or "event" not in event:
            raise ScenarioError(f"event {number} of the log must be an object with an event field")
        if deeper_than(MAX_DEPTH, event):
            raise ScenarioError(
                f"event {number} of the log is nested deeper than {MAX_DEPTH} levels"
            )
        item = dict(event)
        found_id = item.pop("chat_id", None)
        chats.setdefault(str(found_id) if found_id else chat_id or default_chat_id, []).append(item)
    if not chats:
        raise ScenarioError("the log has no events")
    if chat_id is not None:
        if chat_id not in chats:
            raise ScenarioError(f"the log has no chat {chat_id!r}, but {_list_chat_ids(chats)}")
        return chat_id, chats[chat_id]
    if len(chats) > 1:
        raise ScenarioError(f"the log has {len(chats)} chats, choose one: {_list_chat_ids(chats)}")
    return next(iter(chats.items()))


def _list_chat_ids(chats: Iterable[str]) -> str:
    names = list(chats)
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


def _steps(items: list[dict[str, Any]], chat_id: str, timing: _Timing) -> Iterator[ScenarioStep]:
    pause = 0.0
    awaited_before: set[str] = set()
    for item, gap in zip(items, _gaps(items), strict=True):
        pause = min(pause + gap / timing.speed, timing.max_pause)
        if not _is_customer_event(item, chat_id):
            if pause:
                yield Pause(pause)
            pause = 0.0
            yield Tell({key: held for key, held in item.items() if key != "timestamp"})
            continue
        awaited = _await_step(item, pause + timing.patience)
        same = json.dumps(item, sort_keys=True)
        if awaited is not None and same not in awaited_before:  # a cached poll repeats events
            pause = 0.0
            yield awaited
            awaited_before.add(same)


def _gaps(items: list[dict[str, Any]]) -> Iterator[float]:
    """Yield the seconds between each event and the one before.

    An event without a time, or with an earlier one as in cached polls, has a gap of 0.
    """
    latest: float | None = None
    for item in items:
        try:
            at = timestamp(item.get("timestamp"))
        except ValueError:
            at = None
        if at is not None and (latest is None or at > latest):
            yield 0.0 if latest is None else at - latest
            latest = at
        else:
            yield 0.0


def _is_customer_event(item: Mapping[str, Any], chat_id: str) -> bool:
    """Whether the customer sent the event."""
    party_id = item.get("party_id") or item.get("session_id")
    if isinstance(party_id, str) and party_id.lower() == chat_id.lower():
        return True
    name = item.get("event")
    return (isinstance(name, str) and name in _CUSTOMER_EVENTS) or (
        name == wire.FILE and not party_id
    )


def _await_step(item: Mapping[str, Any], timeout: float) -> Await | None:
    """Return the step that awaits an event of the customer's; None if it is not to be awaited."""
    name = item["event"]
    if name == wire.SIGNALING:
        try:
            kind = json_object(item.get("data")).get("type")
        except ValueError:
            return None
        if not isinstance(kind, str) or kind not in _SIGNALS:
            return None
        return Await(name, {"data.type": _SIGNALS[kind]}, timeout)
    if not isinstance(name, str) or name not in _AWAITED:
        return None
    msg_id = item.get("msg_id")
    return Await(_AWAITED[name], {}, timeout, msg_id if isinstance(msg_id, str) else "")
