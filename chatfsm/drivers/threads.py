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
    Save,
    Sender,
    failure_of,
    file_id_of,
    read_upload,
    share_command,
)
from chatfsm.errors import LocalProtocolError
from chatfsm.inputs import Tick
from chatfsm.models import SharedFile
from chatfsm.transport import HttpRequest

__all__ = ["Chat", "SenderPool"]

Inspected = TypeVar("Inspected")

# Locks wait for no longer at once; a longer wait is several.
_LONGEST_WAIT: Final = 3_600.0


@define(eq=False)
class _Submission:
    """What the app wants to be heard, and what came of it."""

    item: object
    is_done: bool = False
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
        sender: Sender,
        *,
        save: Save | None = None,
        pending: Iterable[object] = (),
        max_pending: int = 256,
        now: Callable[[], float] = time.monotonic,
        closing_timeout: float = 5.0,
    ) -> None:
        self.client = client
        self._sender = sender
        self._core = DriverCore(client, save, max_pending, pending)
        self._now = now
        self._closing_timeout = closing_timeout
        self._changed = Condition()
        self._submissions: deque[_Submission] = deque()
        self._pool = SenderPool(self._perform)
        self._clock = Thread(target=self._run_clock, name="chatfsm-clock", daemon=True)

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
        with self._changed:
            self._send_requests(self._core.finish(self._now()))
            while (effect := self._core.take(get_ident())) is None:
                if self._core.error is not None:
                    raise self._core.error
                if self._core.is_over:
                    raise StopIteration
                self._changed.wait(_LONGEST_WAIT)
            return effect

    def send(self, command: Command | Resume) -> None:
        """Order anything. Raises `LocalProtocolError` for what is not allowed now."""
        with self._changed:
            self._submit(command)

    def ask(self, call: ApiRequest) -> Any:
        """Ask the server, and wait for the answer: one of `conversation.replies`.

        Raises `LocalProtocolError` for what is not allowed now, `ApiError` for a refusal.
        """
        with self._changed:
            question = self._core.add_call(call)
            try:
                self._submit(question.call)
                while question.answer is None and not self._core.is_over:
                    self._changed.wait(_LONGEST_WAIT)
            finally:
                self._core.remove_call(question)
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
        call = read_upload(path)
        self.send(share_command(call, self.ask(call)))

    def download(self, file: SharedFile | str) -> bytes:
        """The content of a file that was shared, given as it was told or by its id."""
        content: bytes = self.ask(GetFile(file_id_of(file))).content
        return content

    def inspect(self, read: Callable[[ClientLike], Inspected]) -> Inspected:
        """What `read` finds in the client, while no other thread changes it."""
        with self._changed:
            return read(self.client)

    def close(self) -> None:
        """Bring to the server what was said, and stop; as at the end of the block."""
        self._close(get_ident())

    def _submit(self, item: Command | Resume | ApiRequest) -> None:
        """Let the app's own item be heard, by the clock, whom no Ctrl-C interrupts half-way."""
        if not self._clock.is_alive():
            raise LocalProtocolError("cannot do anything: the chat is not in its with block")
        self._core.check_open()
        order = _Submission(item)
        self._submissions.append(order)
        self._changed.notify_all()
        while not order.is_done:
            self._changed.wait(_LONGEST_WAIT)
        if order.error is not None:
            raise order.error

    def _send_requests(self, requests: list[HttpRequest]) -> None:
        for request in requests:
            self._pool.put(request)
        self._changed.notify_all()

    def _run_clock(self) -> None:
        """Come back whenever the deadline has passed; in the thread of the clock."""
        with self._changed:
            while self._process_submissions():
                deadline, now = self.client.deadline, self._now()
                if deadline is None or self._core.error is not None:
                    self._changed.wait(_LONGEST_WAIT)
                elif now < deadline:
                    self._changed.wait(min(deadline - now, _LONGEST_WAIT))
                else:
                    self._send_requests(self._core.receive_safely(Tick(), now))

    def _process_submissions(self) -> bool:
        """Hear what the app has ordered; False where nothing is to be heard any more."""
        while self._submissions:
            order = self._submissions.popleft()
            try:
                self._core.check_open()
                self._send_requests(self._core.receive(order.item, self._now()))
            except Exception as error:  # noqa: BLE001  # raised where it was ordered
                order.error = error
            order.is_done = True
            self._changed.notify_all()
        return not self._core.is_closed

    def _perform(self, request: HttpRequest) -> None:
        """Send one request, and hear what came of it; in a thread of the crew."""
        try:
            answer = self._sender(request)
        except Exception as error:  # noqa: BLE001  # whoever writes a sender may err
            answer = failure_of(request, error)
        with self._changed:
            self._send_requests(self._core.receive_safely(answer, self._now()))

    def _close(self, closer: int | None) -> None:
        if self._clock.ident is None:
            return  # it never began
        until = time.monotonic() + self._closing_timeout
        try:
            self._flush(until)
        finally:
            with self._changed:
                was_closed = self._core.is_closed
                self._core.is_closed = True
                self._changed.notify_all()
            self._pool.stop(until)
            self._clock.join()
            if not was_closed:
                self._core.close(self._now(), closer)

    def _flush(self, until: float) -> None:
        """Wait until what was said has arrived, but not for ever."""
        with self._changed:
            while not (self._core.is_closed or self._core.is_flushed(self._now())):
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)


# Threads that carry requests: as many as are under way at once, and no more.


@define(eq=False)
class SenderPool:
    """Starts a thread where all are busy; how many can be is bounded by the client's settings.

    A poll is held for seconds, and an upload takes minutes: neither may keep a message waiting.
    The threads are daemons, so that one which waits for a server in vain does not keep the
    process from ending.
    """

    _perform: Callable[[HttpRequest], None]
    _queue: SimpleQueue[HttpRequest | None] = field(factory=SimpleQueue, init=False)
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
        self._queue.put(request)

    def stop(self, until: float) -> None:
        """Let the threads end after what they carry now, and wait for that; `until`: monotonic."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        while (request := self._queue.get()) is not None:
            try:
                self._perform(request)
            finally:
                with self._lock:
                    self._busy -= 1
