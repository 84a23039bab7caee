"""A plain reducer that returns chatfsm's effects for the events of the workloads.

One class, one dict from event class to method, frozen effects, bounded memory: code that an
engineer writes by hand for this one purpose. It has no commands, histories, snapshots, calls and
cases.
"""

from __future__ import annotations

from math import inf
from typing import Any, Final

from chatfsm import events
from tests.bench import reducer_effects as e
from tests.bench.deadlines import Deadlines
from tests.bench.duplicates import SHORT, digest

__all__ = ["PlainReducer"]

FINAL: Final = {"failed", "ended", "timed_out"}
STATES: Final = {"establishing", "ivr", "queued", "connecting", "connected", "completed", "failed"}
TYPING_TIMEOUT: Final = 30.0
MAX_PARTIES: Final = 256
MAX_FORMS: Final = 64


class PlainReducer(Deadlines):
    """One chat: `receive` takes an event and the time, and returns effects."""

    def __init__(self, chat_id: str) -> None:
        super().__init__()
        self.chat_id = chat_id
        self.own_id = chat_id.casefold()
        self.state = "establishing"
        self.outcome: str | None = None
        self.ewt: float | None = None
        self.warning: str | None = None
        self.parties: dict[str, e.Party] = {}
        self.joined_at: dict[str, float | None] = {}
        self.left_at: dict[str, float | None] = {}
        self.left_all = True
        self.events = self.effects = self.late = 0

    def receive(self, item: events.Event, now: float) -> list[Any]:
        """Return the effects of the deadlines that are due, then those of the event."""
        if self.outcome is not None:
            self.late += 1
            return []
        effects: list[Any] = []
        if not -inf < now < self.deadline_bound:
            self.expire_due(now, effects)
        HANDLERS[item.__class__](self, item, now, effects)
        self.events += 1
        self.effects += len(effects)
        return effects

    def on_status(self, item: events.Status, now: float, effects: list[Any]) -> None:
        if item.state == self.state:
            self.on_repeated_status(item, effects)
        elif item.state not in STATES:
            self.report("unknown_state", item.state, effects)
        else:
            previous, self.state = self.state, item.state
            if item.state == "establishing":
                self.report("unexpected_transition", previous, effects)
            self.conclude_transition(previous, item, effects)

    def on_repeated_status(self, item: events.Status, effects: list[Any]) -> None:
        if item.ewt is None or item.ewt == self.ewt:
            self.duplicates += 1
        else:
            self.ewt = item.ewt
            effects.append(e.WaitEstimated(item.ewt))

    def on_ended(self, _item: events.Ended, now: float, effects: list[Any]) -> None:
        previous, self.state = self.state, "ended"
        self.conclude_transition(previous, None, effects)

    def on_timed_out(self, item: events.InactivityTimeout, now: float, effects: list[Any]) -> None:
        previous, self.state = self.state, "timed_out"
        text = item.msg_text if item.msg_text is not None else item.msg
        self.conclude_transition(previous, None, effects, text or "")

    def conclude_transition(
        self, previous: str, item: events.Status | None, effects: list[Any], text: str = ""
    ) -> None:
        """Append the effects of a state change; `state` is the new state already."""
        state = self.state
        effects.append(e.StateChanged(previous, state))
        is_final = state in FINAL
        if item is not None:
            self.ewt = item.ewt
            if item.ewt is not None and not is_final:
                effects.append(e.WaitEstimated(item.ewt))
        if is_final or state == "completed":
            effects += [e.TypingStopped(party_id) for party_id in self.typing]
            self.typing.clear()
        if is_final:
            effects += [e.FormClosed(form, "terminated") for form, _ in self.forms.values()]
            self.forms.clear()
            self.seen_ids.clear()
            self.outcome = state
            effects.append(e.Terminated(state, text))

    def on_joined(self, item: events.PartyJoined, now: float, effects: list[Any]) -> None:
        party_id, stamp = self.party_key(item.party_id), item.timestamp
        names = (item.display_name, item.first_name, item.last_name)
        party = e.Party(party_id, item.type, *names)
        before = self.parties.get(party_id)
        last_move = (self.left_at if before is None else self.joined_at).get(party_id)
        is_old = stamp is not None and last_move is not None and stamp < last_move
        if before == party or is_old:
            self.duplicates += 1
        elif before is not None:
            self.parties[party_id], self.joined_at[party_id] = party, stamp
            effects.append(e.PartyChanged(party))
        elif len(self.parties) >= MAX_PARTIES:
            self.report("too_many_parties", party_id, effects)
        else:
            self.left_at.pop(party_id, None)
            self.parties[party_id], self.joined_at[party_id] = party, stamp
            effects.append(e.PartyAdded(party))

    def on_left(self, item: events.PartyLeft, now: float, effects: list[Any]) -> None:
        party_id, stamp = self.party_key(item.party_id), item.timestamp
        party = self.parties.get(party_id)
        if party is None:
            if self.left_at.get(party_id, -1.0) == stamp:
                self.duplicates += 1
                return
            self.report("unknown_party", party_id, effects)
            self.stop_typing(item.party_id, effects)
            return
        joined_at = self.joined_at[party_id]
        if stamp is not None and joined_at is not None and stamp < joined_at:
            self.duplicates += 1
            return
        self.stop_typing(item.party_id, effects)
        del self.parties[party_id], self.joined_at[party_id]
        effects.append(e.PartyRemoved(party))
        if len(self.left_at) >= MAX_PARTIES:
            del self.left_at[next(iter(self.left_at))]
            if self.left_all:
                self.left_all = False
                self.report("too_many_parties", "the first to leave are forgotten", effects)
        self.left_at[party_id] = stamp

    def on_message(self, item: events.Message, now: float, effects: list[Any]) -> None:
        own = self.is_own(item.party_id)
        if self.is_duplicate_message(item, own, effects):
            return
        self.conclude_message(item, own, effects)
        sender = self.parties.get(self.chat_id if own else item.party_id)
        text = item.msg_text if item.msg_text is not None else item.msg or ""
        effects.append(
            e.MessageReceived(
                item.msg_id,
                item.party_id,
                sender,
                own,
                text,
                item.msg,
                item.channel,
                item.attachments,
                item.timestamp,
            )
        )

    def is_duplicate_message(self, item: events.Message, own: bool, effects: list[Any]) -> bool:
        content = item.msg or ""
        if item.msg_text is not None or item.attachments:
            content = f"{content}\0{item.msg_text}\0{item.attachments or ''}"
        scope = self.chat_id if own else item.party_id
        return self.is_duplicate("message", scope, item.msg_id, content, effects)

    def conclude_message(self, item: events.Message, own: bool, effects: list[Any]) -> None:
        """End the sender's typing; an own message also ends a text prompt and the warning."""
        if item.party_id in self.typing:
            self.stop_typing(item.party_id, effects)
        if own:
            for request_id in reversed(self.forms):
                if self.forms[request_id][0].name == "":
                    self.close_form(request_id, "submitted", effects)
                    break
            self.clear_warning(effects)

    def on_file(self, item: events.File, now: float, effects: list[Any]) -> None:
        own = item.party_id is None or self.is_own(item.party_id)
        if self.is_duplicate_file(item, own, effects):
            return
        if own:
            self.clear_warning(effects)
        sender = self.parties.get(self.chat_id if own else item.party_id)
        file = (item.file_id, item.file_type, item.file_name)
        effects.append(
            e.FileReceived(item.msg_id, item.party_id, sender, own, *file, item.timestamp)
        )

    def is_duplicate_file(self, item: events.File, own: bool, effects: list[Any]) -> bool:
        content = f"{item.file_id}\0{item.file_type}\0{item.file_name}"
        scope = self.chat_id if own else item.party_id
        return self.is_duplicate("file", scope, item.msg_id, content, effects)

    def on_delivered(self, item: events.MessageDelivered, now: float, effects: list[Any]) -> None:
        if not self.is_own(item.party_id) and not self.is_duplicate(
            "delivered", item.party_id, item.ref_msg_id, "", effects
        ):
            effects.append(e.DeliveryConfirmed(item.ref_msg_id, item.party_id))

    def on_read(self, item: events.MessageRead, now: float, effects: list[Any]) -> None:
        if not self.is_own(item.party_id) and not self.is_duplicate(
            "read", item.party_id, item.ref_msg_id, "", effects
        ):
            effects.append(e.ReadConfirmed(item.ref_msg_id, item.party_id))

    def on_typing(self, item: events.Typing, now: float, effects: list[Any]) -> None:
        if self.is_own(item.party_id):
            return
        if item.party_id not in self.typing:
            if len(self.typing) >= MAX_PARTIES:
                self.report("too_many_typists", item.party_id, effects)
                return
            effects.append(e.TypingStarted(item.party_id))
        deadline = self.typing[item.party_id] = now + TYPING_TIMEOUT
        self.deadline_bound = min(self.deadline_bound, deadline)

    def on_not_typing(self, item: events.NotTyping, now: float, effects: list[Any]) -> None:
        self.stop_typing(item.party_id, effects)

    def on_form_shown(self, item: events.FormShow, now: float, effects: list[Any]) -> None:
        request_id = item.form_request_id
        content = f"{item.form_name}\0{item.form_timeout}\0{item.channel}\0{item.extra or ''}"
        if len(content) > SHORT:
            content = digest(content)
        waiting = self.forms.get(request_id)
        key = ("form", item.timestamp, request_id)
        if (waiting is not None and waiting[1] == content) or self.seen_ids.get(key) == content:
            self.duplicates += 1
            return
        if waiting is not None:
            self.close_form(request_id, "replaced", effects)
        elif len(self.forms) >= MAX_FORMS:
            self.report("too_many_forms", request_id, effects)
            return
        deadline = now + item.form_timeout if item.form_timeout else None
        form = e.Form(request_id, item.form_name, deadline)
        self.forms[request_id] = (form, content)
        self.remember(key, content, effects)
        if deadline is not None:
            self.deadline_bound = min(self.deadline_bound, deadline)
        effects.append(e.FormOpened(form))

    def on_answered(self, item: events.FormData, now: float, effects: list[Any]) -> None:
        self.close_form(item.form_request_id, "submitted", effects)
        self.clear_warning(effects)

    def on_warning(self, item: events.TimeoutWarning, now: float, effects: list[Any]) -> None:
        self.warning = item.msg_text if item.msg_text is not None else item.msg or ""
        effects.append(e.WarningRaised(self.warning))

    def clear_warning(self, effects: list[Any]) -> None:
        if self.warning is not None:
            self.warning = None
            effects.append(e.WarningCleared())

    def is_own(self, party_id: str | None) -> bool:
        return party_id is not None and party_id.casefold() == self.own_id

    def party_key(self, party_id: str) -> str:
        return self.chat_id if self.is_own(party_id) else party_id


HANDLERS: Final[dict[type, Any]] = {
    events.Status: PlainReducer.on_status,
    events.Ended: PlainReducer.on_ended,
    events.InactivityTimeout: PlainReducer.on_timed_out,
    events.PartyJoined: PlainReducer.on_joined,
    events.PartyLeft: PlainReducer.on_left,
    events.Message: PlainReducer.on_message,
    events.MessageDelivered: PlainReducer.on_delivered,
    events.MessageRead: PlainReducer.on_read,
    events.Typing: PlainReducer.on_typing,
    events.NotTyping: PlainReducer.on_not_typing,
    events.FormShow: PlainReducer.on_form_shown,
    events.FormData: PlainReducer.on_answered,
    events.TimeoutWarning: PlainReducer.on_warning,
    events.File: PlainReducer.on_file,
}
