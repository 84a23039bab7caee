"""Client process: runs the command of a client, and ends all processes that it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from attrs import define, frozen

from chatfsm.errors import ChatError

__all__ = ["ClientExit", "run_client"]

_GRACE: Final = 2.0
"""Seconds that processes have between SIGTERM and SIGKILL."""
_STANDARD_ERROR: Final = 2


@frozen
class ClientExit:
    """The end of a client."""

    status: int | None
    """Its exit status; negative: the number of the signal that ended it; None: it did not end in
    time, and was ended."""

    @property
    def reason(self) -> str:
        """Reason for the end, as words that follow the name of the process."""
        if self.status is None:
            return "was still running, and was ended"
        if self.status < 0:
            return f"was ended by signal {-self.status}{_signal_name(-self.status)}"
        return f"exited with status {self.status}"


def run_client(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    timeout: float,
    is_silent: bool = False,
) -> ClientExit:
    """Run a command until it ends, at most `timeout` seconds, and end its process group.

    `environment` is added to that of this process. The command reads standard input, and all that
    it prints goes to standard error, or nowhere if `is_silent`. Raises `ChatError` if it cannot be
    started.
    """
    to = subprocess.DEVNULL if is_silent or sys.stderr is None else _STANDARD_ERROR
    with _interrupts() as interrupts:
        try:
            process = subprocess.Popen(  # noqa: S603  # the user's own command
                list(command),
                env={**os.environ, **environment},
                stdout=to,
                stderr=to,
                **_OWN_GROUP,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else None
            raise ChatError(f"cannot run {command[0]!r}: {why or error}") from None
        try:
            interrupts.allow()
            return ClientExit(process.wait(timeout))
        except subprocess.TimeoutExpired:
            return ClientExit(None)
        finally:
            interrupts.is_allowed = False
            _end_group(process)


# A session of its own, so that the group has the id of its first process, and no terminal.
_OWN_GROUP: Final[dict[str, Any]] = {} if sys.platform == "win32" else {"start_new_session": True}


def _end_group(process: subprocess.Popen[Any]) -> None:
    """End a process and all others of its group that still run."""
    _signal_group(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    _signal_group(process, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    if sys.platform == "win32":
        process.terminate()
        return
    with suppress(ProcessLookupError, PermissionError):  # macOS: only processes that have ended
        os.killpg(process.pid, number)


@define
class _Interrupts:
    """Ctrl-C and SIGTERM, which wait while a client starts or ends: it must not be left behind."""

    is_allowed: bool = False
    is_waiting: bool = False

    def __call__(self, *_: object) -> None:
        self.is_waiting = True
        if self.is_allowed:
            raise KeyboardInterrupt

    def allow(self) -> None:
        """Let interrupts through. Raises KeyboardInterrupt if there was one."""
        self.is_allowed = True
        if self.is_waiting:
            raise KeyboardInterrupt


@contextmanager
def _interrupts() -> Iterator[_Interrupts]:
    """Handle SIGINT and SIGTERM by one object, in the main thread."""
    interrupts = _Interrupts()
    is_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    before = [signal.signal(number, interrupts) for number in numbers]
    try:
        yield interrupts
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    if interrupts.is_waiting:  # it came while the client was being ended
        raise KeyboardInterrupt


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return f" ({signal.Signals(number).name})"
    return ""
