"""A simple session, written from the design and not from the code, to compare the session with.

`step(model, item, now)` returns the next model and the effects, without the texts of anomalies. It
leaves out the bounds of Settings, strict sessions, and commands other than `SendText`, whose msg_id
the caller chooses, and `SubmitForm` for an unknown form; the order in which a history puts parties
and forms; histories that contradict, within one second, what is known; and histories with, or
after, undated parties, forms, cases or services.
"""

from __future__ import annotations

from collections import Counter
from copy import copy
from html import unescape
from json import dumps
from math import inf, nan
from typing import Any

from attrs import evolve

from chatfsm import LocalProtocolError, commands, effects, encode, events, inputs, signaling
from chatfsm.models import ChatMessage, Form, Party, SharedFile, SharedLocation

STATES = {"establishing", "ivr", "queued", "connecting", "connected", "completed"}
DELIVERY = ("pending", "unconfirmed", "sent", "delivered", "read")
BEFORE_ANSWER, IN_CALL = {"idle", "requested", "offered"}, {"requested", "offered", "active"}
CALL = {
    signaling.CallRequest: ({"idle", "ended", "rejected"}, "requested"),
    signaling.CallOffer: ({"idle", "requested", "active", "ended", "rejected"}, "offered"),
    signaling.CallAnswer: ({"requested", "offered"}, "active"),
    signaling.CallRejection: ({"requested", "offered"}, "rejected"),
    signaling.CallEnd: (IN_CALL, "ended"),
}
COUNTS = ("events", "effects", "duplicates", "unknown", "malformed", "anomalies", "late")
LIVE_ONLY = (
    *(events.Status, events.Ended, events.InactivityTimeout, events.TimeoutWarning),
    *(events.Typing, events.NotTyping, events.Signaling, events.Cobrowsing),
)


