"""Invariants: checks that a session or a client keeps its rules, step by step.

Give a checker each input and its effects. It keeps the state that an app would keep, and raises
AssertionError with the broken rule at the first step that breaks one:

    checker = ClientChecker()
    effects = client.receive(item, now=now)
    checker.check(item, effects, client, now=now)

`chatfsm.testing.watching.watched` does that at each `receive`. The functions check one rule each,
over all effects of a run:

    terminated_is_last(effects)
    nothing_received_twice(effects)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from chatfsm import effects as e
from chatfsm._client.client import Health
from chatfsm._session.session import ChatSession
from chatfsm.client_effects import ApiFailed, ApiSucceeded
from chatfsm.errors import SnapshotError
from chatfsm.models import Form, Party
from chatfsm.settings import ClientSettings, Settings
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

__all__ = [
    "ClientChecker",
    "ClientLike",
    "InFlightRequests",
    "SessionChecker",
    "SessionLike",
    "calls_follow_their_states",
    "check_restore",
    "forms_close_once",
    "messages_settle_once",
    "nothing_received_twice",
    "parties_come_and_go",
    "require",
    "states_follow_each_other",
    "terminated_is_last",
    "typing_stops_once",
]

_OPEN: Final = {"pending", "unconfirmed"}
_NO_CALL: Final = {"idle", "ended", "rejected"}


def require(holds: object, problem: str) -> None:
    """Raise AssertionError with the problem unless the rule holds; also with `python -O`."""
    if not holds:
        raise AssertionError(problem)


class SessionLike(Protocol):
    """A session: `ChatSession`, a subclass, or a wrapper with these members."""

    @property
    def settings(self) -> Settings:
        """Settings of the session, whose limits it keeps."""
        ...

    @property
    def state(self) -> str:
        """State of the lifecycle."""
        ...

    @property
    def call(self) -> str:
        """State of the call."""
        ...

    @property
    def parties(self) -> tuple[Party, ...]:
        """Parties in the chat."""
        ...

    @property
    def typing(self) -> tuple[str, ...]:
        """Ids of the parties that type."""
        ...

    @property
    def forms(self) -> tuple[Form, ...]:
        """Forms that await an answer."""
        ...

    @property
    def outbox(self) -> Mapping[str, str]:
        """State of each own message."""
        ...

    @property
    def early_candidates(self) -> Sequence[object]:
        """ICE candidates before the answer."""
        ...

    @property
    def deadline(self) -> float | None:
        """When the session needs a `Tick`."""
        ...

    @property
    def done(self) -> bool:
        """Whether the session is over."""
        ...


class ClientLike(Protocol):
    """A client: `ChatClient`, a subclass, or a wrapper with these members."""

    @property
    def settings(self) -> ClientSettings:
        """Settings of the client."""
        ...

    @property
    def session(self) -> SessionLike | None:
        """The session; None until there is a chat."""
        ...

    @property
    def deadline(self) -> float | None:
        """When the client needs a `Tick`."""
        ...

    @property
    def done(self) -> bool:
        """Whether the chat is over."""
        ...

    def health(self, now: float) -> Health:
        """Return the connection health."""
        ...


class SessionChecker:
    """Checks the effects of one session, also over restarts.

    Terminated comes once, as the last effect (L4). No message, file, location, form or party is
    reported twice (L5). The session's properties agree with its effects, stay within its settings
    (L6), and no deadline passes unnoticed.
    """

    def __init__(self) -> None:
        self.state: str | None = None
        """State by the last `StateChanged`; None before the first."""
        self.call = "idle"
        self.parties: dict[str, Any] = {}
        self.typing: set[str] = set()
        self.forms: set[str] = set()
        self.is_over = False
        self.effects = 0
        """Number of effects checked."""
        self._received: set[tuple[object, ...]] = set()
        self._has_evicted = False
        """Whether the session has forgotten the oldest ids, by its `too_many_ids` anomaly."""
        self._settled: set[str] = set()

    def check(self, effects: Sequence[object], session: SessionLike, *, now: float) -> None:
        """Check the effects of one step. Raises AssertionError with the rule that is broken."""
        # The anomaly comes after the repetitions that it explains, in the same step.
        self.expect_forgotten(effects)
        self.effects += len(effects)
        for effect in effects:
            require(not self.is_over, f"effect after Terminated: {type(effect).__name__}")
            handler = _HANDLERS.get(type(effect))
            if handler is not None:
                handler(self, effect)
        if effects:
            self._compare(session)
        deadline = session.deadline
        require(deadline is None or deadline > now, "an effect is due and was not returned")
        require(
            session.done == self.is_over,
            "the session is over, but Terminated was not returned, or twice",
        )

    def expect_forgotten(self, effects: Iterable[object]) -> None:
        """Allow repetitions from now on if effects say that the session has forgotten ids."""
        self._has_evicted |= any(
            isinstance(effect, e.Anomaly) and effect.kind == "too_many_ids" for effect in effects
        )

    def _compare(self, session: SessionLike) -> None:
        """Compare the session's properties with the effects so far."""
        forms = {form.request_id for form in session.forms}
        parties = {party.party_id: party for party in session.parties}
        require(parties == self.parties, "the session's parties differ from the effects")
        require(set(session.typing) == self.typing, "the session's typists differ from the effects")
        require(forms == self.forms, "the session's open forms differ from the effects")
        require(
            session.call == self.call, f"the call is {session.call}, but {self.call} by the effects"
        )
        known = self.state is None or session.state == self.state
        require(known, f"the state is {session.state}, but {self.state} by the effects")
        require(
            session.typing == () or session.deadline is not None,
            "a typing indicator has no deadline",
        )
        if session.done:
            require(
                not session.typing and not session.forms, "a typist or a form is left after the end"
            )
            require(session.deadline is None, "the session is over, but has a deadline")
            require(session.call in _NO_CALL, "a call is left after the end")
        self._check_bounds(session)

    def _check_bounds(self, session: SessionLike) -> None:
        """Check that the session's properties stay within its settings."""
        settings: Settings = session.settings
        outbox = session.outbox.values()
        for name, count, limit in (
            ("parties", len(session.parties), settings.max_parties),
            ("typists", len(session.typing), settings.max_typists),
            ("forms", len(session.forms), settings.max_forms),
            ("candidates", len(session.early_candidates), settings.max_candidates),
            ("messages unsent", sum(s in _OPEN for s in outbox), settings.max_unsent),
            ("messages remembered", len(outbox), 2 * settings.max_unsent),
        ):
            require(count <= limit, f"{count} {name}, but the settings allow {limit}")

    def _receive_once(self, kind: str, shared: Any, *content: object) -> None:
        event = shared.event
        if event.msg_id is None or self._has_evicted:
            return  # without an id, a repetition is no duplicate
        who = "" if shared.own else event.party_id
        identity = (kind, who, event.msg_id, *content)
        require(identity not in self._received, f"{kind} {event.msg_id!a} was reported twice")
        self._received.add(identity)

    def _message(self, effect: e.MessageReceived) -> None:
        event = effect.message.event
        self._receive_once(
            "message", effect.message, event.msg, event.msg_text, repr(event.attachments)
        )

    def _file(self, effect: e.FileReceived) -> None:
        event = effect.file.event
        file = effect.file
        content = (file.file_id, file.url, event.file_type, file.file_name)
        self._receive_once("file", file, *content)

    def _location(self, effect: e.LocationReceived) -> None:
        event = effect.location.event
        self._receive_once("location", effect.location, event.latitude, event.longitude, event.url)

    def _state_changed(self, effect: e.StateChanged) -> None:
        require(effect.previous != effect.state, f"the state changed from {effect.state} to itself")
        known = self.state in {None, effect.previous}
        require(known, f"the state was {self.state}, but changed from {effect.previous}")
        self.state = effect.state

    def _call_changed(self, effect: e.CallChanged) -> None:
        require(effect.previous == self.call, f"the call was {self.call}, not {effect.previous}")
        require(effect.previous != effect.state, f"the call changed from {effect.state} to itself")
        self.call = effect.state

    def _party_added(self, effect: e.PartyAdded) -> None:
        party_id = effect.party.party_id
        require(party_id not in self.parties, f"party {party_id!a} was added twice")
        self.parties[party_id] = effect.party

    def _party_changed(self, effect: e.PartyChanged) -> None:
        party_id = effect.party.party_id
        require(party_id in self.parties, f"party {party_id!a} changed, but was not added")
        require(self.parties[party_id] != effect.party, f"party {party_id!a} changed to the same")
        self.parties[party_id] = effect.party

    def _party_removed(self, effect: e.PartyRemoved) -> None:
        party_id = effect.party.party_id
        require(self.parties.pop(party_id, None), f"party {party_id!a} was removed, but not added")

    def _typing_started(self, effect: e.TypingStarted) -> None:
        require(effect.party_id not in self.typing, f"{effect.party_id!a} started typing twice")
        self.typing.add(effect.party_id)

    def _typing_stopped(self, effect: e.TypingStopped) -> None:
        require(
            effect.party_id in self.typing,
            f"{effect.party_id!a} stopped typing, but had not started",
        )
        self.typing.remove(effect.party_id)

    def _form_opened(self, effect: e.FormOpened) -> None:
        request_id = effect.form.request_id
        require(request_id not in self.forms, f"form {request_id!a} was opened twice")
        self.forms.add(request_id)

    def _form_closed(self, effect: e.FormClosed) -> None:
        request_id = effect.form.request_id
        require(request_id in self.forms, f"form {request_id!a} was closed, but not open")
        self.forms.remove(request_id)

    def _settle_message(self, effect: e.MessageSent | e.MessageFailed) -> None:
        require(effect.msg_id not in self._settled, f"message {effect.msg_id!a} was settled twice")
        self._settled.add(effect.msg_id)

    def _terminated(self, _effect: e.Terminated) -> None:
        self.is_over = True


