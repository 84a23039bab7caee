"""One chat being driven: what is heard is kept, and what follows from it is sorted.

Nothing here waits, sends or locks; both drivers do that around it, each in its own way.
"""

from __future__ import annotations

import mimetypes
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from copy import copy
from os import PathLike
from pathlib import Path
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

from attrs import define, field

from chatfsm import commands as c
from chatfsm.api import LARGEST_FILE, Resume, UploadedFile, UploadFile
from chatfsm.client_effects import ApiFailed, ApiSucceeded
from chatfsm.drivers.storage import make_record
from chatfsm.errors import LocalProtocolError, RemoteProtocolError, TransportError
from chatfsm.inputs import Tick
from chatfsm.models import ChatMessage, Form, SharedFile
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest, RequestPurpose

__all__ = [
    "AsyncSender",
    "ChatActions",
    "ClientLike",
    "DriverCore",
    "HttpResult",
    "PendingCall",
    "Save",
    "Sender",
    "failure_of",
    "file_id_of",
    "read_upload",
    "share_command",
]

# The friendly words: what an app says to a chat, and the commands that they mean.

Result = TypeVar("Result")
"""What a word returns: nothing, or something to await."""


class ChatActions(ABC, Generic[Result]):
    """The words that order something, whichever driver hears them.

    Each raises `LocalProtocolError`, in the place where it is said, for what is not allowed now.
    """

    @abstractmethod
    def send(self, command: c.Command | Resume) -> Result:
        """Order anything at all."""

    def send_text(self, text: str, *, html: str | None = None) -> Result:
        """Say something; `html` is sent beside the plain text where given."""
        return self.send(c.SendText(text, html))

    def start_typing(self, draft: str | None = None) -> Result:
        """A key was pressed; call it for each, the session tells the server now and then."""
        return self.send(c.StartTyping(draft))

    def stop_typing(self) -> Result:
        """Nothing is being typed any more."""
        return self.send(c.StopTyping())

    def submit_form(self, form: Form | str, answers: Mapping[str, object]) -> Result:
        """Answer a form, given as it was told or by its request's id."""
        if isinstance(form, Form):
            return self.send(c.SubmitForm(form.request_id, answers, secure=form.secure))
        return self.send(c.SubmitForm(form, answers))

    def cancel_form(self, form: Form | str) -> Result:
        """Refuse a form, given as it was told or by its request's id."""
        if isinstance(form, Form):
            return self.send(c.CancelForm(form.request_id, secure=form.secure))
        return self.send(c.CancelForm(form))

    def mark_delivered(self, message: ChatMessage | SharedFile | str) -> Result:
        """Tell the server that a message is here (v2)."""
        return self.send(c.MarkDelivered(_msg_id_of(message)))

    def mark_read(self, message: ChatMessage | SharedFile | str) -> Result:
        """Tell the server that a message was read (v2)."""
        return self.send(c.MarkRead(_msg_id_of(message)))

    def disconnect(self) -> Result:
        """End the conversation; the scenario keeps the chat, and may show a survey."""
        return self.send(c.Disconnect())

    def end(self) -> Result:
        """End the chat; the server's word that it has ended comes among the effects."""
        return self.send(c.End())

    def resume(self, app_id: str | None = None, client_id: str | None = None) -> Result:
        """Go on after the credentials were refused, with others where they are given."""
        return self.send(Resume(app_id, client_id))


def _msg_id_of(message: ChatMessage | SharedFile | str) -> str:
    msg_id = message if isinstance(message, str) else message.msg_id
    if msg_id is None:
        raise LocalProtocolError("cannot tell of a message that has no id")
    return msg_id


def read_upload(path: str | PathLike[str]) -> UploadFile:
    """The call that brings a file to the server.

    Raises OSError where it cannot be read, `LocalProtocolError` where the server takes none so
    large.
    """
    path = Path(path)
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise LocalProtocolError(f"cannot upload more than {LARGEST_FILE} bytes in a file")
    kind, packed_with = mimetypes.guess_type(path.name)
    if kind is None or packed_with is not None:
        kind = "application/octet-stream"
    return UploadFile(path.name, content, kind)


def share_command(call: UploadFile, uploaded: UploadedFile) -> c.SendFile:
    """The command that shares a file which was uploaded."""
    file_type: Literal["image", "attachment"]
    file_type = "image" if call.content_type.startswith("image/") else "attachment"
    return c.SendFile(uploaded.file_id, file_type, uploaded.file_name or call.file_name)


def file_id_of(file: SharedFile | str) -> str:
    """What to ask the server for."""
    return file if isinstance(file, str) else file.file_id


# What a driver drives, and what carries requests for it.

HttpResult = HttpReply | HttpFailure
Sender = Callable[[HttpRequest], HttpResult]
"""Carries one request; called from several threads at once."""
AsyncSender = Callable[[HttpRequest], Awaitable[HttpResult]]
"""Carries one request; called by several tasks at once."""
Save = Callable[[dict[str, Any]], object]
"""Keeps a record somewhere; it is as safe as the chat will be, so it returns when that is done."""


class ClientLike(Protocol):
    """What can be driven: a `ChatClient`, or what has these members of it."""

    @property
    def deadline(self) -> float | None:
        """When to come back with a `Tick`; None: no need to."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether nothing will follow from anything."""

    @abstractmethod
    def receive(self, item: Any, *, now: float) -> list[Any]:
        """Hear one item, and return what follows from it."""

    def health(self, now: float) -> Any:
        """How it is doing: `link`, and `queued`, the number of events that have not arrived."""

    @abstractmethod
    def snapshot(self, *, now: float) -> dict[str, Any]:
        """All that it knows, as plain JSON."""