class Model:
    """The state; its dicts and tuples are replaced, never changed."""

    def __init__(self, chat_id: str, *, explain: bool = False) -> None:
        self.chat_id, self.explain, self.now, self.past = chat_id, explain, 0.0, False
        self.state, self.ewt, self.outcome, self.outcome_text = "establishing", None, None, None
        self.parties, self.since = {}, {}  # the roster; time of join, or of leave
        self.typing, self.warning = {}, None  # timeouts by party
        self.forms, self.shown, self.shows = {}, {}, ()  # open forms, their events, all events
        self.closed, self.answered = {}, -inf  # closed forms; time of the last own text
        self.call, self.early_candidates, self.cobrowsing = "idle", (), None
        self.newest, self.known = {}, {}  # case and service with their times; contents by identity
        self.sent, self.outbox = {}, {}
        self.reported, self.counts = (), dict.fromkeys(COUNTS, 0)

    def report(self, *more: Any) -> None:
        self.reported += more

    def anomaly(self, kind: Any, raw: Any = None) -> None:
        self.report(effects.Anomaly(kind, "", raw))

    def ignore(self, e: Any) -> None:
        self.report(effects.Ignored("duplicate" if self.outcome is None else "late", e))

    def own(self, e: Any) -> bool:
        party, unnamed = getattr(e, "party_id", None), events.Message | events.File | events.FileUrl
        return isinstance(e, unnamed) if party is None else party.lower() == self.chat_id.lower()

    def party(self, e: Any) -> Any:
        return self.chat_id if self.own(e) else getattr(e, "party_id", None)

    def is_new(self, e: Any, i: Any, *content: Any) -> bool:
        """Whether the kind, party, id and content are new; a live event without an id always is."""
        kind = events.File if isinstance(e, events.FileUrl) else type(e)
        key, content = (kind, self.party(e), i), content if i else (*content, e.timestamp)
        before = self.known.get(key, ())
        if content in before and (i or self.past):
            self.ignore(e)
            return False
        self.known = {**self.known, key: (*before, content)}
        if before and i and kind is not events.MessageEdit:
            self.anomaly("id_reused")
        return True

    def active(self, e: Any) -> None:
        """Clear the warning, if the event is activity of the customer."""
        answers = events.FormData | events.FormDataCancel | commands.SendText
        if (isinstance(e, answers) or self.own(e)) and not self.past and self.warning is not None:
            self.warning = None
            self.report(effects.WarningCleared())

    def stop(self, party: Any, reason: Any) -> None:
        if party in self.typing:
            self.typing = without(self.typing, party)
            self.report(effects.TypingStopped(party, reason))

    def close(self, i: Any, reason: Any, at: float = inf) -> None:
        self.report(effects.FormClosed(self.forms[i], reason))
        self.forms, self.closed = without(self.forms, i), {**self.closed, i: (at, reason)}

    def prompts(self) -> list[str]:
        return [i for i, form in self.forms.items() if form.is_text_prompt]

    def settle(self, i: Any, delivery: str, effect: Any = None) -> None:
        self.outbox = {**self.outbox, i: delivery}
        self.report(*[effect] if effect else [])

    def arrive(self, i: Any, delivery: str) -> None:
        """Advance the delivery state of an own text; it never goes back."""
        before = self.outbox.get(i)
        if before in DELIVERY[: DELIVERY.index(delivery)]:
            self.settle(i, delivery, effects.MessageSent(i) if before in DELIVERY[:2] else None)

    def deadlines(self) -> list[Any]:
        """All deadlines in order of time; at the same time, typing before forms."""
        due: list[Any] = [(at, 0, party) for party, at in self.typing.items()]
        due += [(f.deadline, 1, i) for i, f in self.forms.items() if f.deadline is not None]
        return sorted(due, key=lambda one: one[:2])

    def end(self, outcome: Any, text: str = "") -> None:
        self.report(effects.StateChanged(self.state, outcome))
        for party in self.typing:
            self.stop(party, "terminated")
        for i in self.forms:
            self.close(i, "terminated")
        if self.call in IN_CALL:
            self.report(effects.CallChanged(self.call, "ended"))
            self.call = "ended"
        for i in [i for i, delivery in self.outbox.items() if delivery == "pending"]:
            self.settle(i, "unconfirmed", effects.MessageUnconfirmed(i, "the session is over"))
        self.state, self.outcome, self.outcome_text = outcome, outcome, text
        self.early_candidates = ()
        self.report(effects.Terminated(outcome, text))

    def show(self, e: Any) -> None:
        i, at, secure = e.form_request_id, e.timestamp, isinstance(e, events.SecureFormShow)
        limit = None if secure else e.form_timeout
        name, content = (e.form_id, None) if secure else (e.form_name, e.form_content)
        form = Form(i, name, secure, self.now + limit if limit else None, content)
        before = self.shown[i] if i in self.forms else None
        again = (before and evolve(before, timestamp=at) == e) or (at and e in self.shows)
        since = max(self.closed.get(i, (-inf,))[0], self.answered if form.is_text_prompt else -inf)
        self.shows += (e,)
        if self.past and at <= max(since, before.timestamp if before else -inf):
            self.ignore(e)
        elif again:
            if self.past and before:
                self.shown = {**self.shown, i: e}
            self.ignore(e)
        else:
            if before:
                self.report(effects.FormClosed(self.forms[i], "replaced"))
            self.forms, self.shown = {**without(self.forms, i), i: form}, {**self.shown, i: e}
            self.report(effects.FormOpened(form))

    def answer(self, e: Any) -> None:
        i, at = e.form_request_id, inf if e.timestamp is None else e.timestamp
        reason = "submitted" if isinstance(e, events.FormData) else "cancelled"
        since, before = self.closed.get(i, (-inf, ""))
        if self.past and i and (i not in self.forms or at < self.shown[i].timestamp):
            self.closed = {**self.closed, i: (at, reason)} if at > since else self.closed
            self.ignore(e)
        elif i and i not in self.forms and before == reason:
            self.ignore(e)
        else:
            if i in self.forms:
                self.close(i, reason, at)
            elif i:
                self.closed = self.closed if before else {**self.closed, i: (at, reason)}
                self.anomaly("form_not_open")
            self.active(e)

    def receive(self, e: Any) -> None:
        past, mine, party, at = self.past, self.own(e), self.party(e), getattr(e, "timestamp", None)
        sender, text = self.parties.get(party), getattr(e, "msg_text", None)
        plain = (getattr(e, "msg", None) if text is None else text) or ""
        since = self.since.get(party, nan)
        match e:
            case _ if past and isinstance(e, LIVE_ONLY):
                pass
            case events.Status(state="failed"):
                self.end("failed")
            case events.Ended():
                self.end("ended")
            case events.InactivityTimeout():
                self.end("timed_out", plain)
            case inputs.Lost(reason=reason):
                self.end("gone", reason or "")
            case events.Status(state=state) if state not in STATES:
                self.anomaly("unknown_state")
            case events.Status(state=state, ewt=ewt):
                if state == self.state and ewt in {None, self.ewt}:
                    self.ignore(e)
                    return
                if state != self.state:
                    self.report(effects.StateChanged(self.state, state))
                if ewt is not None:
                    self.report(effects.WaitEstimated(ewt))
                if state == "establishing" != self.state:
                    self.anomaly("unexpected_transition")
                for typist in self.typing if state == "completed" != self.state else ():
                    self.stop(typist, "completed")
                self.state, self.ewt = state, ewt
            case events.PartyJoined():
                new = Party(party, e.type, e.display_name, e.first_name, e.last_name)
                old = None not in {at, since} and (at < since or (past and at == since))
                if not old and not (sender and at is None):
                    self.since = {**self.since, party: at}
                if old or sender == new:
                    self.ignore(e)
                else:
                    self.parties = {**self.parties, party: new}
                    self.report((effects.PartyChanged if sender else effects.PartyAdded)(new))
            case events.PartyLeft() if sender and None not in {at, since} and at < since:
                self.ignore(e)
            case events.PartyLeft() if sender:
                self.parties, self.since = without(self.parties, party), {**self.since, party: at}
                self.stop(party, "left")
                self.report(effects.PartyRemoved(sender))
            case events.PartyLeft() if past or since == at:
                if past:
                    self.since = {**self.since, party: max(at, self.since.get(party, at))}
                self.ignore(e)
            case events.PartyLeft():
                self.stop(party, "left")
                self.anomaly("unknown_party")
            case events.Typing() if not mine:
                if party not in self.typing:
                    self.report(effects.TypingStarted(party))
                self.typing = {**self.typing, party: self.now + 30}
            case events.NotTyping():
                self.stop(party, "event")
            case events.TimeoutWarning():
                self.warning = plain
                self.report(effects.WarningRaised(plain))
            case events.Message(msg_id=i):
                order = self.sent[i][0] if mine and i in self.sent else None
                texts = {unescape(came) for came in (e.msg, e.msg_text) if came is not None}
                is_echo = order and texts & {unescape(order.body), unescape(order.text)}
                if is_echo:
                    self.arrive(i, "sent")
                    self.ignore(e)
                is_new = not is_echo and self.is_new(e, i, e.msg, e.msg_text, e.attachments)
                if mine and at is not None:
                    self.answered = max(at, self.answered)
                    for form in self.prompts() if past else ():
                        if self.shown[form].timestamp <= at:
                            self.close(form, "submitted", at)
                if is_new:
                    for form in self.prompts()[-1:] if mine and not past else ():
                        self.close(form, "submitted")
                    self.active(e)
                    if not past:
                        self.stop(party, "message")
                    self.report(effects.MessageReceived(ChatMessage(e, sender, mine)))
            case events.File() | events.FileUrl():
                file = SharedFile(e, sender, mine)
                where = e.file_id if isinstance(e, events.File) else e.file_url
                i = e.msg_id or (None if at is None else f"{where} at {at}")
                if self.is_new(e, i, where, file.file_type, file.file_name):
                    self.active(e)
                    self.report(effects.FileReceived(file))
            case events.Location() if self.is_new(e, e.msg_id, e.latitude, e.longitude, e.url):
                self.active(e)
                self.report(effects.LocationReceived(SharedLocation(e, sender, mine)))
            case events.MessageEdit(ref_msg_id=i) if self.is_new(e, i, e.msg, e.msg_text, at):
                self.report(effects.MessageEdited(i, plain, e.msg, e.party_id))
            case events.MessageDelete(ref_msg_id=i) if self.is_new(e, i):
                self.report(effects.MessageDeleted(i, e.party_id))
            case events.MessageDelivered(ref_msg_id=i) if not mine and self.is_new(e, i):
                self.arrive(i, "delivered")
                self.report(effects.DeliveryConfirmed(i, e.party_id))
            case events.MessageRead(ref_msg_id=i) if not mine and self.is_new(e, i):
                self.arrive(i, "read")
                self.report(effects.ReadConfirmed(i, e.party_id))
            case events.FormShow() | events.SecureFormShow():
                self.show(e)
            case events.FormDataCancel() | events.SecureFormCancel():
                self.answer(e)
            case events.FormData(has_answers=True):
                self.answer(e)
            case events.Signaling(signal=signal) if self.is_new(e, e.msg_id, signal):
                sources, state = CALL.get(type(signal), ((), ""))
                self.report(effects.SignalReceived(e.party_id, signal))
                if isinstance(signal, signaling.IceCandidate) and self.call in BEFORE_ANSWER:
                    self.early_candidates += (signal,)
                elif self.call in sources:
                    self.report(effects.CallChanged(self.call, state))
                    self.early_candidates = self.early_candidates if state in BEFORE_ANSWER else ()
                    self.call = state
            case events.Cobrowsing(state=state) if self.is_new(e, e.msg_id, state):
                if state == self.cobrowsing:
                    self.ignore(e)
                else:
                    self.cobrowsing = state
                    self.report(effects.CobrowsingChanged(state))
            case events.Info(service_name=None | ""):
                pass
            case events.CaseSet(case_id=value) | events.Info(service_name=value):
                before, since = self.newest.get(type(e), ("", -inf))
                at = inf if at is None else at
                if value == before:
                    self.newest = {**self.newest, type(e): (value, max(at, since))}
                if value == before or (past and at <= since):
                    self.ignore(e)
                else:
                    self.newest = {**self.newest, type(e): (value, at)}
                    case = isinstance(e, events.CaseSet)
                    self.report((effects.CaseChanged if case else effects.ServiceNamed)(value))
            case events.Unknown() | events.Malformed():
                key = (type(e), dumps(e.raw, sort_keys=True))
                if past and key in self.known:
                    self.ignore(e)
                elif isinstance(e, events.Unknown):
                    self.report(effects.UnknownReceived(e.name, e.raw))
                else:
                    self.anomaly("malformed", e.raw)
                self.known = {**self.known, key: ()}
            case commands.SendText(msg_id=i, text=text):
                forms = self.prompts()[-1:]
                data = [commands.SubmitForm(form, {"text": text}, form_name="") for form in forms]
                for form in forms:
                    self.close(form, "submitted")
                self.active(e)
                message = effects.OutgoingMessage(tuple(encode(one) for one in (*data, e)), i)
                self.known = {**self.known, (events.Message, self.chat_id, i): (e,)}
                self.sent = {**self.sent, i: (e, message)}
                self.settle(i, "pending", effects.SendEvents((message,)))
            case inputs.Sent(msg_ids=ids):
                for i in ids:
                    self.arrive(i, "sent")
            case inputs.SendFailed(msg_ids=ids, why=why, retryable=retryable):
                for i in ids:
                    if retryable and self.outbox.get(i) == "pending":
                        self.settle(i, "unconfirmed", effects.MessageUnconfirmed(i, why))
                    elif not retryable and self.outbox.get(i) in DELIVERY[:2]:
                        self.settle(i, "failed", effects.MessageFailed(i, why))