_HANDLERS: Final[dict[type, Callable[[SessionChecker, Any], None]]] = {
    e.MessageReceived: SessionChecker._message,  # noqa: SLF001  # the class's own table
    e.FileReceived: SessionChecker._file,  # noqa: SLF001
    e.LocationReceived: SessionChecker._location,  # noqa: SLF001
    e.StateChanged: SessionChecker._state_changed,  # noqa: SLF001
    e.CallChanged: SessionChecker._call_changed,  # noqa: SLF001
    e.PartyAdded: SessionChecker._party_added,  # noqa: SLF001
    e.PartyChanged: SessionChecker._party_changed,  # noqa: SLF001
    e.PartyRemoved: SessionChecker._party_removed,  # noqa: SLF001
    e.TypingStarted: SessionChecker._typing_started,  # noqa: SLF001
    e.TypingStopped: SessionChecker._typing_stopped,  # noqa: SLF001
    e.FormOpened: SessionChecker._form_opened,  # noqa: SLF001
    e.FormClosed: SessionChecker._form_closed,  # noqa: SLF001
    e.MessageSent: SessionChecker._settle_message,  # noqa: SLF001
    e.MessageFailed: SessionChecker._settle_message,  # noqa: SLF001
    e.Terminated: SessionChecker._terminated,  # noqa: SLF001
}


