"""Blocking driver: one chat, with threads for its deadlines and its requests."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from queue import SimpleQueue
from threading import Condition, Lock, Thread, get_ident
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from attrs import define, field

from chatfsm._client.client import ChatClient
from chatfsm.adapters import stdlib
from chatfsm.api import GetFile, RequestChat, Resume, SessionProperties, TypedRequest
from chatfsm.client_effects import ChatEffect
from chatfsm.commands import Command, SendFile, SendText
from chatfsm.drivers._actions import (
    ChatActions,
    UploadSource,
    file_id_of,
    read_upload,
    share_command,
)
from chatfsm.drivers._core import (
    LONGEST_SLEEP,
    DriverCore,
    EffectLoop,
    PendingEffect,
    Save,
    Sender,
    elapsed_seconds,
    failure_of,
)
from chatfsm.drivers._stores import ASKED_IN_TRANSACTION, Transaction, transaction_of
from chatfsm.drivers.observing import Observer
from chatfsm.drivers.storage import ChatStore, as_store, close_store, load_chat
from chatfsm.endpoint import Endpoint
from chatfsm.errors import LocalProtocolError
from chatfsm.inputs import Tick
from chatfsm.models import SharedFile
from chatfsm.settings import ClientSettings
from chatfsm.transport import HttpRequest

__all__ = ["Chat", "PendingEffect", "Save", "Sender", "SenderPool"]

Inspected = TypeVar("Inspected")
Result = TypeVar("Result")

_DEFAULTS: Final = ClientSettings()
# Python bounds the timeout of a lock; a longer wait is made of several.
_LONGEST_WAIT: Final = 3_600.0


@define(eq=False)
class _Submission:
    """An input of the app on its way to the client, and its result."""

    item: object
    is_done: bool = False
    msg_id: str = ""
    """The msg_id that a message took."""
    change: int = 0
    """Number of the change that it has made."""
    error: Exception | None = None


class Chat(ChatActions[None, str]):
    """A chat in a `with` block; iterate over it for its effects, from one thread at a time.

    Commands may be sent from any thread. An effect counts as handled when the app asks for the next
    one. `Chat.connect` makes all parts; the constructor takes them:

    `sender` performs requests, and stays the caller's, to be closed after the block; without it,
    the chat makes a sender of the standard library and closes it.
    `save` is called with a record of the chat after every change, before anything is sent. If it
    raises, the chat goes on and tries again; until it succeeds nothing is sent.
    `pending` are effects of a `RestoredChat`, which come first.
    `opening` is sent at the start of the block if the client has no chat yet; without it, call
    `open`.
    `max_pending`: while more effects than this wait for the app, the driver does not poll.
    `now` returns the time in seconds, and never goes back; by default it counts the time for which
    the computer sleeps, where the system has such a clock.
    `closing_timeout`: seconds, 0 or more, for which the end of the block waits until all events are
    sent and all requests have ended; a poll that takes longer is left to a daemon thread. The end
    of the block leaves the chat open on the server, unless the app has sent `end()`.
    `observers` receive the observations of `chatfsm.drivers.observing`.
    """

    def __init__(  # noqa: PLR0913  # all but two by name
        self,
        client: ChatClient,
        sender: Sender | None = None,
        *,
        save: Save | None = None,
        pending: Iterable[PendingEffect] = (),
        opening: RequestChat | None = None,
        max_pending: int = 256,
        now: Callable[[], float] = elapsed_seconds,
        closing_timeout: float = 5.0,
        observers: Iterable[Observer] = (),
    ) -> None:
        self.client = client
        """Everything known about the chat; it changes in other threads, so read it by `inspect`."""
        self._own_sender: stdlib.Sender | None = None
        if sender is None:
            sender = self._own_sender = stdlib.Sender()
        self._sender = sender
        self._core = DriverCore(client, save, max_pending, pending, observers=tuple(observers))
        self._core.saving.on_done = self._notice_save
        self._opening = opening
        self._now = now
        self._closing_timeout = closing_timeout
        self._store: ChatStore | None = None
        """Store to close at the end of the block."""
        self._changed = Condition()
        self._submissions: deque[_Submission] = deque()
        self._pool = SenderPool(self._perform)
        self._clock = Thread(target=self._run_clock, name="chatfsm-clock", daemon=True)

    @classmethod
    def connect(  # noqa: PLR0913  # all but two by name
        cls,
        endpoint: Endpoint,
        sender: Sender | None = None,
        *,
        store: ChatStore | str | PathLike[str] | None = None,
        opening: RequestChat | None = None,
        journal: Callable[[str], object] | None = None,
        settings: ClientSettings = _DEFAULTS,
        max_pending: int = 256,
        now: Callable[[], float] = elapsed_seconds,
        closing_timeout: float = 5.0,
        observers: Iterable[Observer] = (),
    ) -> Self:
        """Return a chat that opens at the start of its `with` block.

        `store`: a store, or the path of a file, that the chat is saved to. The chat in it goes on,
        unless it is over and the app has handled all of its effects; then a new one is opened. The
        file is locked until the end of the block.
        `journal` and `settings` are those of `ChatClient`, the others those of the constructor.

        Raises `SnapshotError` if the store holds something else, `LocalProtocolError` if another
        process or chat has the file open, and OSError if it cannot be read.
        The block raises `ApiError` at its start if the server gives no chat.
        """
        found = as_store(store)
        restored = load_chat(found, endpoint, settings=settings, now=now(), journal=journal)
        chat = cls(
            restored.client,
            sender,
            save=None if found is None else found.save,
            pending=restored.pending,
            opening=opening or RequestChat(),
            max_pending=max_pending,
            now=now,
            closing_timeout=closing_timeout,
            observers=observers,
        )
        chat._store = found
        return chat

    def __enter__(self) -> Self:
        self._clock.start()
        if self._opening is not None and self.client.session is None:
            try:
                self.ask(self._opening)
            except BaseException:
                self._close(get_ident())
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close(None if error else get_ident())

    def __iter__(self) -> Iterator[ChatEffect]:
        """Return an iterator over the effects.

        Raises `LocalProtocolError` while another thread is in a loop over them.
        """
        loop = _BlockingEffectLoop(get_ident(), self)
        with self._changed:
            self._core.add_loop(loop)
        return loop

    def __next__(self) -> ChatEffect:
        """Wait for the next effect. Stops when the chat is over or closed.

        Raises `RemoteProtocolError` for a violation that a strict session found, or the error of
        `save` if it has failed several times in a row, and goes on; and the error of the client
        that has stopped the chat.
        """
        core = self._core
        with self._changed:
            core.begin_waiting()
            try:
                self._send_requests(core.finish(self._now()))
                while not core.is_handled:
                    self._changed.wait(_LONGEST_WAIT)
                while (effect := core.take(get_ident())) is None:
                    if core.error is not None:
                        raise core.error
                    if core.is_over:
                        raise StopIteration
                    self._changed.wait(_LONGEST_WAIT)
                return effect
            finally:
                core.end_waiting()

    def send(self, command: Command | Resume) -> None:
        """Send any command. Raises `LocalProtocolError` if it is not allowed now."""
        with self._changed:
            self._submit(command)

    def ask(self, request: TypedRequest[Result]) -> Result:
        """Send a request of `chatfsm.api`, wait for its result, and return it.

        Raises `LocalProtocolError` if it is not allowed now, `ApiError` if it fails.
        """
        with self._changed:
            if self._core.is_holder(get_ident()):
                raise LocalProtocolError(ASKED_IN_TRANSACTION)
            call = self._core.add_call(request)
            try:
                self._submit(call.request)
                while call.answer is None and not self._core.is_stopped:
                    self._changed.wait(_LONGEST_WAIT)
            finally:
                self._core.remove_call(call)
        result: Result = call.result()
        return result

    @contextmanager
    def handling(self, effect: ChatEffect) -> Iterator[Transaction]:
        """Handle an effect in one transaction, in a `with` block.

            for effect in chat:
                with chat.handling(effect) as transaction:
                    transaction.execute("INSERT INTO texts VALUES (?)", [effect.message.text])
                    chat.send_text("Thank you.")

        At the end of the block, one save has it all: that the effect is handled, what the block has
        sent, and, in an `SqliteStore`, the statements of the transaction. After a crash, all of it
        has happened, or nothing: then the effect is given again. What the block sends goes out
        after that.

        Raises at the end of the block the error of a statement or of the store; then nothing is
        executed, the effect counts as not handled until the app asks for the next one, and what the
        block has sent is sent once a save succeeds. So it is if the block raises. The block must
        take less than 4 seconds, and cannot wait for the server: `ask`, `upload` and `download`
        raise `LocalProtocolError` in it.
        """
        with self._changed:
            self._core.begin_handling(effect, get_ident())
        transaction = transaction_of(self._store)
        try:
            yield transaction
        except BaseException:
            with self._changed:
                self._send_requests(self._core.abandon_handling(self._now()))
            raise
        with self._changed:
            self._send_requests(self._core.commit_handling(transaction.statements, self._now()))
            while self._core.is_committing:
                self._changed.wait(_LONGEST_WAIT)
            self._core.check_committed()

    def open(
        self,
        phone_number: str | None = None,
        sender: str | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> SessionProperties:
        """Request a chat, and wait until there is one; as `ask(RequestChat(…))`."""
        return self.ask(RequestChat(phone_number, sender, parameters or {}))

    def upload(self, source: UploadSource, file_name: str | None = None) -> str:
        """Upload a file and share it in the chat; return the msg_id.

        `source`: its path, its content, or a file object that is open for bytes. `file_name`: None:
        that of the path or of the file object, otherwise "file". Raises OSError if the file cannot
        be read, `LocalProtocolError` if it is larger than `LARGEST_FILE` bytes.
        """
        request = read_upload(source, file_name)
        return self._send_message(share_command(request, self.ask(request)))

    def download(self, file: SharedFile | str) -> bytes:
        """Return the content of a shared file, given as a `SharedFile` or by its id."""
        return self.ask(GetFile(file_id_of(file))).content

    def close(self) -> None:
        """Send the queued events, and close the chat, as the end of the block does."""
        self._close(get_ident())

    def _send_message(self, command: SendText | SendFile) -> str:
        with self._changed:
            return self._submit(command)

    def _read(self, reader: Callable[[DriverCore], Inspected]) -> Inspected:
        with self._changed:
            return reader(self._core)

    def _submit(self, item: object) -> str:
        """Feed an input to the client on the clock thread; return the msg_id that it took.

        Ctrl-C interrupts the main thread alone, and so never `receive` half-way.
        """
        if not self._clock.is_alive():
            raise LocalProtocolError("cannot send: the chat is not in its with block")
        self._core.check_open()
        submission = _Submission(item)
        self._submissions.append(submission)
        self._changed.notify_all()
        while not submission.is_done:
            self._changed.wait(_LONGEST_WAIT)
        if submission.error is not None:
            raise submission.error
        if self._core.is_holder(get_ident()):
            return submission.msg_id
        while self._core.saving.is_undecided(submission.change) and not self._core.is_stopped:
            self._changed.wait(_LONGEST_WAIT)
        self._core.check_saved(submission.change)
        return submission.msg_id

    def _send_requests(self, requests: list[HttpRequest]) -> None:
        for request in requests:
            self._pool.put(request)
        self._changed.notify_all()

    def _run_clock(self) -> None:
        """Feed the app's inputs, and `Tick` at each deadline, until the chat is closed."""
        with self._changed:
            while self._process_submissions():
                self._send_requests(self._core.finish_save(self._now()))
                deadline, now = self._core.deadline, self._now()
                if deadline is None:
                    self._changed.wait(_LONGEST_WAIT)
                elif now < deadline:
                    self._changed.wait(min(deadline - now, LONGEST_SLEEP))
                else:
                    self._send_requests(self._core.receive_safely(Tick(), now))

    def _process_submissions(self) -> bool:
        """Feed the app's inputs to the client; return False once the chat is closed."""
        while self._submissions:
            submission = self._submissions.popleft()
            try:
                self._core.check_open()
                self._send_requests(self._core.receive(submission.item, self._now()))
                submission.change = self._core.saving.change
                if isinstance(submission.item, SendText | SendFile):
                    submission.msg_id = self._core.last_msg_id()
            except Exception as error:  # noqa: BLE001  # raised where the app sent it
                submission.error = error
            submission.is_done = True
            self._changed.notify_all()
        return not self._core.is_closed

    def _notice_save(self) -> None:
        """Wake the clock thread, which takes the store's answer; on a thread of the store's."""
        with self._changed:
            self._changed.notify_all()

    def _perform(self, request: HttpRequest) -> None:
        """Perform one request, and feed its result to the client; on a thread of the pool."""
        try:
            result = self._sender(request)
        except Exception as error:  # noqa: BLE001  # a sender of the app's may have bugs
            result = failure_of(request, error)
        with self._changed:
            self._send_requests(self._core.receive_safely(result, self._now()))

    def _close(self, closer: int | None) -> None:
        if self._clock.ident is None:
            return  # the block has not begun
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
            if self._own_sender is not None:
                self._own_sender.close()
            if not was_closed:
                try:
                    self._core.close(self._now(), closer)
                    while self._core.saving.is_in_progress:
                        self._core.saving.wait()
                        self._core.finish_save(self._now())
                    self._core.check_closed()
                finally:
                    close_store(self._store)

    def _flush(self, until: float) -> None:
        """Wait until all events are sent, or the time is over."""
        with self._changed:
            while not (self._core.is_closed or self._core.is_flushed(self._now())):
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)


@define(eq=False)
class _BlockingEffectLoop(EffectLoop):
    _chat: Chat

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ChatEffect:
        return self._chat.__next__()


@define(eq=False)
class SenderPool:
    """Threads that perform requests: as many as are in flight at once, and no more.

    A poll takes seconds, and an upload minutes, so no request may wait for another; the client's
    settings bound how many there are. A daemon thread that still waits for its server does not
    keep the process from ending.
    """

    _perform: Callable[[HttpRequest], None]
    _queue: SimpleQueue[HttpRequest | None] = field(factory=SimpleQueue, init=False)
    _threads: list[Thread] = field(factory=list, init=False)
    _lock: Lock = field(factory=Lock, init=False)
    _busy: int = field(default=0, init=False)

    def put(self, request: HttpRequest) -> None:
        """Have a request performed at once."""
        with self._lock:
            self._busy += 1
            if self._busy > len(self._threads):
                thread = Thread(target=self._work, name="chatfsm-sender", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._queue.put(request)

    def stop(self, until: float) -> None:
        """End the threads after their requests, and wait for them until a `time.monotonic()`."""
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
