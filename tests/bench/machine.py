"""Description and speed of a machine, so that tables of two machines can be compared."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Any, Final

from attrs import frozen

from tests.bench.measure import Times, Work, interleave, timed
from tests.bench.peers.with_xstate import FOLDER
from tests.bench.workloads import chats

__all__ = ["Machine", "calibrate", "this_machine"]

# The peers, and the packages that chatfsm and the peers use.
PACKAGES: Final = (
    *("attrs", "cattrs", "transitions", "orjson", "msgspec"),
    *("Automat", "python-statemachine", "duckdb", "polars"),
)
# Many short rounds, so that other work of the machine disturbs only a few of them.
ROUNDS: Final = 51
CALLS: Final = 500

CALL: Final = "an empty call"
VALUE: Final = "a frozen value of four fields, by attrs"
LINE: Final = "json.loads of one line"


@frozen(kw_only=True)
class Machine:
    """An interpreter, the packages that are installed, and the platform."""

    python: str
    optimised: bool
    """Whether the build reports `--enable-optimizations`; some optimized builds do not."""
    compiler: str
    platform: str
    cores: int
    """The cores that this process may use."""
    versions: dict[str, str | None]
    """The versions by package; None if a package is not installed."""


def this_machine() -> Machine:
    """Return the description of this machine, without a measurement."""
    found: dict[str, str | None] = {name: _version(name) for name in PACKAGES}
    return Machine(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        optimised="--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS")),
        compiler=platform.python_compiler(),
        platform=platform.platform(),
        cores=_cores(),
        versions=found | {"node": _node(), "xstate": _xstate()},
    )


def calibrate(rounds: int = ROUNDS) -> dict[str, float]:
    """Return the microseconds of three operations that every Python has, by name."""
    (chat,) = chats(1)
    line = next(line for line in chat.lines() if b"session_message" in line)
    works: dict[str, Work] = {
        CALL: _called(_nothing),
        VALUE: _called(lambda: _Value(1, 2, 3, 4)),
        LINE: _called(lambda: json.loads(line)),
    }
    times: Times = interleave(works, rounds)
    return {name: median(found) * 1e6 for name, found in times.items()}


@frozen
class _Value:
    first: int
    second: int
    third: int
    fourth: int


def _nothing() -> None:
    pass


def _called(work: Callable[[], object]) -> Work:
    def all_calls() -> None:
        for _ in range(CALLS):
            work()

    return timed(all_calls, CALLS)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _node() -> str | None:
    node = shutil.which("node")
    if node is None:
        return None
    done = subprocess.run([node, "--version"], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def _xstate() -> str | None:
    path = FOLDER / "node_modules" / "xstate" / "package.json"
    if not path.is_file():
        return None
    package: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return str(package["version"])