class ClientChecker:
    """Checks a client, also over restarts: its session's effects, and its requests.

    Besides the rules of `SessionChecker`: no two requests have the same id. At most one poll, one
    POST and one history are in flight. A chat that is not over has a deadline, unless its
    credentials were refused. Downloads alone follow the end: no other request, no other effect.
    """

    def __init__(self) -> None:
        self.session = SessionChecker()
        self.in_flight = InFlightRequests()

    def check(
        self,
        item: object,
        effects: list[Any],
        client: ClientLike,
        *,
        now: float,
    ) -> None:
        """Check an input and its effects. Raises AssertionError with the rule that is broken."""
        if isinstance(item, (HttpReply, HttpFailure)):
            self.in_flight.finish(item.id)
        self.in_flight.expire(now)
        for effect in effects:
            if isinstance(effect, HttpRequest):
                is_for_app = effect.purpose == "api"
                require(not self.session.is_over or is_for_app, "a request after Terminated")
                require(not client.done or is_for_app, "a request after the chat is over")
                self.in_flight.start(effect, now + effect.timeout + client.settings.timeout_grace)
        ends = [at for at, effect in enumerate(effects) if isinstance(effect, e.Terminated)]
        require(
            not ends or ends == [len(effects) - 1], "Terminated is not the last effect of its step"
        )
        session = client.session
        if session is not None:
            session_effects = [effect for effect in effects if type(effect) in _SESSION_EFFECTS]
            is_result = all(isinstance(effect, _AFTER_END) for effect in effects)
            require(not self.session.is_over or is_result, "an effect after Terminated")
            self.session.check(session_effects, session, now=now)
        deadline = client.deadline
        if session is not None and not session.done:
            is_stuck = deadline is None and client.health(now).link != "unauthorized"
            require(not is_stuck, "a chat that is not over has no deadline")
        require(deadline is None or deadline > now, "a deadline has passed unnoticed")

    def on_restart(self) -> None:
        """Note that the client was restored from a snapshot, which ends all requests in flight."""
        self.in_flight.clear()


