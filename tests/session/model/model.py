"""A naive session, written from the design and not from the code, to compare the session with.

`step(model, item, now)` returns the next model and the effects. It is not fast, and the texts of
its anomalies are empty. It leaves out:

- the bounds of Settings, strict sessions, and commands other than `SendText`, whose msg_id the
  caller chooses;
- the order in which a history puts parties and forms;
- histories that contradict, within one second, what is known; and histories with, or after,
  parties, forms, cases or services without a timestamp.
"""

from __future__ import annotations

from html import unescape
from json import dumps
from math import inf, nan
from typing import Any

from attrs import evolve

from chatfsm import LocalProtocolError, commands, effects, encode, events, inputs, signaling
from chatfsm.models import ChatMessage, Party, SharedFile, SharedLocation
from tests.session.model.state import (
    BEFORE_ANSWER,
    CALL,
    FATES,
    STATES,
    Model,
    answer,
    arrive,
    clear_warning,
    close,
    count,
    end,
    expire,
    ignore,
    is_anomaly,
    once,
    own,
    party,
    prompts,
    report,
    settle,
    show,
    stop,
    without,
)


def step(m: Model, item: Any, now: float) -> tuple[Model, tuple[Any, ...]]:
    past = isinstance(item, inputs.History)
    received = [e for e in (item.events if past else [item]) if isinstance(e, events.Event)]
    if m.outcome is not None and isinstance(item, commands.SendText):
        raise LocalProtocolError
    if m.outcome is not None:
        for e in received:
            m = ignore(m, e, "late")
        m = count(m, effects=len(m.reported))
        return evolve(m, reported=()), m.reported
    m = count(expire(m, now), events=len(received))
    due, m = m.reported, evolve(m, reported=())
    for e in item.events if past else [item]:
        m = apply(m, e, now, past)
    if past:
        m = evolve(m, reported=tuple(evolve(effect, replayed=True) for effect in m.reported))
        lost = [i for i, fate in m.outbox.items() if fate == "unconfirmed" and item.complete]
        m = evolve(m, outbox={**m.outbox, **dict.fromkeys(lost, "pending")})
        m = report(m, effects.SendEvents(tuple(m.sent[i][1] for i in lost))) if lost else m
        m = evolve(m, reported=tuple(sorted(m.reported, key=is_anomaly)))
    reported = due + m.reported
    m = count(m, effects=len(reported), anomalies=sum(is_anomaly(effect) for effect in reported))
    return evolve(m, reported=()), reported


