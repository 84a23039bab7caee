"""Reported state: a chat by the effects that the app has received.

The session may be ahead of it, by the effects that wait for the app.
"""

from __future__ import annotations

from chatfsm.drivers._core import DriverCore
from chatfsm.effects import (
    FormClosed,
    FormOpened,
    PartyAdded,
    PartyRemoved,
    StateChanged,
    Terminated,
)
from chatfsm.models import Form, Outcome, Party

__all__ = ["reported_forms", "reported_outcome", "reported_parties", "reported_state"]


def reported_state(core: DriverCore) -> str | None:
    """Return the session's state before the effects that the app has not received."""
    for effect in core.unreceived():
        if isinstance(effect, StateChanged):
            return effect.previous
    return None if core.client.session is None else core.client.session.state


def reported_outcome(core: DriverCore) -> Outcome | None:
    """Return the session's outcome, None if the app has not received `Terminated`."""
    if any(isinstance(effect, Terminated) for effect in core.unreceived()):
        return None
    return None if core.client.session is None else core.client.session.outcome


def reported_parties(core: DriverCore) -> tuple[Party, ...]:
    """Return the session's parties before the effects that the app has not received."""
    session = core.client.session
    parties = {} if session is None else {party.party_id: party for party in session.parties}
    for effect in reversed([*core.unreceived()]):
        if isinstance(effect, PartyAdded):
            parties.pop(effect.party.party_id, None)
        elif isinstance(effect, PartyRemoved):
            parties[effect.party.party_id] = effect.party
    return tuple(parties.values())


def reported_forms(core: DriverCore) -> tuple[Form, ...]:
    """Return the session's open forms before the effects that the app has not received."""
    session = core.client.session
    forms = {} if session is None else {form.request_id: form for form in session.forms}
    for effect in reversed([*core.unreceived()]):
        if isinstance(effect, FormOpened):
            forms.pop(effect.form.request_id, None)
        elif isinstance(effect, FormClosed):
            forms = {effect.form.request_id: effect.form, **forms}
    return tuple(forms.values())
