"""The blocking driver: one chat, with threads that wait for its deadlines and for the network."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from os import PathLike
from queue import SimpleQueue
from threading import Condition, Lock, Thread, get_ident
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from attrs import define, field

from chatfsm.api import ApiRequest, GetFile, RequestChat, Resume
from chatfsm.commands import Command
from chatfsm.drivers._core import (
    ChatActions,
    ClientLike,
    DriverCore,
    Keep,
    Sender,
    failure_of,
    file_id_of,
    sharing,
    upload_of,
)
from chatfsm.errors import LocalProtocolError
from chatfsm.inputs import Tick
from chatfsm.models import SharedFile
from chatfsm.transport import HttpRequest

__all__ = ["Chat", "SenderPool"]

Seen = TypeVar("Seen")

# Locks wait for no longer at once; a longer wait is several.
_LONGEST_WAIT: Final = 3_600.0


@define(eq=False)
class _Order:
    """What the app wants to be heard, and what came of it."""

    item: object
    is_heard: bool = False
    error: Exception | None = None


class Chat(ChatActions[None]):
    """A chat in a `with` block; iterate over it for its effects, from one thread at a time.

    The words may be said from any thread. The client hears in other threads: `look` at it. An
    effect counts as handled when the next one is asked for; with `keep`, what was not handled is
    told again after a restart, by `told`.

    `room`: while more effects than this wait to be handled, the server is not asked for more.
    `closing_timeout`: seconds that the end of the block waits for what was said to arrive, and for
    the requests under way; a poll that the server holds for longer is left to a thread that ends
    by itself. It leaves the chat as it is: say `end()` first where it is to end. `send` stays the
    caller's, to be closed afterwards.
    """

    def __init__(  # noqa: PLR0913  # two parts, and what may be said of them by name
        self,
        client: ClientLike,
        send: Sender,
        *,
        keep: Keep | None = None,
        told: Iterable[object] = (),
        room: int = 256,
        now: Callable[[], float] = time.monotonic,
        closing_timeout: float = 5.0,
    ) -> None:
        self.client = client
        self._send = send
        self._desk = DriverCore(client, keep, room, told)
        self._now = now
        self._closing_timeout = closing_timeout
        self._change = Condition()
        self._orders: deque[_Order] = deque()
        self._crew = SenderPool(self._carry)
        self._clock = Thread(target=self._watch, name="chatfsm-clock", daemon=True)

    def __enter__(self) -> Self:
        self._clock.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close(None if error else get_ident())

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> object:
        """The next effect; waits for it. Stops when the chat is over, or closed.

        Raises what a strict session found, and goes on; and what broke the chat, if anything did.
        """
        with self._change:
            self._follow(self._desk.handled(self._now()))
            while (effect := self._desk.take(get_ident())) is None:
                if self._desk.broken is not None:
                    raise self._desk.broken
                if self._desk.is_over:
                    raise StopIteration
                self._change.wait(_LONGEST_WAIT)
            return effect

    def order(self, command: Command | Resume) -> None:
        """Order anything. Raises `LocalProtocolError` for what is not allowed now."""
        with self._change:
            self._hear(command)

    def ask(self, call: ApiRequest) -> Any:
        """Ask the server, and wait for the answer: one of `conversation.replies`.

        Raises `LocalProtocolError` for what is not allowed now, `ApiError` for a refusal.
        """
        with self._change:
            question = self._desk.ask(call)
            try:
                self._hear(question.call)
                while question.answer is None and not self._desk.is_over:
                    self._change.wait(_LONGEST_WAIT)
            finally:
                self._desk.withdraw(question)
        return question.value()

    def open(
        self,
        phone_number: str | None = None,
        sender: str | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> Any:
        """Ask for a chat, and wait until there is one; returns its `SessionProperties`."""
        return self.ask(RequestChat(phone_number, sender, parameters or {}))

    def upload(self, path: str | PathLike[str]) -> None:
        """Bring a file to the server, and share it in the chat. Raises OSError as well."""
        call = upload_of(path)
        self.order(sharing(call, self.ask(call)))

    def download(self, file: SharedFile | str) -> bytes:
        """The content of a file that was shared, given as it was told or by its id."""
        content: bytes = self.ask(GetFile(file_id_of(file))).content
        return content

    def look(self, read: Callable[[ClientLike], Seen]) -> Seen:
        """What `read` finds in the client, while no other thread changes it."""
        with self._change:
            return read(self.client)

    def close(self) -> None:
        """Bring to the server what was said, and stop; as at the end of the block."""
        self._close(get_ident())

    def _hear(self, item: Command | Resume | ApiRequest) -> None:
        """Let the app's own item be heard, by the clock, whom no Ctrl-C interrupts half-way."""
        if not self._clock.is_alive():
            raise LocalProtocolError("cannot do anything: the chat is not in its with block")
        self._desk.check_open()
        order = _Order(item)
        self._orders.append(order)
        self._change.notify_all()
        while not order.is_heard:
            self._change.wait(_LONGEST_WAIT)
        if order.error is not None:
            raise order.error

    def _follow(self, requests: list[HttpRequest]) -> None:
        for request in requests:
            self._crew.put(request)
        self._change.notify_all()

    def _watch(self) -> None:
        """Come back whenever the deadline has passed; in the thread of the clock."""
        with self._change:
            while self._obey():
                deadline, now = self.client.deadline, self._now()
                if deadline is None or self._desk.broken is not None:
                    self._change.wait(_LONGEST_WAIT)
                elif now < deadline:
                    self._change.wait(min(deadline - now, _LONGEST_WAIT))
                else:
                    self._follow(self._desk.hear_safely(Tick(), now))

    def _obey(self) -> bool:
        """Hear what the app has ordered; False where nothing is to be heard any more."""
        while self._orders:
            order = self._orders.popleft()
            try:
                self._desk.check_open()
                self._follow(self._desk.hear(order.item, self._now()))
            except Exception as error:  # noqa: BLE001  # raised where it was ordered
                order.error = error
            order.is_heard = True
            self._change.notify_all()
        return not self._desk.is_closed

    def _carry(self, request: HttpRequest) -> None:
        """Send one request, and hear what came of it; in a thread of the crew."""
        try:
            answer = self._send(request)
        except Exception as error:  # noqa: BLE001  # whoever writes a sender may err
            answer = failure_of(request, error)
        with self._change:
            self._follow(self._desk.hear_safely(answer, self._now()))

    def _close(self, closer: int | None) -> None:
        if self._clock.ident is None:
            return  # it never began
        until = time.monotonic() + self._closing_timeout
        try:
            self._flush(until)
        finally:
            with self._change:
                was_closed = self._desk.is_closed
                self._desk.is_closed = True
                self._change.notify_all()
            self._crew.dismiss(until)
            self._clock.join()
            if not was_closed:
                self._desk.close(self._now(), closer)

    def _flush(self, until: float) -> None:
        """Wait until what was said has arrived, but not for ever."""
        with self._change:
            while not (self._desk.is_closed or self._desk.is_flushed(self._now())):
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._change.wait(left)


# Threads that carry requests: as many as are under way at once, and no more.


@define(eq=False)
class SenderPool:
    """Starts a thread where all are busy; how many can be is bounded by the client's settings.

    A poll is held for seconds, and an upload takes minutes: neither may keep a message waiting.
    The threads are daemons, so that one which waits for a server in vain does not keep the
    process from ending.
    """

    _carry: Callable[[HttpRequest], None]
    _orders: SimpleQueue[HttpRequest | None] = field(factory=SimpleQueue, init=False)
    _threads: list[Thread] = field(factory=list, init=False)
    _lock: Lock = field(factory=Lock, init=False)
    _busy: int = field(default=0, init=False)

    def put(self, request: HttpRequest) -> None:
        """Have a request carried, at once."""
        with self._lock:
            self._busy += 1
            if self._busy > len(self._threads):
                thread = Thread(target=self._work, name="chatfsm-sender", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._orders.put(request)

    def dismiss(self, until: float) -> None:
        """Let the threads end after what they carry now, and wait for that; `until`: monotonic."""
        for _ in self._threads:
            self._orders.put(None)
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        while (request := self._orders.get()) is not None:
            try:
                self._carry(request)
            finally:
                with self._lock:
                    self._busy -= 1
