"""Driver core: feeds the client, saves it, and routes its effects; shared by both drivers.

Nothing here waits, sends or locks: each driver adds that in its own way.
"""

from __future__ import annotations

import mimetypes
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from os import PathLike
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar, cast
from weakref import WeakSet

from attrs import define, field

from chatfsm import commands as c
from chatfsm._client.client import ChatClient
from chatfsm.api import LARGEST_FILE, Resume, TypedRequest, UploadedFile, UploadFile
from chatfsm.client_effects import ApiFailed, ApiSucceeded, ChatEffect
from chatfsm.drivers.storage import make_record
from chatfsm.effects import (
    FormClosed,
    FormOpened,
    PartyAdded,
    PartyRemoved,
    StateChanged,
    Terminated,
)
from chatfsm.errors import LocalProtocolError, RemoteProtocolError, TransportError
from chatfsm.inputs import Tick
from chatfsm.models import ChatMessage, Form, Outcome, Party, SharedFile
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest, RequestPurpose

__all__ = [
    "AsyncSender",
    "ChatActions",
    "DriverCore",
    "EffectLoop",
    "HttpResult",
    "PendingCall",
    "PendingEffect",
    "Save",
    "Sender",
    "failure_of",
    "file_id_of",
    "read_upload",
    "share_command",
]

HttpResult = HttpReply | HttpFailure
Sender = Callable[[HttpRequest], HttpResult]
"""Performs one request; called by several threads at once."""
AsyncSender = Callable[[HttpRequest], Awaitable[HttpResult]]
"""Performs one request; called by several tasks at once."""
Save = Callable[[dict[str, Any]], object]
"""Saves a record of a chat, and returns once the record is safe."""
PendingEffect = ChatEffect | RemoteProtocolError
"""An effect that waits for the app, or a violation that a strict session raised."""

Inspected = TypeVar("Inspected")
Done = TypeVar("Done")
MsgId = TypeVar("MsgId")


class ChatActions(ABC, Generic[Done, MsgId]):
    """Methods of a chat that send commands, and properties that show what the app has received.

    `Done` and `MsgId` are None and str in a blocking driver, and coroutines of these in an
    asynchronous one. Each method raises `LocalProtocolError` if its command is not allowed now.
    """

    @abstractmethod
    def send(self, command: c.Command | Resume) -> Done:
        """Send any command."""

    @abstractmethod
    def _send_message(self, command: c.SendText | c.SendFile) -> MsgId:
        """Send a message, and return its msg_id."""

    @abstractmethod
    def _read(self, reader: Callable[[DriverCore], Inspected]) -> Inspected:
        """Return what `reader` finds while nothing changes the core."""

    def send_text(self, text: str, *, html: str | None = None, msg_id: str | None = None) -> MsgId:
        """Send a text message, and return its msg_id: the given one, or the session's next.

        `html` is sent beside the plain text.
        """
        return self._send_message(c.SendText(text, html, msg_id=msg_id))

    def start_typing(self, draft: str | None = None) -> Done:
        """Report a key press. Call it for each: the session sends an event only now and then."""
        return self.send(c.StartTyping(draft))

    def stop_typing(self) -> Done:
        """Report that the customer has stopped typing."""
        return self.send(c.StopTyping())

    def submit_form(self, form: Form | str, answers: Mapping[str, object]) -> Done:
        """Answer a form, given as a `Form` or by its request_id."""
        if isinstance(form, Form):
            return self.send(c.SubmitForm(form.request_id, answers, secure=form.secure))
        return self.send(c.SubmitForm(form, answers))

    def cancel_form(self, form: Form | str) -> Done:
        """Refuse a form, given as a `Form` or by its request_id."""
        if isinstance(form, Form):
            return self.send(c.CancelForm(form.request_id, secure=form.secure))
        return self.send(c.CancelForm(form))

    def mark_delivered(self, message: ChatMessage | SharedFile | str) -> Done:
        """Confirm to the server that a message, or the one of a msg_id, was delivered (v2)."""
        return self.send(c.MarkDelivered(_msg_id_of(message)))

    def mark_read(self, message: ChatMessage | SharedFile | str) -> Done:
        """Confirm to the server that a message, or the one of a msg_id, was read (v2)."""
        return self.send(c.MarkRead(_msg_id_of(message)))

    def disconnect(self) -> Done:
        """End the conversation; the scenario keeps the chat, and may show a survey."""
        return self.send(c.Disconnect())

    def end(self) -> Done:
        """Ask the server to end the chat; `Terminated` follows among the effects."""
        return self.send(c.End())

    def resume(self, app_id: str | None = None, client_id: str | None = None) -> Done:
        """Go on after `AuthorizationFailed`, with new credentials if given."""
        return self.send(Resume(app_id, client_id))

    @property
    def state(self) -> str | None:
        """State of the chat by the effects that the app has received; None before there is one.

        `client.session.state` may be ahead of it, by the effects that wait for the app.
        """
        return self._read(DriverCore.reported_state)

    @property
    def outcome(self) -> Outcome | None:
        """Outcome of the chat; None until the app has received `Terminated`."""
        return self._read(DriverCore.reported_outcome)

    @property
    def parties(self) -> tuple[Party, ...]:
        """Parties in the chat by the effects that the app has received, with their latest names."""
        return self._read(DriverCore.reported_parties)

    @property
    def forms(self) -> tuple[Form, ...]:
        """Open forms by the effects that the app has received."""
        return self._read(DriverCore.reported_forms)


