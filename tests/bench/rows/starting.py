"""Times of starting: imports, and the help of the command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.bench.measure import interleave
from tests.bench.processes import Start, output_of, wall_time
from tests.bench.report import Row, at_most
from tests.bench.scale import Scale

__all__ = ["imports"]

GROUP: Final = "starting"
EMPTY: Final = "import argparse, chatfsm; argparse.ArgumentParser().parse_args()"


def imports(scale: Scale) -> Iterator[Row]:
    """Yield the rows of new processes; imports are measured alone, programs as a whole."""
    times = interleave(
        {
            "import chatfsm": _timed("import chatfsm"),
            "a session": _timed('import chatfsm; chatfsm.ChatSession("x")'),
            "all names": _timed("from chatfsm import *"),
            "transitions, attrs, cattrs": _timed("import transitions, attrs, cattrs"),
            "chatfsm --help": wall_time("-m", "chatfsm", "--help"),
            "empty argparse program": wall_time("-c", EMPTY),
        },
        scale.starts,
    )
    pair = ("import chatfsm", "transitions, attrs, cattrs")
    yield at_most(GROUP, "import chatfsm, vs its requirements", times, pair, 1.15)
    for name in ("a session", "all names"):
        pair = (name, "transitions, attrs, cattrs")
        yield at_most(GROUP, f"import chatfsm, and {name}", times, pair, None)
    pair = ("chatfsm --help", "empty argparse program")
    yield at_most(GROUP, "chatfsm --help, vs an empty program", times, pair, 2.0)


def _timed(statements: str) -> Start:
    program = (
        "from time import perf_counter; start = perf_counter()\n"
        f"{statements}\nprint(perf_counter() - start)"
    )
    return lambda: float(output_of("-c", program))
