"""What always holds of a session and a client, checked step by step while they run.

Give a watcher each item that was heard and what followed; it keeps the books that an app would
keep, and raises AssertionError, with a sentence, at the first step after which they are wrong:

    watcher = ClientWatcher()
    effects = client.receive(item, now=now)
    watcher.follow(item, effects, client, now=now)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from chatfsm import effects as e
from chatfsm._client.client import ChatClient
from chatfsm._session.session import ChatSession
from chatfsm.errors import SnapshotError
from chatfsm.settings import Settings
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

__all__ = ["ClientWatcher", "Flights", "SessionWatcher", "survives_a_restart"]

_OPEN: Final = {"pending", "unconfirmed"}
_NO_CALL: Final = {"idle", "ended", "rejected"}


def _must(holds: object, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


class SessionWatcher:
    """Follows the effects of one session, over all its lives, as an app would.

    It watches that the end is told once, as the last thing (L4); that no message, file, place,
    form or party is told twice (L5); that what was told is what can be read; that what is due was
    told; and that what can be read stays within the settings (L6).
    """

    def __init__(self) -> None:
        self.state: str | None = None
        """The state, as it was told last; None: it was not."""
        self.call = "idle"
        self.parties: dict[str, Any] = {}
        self.typing: set[str] = set()
        self.forms: set[str] = set()
        self.is_over = False
        self.effects = 0
        """How many were followed."""
        self._shared: set[tuple[object, ...]] = set()
        self._forgets = False
        """Whether the session said that it does not remember all ids any more."""
        self._settled: set[str] = set()

    def follow(self, effects: Sequence[object], session: ChatSession, *, now: float) -> None:
        """Take note of what one step told. Raises AssertionError where that cannot be."""
        # That ids are forgotten is told after what the same step tells again.
        self._forgets |= any(
            isinstance(effect, e.Anomaly) and effect.kind == "too_many_ids" for effect in effects
        )
        self.effects += len(effects)
        for effect in effects:
            _must(not self.is_over, f"told after Terminated: {type(effect).__name__}")
            note = _NOTES.get(type(effect))
            if note is not None:
                note(self, effect)
        if effects:
            self._compare(session)
        deadline = session.deadline
        _must(deadline is None or deadline > now, "something is due and was not told")
        _must(session.done == self.is_over, "the session is over, and nobody was told, or not once")

    def _compare(self, session: ChatSession) -> None:
        """What was told is what can be read."""
        forms = {form.request_id for form in session.forms}
        parties = {party.party_id: party for party in session.parties}
        _must(parties == self.parties, "the roster is not what was told of it")
        _must(set(session.typing) == self.typing, "who types is not who was told to")
        _must(forms == self.forms, "the open forms are not those that were told")
        _must(session.call == self.call, f"the call is {session.call}, and {self.call} was told")
        known = self.state is None or session.state == self.state
        _must(known, f"the state is {session.state}, and {self.state} was told")
        _must(session.typing == () or session.deadline is not None, "somebody types for ever")
        if session.done:
            _must(not session.typing and not session.forms, "something survived the end")
            _must(session.deadline is None, "the session is over, and has a deadline")
            _must(session.call in _NO_CALL, "a call survived the end")
        self._measure(session)

    def _measure(self, session: ChatSession) -> None:
        """What is remembered stays within the settings."""
        settings: Settings = session.settings
        outbox = session.outbox.values()
        for name, count, most in (
            ("parties", len(session.parties), settings.max_parties),
            ("typists", len(session.typing), settings.max_typists),
            ("forms", len(session.forms), settings.max_forms),
            ("candidates", len(session.early_candidates), settings.max_candidates),
            ("messages unsent", sum(s in _OPEN for s in outbox), settings.max_unsent),
            ("messages remembered", len(outbox), 2 * settings.max_unsent),
        ):
            _must(count <= most, f"{count} {name}, where the settings have {most}")

    def _shares(self, kind: str, shared: Any, *content: object) -> None:
        event = shared.event
        if event.msg_id is None or self._forgets:
            return  # what has no id may be said again
        who = "" if shared.own else event.party_id
        identity = (kind, who, event.msg_id, *content)
        _must(identity not in self._shared, f"{kind} {event.msg_id!a} was told twice")
        self._shared.add(identity)

    def _message(self, effect: e.MessageReceived) -> None:
        event = effect.message.event
        self._shares("message", effect.message, event.msg, event.msg_text, repr(event.attachments))

    def _file(self, effect: e.FileReceived) -> None:
        event = effect.file.event
        file = effect.file
        content = (file.file_id, file.url, event.file_type, file.file_name)
        self._shares("file", file, *content)

    def _location(self, effect: e.LocationReceived) -> None:
        event = effect.location.event
        self._shares("place", effect.location, event.latitude, event.longitude, event.url)

    def _state_changed(self, effect: e.StateChanged) -> None:
        _must(effect.previous != effect.state, f"the state changed from {effect.state} to itself")
        known = self.state in {None, effect.previous}
        _must(known, f"the state was {self.state}, and changed from {effect.previous}")
        self.state = effect.state

    def _call_changed(self, effect: e.CallChanged) -> None:
        _must(effect.previous == self.call, f"the call was {self.call}, not {effect.previous}")
        _must(effect.previous != effect.state, f"the call changed from {effect.state} to itself")
        self.call = effect.state

    def _party_added(self, effect: e.PartyAdded) -> None:
        party_id = effect.party.party_id
        _must(party_id not in self.parties, f"party {party_id!a} was added twice")
        self.parties[party_id] = effect.party

    def _party_changed(self, effect: e.PartyChanged) -> None:
        party_id = effect.party.party_id
        _must(party_id in self.parties, f"party {party_id!a} changed, and was not added")
        _must(self.parties[party_id] != effect.party, f"party {party_id!a} changed to the same")
        self.parties[party_id] = effect.party

    def _party_removed(self, effect: e.PartyRemoved) -> None:
        party_id = effect.party.party_id
        _must(self.parties.pop(party_id, None), f"party {party_id!a} was removed, and not added")

    def _typing_started(self, effect: e.TypingStarted) -> None:
        _must(effect.party_id not in self.typing, f"{effect.party_id!a} started typing twice")
        self.typing.add(effect.party_id)

    def _typing_stopped(self, effect: e.TypingStopped) -> None:
        _must(effect.party_id in self.typing, f"{effect.party_id!a} stopped, and did not type")
        self.typing.remove(effect.party_id)

    def _form_opened(self, effect: e.FormOpened) -> None:
        request_id = effect.form.request_id
        _must(request_id not in self.forms, f"form {request_id!a} was opened twice")
        self.forms.add(request_id)

    def _form_closed(self, effect: e.FormClosed) -> None:
        request_id = effect.form.request_id
        _must(request_id in self.forms, f"form {request_id!a} was closed, and not open")
        self.forms.remove(request_id)

    def _settle(self, effect: e.MessageSent | e.MessageFailed) -> None:
        _must(effect.msg_id not in self._settled, f"message {effect.msg_id!a} was settled twice")
        self._settled.add(effect.msg_id)

    def _terminated(self, _effect: e.Terminated) -> None:
        self.is_over = True


_NOTES: Final[dict[type, Callable[[SessionWatcher, Any], None]]] = {
    e.MessageReceived: SessionWatcher._message,  # noqa: SLF001  # the class's own table
    e.FileReceived: SessionWatcher._file,  # noqa: SLF001
    e.LocationReceived: SessionWatcher._location,  # noqa: SLF001
    e.StateChanged: SessionWatcher._state_changed,  # noqa: SLF001
    e.CallChanged: SessionWatcher._call_changed,  # noqa: SLF001
    e.PartyAdded: SessionWatcher._party_added,  # noqa: SLF001
    e.PartyChanged: SessionWatcher._party_changed,  # noqa: SLF001
    e.PartyRemoved: SessionWatcher._party_removed,  # noqa: SLF001
    e.TypingStarted: SessionWatcher._typing_started,  # noqa: SLF001
    e.TypingStopped: SessionWatcher._typing_stopped,  # noqa: SLF001
    e.FormOpened: SessionWatcher._form_opened,  # noqa: SLF001
    e.FormClosed: SessionWatcher._form_closed,  # noqa: SLF001
    e.MessageSent: SessionWatcher._settle,  # noqa: SLF001
    e.MessageFailed: SessionWatcher._settle,  # noqa: SLF001
    e.Terminated: SessionWatcher._terminated,  # noqa: SLF001
}


class ClientWatcher:
    """Follows a client, over all its lives: its session, and the requests that it tells.

    It watches as `SessionWatcher` does, and that no two requests have one id; that one poll, one
    POST and one history at most are on their way; that a chat which lives never stands still; and
    that nothing is asked for once it is over.
    """

    def __init__(self) -> None:
        self.session = SessionWatcher()
        self.flights = Flights()

    def follow(
        self,
        item: object,
        effects: list[Any],
        client: ChatClient,
        *,
        now: float,
    ) -> None:
        """Take note of what was heard and told. Raises AssertionError where that cannot be."""
        if isinstance(item, (HttpReply, HttpFailure)):
            self.flights.landed(item.id)
        self.flights.expired(now)
        for effect in effects:
            if isinstance(effect, HttpRequest):
                _must(not self.session.is_over, "a request after Terminated")
                _must(not client.done, "a request though the chat is over")
                self.flights.started(effect, now + effect.timeout + client.settings.timeout_grace)
        ends = [at for at, effect in enumerate(effects) if isinstance(effect, e.Terminated)]
        _must(not ends or ends == [len(effects) - 1], "Terminated is not the last of its step")
        session = client.session
        if session is not None:
            told = [effect for effect in effects if type(effect) in _OF_A_SESSION]
            _must(not self.session.is_over or not effects, "something was told after Terminated")
            self.session.follow(told, session, now=now)
        deadline = client.deadline
        if session is not None and not session.done:
            stands = deadline is None and client.health(now).link != "unauthorized"
            _must(not stands, "a chat that lives stands still")
        _must(deadline is None or deadline > now, "something is due and was not done")

    def restarted(self) -> None:
        """The client was restored from a snapshot: its connections have broken."""
        self.flights.broke()


_OF_A_SESSION: Final = frozenset({*_NOTES, e.WaitEstimated, e.Anomaly})


def survives_a_restart(session: ChatSession, *, now: float) -> None:
    """A session that is put away and comes back knows the same (L8).

    Raises AssertionError where it does not; costs as much as a snapshot and a restore.
    """
    try:
        kept = json.loads(json.dumps(session.snapshot(now=now), allow_nan=False))
        other = ChatSession.restore(kept, settings=session.settings, now=now)
    except (SnapshotError, ValueError) as error:
        raise AssertionError(f"a snapshot that cannot be kept: {error}") from error
    _must(other == session, "a session that was restored knows something else")


# The requests of a client that are on their way, as far as whoever watches can tell.


class Flights:
    """Which requests were told and not answered; over all lives of a client."""

    def __init__(self) -> None:
        self.last_id = 0
        self._lanes: dict[int, tuple[str, float]] = {}
        """By id: what it is for, and when the client gives it up by itself."""

    def started(self, request: HttpRequest, given_up_at: float) -> None:
        """A request was told. Raises AssertionError where it should not have been."""
        if request.id <= self.last_id:
            raise AssertionError(f"request {request.id} comes after {self.last_id}: not unique")
        self.last_id = request.id
        purpose = request.purpose
        if purpose != "api" and any(purpose == other for other, _ in self._lanes.values()):
            raise AssertionError(f"a second {purpose} while one is on its way")
        self._lanes[request.id] = purpose, given_up_at

    def landed(self, request_id: int) -> None:
        """A request was answered, or has failed."""
        self._lanes.pop(request_id, None)

    def expired(self, now: float) -> None:
        """The client has given up what took too long."""
        if any(given_up_at <= now for _, given_up_at in self._lanes.values()):
            self._lanes = {
                number: flight for number, flight in self._lanes.items() if flight[1] > now
            }

    def broke(self) -> None:
        """All connections have broken with the process."""
        self._lanes.clear()
