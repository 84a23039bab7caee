"""`chatfsm chat`: puts together what the command line asks for, and runs it to the end."""

from __future__ import annotations

import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any, Final, Self
from urllib.parse import urlsplit
from uuid import uuid4

from attrs import define, field

from chatfsm._cli import ExitCode
from chatfsm._cli.chat_ui import ChatConsole, EffectFormatter
from chatfsm._cli.prompt import Editor, LiveScreen, PlainScreen, Screen, keys_of, read_input
from chatfsm._client.client import ChatClient
from chatfsm._session.session import ChatSession
from chatfsm.adapters.stdlib import Sender
from chatfsm.client_effects import ChatEffect
from chatfsm.drivers import storage
from chatfsm.drivers.threads import Chat
from chatfsm.endpoint import Endpoint
from chatfsm.errors import ChatError, SnapshotError
from chatfsm.replay.journal import Recorded

__all__ = ["SavedChat", "run"]

# The file that a chat goes on from: who the customer is to the server, and the chat itself.


@define
class SavedChat:
    """A client id, and the record of its chat where there is one; kept at every change."""

    path: Path | None
    client_id: str = field(repr=False)
    record: dict[str, Any] | None = field(default=None, repr=False)

    @classmethod
    def load(cls, path: str | None, environment: Mapping[str, str]) -> Self:
        """What a file holds; with the environment's client id, else the file's, else a new one.

        Raises `SnapshotError` for a file of something else, OSError where it cannot be read.
        """
        wanted = environment.get("CHATFSM_CLIENT_ID")
        found = None if path is None else storage.FileStore(path).load()
        if path is None or found is None:
            return cls(None if path is None else Path(path), wanted or str(uuid4()))
        client_id, record = found.get("client_id"), found.get("chat")
        if not isinstance(client_id, str) or set(found) != {"client_id", "chat"}:
            raise SnapshotError(f"{path} is not the state of a chat")
        if wanted not in {None, client_id}:
            raise SnapshotError(f"{path} is of another client id than CHATFSM_CLIENT_ID")
        return cls(Path(path), client_id, record)

    def save(self, record: dict[str, Any]) -> None:
        """Keep the chat as it stands."""
        self.record = record
        if self.path is not None:
            storage.FileStore(self.path).save({"client_id": self.client_id, "chat": record})


# Seconds: enough for what was said to leave; nobody who quits waits for a poll to come back.
_CLOSING_TIMEOUT: Final = 3.0
_OWNER_ONLY: Final = 0o600


def run(options: Namespace, environment: Mapping[str, str] = os.environ) -> int:
    """Chat as the command line says; returns the exit status.

    Raises `ChatError`, and OSError where what is shown cannot be written.
    """
    if sys.stdin is None:
        raise ChatError("there is no standard input")
    try:
        saved = SavedChat.load(options.state, environment)
        with ExitStack() as stack:
            wrap = stack.enter_context(_open_journal(options.record))
            endpoint = _endpoint(options, saved, environment)
            client, told = _open_client(saved, endpoint, wrap)
            send = stack.enter_context(Sender())
            chat = Chat(
                client, send, save=saved.save, pending=told, closing_timeout=_CLOSING_TIMEOUT
            )
            return _Sitting(options, chat, client).run()
    except OSError as error:
        if error.filename is None:  # of what is open already, be it only the output
            raise
        raise ChatError(f"{error.filename}: {error.strerror}") from None


def _endpoint(options: Namespace, saved: SavedChat, environment: Mapping[str, str]) -> Endpoint:
    app_id = options.app_id or environment.get("CHATFSM_APP_ID")
    if not app_id:
        raise ChatError("which app asks? set CHATFSM_APP_ID, or give --app-id")
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
def _open_journal(path: str | None) -> Iterator[Callable[[ChatSession], Any]]:
    """What makes a session write itself down, where that is wanted."""
    if path is None:
        yield lambda session: session
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _OWNER_ONLY)
    with open(descriptor, "w", encoding="utf-8", buffering=1) as file:  # noqa: PTH123  # is open
        yield lambda session: Recorded(session, file.write)