def _msg_id_of(message: ChatMessage | SharedFile | str) -> str:
    msg_id = message if isinstance(message, str) else message.msg_id
    if msg_id is None:
        raise LocalProtocolError("cannot send a receipt for a message that has no msg_id")
    return msg_id


def read_upload(path: str | PathLike[str]) -> UploadFile:
    """Return the request that uploads a file.

    Raises OSError if the file cannot be read, `LocalProtocolError` if it is larger than
    `LARGEST_FILE` bytes.
    """
    path = Path(path)
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise LocalProtocolError(
            f"cannot upload {path.name}: a file must have {LARGEST_FILE} bytes or fewer"
        )
    kind, packed_with = mimetypes.guess_type(path.name)
    if kind is None or packed_with is not None:
        kind = "application/octet-stream"
    return UploadFile(path.name, content, kind)


def share_command(request: UploadFile, uploaded: UploadedFile) -> c.SendFile:
    """Return the command that shares an uploaded file."""
    file_type: Literal["image", "attachment"]
    file_type = "image" if request.content_type.startswith("image/") else "attachment"
    return c.SendFile(uploaded.file_id, file_type, uploaded.file_name or request.file_name)


def file_id_of(file: SharedFile | str) -> str:
    """Return the id to request a file by. Raises `LocalProtocolError` if it has only an address."""
    file_id = file if isinstance(file, str) else file.file_id
    if file_id is None:
        raise LocalProtocolError("cannot download the file: it was shared by its address")
    return file_id


# Requests that bring news, which wait while too many effects do.
_NEWS: Final = frozenset({"poll", "history"})
# Seconds. A request that was held back for longer could be given up by its client before the
# server has replied, which would lose the reply: clients allow 5 beyond a request's own timeout.
_MAX_HELD: Final = 4.0


_SECOND_LOOP: Final = (
    "cannot iterate over the chat: another thread or task does already; pass the effects on from"
    " there"
)


def _copied(request: Any) -> Any:
    return copy(request)


@define(eq=False)
class PendingCall:
    """A request of the app to the API that waits for its result.

    The request is a copy, so that the results of equal requests go by identity.
    """

    request: Any = field(converter=_copied)
    answer: ApiSucceeded | ApiFailed | None = None

    def result(self) -> Any:
        """Return the result. Raises `ApiError` if the request failed or the chat was closed."""
        if isinstance(self.answer, ApiSucceeded):
            return self.answer.result
        if self.answer is None:
            raise TransportError("cancelled", "the chat was closed before the reply came")
        raise self.answer.error


