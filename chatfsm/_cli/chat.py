"""Command `chatfsm chat`: one chat, from its saved state to its exit code."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread
from typing import Any, Final, Self
from urllib.parse import urlsplit
from uuid import uuid4

from attrs import define, field

from chatfsm._cli import ExitCode
from chatfsm._cli.chat_ui import ChatConsole, EffectFormatter
from chatfsm._cli.plain_input import ANSWER_TIMEOUT, LineBuffer, LineTerminal
from chatfsm._cli.prompt import LiveScreen, PlainScreen, Screen, read_input
from chatfsm._cli.terminal_text import print_error
from chatfsm._client.client import ChatClient
from chatfsm.adapters.stdlib import Sender
from chatfsm.client_effects import ChatEffect
from chatfsm.drivers import storage
from chatfsm.drivers.threads import Chat
from chatfsm.endpoint import Endpoint
from chatfsm.errors import ChatError, ConfigurationError, SnapshotError

__all__ = ["SavedChat", "run"]


@define
class SavedChat:
    """State of a chat in a file: the client id, and the record of the chat if there is one."""

    path: Path | None
    client_id: str = field(repr=False)
    record: dict[str, Any] | None = field(default=None, repr=False)
    _store: storage.FileStore | None = field(default=None, init=False, repr=False)

    @classmethod
    def load(cls, path: str | None, environment: Mapping[str, str]) -> Self:
        """Load the state, or begin a new one if `path` is None or no file.

        The client id is CHATFSM_CLIENT_ID, otherwise that of the file, otherwise a new one.
        Raises `SnapshotError` if the file holds something else, OSError if it cannot be read.
        """
        wanted = environment.get("CHATFSM_CLIENT_ID")
        found = None if path is None else storage.FileStore(path).load()
        if path is None or found is None:
            return cls(None if path is None else Path(path), wanted or str(uuid4()))
        client_id, record = found.get("client_id"), found.get("chat")
        if not isinstance(client_id, str) or set(found) != {"client_id", "chat"}:
            raise SnapshotError(f"{path} does not hold the state of a chat")
        if wanted not in {None, client_id}:
            raise SnapshotError(f"{path} belongs to another client id than CHATFSM_CLIENT_ID")
        return cls(Path(path), client_id, record)

    def save(self, record: dict[str, Any]) -> None:
        """Save a new record. Raises OSError."""
        self.record = record
        if self.path is not None:
            self._store = self._store or storage.FileStore(self.path)
            self._store.save({"client_id": self.client_id, "chat": record})


# Seconds: enough to post what was typed, but not to wait for a poll to return.
_CLOSING_TIMEOUT: Final = 3.0


def run(options: Namespace, environment: Mapping[str, str] = os.environ) -> int:
    """Run the command and return its exit code.

    Raises `ChatError`, and OSError if the output cannot be written.
    """
    if sys.stdin is None:
        raise ChatError("there is no standard input")
    try:
        with ExitStack() as stack:
            if options.state is not None:
                state = storage.FileStore(options.state)
                state.lock()
                stack.callback(state.close)
            saved = SavedChat.load(options.state, environment)
            journal = stack.enter_context(_open_journal(options.record))
            endpoint = _endpoint(options, saved, environment)
            client, pending = _open_client(saved, endpoint, journal)
            send = stack.enter_context(Sender())
            chat = Chat(
                client, send, save=saved.save, pending=pending, closing_timeout=_CLOSING_TIMEOUT
            )
            return _ChatRun(options, chat).run()
    except OSError as error:
        if error.filename is None:  # a file that is open already, such as the output
            raise
        raise ChatError(f"{error.filename}: {error.strerror}") from None


def _endpoint(options: Namespace, saved: SavedChat, environment: Mapping[str, str]) -> Endpoint:
    app_id = options.app_id or environment.get("CHATFSM_APP_ID")
    if not app_id:
        raise ChatError("the app id is missing: set CHATFSM_APP_ID, or use --app-id")
    try:
        return Endpoint(
            options.url,
            options.tenant_url or urlsplit(options.url).hostname or "",
            app_id,
            saved.client_id,
            version=options.api,
            allow_http=options.insecure_http,
        )
    except (TypeError, ValueError) as error:
        hint = ": see --insecure-http" if options.url.startswith("http://") else ""
        raise ChatError(f"{error}{hint}") from None


@contextmanager
def _open_journal(path: str | None) -> Iterator[Callable[[str], object] | None]:
    """Open the journal for appending; None if there is no path."""
    if path is None:
        yield None
        return
    with storage.JournalFile(path) as journal:
        yield storage.stamped(journal)


def _open_client(
    saved: SavedChat, endpoint: Endpoint, journal: Callable[[str], object] | None
) -> tuple[ChatClient, tuple[ChatEffect, ...]]:
    """Return the saved chat and its pending effects, or a new chat if that one is over."""
    if saved.record is not None:
        restored = storage.restore(saved.record, endpoint, now=time.monotonic(), journal=journal)
        if not restored.client.done and restored.client.session is not None:
            return restored.client, restored.pending
    return ChatClient(endpoint, token=storage.new_token(), journal=journal), ()


@define
class _ChatRun:
    """One run of the command: effects and input lines become jobs, which are done one by one."""

    options: Namespace
    chat: Chat
    _jobs: SimpleQueue[Callable[[], object]] = field(factory=SimpleQueue, init=False)
    _handled: Semaphore = field(factory=lambda: Semaphore(0), init=False)
    _error: Exception | None = field(default=None, init=False)

    def run(self) -> int:
        """Chat until the person leaves or the chat is over; returns the exit code."""
        try:
            if self._is_live():
                self._run_live()
            else:
                self._run_plain()
        except KeyboardInterrupt:
            return ExitCode.INTERRUPTED
        if self._error is not None:
            raise self._error
        session = self.chat.client.session
        has_failed = session is not None and session.outcome not in {None, "ended"}
        return ExitCode.FAILURE if has_failed else ExitCode.SUCCESS

    def _is_live(self) -> bool:
        """Whether there is a terminal to edit lines on, and the extra to do it."""
        if self.options.plain or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return False
        if os.environ.get("TERM") == "dumb":
            return False
        if find_spec("prompt_toolkit") is None:
            print_error(_NO_EXTRA)
            return False
        return True

    def _run_plain(self) -> None:
        terminal = LineTerminal(sys.stdin.fileno())
        console = self._console(PlainScreen(sys.stdout, terminal.set_question))
        console.drops_late_answers = True
        try:
            with self._open_chat(console), self._read_lines(console, terminal):
                self._work(console)
        finally:
            terminal.close()

    def _run_live(self) -> None:
        screen = LiveScreen(
            on_line=lambda text, question: self._put(lambda: console.on_line(text, question)),
            on_edit=lambda text, question: self._put(lambda: console.on_edit(text, question)),
            on_end=lambda: self._put(console.leave),
        )
        console = self._console(screen)
        worker = Thread(target=self._work_beside, args=(console, screen), name="chatfsm-console")
        try:
            with self._open_chat(console):
                worker.start()
                try:
                    screen.run()
                finally:  # what was typed before this is still done
                    self._put(_STOP)
                    worker.join(_CLOSING_TIMEOUT)
        finally:
            if worker.ident is not None:
                worker.join()
            screen.close()

    def _console(self, screen: Screen) -> ChatConsole:
        formatter = EffectFormatter(time.monotonic())
        form_fields = dict(self.options.form or ())
        return ChatConsole(self.chat, screen, formatter, time.monotonic, form_fields)

    @contextmanager
    def _open_chat(self, console: ChatConsole) -> Iterator[None]:
        """Open the chat, and put a job for each of its effects in this block."""
        forwarder = Thread(target=self._forward, args=(console,), name="chatfsm-effects")
        try:
            with self.chat:
                if self.chat.client.session is None:
                    self._request_chat()
                forwarder.start()
                yield
        finally:
            if forwarder.ident is not None:
                self._handled.release()
                forwarder.join()

    def _request_chat(self) -> None:
        try:
            self.chat.open()
        except ConfigurationError as error:
            if error.error_code != _UNKNOWN_TENANT:
                raise
            raise ChatError(f"{error}: name the tenant by --tenant-url") from None

    def _forward(self, console: ChatConsole) -> None:
        """Put a job for each effect, when that of the effect before is done."""
        try:
            for effect in self.chat:
                self._put(partial(self._handle, console, effect))
                self._handled.acquire()
        except Exception as error:  # noqa: BLE001  # raised again by the main thread
            self._error = error
        self._put(_STOP)

    def _handle(self, console: ChatConsole, effect: ChatEffect) -> None:
        console.on_effect(effect)
        self._handled.release()

    @contextmanager
    def _read_lines(self, console: ChatConsole, terminal: LineTerminal) -> Iterator[None]:
        """Put a job for each piece of the standard input in this block."""
        lines = LineBuffer(console, terminal)
        with read_input(sys.stdin.fileno(), lambda text: self._put(lambda: lines.add(text))):
            yield

    def _put(self, job: Callable[[], object]) -> None:
        self._jobs.put(job)

    def _work(self, console: ChatConsole) -> None:
        """Do the jobs until the person leaves, an error occurs, or the chat is over."""
        while not console.has_left and self._error is None:
            console.screen.show_status(console.status, console.question)
            try:
                job = self._jobs.get(timeout=ANSWER_TIMEOUT if console.is_waiting else None)
            except Empty:
                console.leave()
                return
            if job is _STOP:
                return
            job()

    def _work_beside(self, console: ChatConsole, screen: LiveScreen) -> None:
        """Do the jobs in a thread of their own, while the main one reads keys."""
        try:
            self._work(console)
        except Exception as error:  # noqa: BLE001  # raised again by the main thread
            self._error = error
        screen.stop()


def _stop() -> None:
    """Do nothing: a mark in the jobs that no more are to be done."""


_STOP: Final = _stop
_UNKNOWN_TENANT: Final = "1000"
_NO_EXTRA: Final = "line editing and colours need prompt_toolkit: pip install 'chatfsm[cli]'"
