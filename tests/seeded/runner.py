"""Runner: some tests under several seeds, in the tree of the working directory.

`python -m tests.seeded.runner RESULTS SEEDS TESTS…` writes one JSON line for each seed. The tests
are collected once; each seed has a process of its own, forked from there.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Final

import pytest

_COUNTS: Final = re.compile(r"(\d+) passing\D*(\d+) failing\D*(\d+) invalid")
_USUAL: Final = ("-q", "-p", "no:cacheprovider", "--no-header", "--tb=short")


class FirstFailure:
    """Plugin: the first test that fails, and its number of examples up to the failure.

    An example counts whether it passes, fails or is invalid; a test without examples has one.
    """

    def __init__(self, results: Path, seeds: list[int]) -> None:
        self.results, self.seeds = results, seeds
        self.test: str | None = None
        self.error = ""
        self.examples = 0
        self.passed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the first failure."""
        if report.failed and self.test is None:
            self.test, self.examples = report.nodeid, 1
            self.error = _last_line(report.longreprtext)
        self.passed += report.when == "call" and report.passed

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Note the examples of a test that has failed, if it is one of Hypothesis."""
        if item.nodeid == self.test:
            counts = _COUNTS.findall(getattr(item, "hypothesis_statistics", ""))
            self.examples = sum(int(count) for found in counts for count in found) or 1

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests with each seed, up to the first failure."""
        import chatfsm  # noqa: PLC0415  # whichever the tests have imported

        assert Path(chatfsm.__file__).is_relative_to(Path.cwd()), chatfsm.__file__
        for seed in self.seeds:
            child = os.fork()
            if child == 0:
                try:
                    self._run(session, seed)
                finally:
                    sys.stdout.flush()
                    os._exit(0)
            os.waitpid(child, 0)
        return True

    def _run(self, session: pytest.Session, seed: int) -> None:
        from hypothesis import core  # noqa: PLC0415  # not before pytest, which rewrites it

        core.global_force_seed = seed  # as the option --hypothesis-seed does
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.test is not None:
                break
        result = {"seed": seed, "test": self.test, "examples": self.examples}
        result |= {"passed": self.passed, "error": self.error}
        with self.results.open("a", encoding="utf-8") as out:
            out.write(json.dumps(result) + "\n")


def _last_line(text: str) -> str:
    lines = [line.removeprefix("E").strip() for line in text.splitlines() if line.startswith("E ")]
    return next((line for line in lines if line), "")[:160]


def main() -> int:
    results, seeds, *tests = sys.argv[1:]
    first = FirstFailure(Path(results), [int(seed) for seed in seeds.split(",")])
    return int(pytest.main([*_USUAL, *tests], plugins=[first]))


if __name__ == "__main__":
    raise SystemExit(main())
