"""State of the model, and small steps: functions from one state to the next.

A state is immutable; `evolve` copies it. It carries the effects of the step under way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from attrs import evolve, frozen

from chatfsm import commands, effects, events, signaling
from chatfsm.models import Form, Party

STATES = ("establishing", "ivr", "queued", "connecting", "connected", "completed")
FATES = ("pending", "unconfirmed", "sent", "delivered", "read")
BEFORE_ANSWER = {"idle", "requested", "offered"}
IN_CALL = {"requested", "offered", "active"}
CALL = {
    signaling.CallRequest: ({"idle", "ended", "rejected"}, "requested"),
    signaling.CallOffer: ({"idle", "requested", "active", "ended", "rejected"}, "offered"),
    signaling.CallAnswer: ({"requested", "offered"}, "active"),
    signaling.CallRejection: ({"requested", "offered"}, "rejected"),
    signaling.CallEnd: (IN_CALL, "ended"),
}
COUNTS = ("events", "effects", "duplicates", "unknown", "malformed", "anomalies", "late")


@frozen
class Model:
    chat_id: str
    explain: bool = False
    state: str = "establishing"
    ewt: float | None = None
    parties: Mapping[str, Party] = {}
    joined: Mapping[str, float | None] = {}  # when, by the server; of those who are here
    left: Mapping[str, float | None] = {}  # the same of those who are not
    typing: Mapping[str, float] = {}  # until when, by the session's clock
    forms: Mapping[str, Form] = {}
    shown: Mapping[str, Any] = {}  # the events that opened the forms
    shows: tuple[Any, ...] = ()  # all events that showed forms
    closed: Mapping[str, tuple[float, str]] = {}  # when and why, by the server
    answered: float = -inf  # when the customer's last text came, by the server
    warning: str | None = None
    call: str = "idle"
    early_candidates: tuple[signaling.Signal, ...] = ()
    newest: Mapping[type, tuple[str | None, float]] = {}  # case and service, and since when
    cobrowsing: str | None = None
    outcome: str | None = None
    outcome_text: str | None = None
    known: Mapping[Any, tuple[Any, ...]] = {}  # contents by kind, party and id
    sent: Mapping[str, tuple[commands.SendText, effects.OutgoingMessage]] = {}
    outbox: Mapping[str, str] = {}
    reported: tuple[Any, ...] = ()
    counts: Mapping[str, int] = dict.fromkeys(COUNTS, 0)

    @property
    def deadline(self) -> float | None:
        ends = [*self.typing.values(), *(form.deadline for form in self.forms.values())]
        return min((at for at in ends if at is not None), default=None)


def restarted(m: Model, by: float) -> Model:
    """The same on a clock that is ahead by so much."""
    ends = {i: form.deadline for i, form in m.forms.items() if form.deadline is not None}
    limited = {i: evolve(m.forms[i], deadline=at + by) for i, at in ends.items()}
    typing = {who: at + by for who, at in m.typing.items()}
    return evolve(m, typing=typing, forms={**m.forms, **limited})


def count(m: Model, **more: int) -> Model:
    return evolve(m, counts={key: n + more.get(key, 0) for key, n in m.counts.items()})


def report(m: Model, *more: Any) -> Model:
    return evolve(m, reported=m.reported + more)


def is_anomaly(effect: Any) -> bool:
    return isinstance(effect, effects.Anomaly)


def without(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {k: value for k, value in mapping.items() if k != key}


def ignore(m: Model, e: Any, reason: Any = "duplicate") -> Model:
    m = count(m, **{"duplicates" if reason == "duplicate" else "late": 1})
    return report(m, effects.Ignored(reason, e)) if m.explain else m


def stop(m: Model, who: Any, reason: Any) -> Model:
    if who not in m.typing:
        return m
    return report(evolve(m, typing=without(m.typing, who)), effects.TypingStopped(who, reason))


def close(m: Model, i: Any, reason: Any, at: float = inf) -> Model:
    if i not in m.forms:
        return m
    closed = effects.FormClosed(m.forms[i], reason)
    return report(
        evolve(m, forms=without(m.forms, i), closed={**m.closed, i: (at, reason)}), closed
    )


def expire(m: Model, now: float) -> Model:
    """What is due by now, in order of time; at the same time, typing before forms."""
    ends: list[Any] = [(at, 0, who) for who, at in m.typing.items()]
    ends += [(f.deadline, 1, i) for i, f in m.forms.items() if f.deadline is not None]
    for at, is_form, key in sorted(ends, key=lambda one: one[:2]):
        if at <= now:
            m = close(m, key, "expired") if is_form else stop(m, key, "timeout")
    return m


def clear_warning(m: Model) -> Model:
    return m if m.warning is None else report(evolve(m, warning=None), effects.WarningCleared())


def prompts(m: Model) -> list[str]:
    return [i for i, form in m.forms.items() if form.is_text_prompt]


def settle(m: Model, i: Any, fate: str, *effect: Any) -> Model:
    return report(evolve(m, outbox={**m.outbox, i: fate}), *effect)


def arrive(m: Model, i: Any, fate: str) -> Model:
    """The fate of a text of the customer's goes forward only."""
    before = m.outbox.get(i)
    if before not in FATES or FATES.index(before) >= FATES.index(fate):
        return m
    return settle(m, i, fate, *[effects.MessageSent(i)] * (before in FATES[:2]))