def _open_client(
    saved: SavedChat, endpoint: Endpoint, wrap: Callable[[ChatSession], Any]
) -> tuple[ChatClient, tuple[ChatEffect, ...]]:
    """The chat that was saved, unless that is over; else a new one."""
    if saved.record is not None:
        restored = storage.restore(saved.record, endpoint, now=time.monotonic(), wrap=wrap)
        if not restored.client.done and restored.client.session is not None:
            return restored.client, restored.pending
    make = lambda chat_id, settings: wrap(ChatSession(chat_id, settings=settings))  # noqa: E731
    return ChatClient(endpoint, session=make), ()


def _fields(options: Namespace) -> dict[str, tuple[str, ...]]:
    """The fields of forms, by the form's name."""
    return dict(options.form or ())


@define
class _Sitting:
    """One run: what comes from the chat and from the keyboard, taken one by one."""

    options: Namespace
    chat: Chat
    client: ChatClient
    _inbox: SimpleQueue[Callable[[], object]] = field(factory=SimpleQueue, init=False)
    _handled: Semaphore = field(factory=lambda: Semaphore(0), init=False)
    _editor: Editor = field(factory=Editor, init=False)
    _error: Exception | None = field(default=None, init=False)

    def run(self) -> int:
        """Chat until one side has enough."""
        is_live = self._is_live()
        now = time.monotonic
        with ExitStack() as stack:
            if is_live:
                stack.enter_context(keys_of(sys.stdin.fileno()))
            screen: Screen = LiveScreen(sys.stdout) if is_live else PlainScreen(sys.stdout)
            stack.callback(screen.close)
            talk = ChatConsole(
                self.chat, self.client, screen, EffectFormatter(now()), now, _fields(self.options)
            )
            hear = (lambda piece: self._keys(talk, piece)) if is_live else self._lines(talk)
            try:
                return self._sit(talk, hear)
            except KeyboardInterrupt:
                return ExitCode.INTERRUPTED

    def _is_live(self) -> bool:
        are_terminals = sys.stdin.isatty() and sys.stdout.isatty()
        return are_terminals and not self.options.plain and find_spec("rich") is not None

    def _sit(self, talk: ChatConsole, hear: Callable[[str | None], None]) -> int:
        forwarding = Thread(target=self._forward, args=(talk,), name="chatfsm-effects")
        try:
            with self.chat:
                if self.client.session is None:
                    self.chat.open()
                forwarding.start()
                with read_input(
                    sys.stdin.fileno(), lambda piece: self._inbox.put(lambda: hear(piece))
                ):
                    self._work(talk)
        finally:
            if forwarding.ident is not None:
                self._handled.release()
                forwarding.join()
        if self._error is not None:
            raise self._error
        session = self.client.session
        has_failed = session is not None and session.outcome not in {None, "ended"}
        return ExitCode.FAILURE if has_failed else ExitCode.SUCCESS

    def _work(self, talk: ChatConsole) -> None:
        while not talk.has_left and self._error is None:
            text = "*" * len(self._editor.text) if talk.is_hidden else self._editor.text
            talk.screen.show_status(talk.status, text, self._editor.at)
            if (work := self._inbox.get()) is _OVER:
                return
            work()

    def _forward(self, talk: ChatConsole) -> None:
        """Put effects into the inbox, each when the one before was handled."""
        try:
            for effect in self.chat:
                self._inbox.put(lambda told=effect: self._tell(talk, told))  # type: ignore[misc]  # bound now
                self._handled.acquire()
        except Exception as error:  # noqa: BLE001  # raised again by the main thread
            self._error = error
        self._inbox.put(_OVER)

    def _tell(self, talk: ChatConsole, effect: object) -> None:
        talk.on_effect(effect)
        self._handled.release()

    def _keys(self, talk: ChatConsole, piece: str | None) -> None:
        """What a terminal sent."""
        for line in self._editor.type(piece or ""):
            talk.on_line(line)
        talk.on_edit(self._editor.text)
        if piece is None or self._editor.is_ended:
            talk.has_left = True

    def _lines(self, talk: ChatConsole) -> Callable[[str | None], None]:
        """What hears a pipe, line by line; at its end the chat is left, unless it is ending."""
        rest = ""

        def hear(piece: str | None) -> None:
            nonlocal rest
            *lines, rest = (rest + (piece or "")).split("\n")
            if piece is None and rest:
                lines.append(rest)
            for line in lines:
                if not talk.is_finished:
                    talk.on_line(line.removesuffix("\r"))
            if piece is None and not talk.is_ending:
                talk.has_left = True

        return hear


def _over() -> None:
    """Marks, in the inbox, that nothing more will be told."""


_OVER: Final = _over