@define(eq=False)
class EffectLoop:
    """A `for` loop of the app over the effects of a chat, in one thread or task."""

    taker: int
    """Id of the thread or task."""


def _queue(effects: Iterable[PendingEffect]) -> deque[PendingEffect]:
    return deque(effects)


@define(eq=False)
class DriverCore:
    """A client, its effects that the app has not handled, and its requests that are held back."""

    client: ChatClient
    save: Save | None
    max_pending: int
    """Number of pending effects above which no request for news is sent."""
    pending: deque[PendingEffect] = field(converter=_queue, factory=deque)
    """Effects for the app; the app may have the first in hand."""
    error: Exception | None = None
    """Error of the client or of `save` that has stopped the chat."""
    is_closed: bool = False
    _in_hand: bool = False
    _taker: int = 0
    _is_awaited: bool = False
    _loops: WeakSet[EffectLoop] = field(factory=WeakSet, init=False)
    _held: dict[RequestPurpose, tuple[HttpRequest, float]] = field(factory=dict)
    _calls: dict[int, PendingCall] = field(factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether no further effect will be added."""
        return self.is_closed or self.error is not None or self.client.done

    def receive(self, item: object, now: float) -> list[HttpRequest]:
        """Feed one input to the client; return the requests to send now.

        Raises the errors of the client and of `save`.
        """
        try:
            effects: list[Any] = self.client.receive(cast("Any", item), now=now)
        except RemoteProtocolError as error:  # of a strict session, which goes on
            effects = [*error.effects, error]
        requests = [request for effect in effects for request in self._route(effect, now)]
        if effects or not isinstance(item, Tick):
            self.save_record(now)
        return requests

    def receive_safely(self, item: object, now: float) -> list[HttpRequest]:
        """Feed one input to the client; an exception stops the chat, and is stored in `error`."""
        if self.is_closed or self.error is not None:
            return []
        try:
            return self.receive(item, now)
        except Exception as error:  # noqa: BLE001  # the app gets it as it is
            self.error = error
            return []

    def check_open(self) -> None:
        """Raise `LocalProtocolError` if the chat was closed, or the error that stopped it."""
        if self.is_closed:
            raise LocalProtocolError("cannot send: the chat was closed")
        if self.error is not None:
            raise self.error

    def save_record(self, now: float) -> None:
        """Save the chat. If that fails the chat stops: unsaved requests must not be sent."""
        if self.save is None:
            return
        try:
            self.save(make_record(self.client.snapshot(now=now), self.pending, now))
        except Exception as error:
            self.error = error
            raise

    def add_loop(self, loop: EffectLoop) -> None:
        """Note a loop, which exists as long as the app is in it.

        Raises `LocalProtocolError` if another thread or task is in one: each would miss the effects
        of the other, and count them as handled.
        """
        if any(other.taker != loop.taker for other in self._loops):
            raise LocalProtocolError(_SECOND_LOOP)
        self._loops.add(loop)

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Mark the block in which one thread or task waits for the next effect.

        Raises `LocalProtocolError` if another one waits already.
        """
        if self._is_awaited:
            raise LocalProtocolError(_SECOND_LOOP)
        self._is_awaited = True
        try:
            yield
        finally:
            self._is_awaited = False

    def take(self, taker: int) -> ChatEffect | None:
        """Return the next effect, which the app has in hand until `finish`; None if there is none.

        `taker`: id of the thread or task. Raises the violation that a strict session found.
        """
        if not self.pending or self.is_closed:
            return None
        self._in_hand, self._taker = True, taker
        effect = self.pending[0]
        if isinstance(effect, RemoteProtocolError):
            raise effect
        return effect

    def finish(self, now: float) -> list[HttpRequest]:
        """Drop the effect in hand, which the app has handled; return the requests to send now.

        The chat is saved at once: a restored chat gives at most this one effect again.
        """
        if self._in_hand:
            self.pending.popleft()
            self._in_hand = False
            if not self.is_closed:
                self.save_record(now)
        if not self._held or len(self.pending) > self.max_pending:
            return []
        requests: list[HttpRequest] = []
        held, self._held = self._held, {}
        for request, since in held.values():
            if now - since < _MAX_HELD:
                requests.append(request)
            else:
                why = "held back, because too many effects waited for the app"
                requests += self.receive_safely(HttpFailure(request.id, "connect", why), now)
        return requests

    def add_call(self, request: TypedRequest[Any]) -> PendingCall:
        """Return a pending call; its result goes there, not to the pending effects."""
        call = PendingCall(request)
        self._calls[id(call.request)] = call
        return call

    def remove_call(self, call: PendingCall) -> None:
        """Forget a pending call: a later result goes to the pending effects."""
        self._calls.pop(id(call.request), None)

    def last_msg_id(self) -> str:
        """Return the msg_id of the message that was sent last."""
        session = self.client.session
        return next(reversed(session.outbox)) if session is not None else ""

    def is_flushed(self, now: float) -> bool:
        """Whether waiting longer brings no more events to the server."""
        if self.error is not None or self.client.done:
            return True
        health = self.client.health(now)
        return health.queued == 0 or health.link == "unauthorized"

    def close(self, now: float, closer: int | None) -> None:
        """Close the chat, and save it.

        `closer`: id of the thread or task that closes, which has handled the effect that it took;
        None if it has not.
        """
        if self._in_hand and closer == self._taker:
            self.pending.popleft()
        self._in_hand = False
        self.is_closed = True
        if self.error is None:
            self.save_record(now)

    def reported_state(self) -> str | None:
        """Return the session's state before the effects that the app has not received."""
        for effect in self._unreceived():
            if isinstance(effect, StateChanged):
                return effect.previous
        return None if self.client.session is None else self.client.session.state

    def reported_outcome(self) -> Outcome | None:
        """Return the session's outcome, None if the app has not received `Terminated`."""
        if any(isinstance(effect, Terminated) for effect in self._unreceived()):
            return None
        return None if self.client.session is None else self.client.session.outcome

    def reported_parties(self) -> tuple[Party, ...]:
        """Return the session's parties before the effects that the app has not received."""
        session = self.client.session
        parties = {} if session is None else {party.party_id: party for party in session.parties}
        for effect in reversed([*self._unreceived()]):
            if isinstance(effect, PartyAdded):
                parties.pop(effect.party.party_id, None)
            elif isinstance(effect, PartyRemoved):
                parties[effect.party.party_id] = effect.party
        return tuple(parties.values())

    def reported_forms(self) -> tuple[Form, ...]:
        """Return the session's open forms before the effects that the app has not received."""
        session = self.client.session
        forms = {} if session is None else {form.request_id: form for form in session.forms}
        for effect in reversed([*self._unreceived()]):
            if isinstance(effect, FormOpened):
                forms.pop(effect.form.request_id, None)
            elif isinstance(effect, FormClosed):
                forms = {effect.form.request_id: effect.form, **forms}
        return tuple(forms.values())

    def _unreceived(self) -> Iterator[PendingEffect]:
        effects = iter(self.pending)
        if self._in_hand:
            next(effects, None)
        return effects

    def _route(self, effect: Any, now: float) -> list[HttpRequest]:
        """Put an effect where it belongs; return it if it is a request to send now."""
        if isinstance(effect, HttpRequest):
            if effect.purpose not in _NEWS or len(self.pending) <= self.max_pending:
                return [effect]
            self._held[effect.purpose] = effect, now  # the client has given up the one before
        elif isinstance(effect, ApiSucceeded | ApiFailed) and id(effect.request) in self._calls:
            self._calls[id(effect.request)].answer = effect
        else:
            self.pending.append(effect)
        return []


def failure_of(request: HttpRequest, error: Exception) -> HttpFailure:
    """Return the failure for a sender that raised; the text of the error may hold secrets."""
    return HttpFailure(request.id, "protocol", f"the sender raised {type(error).__name__}")
