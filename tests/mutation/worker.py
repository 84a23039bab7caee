"""Worker: a process in a copy of the project, which runs the tests on one mutant after another.

It is started by `runner`, reads orders as lines of JSON, and answers each with one line. A mutant
runs in a process of its own, which is forked with pytest imported already. If the change is in a
function that nothing has called at import, the process is forked after all tests were collected,
and only the function's code is replaced; otherwise chatfsm is imported again.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final

import pytest

from tests.mutation.plugin import Plugin, chosen, measured

_IMPORTED: Final = ("attrs", "cattrs", "hypothesis.stateful", "transitions", "anyio.pytest_plugin")
_OPTIONS: Final = (
    *("-q", "-x", "-s", "-p", "no:cacheprovider", "--no-header"),
    # An installed chatfsm has a pytest plugin, which would import the tree's chatfsm too early.
    *("-p", "no:chatfsm"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # of what is imported already
)
_MEMORY: Final = 6 * 2**30
_FILES: Final = 256 * 2**20  # bytes of a file that a test may write
_IMPORT_SECONDS: Final = 60.0

Order = dict[str, Any]
Answer = dict[str, Any]
Functions = dict[tuple[str, str], list[FunctionType]]


def main() -> None:
    """Answer orders until the input ends."""
    orders, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(quiet, stream)
    # A compiled file is found by the time and the size of its source, which two mutants may share.
    sys.dont_write_bytecode = True
    for name in _IMPORTED:
        importlib.import_module(name)
    warm: _Collected | None = None
    for line in orders:
        order = json.loads(line)
        if order["kind"] == "measure":
            answer = _in_child(partial(measured, [*_OPTIONS, *order["suite"]], order["packages"]))
        elif order["kind"] == "compile":
            answer = _in_child(partial(_compiled, order["suite"]))
        elif order["is_local"]:
            warm = warm or _Collected(order["suite"])
            answer = warm.ask(order)
        else:
            answer = _with_file(order)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    if warm is not None:
        warm.close()


def _in_child(work: Callable[[], Answer], order: Order | None = None) -> Answer:
    """Return the answer of a new process, which ends at the bounds of the order."""
    receiver, sender = os.pipe()
    until = None if order is None else time.monotonic() + order["wall"]
    limit = 0 if order is None else int(order["limit"])
    child = os.fork()
    if child == 0:
        os.close(receiver)
        _run_and_leave(work, sender, limit)
    os.close(sender)
    answer, is_late = _read_all(receiver, until)
    if is_late:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    _end_group(child)
    if answer:
        return dict(json.loads(answer))
    code = os.waitstatus_to_exitcode(status)
    is_late = is_late or -code in {signal.SIGVTALRM, signal.SIGXCPU}
    return {"result": "timeout" if is_late else "killed", "by": f"the process ended with {code}"}


def _run_and_leave(work: Callable[[], Answer], sender: int, limit: int) -> None:
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (_FILES, _FILES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if limit:
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        try:
            answer = work()
        except BaseException:  # noqa: BLE001  # a mutant may raise anything, also at exit
            answer = {"result": "killed", "by": traceback.format_exc()}
        with os.fdopen(sender, "w") as stream:
            stream.write(json.dumps(answer))
    finally:
        os._exit(0)


def _read_all(receiver: int, until: float | None) -> tuple[bytes, bool]:
    """Return the output of a child until it closes the pipe, and whether it was too late."""
    parts: list[bytes] = []
    with os.fdopen(receiver, "rb", buffering=0) as stream:
        while True:
            left = None if until is None else max(0.0, until - time.monotonic())
            ready, _, _ = select.select([stream], [], [], left)
            if not ready:
                return b"", True
            part = stream.read(2**16)
            if not part:
                return b"".join(parts), False
            parts.append(part)


def _end_group(group: int) -> None:
    """End the processes that a mutant's tests may have left running."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _compiled(suite: list[str]) -> Answer:
    """Import all tests once, so that unchanged modules have compiled files."""
    sys.dont_write_bytecode = False
    return {"code": int(pytest.main([*_OPTIONS, "--collect-only", *suite]))}