# Requests that bring news; they wait while the app has too much to handle.
_NEWS: Final = frozenset({"poll", "history"})
# Seconds: one that was held back for longer could be given up by its client before the server
# has answered, which would lose the answer. Clients allow 5 beyond a request's own time.
_MAX_HELD: Final = 4.0


def _copied(call: Any) -> Any:
    return copy(call)


def _pending(told: Iterable[object]) -> deque[object]:
    return deque(told)


@define(eq=False)
class PendingCall:
    """A call, and what came of it; the call is a copy, so that no two are the same object."""

    call: Any = field(converter=_copied)
    answer: ApiSucceeded | ApiFailed | None = None

    def value(self) -> Any:
        """What the call was answered with. Raises the `ApiError` that it was refused with."""
        if isinstance(self.answer, ApiSucceeded):
            return self.answer.result
        if self.answer is None:
            raise TransportError("cancelled", "the chat was closed meanwhile")
        raise self.answer.error


@define(eq=False)
class DriverCore:
    """A machine, what it has told and nobody has handled, and the requests that are under way."""

    client: ClientLike
    save: Save | None
    max_pending: int
    """How many effects may wait for the app before no more are asked for."""
    pending: deque[object] = field(converter=_pending, factory=deque)
    """What waits for the app; the first may be in its hands."""
    error: Exception | None = None
    """Why nothing goes on, where something is wrong with the machine or its keeping."""
    is_closed: bool = False
    _in_hand: bool = False
    _taker: int = 0
    _held: dict[RequestPurpose, tuple[HttpRequest, float]] = field(factory=dict)
    _calls: dict[int, PendingCall] = field(factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be told."""
        return self.is_closed or self.error is not None or self.client.done

    def receive(self, item: object, now: float) -> list[HttpRequest]:
        """Hear one item; what is to be sent now. Raises as the machine does, or as `keep`."""
        try:
            effects = self.client.receive(item, now=now)
        except RemoteProtocolError as error:  # a strict session's, which goes on
            effects = [*error.effects, error]
        requests = [request for effect in effects for request in self._route(effect, now)]
        if effects or not isinstance(item, Tick):
            self.save_record(now)
        return requests

    def receive_safely(self, item: object, now: float) -> list[HttpRequest]:
        """The same, where nobody is there to be told of an error: the chat is broken then."""
        if self.is_closed or self.error is not None:
            return []
        try:
            return self.receive(item, now)
        except Exception as error:  # noqa: BLE001  # told to the app as it is
            self.error = error
            return []

    def check_open(self) -> None:
        """Refuse what the app orders too late. Raises `LocalProtocolError`, or what broke it."""
        if self.is_closed:
            raise LocalProtocolError("cannot do anything: the chat is closed here")
        if self.error is not None:
            raise self.error

    def save_record(self, now: float) -> None:
        """Keep what there is to know. What cannot be kept must not be sent: the chat is broken."""
        if self.save is None:
            return
        try:
            self.save(make_record(self.client.snapshot(now=now), self.pending, now))
        except Exception as error:
            self.error = error
            raise

    def take(self, taker: int) -> object | None:
        """The next effect for the app, which has it in hand until `handled`; None: there is none.

        `taker`: the thread or task that takes it. Raises what a strict session found.
        """
        if not self.pending or self.is_closed:
            return None
        self._in_hand, self._taker = True, taker
        effect = self.pending[0]
        if isinstance(effect, RemoteProtocolError):
            raise effect
        return effect

    def finish(self, now: float) -> list[HttpRequest]:
        """The app has handled what it has in hand; what is to be sent now that there is room.

        It is kept at once, so that no more than the one in hand is ever told again.
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
                why = "held back, for too much waited to be handled"
                requests += self.receive_safely(HttpFailure(request.id, "connect", why), now)
        return requests

    def add_call(self, call: object) -> PendingCall:
        """A question, whose answer goes to whoever asks, and not among the effects."""
        question = PendingCall(call)
        self._calls[id(question.call)] = question
        return question

    def remove_call(self, question: PendingCall) -> None:
        """Nobody waits for the answer to this question any more."""
        self._calls.pop(id(question.call), None)

    def is_flushed(self, now: float) -> bool:
        """Whether waiting longer brings nothing that was said to the server."""
        if self.error is not None or self.client.done:
            return True
        health = self.client.health(now)
        return bool(health.queued == 0 or health.link == "unauthorized")

    def close(self, now: float, closer: int | None) -> None:
        """No more is heard.

        `closer`: the thread or task that closes, having handled all that it took; None: it had not.
        """
        if self._in_hand and closer == self._taker:
            self.pending.popleft()
        self._in_hand = False
        self.is_closed = True
        if self.error is None:
            self.save_record(now)

    def _route(self, effect: object, now: float) -> list[HttpRequest]:
        """Put an effect where it belongs; a request that is to be sent now is returned."""
        if isinstance(effect, HttpRequest):
            if effect.purpose not in _NEWS or len(self.pending) <= self.max_pending:
                return [effect]
            self._held[effect.purpose] = effect, now  # one that was held before has been given up
        elif isinstance(effect, ApiSucceeded | ApiFailed) and id(effect.request) in self._calls:
            self._calls[id(effect.request)].answer = effect
        else:
            self.pending.append(effect)
        return []


def failure_of(request: HttpRequest, error: Exception) -> HttpFailure:
    """What to make of a sender that raises, which none should; its words may quote anything."""
    return HttpFailure(request.id, "protocol", f"the sender raised {type(error).__name__}")
