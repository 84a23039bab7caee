"""Runner: copies of the project, a worker in each, and the results, which are kept in a file.

Everything is written below one folder, the workplace. An interrupted run continues there: the
result of a killed mutant is valid while its module and the killing test's file are unchanged, that
of a survivor while all modules and tests are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from queue import Empty, Queue
from threading import Lock
from typing import Any, Final, Self

from attrs import define, field

from tests.mutation.mutants import Mutant
from tests.mutation.plugin import COLLECTION, IMPORT

__all__ = ["SUITE", "Coverage", "Result", "Workplace"]

SUITE: Final = (
    *("tests/protocol", "tests/session", "tests/client"),
    *("tests/guards/test_transition_tables.py", "tests/guards/test_diagrams.py"),
    *(f"tests/replay/test_{name}.py" for name in ("bounds", "formats", "received_at", "shapes")),
    *(f"tests/testing/test_{name}invariants.py" for name in ("", "client_")),
    *(
        f"tests/replay/journal/test_journal{name}.py"
        for name in ("", "_files", "_properties", "_verify")
    ),
)
"""The tests that run on mutants; they only compute and write temporary files."""

_COPIED: Final = ("chatfsm", "tests", "diagrams", "pyproject.toml", "README.md")
# Bounds of one mutant: seconds of processor time, and wall time for one that sleeps.
_LIMIT, _TIMES_LIMIT = 60, 5
_WALL, _TIMES_WALL = 120, 40


@define
class Result:
    """The result of the tests for one mutant."""

    key: str
    result: str
    """killed, timeout or survived."""
    by: str = ""
    """The test that failed, or the file that could not be imported."""
    tests: int = 0
    """The number of tests that may have run."""
    seconds: float = 0.0
    basis: str = ""
    """A digest of the files on which the result depends."""

    @property
    def died_at_import(self) -> bool:
        """Whether the import failed, so that no test ran."""
        return self.by.startswith("import")


@define
class Coverage:
    """The lines of each test, and the seconds of each."""

    seconds: dict[str, float]
    lines: dict[str, dict[int, set[str]]]
    """The tests by module and line."""

    def runs_in(self, mutant: Mutant) -> set[str]:
        """Return the runners of a mutant's function: tests, the import, the collection of tests.

        Code outside of functions runs at import.
        """
        lines = self.lines.get(mutant.path, {})
        first, last = mutant.change.function_lines
        if not mutant.change.function:
            return {IMPORT}
        return set[str]().union(*(lines.get(line, set()) for line in range(first, last + 1)))

    def is_local(self, mutant: Mutant) -> bool:
        """Whether the change is in a function that only tests call."""
        return not self.runs_in(mutant) & {IMPORT, COLLECTION}

    def tests_of(self, mutant: Mutant) -> list[dict[str, float]]:
        """Return the tests that may notice the change, with their seconds, in two groups.

        The first group runs the changed lines. The second are the other tests of the package, which
        may use cached results of the first; for a change that has effect at import, all others.
        """
        lines = self.lines.get(mutant.path, {})
        change = mutant.change
        numbers = range(change.line, change.last_line + 1)
        found = set[str]().union(*(lines.get(number, set()) for number in numbers))
        inside = self.runs_in(mutant)
        found = found & self.seconds.keys() or inside & self.seconds.keys()
        rest = self.seconds.keys() - found
        if IMPORT not in inside:
            folder = f"tests/{mutant.path.split('/')[1].lstrip('_')}/"
            rest = {name for name in rest if name.startswith(folder)}
        return [self._with_seconds(found), self._with_seconds(rest)]

    def _with_seconds(self, names: Iterable[str]) -> dict[str, float]:
        return {name: self.seconds[name] for name in sorted(names)}


@define(slots=False)
class Workplace:
    """A folder with a copy of the project for each job, and with the results."""

    project: Path
    folder: Path
    jobs: int
    profile: str
    progress: Callable[[str], None]
    suite: tuple[str, ...] = SUITE
    _lock: Lock = field(factory=Lock, init=False)

    def prepare(self) -> None:
        """Copy the project again."""
        for number in range(self.jobs):
            tree = self._tree(number)
            shutil.rmtree(tree, ignore_errors=True)
            tree.mkdir(parents=True)
            for name in _COPIED:
                source = self.project / name
                if source.is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(source, tree / name, ignore=ignored)
                elif source.exists():
                    shutil.copy2(source, tree / name)
            # Some tests read the version of the installed package.
            known = tree / "chatfsm-0.dist-info"
            known.mkdir()
            text = "Metadata-Version: 2.1\nName: chatfsm\nVersion: 0\n"
            (known / "METADATA").write_text(text, "utf-8")
            for name in ("home", "tmp"):
                (tree.parent / name).mkdir(exist_ok=True)

    def coverage(self, packages: list[str]) -> Coverage:
        """Return the coverage of the tests, measured once for a state of the project."""
        known = self.folder / f"coverage-{self._digest(packages, self._all_files)}.json"
        if known.exists():
            parts = json.loads(known.read_text("utf-8"))
        else:
            self.progress("measuring which tests run which lines …")
            parts = self._measured(packages)
            known.write_text(json.dumps(parts), "utf-8")
        return _joined(parts)

    def run(self, mutants: list[Mutant], coverage: Coverage) -> list[Result]:
        """Return the results of mutants, in their order; known results are reused."""
        results = {result.key: result for result in self._known() if self._is_valid(result)}
        waiting: Queue[Mutant] = Queue()
        for mutant in mutants:
            if mutant.key not in results:
                waiting.put(mutant)
        total, started = len(mutants), time.monotonic()
        kept = total - waiting.qsize()

        def note(result: Result) -> None:
            with self._lock:
                results[result.key] = result
                with (self.folder / "results.jsonl").open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(_plain(result)) + "\n")
                done = sum(mutant.key in results for mutant in mutants)
                survived = sum(
                    results[m.key].result == "survived" for m in mutants if m.key in results
                )
                speed = (time.monotonic() - started) / max(1, done - kept)
                left = speed * (total - done)
                self.progress(f"{done} of {total}, {survived} survived, {left / 60:.0f} min left")

        with ThreadPoolExecutor(self.jobs) as pool:
            jobs = [pool.submit(self._work, n, waiting, coverage, note) for n in range(self.jobs)]
            for job in jobs:
                job.result()
        return [results[mutant.key] for mutant in mutants]

    def _work(
        self, job: int, waiting: Queue[Mutant], coverage: Coverage, note: Callable[[Result], None]
    ) -> None:
        with _Worker(self._tree(job), self.profile) as worker:
            if not waiting.empty():
                worker.ask({"kind": "compile", "suite": self.suite})
            while True:
                try:
                    mutant = waiting.get_nowait()
                except Empty:
                    return
                note(self._result_of(worker, mutant, coverage))

    def _result_of(self, worker: _Worker, mutant: Mutant, coverage: Coverage) -> Result:
        started = time.monotonic()
        groups = coverage.tests_of(mutant)
        seconds = {name: taken for group in groups for name, taken in group.items()}
        order = {
            "kind": "mutant",
            "path": mutant.path,
            "function": mutant.change.function,
            "mutated": mutant.mutated,
            "is_local": coverage.is_local(mutant),
            "seconds": groups,
            "files": sorted({name.partition("::")[0] for name in seconds}),
            "suite": self.suite,
            "limit": _LIMIT + _TIMES_LIMIT * sum(seconds.values()),
            "wall": _WALL + _TIMES_WALL * sum(seconds.values()),
        }
        answer = {"result": "survived", "by": ""}
        if seconds:
            answer = worker.ask(order)
            if answer["result"] == "not found":
                answer = worker.ask({**order, "is_local": False})
        by = answer["by"]
        basis = self._basis(mutant.path, answer["result"], by)
        took = round(time.monotonic() - started, 2)
        return Result(mutant.key, answer["result"], by, len(seconds), took, basis)

    # The files on which results depend.

    def _known(self) -> Iterable[Result]:
        path = self.folder / "results.jsonl"
        if path.exists():
            for line in path.read_text("utf-8").splitlines():
                yield Result(**json.loads(line))

    def _is_valid(self, result: Result) -> bool:
        path = result.key.partition("\n")[0].partition("::")[0]
        return result.basis == self._basis(path, result.result, result.by)

    def _basis(self, path: str, result: str, by: str) -> str:
        if result == "survived":
            return self._digest([self.profile], self._all_files)
        files = [self.project / path, self.project / by.partition("::")[0]]
        return self._digest([], [file for file in files if file.is_file()])

    @cached_property
    def _all_files(self) -> list[Path]:
        found = [
            path
            for name in ("chatfsm", "tests")
            for path in sorted((self.project / name).glob("**/*.py"))
        ]
        return [path for path in found if path.parent.name != "mutation"]

    def _digest(self, words: list[str], files: Iterable[Path]) -> str:
        found = blake2b(repr(words).encode(), digest_size=8)
        for path in files:
            found.update(self._digest_of(path))
        return found.hexdigest()

    def _digest_of(self, path: Path) -> bytes:
        if path not in self._digests:
            self._digests[path] = blake2b(path.read_bytes(), digest_size=8).digest()
        return self._digests[path]

    @cached_property
    def _digests(self) -> dict[Path, bytes]:
        return {}

    # Measuring.

    def _measured(self, packages: list[str]) -> list[dict[str, Any]]:
        files: list[Path] = []
        for name in self.suite:
            path = self.project / name
            files += sorted(path.glob("**/test_*.py")) if path.is_dir() else [path]
        names = [path.relative_to(self.project).as_posix() for path in files]
        shares = [names[number :: self.jobs] for number in range(self.jobs)]

        def measure(job: int) -> dict[str, Any]:
            with _Worker(self._tree(job), self.profile) as worker:
                order = {"kind": "measure", "suite": shares[job], "packages": packages}
                return worker.ask(order)

        with ThreadPoolExecutor(self.jobs) as pool:
            parts = list(pool.map(measure, range(self.jobs)))
        for part in parts:
            if part.get("code") != 0:
                raise SystemExit(
                    f"the tests fail without any change: {part.get('by', part.get('failed'))}"
                )
        return parts

    def _tree(self, job: int) -> Path:
        return self.folder / f"job-{job}" / "tree"


class _Worker:
    """A worker process in a copy of the project."""

    def __init__(self, tree: Path, profile: str) -> None:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(tree.parent / "home"),
            "TMPDIR": str(tree.parent / "tmp"),
            "PYTHONPATH": str(tree),
            "PYTHONHASHSEED": "0",
            "CHATFSM_HYPOTHESIS": profile,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.mutation.worker"],
            cwd=tree,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send an order, and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))


def _plain(result: Result) -> dict[str, Any]:
    return {
        name: getattr(result, name) for name in ("key", "result", "by", "tests", "seconds", "basis")
    }


def _joined(parts: list[dict[str, Any]]) -> Coverage:
    seconds: dict[str, float] = {}
    lines: dict[str, dict[int, set[str]]] = {}
    for part in parts:
        names = [*part["seconds"]]
        seconds |= part["seconds"]
        for path, numbers in part["lines"].items():
            known = lines.setdefault(path, {})
            for number, tests in numbers.items():
                found = {test if isinstance(test, str) else names[test] for test in tests}
                known.setdefault(int(number), set()).update(found)
    return Coverage(seconds, lines)