def without(mapping: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: value for k, value in mapping.items() if k != key}


def restarted(model: Model, by: float) -> Model:
    """A copy of the model on a clock that is `by` seconds ahead."""
    m = copy(model)
    m.typing = {party: at + by for party, at in m.typing.items()}
    for i, form in m.forms.items():
        if form.deadline is not None:
            m.forms = {**m.forms, i: evolve(form, deadline=form.deadline + by)}
    return m


def step(model: Model, item: Any, now: float) -> tuple[Model, tuple[Any, ...]]:
    m, items = copy(model), item.events if isinstance(item, inputs.History) else (item,)
    m.reported, m.now, m.past = (), now, isinstance(item, inputs.History)
    is_over, received = m.outcome is not None, [e for e in items if isinstance(e, events.Event)]
    if isinstance(item, commands.SubmitForm) or (is_over and isinstance(item, commands.SendText)):
        raise LocalProtocolError
    for at, is_form, key in m.deadlines():
        if is_form and at <= now:
            m.close(key, "expired")
        elif at <= now:
            m.stop(key, "timeout")
    due, m.reported = m.reported, ()
    take = m.ignore if is_over else m.receive
    for e in received if is_over else items:
        take(e)
    if m.past and not is_over:
        m.reported = tuple(evolve(effect, replayed=True) for effect in m.reported)
        lost = [
            i for i, delivery in m.outbox.items() if delivery == "unconfirmed" and item.complete
        ]
        m.outbox = {**m.outbox, **dict.fromkeys(lost, "pending")}
        m.report(*[effects.SendEvents(tuple(m.sent[i][1] for i in lost))] if lost else [])
    found_effects = (
        *due,
        *sorted(m.reported, key=lambda effect: isinstance(effect, effects.Anomaly)),
    )
    m.reported = tuple(e for e in found_effects if m.explain or not isinstance(e, effects.Ignored))
    found = Counter(getattr(e, "kind", getattr(e, "reason", type(e))) for e in found_effects)
    more = {
        "events": 0 if is_over else len(received),
        "effects": len(m.reported),
        "duplicates": found["duplicate"],
        "late": found["late"],
        "unknown": found[effects.UnknownReceived],
        "malformed": found["malformed"],
        "anomalies": sum(isinstance(e, effects.Anomaly) for e in found_effects),
    }
    m.counts = {name: number + more[name] for name, number in m.counts.items()}
    return m, m.reported