def end(m: Model, outcome: Any, text: str | None = None) -> Model:
    m = report(m, effects.StateChanged(m.state, outcome))
    for who in m.typing:
        m = stop(m, who, "terminated")
    for i in m.forms:
        m = close(m, i, "terminated")
    if m.call in IN_CALL:
        m = evolve(report(m, effects.CallChanged(m.call, "ended")), call="ended")
    for i in [i for i, fate in m.outbox.items() if fate == "pending"]:
        m = settle(m, i, "unconfirmed", effects.MessageUnconfirmed(i, "the session is over"))
    m = evolve(m, state=outcome, outcome=outcome, outcome_text=text or "", early_candidates=())
    return report(m, effects.Terminated(outcome, text or ""))


def once(
    m: Model, e: Any, past: bool, i: Any, content: Any, then: Callable[[Model], Model]
) -> Model:
    """Skip what is known by kind, party, id and content; a live event without an id is new."""
    kind = events.File if isinstance(e, events.FileUrl) else type(e)
    key, content = (kind, party(m, e), i), content if i else (content, e.timestamp)
    before = m.known.get(key, ())
    if content in before and (i or past):
        return ignore(m, e)
    m = then(evolve(m, known={**m.known, key: (*before, content)}))
    reused = before and i and not isinstance(e, events.MessageEdit)
    return report(m, effects.Anomaly("id_reused", "")) if reused else m


def own(m: Model, e: Any) -> bool:
    if e.party_id is None:
        return isinstance(e, events.Message | events.File | events.FileUrl)
    return e.party_id.lower() == m.chat_id.lower()


def party(m: Model, e: Any) -> Any:
    return m.chat_id if own(m, e) else e.party_id


def show(m: Model, e: Any, now: float, past: bool) -> Model:
    i, duplicate = e.form_request_id, ignore(m, e)
    secure = isinstance(e, events.SecureFormShow)
    limit = None if secure else e.form_timeout
    name, content = (e.form_id, None) if secure else (e.form_name, e.form_content)
    form = Form(i, name, secure, now + limit if limit else None, content)
    since = [m.shown[i].timestamp] if past and i in m.forms else []
    since += [m.closed.get(i, (-inf,))[0], m.answered if form.is_text_prompt else -inf]
    if past and e.timestamp <= max(since):
        return evolve(duplicate, shows=(*m.shows, e))
    same = i in m.forms and evolve(m.shown[i], timestamp=e.timestamp) == e
    if same or (e.timestamp is not None and e in m.shows):
        at = e.timestamp if past else m.shown[i].timestamp if i in m.shown else None
        shown = {**m.shown, i: evolve(m.shown[i], timestamp=at)} if i in m.forms else m.shown
        return evolve(duplicate, shows=(*m.shows, e), shown=shown)
    reported = [effects.FormClosed(m.forms[i], "replaced")] if i in m.forms else []
    m = evolve(m, forms={**without(m.forms, i), i: form}, shown={**m.shown, i: e})
    return report(evolve(m, shows=(*m.shows, e)), *reported, effects.FormOpened(form))


def answer(m: Model, e: Any, past: bool) -> Model:
    i, duplicate = e.form_request_id, ignore(m, e)
    at = inf if e.timestamp is None else e.timestamp
    reason = "submitted" if isinstance(e, events.FormData) else "cancelled"
    since, before = m.closed.get(i, (-inf, ""))
    if isinstance(e, events.FormData) and not e.has_answers:
        return m
    if past and i and (i not in m.forms or at < m.shown[i].timestamp):
        newer = {**m.closed, i: (at, reason)} if at > since else m.closed
        return evolve(duplicate, closed=newer)
    odd = [effects.Anomaly("form_not_open", "")] * bool(i and i not in m.forms)
    mine = not isinstance(e, events.SecureFormCancel) or own(m, e)
    repeated = bool(odd) and before == reason
    if repeated:
        return duplicate
    if odd and not before:
        m = evolve(m, closed={**m.closed, i: (at, reason)})
    m = close(m, i, reason, at)
    m = clear_warning(m) if mine and not past else m
    return report(m, *odd)