# Rules as functions.


def _check_kinds(effects: Iterable[object], *kinds: type) -> None:
    """Check the effects of some classes, in their order, and no others."""
    run = list(effects)
    checker = SessionChecker()
    checker.expect_forgotten(run)
    for effect in run:
        if type(effect) in kinds:
            _HANDLERS[type(effect)](checker, effect)


def terminated_is_last(effects: Iterable[object]) -> None:
    """Check that `Terminated` comes once, and nothing but results of API requests after it.

    `effects`: all effects of a session or a client, in order. Raises AssertionError, as do the
    functions below.
    """
    is_over = False
    for effect in effects:
        is_result = isinstance(effect, _AFTER_END)
        require(not is_over or is_result, f"effect after Terminated: {type(effect).__name__}")
        is_over |= isinstance(effect, e.Terminated)


def nothing_received_twice(effects: Iterable[object]) -> None:
    """Check that no message, file or location with an id is reported twice."""
    _check_kinds(effects, e.MessageReceived, e.FileReceived, e.LocationReceived)


def states_follow_each_other(effects: Iterable[object]) -> None:
    """Check that each `StateChanged` begins where the one before ended."""
    _check_kinds(effects, e.StateChanged)


def calls_follow_their_states(effects: Iterable[object]) -> None:
    """Check that each `CallChanged` begins where the one before ended, the first at "idle"."""
    _check_kinds(effects, e.CallChanged)


def parties_come_and_go(effects: Iterable[object]) -> None:
    """Check that a party is added once before it changes or is removed."""
    _check_kinds(effects, e.PartyAdded, e.PartyChanged, e.PartyRemoved)


def typing_stops_once(effects: Iterable[object]) -> None:
    """Check that `TypingStarted` and `TypingStopped` of each party alternate."""
    _check_kinds(effects, e.TypingStarted, e.TypingStopped)


def forms_close_once(effects: Iterable[object]) -> None:
    """Check that `FormOpened` and `FormClosed` of each form alternate."""
    _check_kinds(effects, e.FormOpened, e.FormClosed)


def messages_settle_once(effects: Iterable[object]) -> None:
    """Check that each own message is reported as sent or failed once."""
    _check_kinds(effects, e.MessageSent, e.MessageFailed)


_AFTER_END: Final = (HttpRequest, ApiSucceeded, ApiFailed)
_SESSION_EFFECTS: Final = frozenset({*_HANDLERS, e.WaitEstimated, e.Anomaly})


def check_restore(session: ChatSession, *, now: float) -> None:
    """Check that a session equals the one that its class restores from its snapshot (L8).

    Raises AssertionError if it does not. Takes as long as a snapshot and a restore.
    """
    try:
        snapshot = json.loads(json.dumps(session.snapshot(now=now), allow_nan=False))
        restored = type(session).restore(snapshot, settings=session.settings, now=now)
    except (SnapshotError, ValueError) as error:
        raise AssertionError(f"a snapshot cannot be restored: {error}") from error
    require(restored == session, "a restored session differs from the original")


class InFlightRequests:
    """The requests of a client that have no result yet, also over restarts."""

    def __init__(self) -> None:
        self.last_id = 0
        self._requests: dict[int, tuple[str, float]] = {}
        """Purpose and end by id; at its end the client gives a request up."""

    def start(self, request: HttpRequest, ends_at: float) -> None:
        """Add a request. Raises AssertionError if it may not be sent now."""
        if request.id <= self.last_id:
            raise AssertionError(f"request {request.id} comes after {self.last_id}: not unique")
        self.last_id = request.id
        purpose = request.purpose
        if purpose != "api" and any(purpose == other for other, _ in self._requests.values()):
            raise AssertionError(f"a second {purpose} while one is in flight")
        self._requests[request.id] = purpose, ends_at

    def finish(self, request_id: int) -> None:
        """Remove a request that has a result."""
        self._requests.pop(request_id, None)

    def expire(self, now: float) -> None:
        """Remove the requests that the client has given up."""
        if any(ends_at <= now for _, ends_at in self._requests.values()):
            self._requests = {
                number: request for number, request in self._requests.items() if request[1] > now
            }

    def clear(self) -> None:
        """Remove all requests, as a restart does."""
        self._requests.clear()
