"""Other processes of Python: what they print, and how long they take."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

__all__ = [
    "ENVIRONMENT",
    "HIDING",
    "ROOT",
    "Start",
    "printed",
    "spent",
    "started",
    "started_together",
    "worker_times",
]

ROOT: Final = Path(__file__).parents[2]

# Compiled once, as an installed package is, whatever the caller's settings: else a folder of
# sources is compiled at each start, and what pip has installed is not.
_COMPILED: Final = TemporaryDirectory(prefix="chatfsm-bench-")
atexit.register(_COMPILED.cleanup)
ENVIRONMENT: Final = {
    "POLARS_MAX_THREADS": "1",
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "PYTHONPYCACHEPREFIX": _COMPILED.name,
}

# The extra `fast` cannot be imported, before anything has looked for it.
HIDING: Final = "import sys; sys.modules['orjson'] = sys.modules['msgspec'] = None; "

Start = Callable[[], float]


def printed(*arguments: str) -> str:
    """What Python prints with these arguments. Raises CalledProcessError where it fails."""
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def started(*arguments: str, units: int = 1) -> Start:
    """What measures a whole process, in seconds a unit; what it prints is thrown away."""

    def run() -> float:
        start = perf_counter()
        printed(*arguments)
        return (perf_counter() - start) / units

    return run


def spent(*arguments: str) -> Start:
    """What measures the processor time of a whole process, in seconds, of all its threads."""

    def run() -> float:
        before = os.times()
        printed(*arguments)
        after = os.times()
        user = after.children_user - before.children_user
        return user + after.children_system - before.children_system

    return run


def started_together(*commands: Sequence[str]) -> Start:
    """What measures several whole processes that run at the same time, in seconds."""

    def run() -> float:
        start = perf_counter()
        processes = [
            subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL
            )
            for command in commands
        ]
        ends = [process.wait() for process in processes]
        if any(ends):
            raise ChildProcessError(f"one of these failed: {commands}")
        return perf_counter() - start

    return run


def worker_times(module: str, numbers: Sequence[int], *, hiding: bool) -> dict[str, Any]:
    """The times that a module of workers/ has measured, in a process without the extra if so."""
    call = f"from tests.bench.workers.{module} import main; main(*{list(numbers)})"
    found: dict[str, Any] = json.loads(printed("-c", (HIDING if hiding else "") + call))
    return found
