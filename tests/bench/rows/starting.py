"""How long it takes until there is something: imports, the command's help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.bench.measure import interleave
from tests.bench.processes import Start, printed, started
from tests.bench.report import Row, at_most
from tests.bench.scale import Scale

__all__ = ["imports"]

GROUP: Final = "starting"
EMPTY: Final = "import argparse, chatfsm; argparse.ArgumentParser().parse_args()"


def imports(scale: Scale) -> Iterator[Row]:
    """Fresh processes; of an import only the import is measured, of a program all of it."""
    times = interleave(
        {
            "import chatfsm": _timed("import chatfsm"),
            "a session": _timed('import chatfsm; chatfsm.ChatSession("x")'),
            "all names": _timed("from chatfsm import *"),
            "transitions, attrs, cattrs": _timed("import transitions, attrs, cattrs"),
            "chatfsm --help": started("-m", "chatfsm", "--help"),
            "empty argparse program": started("-c", EMPTY),
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
    return lambda: float(printed("-c", program))