# Changes that need chatfsm to be imported anew.


def _with_file(order: Order) -> Answer:
    """Write the mutated module, run the tests in a process of their own, and restore the module."""
    path = Path(order["path"])
    source, times = path.read_bytes(), path.stat()
    path.write_text(order["mutated"], "utf-8")
    os.utime(path, (times.st_atime, times.st_mtime + 10))  # so that no compiled file fits
    try:
        return _in_child(lambda: _imported_anew(order), order)
    finally:
        path.write_bytes(source)
        os.utime(path, (times.st_atime, times.st_mtime))


def _imported_anew(order: Order) -> Answer:
    signal.setitimer(signal.ITIMER_VIRTUAL, _IMPORT_SECONDS)
    plugin = Plugin(order["seconds"])
    code = int(pytest.main([*_OPTIONS, *order["files"]], plugins=[plugin]))
    return _answer(code, plugin)


def _answer(code: int, plugin: Plugin) -> Answer:
    if code == 0:
        return {"result": "survived", "by": ""}
    # If pytest fails without a failed test or file, a conftest could not be imported.
    return {"result": "killed", "by": plugin.failed or f"import: pytest ended with {code}"}


# Changes of functions that run in tests only.


class _Collected:
    """A process that has collected all tests, and forks for each order."""

    def __init__(self, suite: list[str]) -> None:
        order_in, order_out = os.pipe()
        answer_in, answer_out = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(order_out)
            os.close(answer_in)
            loop = _Loop(order_in, answer_out)
            pytest.main([*_OPTIONS, *suite], plugins=[loop])
            os._exit(0)
        os.close(order_in)
        os.close(answer_out)
        self._orders, self._answers = os.fdopen(order_out, "w"), os.fdopen(answer_in)

    def ask(self, order: Order) -> Answer:
        self._orders.write(json.dumps(order) + "\n")
        self._orders.flush()
        return dict(json.loads(self._answers.readline()))

    def close(self) -> None:
        self._orders.close()
        os.waitpid(self._child, 0)


class _Loop(Plugin):
    """A replacement of pytest's loop: run the tests of each order in a process of its own."""

    def __init__(self, orders: int, answers: int) -> None:
        super().__init__(None)
        self._orders, self._answers = os.fdopen(orders), os.fdopen(answers, "w")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        functions = _live_functions()
        gc.freeze()
        for line in self._orders:
            order = json.loads(line)
            answer = _in_child(partial(self._run, session, functions, order), order)
            self._answers.write(json.dumps(answer) + "\n")
            self._answers.flush()
        return True

    def _run(self, session: pytest.Session, functions: Functions, order: Order) -> Answer:
        path = str(Path(order["path"]).resolve())
        live = functions[path, order["function"]]
        if not _replace_code(live, compile(order["mutated"], path, "exec", dont_inherit=True)):
            return {"result": "not found", "by": ""}
        self.groups = order["seconds"]
        session.items = chosen(session.items, order["seconds"])
        for index, item in enumerate(session.items):
            following = session.items[index + 1] if index + 1 < len(session.items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.failed:
                break
        return _answer(1 if self.failed else 0, self)


def _live_functions() -> Functions:
    """Return all functions of chatfsm by file and qualified name."""
    root = str(Path("chatfsm").resolve())
    found: Functions = defaultdict(list)
    for live in gc.get_objects():
        if isinstance(live, FunctionType) and live.__code__.co_filename.startswith(root):
            found[live.__code__.co_filename, live.__code__.co_qualname].append(live)
    return found


def _replace_code(functions: list[FunctionType], module: CodeType) -> bool:
    """Replace the code of functions by that of a new version of their module.

    Return False if the version has no such function.
    """
    codes = {(code.co_qualname, code.co_firstlineno): code for code in _codes_of(module)}
    for live in functions:
        old = live.__code__
        new = codes.get((old.co_qualname, old.co_firstlineno))
        if new is None or new.co_freevars != old.co_freevars:
            return False
        live.__code__ = new
    return bool(functions)


def _codes_of(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes_of(constant)


if __name__ == "__main__":
    main()
