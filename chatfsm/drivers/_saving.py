"""Saving: when a chat is saved, and the requests that wait for it.

Nothing is sent before the chat is saved. A store may answer later: then there is one save at a
time, and changes that come meanwhile are saved together afterwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from math import inf
from typing import Any, Final

from attrs import define, field, setters

from chatfsm._client.client import ChatClient
from chatfsm._log import log_fields, logger
from chatfsm.drivers._stores import Statement
from chatfsm.drivers.storage import RecordWriter
from chatfsm.errors import StoreConflictError
from chatfsm.transport import HttpRequest

__all__ = ["MAX_HELD", "Save", "Saving"]

Save = Callable[[dict[str, Any]], object]
"""Saves a record of a chat, and returns once the record is safe; or at once, with a
`concurrent.futures.Future` that is done when it is."""

# Seconds. A request that was held back for longer could be given up by its client before the
# server has replied, which would lose the reply: clients allow 5 beyond a request's own timeout.
MAX_HELD: Final = 4.0
# Seconds between attempts to save, which double; below `MAX_HELD`, so that no request is held for
# longer. So many failures in a row are no accident: the app gets the error.
_FIRST_RETRY: Final = 0.2
_LAST_RETRY: Final = 2.0
_PATIENCE: Final = 4


@define(eq=False, on_setattr=setters.NO_OP)
class Saving:
    """The saves of one chat. Changes have numbers; a save covers all changes before it."""

    save: Save | None
    on_done: Callable[[], object] = lambda: None
    """Called by any thread when a save that was answered later has ended; then call `finish`."""
    on_failed: Callable[[Exception], object] = lambda _: None
    """Called with the error of each save that has failed."""
    change: int = field(default=0, init=False)
    """Number of the latest change."""
    error: Exception | None = field(default=None, init=False)
    """Error of the last save, if it has failed."""
    lasting_error: Exception | None = field(default=None, init=False)
    """Error of several saves in a row, which the app has not received."""
    retry_at: float = field(default=inf, init=False)
    """Time of the next attempt after a failure."""
    records: RecordWriter = field(factory=RecordWriter, init=False)
    _saved: int = field(default=0, init=False)
    """The latest change that is saved."""
    _failed: int = field(default=0, init=False)
    """The latest change that a failed save has covered."""
    _covered: int = field(default=0, init=False)
    """The latest change that the save in progress covers."""
    is_held: bool = field(default=False, init=False)
    """Whether nothing is saved for the present, so that several changes are saved together."""
    is_commit_lost: bool = field(default=False, init=False)
    """Whether the save with `statements` has failed: they are not executed any more."""
    _statements: Sequence[Statement] | None = field(default=None, init=False)
    """Statements for the next save; None if it has none."""
    _is_commit: bool = field(default=False, init=False)
    """Whether the save in progress has statements."""
    _progress: Future[object] | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)
    _waiting: deque[tuple[HttpRequest, float, int]] = field(factory=deque, init=False)
    """Requests that follow from changes, with their times and the numbers of the changes."""

    @property
    def is_in_progress(self) -> bool:
        """Whether the store has not answered yet."""
        return self._progress is not None

    @property
    def has_new_changes(self) -> bool:
        """Whether there are changes that no save has tried to cover."""
        return self.change > max(self._saved, self._failed)

    def is_undecided(self, change: int) -> bool:
        """Whether a change is neither saved nor was part of a save that has failed."""
        return change > self._saved and change > self._failed

    def check_saved(self, change: int) -> None:
        """Raise the error of the last save unless it has saved this change."""
        if change > self._saved and self.error is not None:
            raise self.error

    def note_change(self) -> None:
        """Note that the chat is to be saved, if there is a store."""
        self.change += self.save is not None

    def hold_back(self, request: HttpRequest, now: float) -> None:
        """Keep a request that follows from the latest change until that is saved."""
        self._waiting.append((request, now, self.change))

    def commit(self, statements: Sequence[Statement]) -> None:
        """Execute statements in the transaction of the next save, if that succeeds."""
        self.is_held, self.is_commit_lost, self._statements = False, False, statements

    def start(self, client: ChatClient, pending: deque[Any], now: float) -> None:
        """Save the chat unless it is, or a save is in progress. Raises the error of `save`."""
        if self.save is None or self.change == self._saved:
            return
        if self._progress is not None or self.is_held:
            return
        self._covered = self.change
        statements, self._statements = self._statements, None
        self._is_commit = statements is not None
        try:
            record = self.records.record(client, pending, now)
            save: Callable[..., object] = self.save
            saving = save(record, statements) if statements else save(record)
            if isinstance(saving, Future) and not saving.done():
                self._progress = saving
            elif isinstance(saving, Future):
                saving.result()
        except Exception as error:
            self._fail(error, client, now)
            raise
        if self._progress is None:
            self._succeed()
        else:
            self._progress.add_done_callback(lambda _: self.on_done())

    def finish(self, client: ChatClient, now: float) -> bool:
        """Take the store's late answer; return False if there is none yet."""
        if self._progress is None or not self._progress.done():
            return False
        saving, self._progress = self._progress, None
        try:
            saving.result()
        except Exception as error:  # noqa: BLE001  # of the store; kept for whom it concerns
            self._fail(error, client, now)
        else:
            self._succeed()
        return True

    def wait(self) -> None:
        """Wait for the store's answer, while no other thread calls `finish`."""
        if self._progress is not None:
            self._progress.exception()

    def ready_requests(self) -> list[HttpRequest]:
        """Return the requests whose changes are saved; they wait no longer."""
        ready = []
        while self._waiting and self._waiting[0][2] <= self._saved:
            ready.append(self._waiting.popleft()[0])
        return ready

    def late_request(self, now: float) -> HttpRequest | None:
        """Return a request that has waited too long, and waits no longer; None if there is none."""
        if self._progress is None and self._waiting and now - self._waiting[0][1] >= MAX_HELD:
            return self._waiting.popleft()[0]
        return None

    def _succeed(self) -> None:
        self._saved = self._covered
        self._failures, self.retry_at, self.error, self.lasting_error = 0, inf, None, None

    def _fail(self, error: Exception, client: ChatClient, now: float) -> None:
        session = client.session
        chat_id = None if session is None else session.chat_id
        logger.warning(
            "a chat could not be saved: %s",
            type(error).__name__,
            extra=log_fields(chat_id, client.health(now).link),
        )
        self.on_failed(error)
        if not isinstance(error, StoreConflictError):
            error.add_note("The chat goes on: the change takes effect once a save succeeds.")
        self._failed, self.error = self._covered, error
        self.is_commit_lost |= self._is_commit
        self.retry_at = now + min(_FIRST_RETRY * 2**self._failures, _LAST_RETRY)
        self._failures += 1
        if self._failures == _PATIENCE:
            self.lasting_error = error
