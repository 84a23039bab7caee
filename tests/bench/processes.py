"""Python in other processes: its output and its times."""

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
    "ROOT",
    "WITHOUT_FAST",
    "Start",
    "cpu_time",
    "output_of",
    "wall_time",
    "wall_time_together",
    "worker_times",
]

ROOT: Final = Path(__file__).parents[2]

# Compiled once, as an installed package is, whatever the caller's settings: else each start
# compiles this folder of sources, but no package that pip has installed.
_COMPILED: Final = TemporaryDirectory(prefix="chatfsm-bench-")
atexit.register(_COMPILED.cleanup)
ENVIRONMENT: Final = {
    "POLARS_MAX_THREADS": "1",
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "PYTHONPYCACHEPREFIX": _COMPILED.name,
}

# Code that runs before the imports, after which the extra `fast` cannot be imported.
WITHOUT_FAST: Final = "import sys; sys.modules['orjson'] = sys.modules['msgspec'] = None; "

Start = Callable[[], float]


def output_of(*arguments: str) -> str:
    """Return the standard output of Python; raise CalledProcessError if it fails."""
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def wall_time(*arguments: str, units: int = 1) -> Start:
    """Return a function that measures the wall time of a process, in seconds per unit."""

    def run() -> float:
        start = perf_counter()
        output_of(*arguments)
        return (perf_counter() - start) / units

    return run


def cpu_time(*arguments: str) -> Start:
    """Return a function that measures the processor time of a process, all threads, in seconds."""

    def run() -> float:
        before = os.times()
        output_of(*arguments)
        after = os.times()
        user = after.children_user - before.children_user
        return user + after.children_system - before.children_system

    return run


def wall_time_together(*commands: Sequence[str]) -> Start:
    """Return a function that measures the wall time of simultaneous processes, in seconds."""

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


def worker_times(module: str, numbers: Sequence[int], *, without_fast: bool) -> dict[str, Any]:
    """Return the times that a module of workers/ measures in a process of its own."""
    call = f"from tests.bench.workers.{module} import main; main(*{list(numbers)})"
    found: dict[str, Any] = json.loads(
        output_of("-c", (WITHOUT_FAST if without_fast else "") + call)
    )
    return found