def apply(m: Model, e: Any, now: float, past: bool) -> Model:
    duplicate, at = ignore(m, e), getattr(e, "timestamp", None)
    text = getattr(e, "msg_text", None)
    plain = (getattr(e, "msg", None) if text is None else text) or ""

    def share(m: Model, effect: Any) -> Model:
        return report(clear_warning(m) if own(m, e) and not past else m, effect)

    match e:
        case events.Status() | events.Ended() | events.InactivityTimeout() if past:
            return m
        case events.Typing() | events.NotTyping() | events.TimeoutWarning() if past:
            return m
        case events.Signaling() | events.Cobrowsing() if past:
            return m
        case events.Status(state="failed"):
            return end(m, "failed")
        case events.Status(state=state, ewt=ewt):
            if state not in STATES:
                return report(m, effects.Anomaly("unknown_state", ""))
            if state == m.state and ewt in {None, m.ewt}:
                return duplicate
            changed = [effects.StateChanged(m.state, state)] * (state != m.state)
            changed += [] if ewt is None else [effects.WaitEstimated(ewt)]
            odd = state == "establishing" != m.state
            m = report(m, *changed, *[effects.Anomaly("unexpected_transition", "")] * odd)
            for who in m.typing if state == "completed" else ():
                m = stop(m, who, "completed")
            return evolve(m, state=state, ewt=ewt)
        case events.Ended():
            return end(m, "ended")
        case events.InactivityTimeout():
            return end(m, "timed_out", plain)
        case inputs.Lost(reason=reason):
            return end(m, "gone", reason)
        case events.PartyJoined():
            who = party(m, e)
            new = Party(who, e.type, e.display_name, e.first_name, e.last_name)
            here, since = who in m.parties, (m.joined if who in m.parties else m.left).get(who)
            if None not in (at, since) and (at < since or (past and at == since)):
                return duplicate
            joined = {**m.joined, who: since if here and at is None else at}
            if m.parties.get(who) == new:
                return evolve(duplicate, joined=joined)
            m = evolve(m, parties={**m.parties, who: new}, joined=joined, left=without(m.left, who))
            return report(m, (effects.PartyChanged if here else effects.PartyAdded)(new))
        case events.PartyLeft():
            who = party(m, e)
            since = (m.joined if who in m.parties else m.left).get(who)
            if who in m.parties and None not in (at, since) and at < since:
                return duplicate
            if who not in m.parties and past:
                return evolve(duplicate, left={**m.left, who: max(at, m.left.get(who, at))})
            if who not in m.parties and m.left.get(who, nan) == at:
                return duplicate
            if who not in m.parties:
                return report(stop(m, who, "left"), effects.Anomaly("unknown_party", ""))
            gone, m = effects.PartyRemoved(m.parties[who]), stop(m, who, "left")
            return report(
                evolve(m, parties=without(m.parties, who), left={**m.left, who: at}), gone
            )
        case events.Typing() if not own(m, e):
            began = [effects.TypingStarted(e.party_id)] * (e.party_id not in m.typing)
            return report(evolve(m, typing={**m.typing, e.party_id: now + 30}), *began)
        case events.NotTyping():
            return stop(m, e.party_id, "event")
        case events.TimeoutWarning():
            return report(evolve(m, warning=plain), effects.WarningRaised(plain))
        case events.Message():
            mine, received = own(m, e), ChatMessage(e, m.parties.get(party(m, e)), own(m, e))
            order = m.sent[e.msg_id][0] if mine and e.msg_id in m.sent else None
            texts = {unescape(came) for came in (e.msg, e.msg_text) if came is not None}
            echo = order and texts & {unescape(order.body), unescape(order.text)}
            if mine and at is not None:
                for i in prompts(m) if past else ():
                    m = close(m, i, "submitted", at) if m.shown[i].timestamp <= at else m
                m = evolve(m, answered=max(at, m.answered))
            if echo:
                return ignore(arrive(m, e.msg_id, "sent"), e)

            def receive(m: Model) -> Model:
                if mine and not past:
                    m = clear_warning(close(m, (prompts(m) or [""])[-1], "submitted"))
                m = m if past else stop(m, e.party_id, "message")
                return report(m, effects.MessageReceived(received))

            return once(m, e, past, e.msg_id, (e.msg, e.msg_text, e.attachments), receive)
        case events.File() | events.FileUrl():
            file = SharedFile(e, m.parties.get(party(m, e)), own(m, e))
            where = e.file_id if isinstance(e, events.File) else e.file_url
            i = e.msg_id or (None if at is None else f"{where} at {at}")
            content: Any = (where, file.file_type, file.file_name)
            return once(m, e, past, i, content, lambda m: share(m, effects.FileReceived(file)))
        case events.Location():
            place = SharedLocation(e, m.parties.get(party(m, e)), own(m, e))
            content, i = (e.latitude, e.longitude, e.url), e.msg_id
            return once(m, e, past, i, content, lambda m: share(m, effects.LocationReceived(place)))
        case events.MessageEdit() | events.MessageDelete():
            i, who = e.ref_msg_id, e.party_id
            edited = isinstance(e, events.MessageEdit)
            effect: Any = effects.MessageDeleted(i, who)
            if edited:
                effect = effects.MessageEdited(i, plain, e.msg, who)
            content = (e.msg, e.msg_text, at) if edited else ()
            return once(m, e, past, i, content, lambda m: report(m, effect))
        case events.MessageDelivered() | events.MessageRead() if not own(m, e):
            read = isinstance(e, events.MessageRead)
            i, fate = e.ref_msg_id, "read" if read else "delivered"
            receipt = (effects.ReadConfirmed if read else effects.DeliveryConfirmed)(i, e.party_id)
            return once(m, e, past, i, (), lambda m: report(arrive(m, i, fate), receipt))
        case events.FormShow() | events.SecureFormShow():
            return show(m, e, now, past)
        case events.FormData() | events.FormDataCancel() | events.SecureFormCancel():
            return answer(m, e, past)
        case events.Signaling(signal=signal):

            def follow(m: Model) -> Model:
                m, early = report(m, effects.SignalReceived(e.party_id, signal)), m.early_candidates
                sources, state = CALL.get(type(signal), ((), m.call))
                if isinstance(signal, signaling.IceCandidate) and m.call in BEFORE_ANSWER:
                    return evolve(m, early_candidates=(*early, signal))
                if m.call not in sources:
                    return m
                m = report(m, effects.CallChanged(m.call, state))
                early = early if state in BEFORE_ANSWER else ()
                return evolve(m, call=state, early_candidates=early)

            return once(m, e, past, e.msg_id, signal, follow)
        case events.Cobrowsing():

            def change(m: Model) -> Model:
                if e.state == m.cobrowsing:
                    return ignore(m, e)
                return report(evolve(m, cobrowsing=e.state), effects.CobrowsingChanged(e.state))

            return once(m, e, past, e.msg_id, e.state, change)
        case events.CaseSet(case_id=value) | events.Info(service_name=value):
            at, case = inf if at is None else at, isinstance(e, events.CaseSet)
            before, since = m.newest.get(type(e), ("", -inf))
            if not case and not value:
                return m
            if value == before:
                return evolve(duplicate, newest={**m.newest, type(e): (value, max(at, since))})
            if past and at <= since:
                return duplicate
            changed = effects.CaseChanged(value) if case else effects.ServiceNamed(value or "")
            return report(evolve(m, newest={**m.newest, type(e): (value, at)}), changed)
        case events.Unknown() | events.Malformed():
            key = (type(e), dumps(e.raw, sort_keys=True))
            if past and key in m.known:
                return duplicate
            m = evolve(m, known={**m.known, key: ()})
            if isinstance(e, events.Unknown):
                return report(count(m, unknown=1), effects.UnknownReceived(e.name, e.raw))
            return report(count(m, malformed=1), effects.Anomaly("malformed", "", e.raw))
        case commands.SendText(msg_id=i, text=text):
            form = prompts(m)[-1:]
            data = [commands.SubmitForm(f, {"text": text}, form_name="") for f in form]
            m = clear_warning(close(m, (form or [""])[0], "submitted"))
            message = effects.OutgoingMessage(tuple(encode(one) for one in (*data, e)), i)
            known = {**m.known, (events.Message, m.chat_id, i): (e,)}
            m = evolve(m, sent={**m.sent, i or "": (e, message)}, known=known)
            return settle(m, i, "pending", effects.SendEvents((message,)))
        case inputs.Sent(msg_ids=ids):
            for i in ids:
                m = arrive(m, i, "sent")
        case inputs.SendFailed(msg_ids=ids, why=why, retryable=retryable):
            for i in ids:
                if retryable and m.outbox.get(i) == "pending":
                    m = settle(m, i, "unconfirmed", effects.MessageUnconfirmed(i, why))
                elif not retryable and m.outbox.get(i) in FATES[:2]:
                    m = settle(m, i, "failed", effects.MessageFailed(i, why))
    return m
