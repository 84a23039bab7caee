"""Runner: some tests under several seeds, in the tree that is the working directory.

`python -m tests.seeded.runner RESULTS SEEDS TESTS…` writes one JSON line for each seed. The tests
are imported once; each seed has a process of its own, forked from there.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any, Final

import pytest

_COUNTS: Final = re.compile(r"(\d+) passing\D*(\d+) failing\D*(\d+) invalid")
_USUAL: Final = ("-q", "-x", "-p", "no:cacheprovider", "--no-header", "--tb=short")


class FirstFailure:
    """Plugin: the first test that fails, and its number of examples up to the failure.

    An example counts whether it passes, fails or is invalid; a test without examples has one.
    """

    def __init__(self) -> None:
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

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note that a module cannot be imported."""
        if report.failed and self.test is None:
            self.test, self.examples = f"{report.nodeid} (import)", 0
            self.error = _last_line(str(report.longrepr))


def _last_line(text: str) -> str:
    lines = [line.removeprefix("E").strip() for line in text.splitlines() if line.startswith("E ")]
    return next((line for line in lines if line), "")[:160]


def run_seed(seed: int, tests: list[str]) -> dict[str, Any]:
    """Run the tests with one seed, up to the first failure."""
    found = FirstFailure()
    status = pytest.main([*_USUAL, f"--hypothesis-seed={seed}", *tests], plugins=[found])
    if status not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED} and found.test is None:
        found.test, found.error = None, f"pytest ended with {status!r}"
    return {
        "seed": seed,
        "test": found.test,
        "examples": found.examples if found.test else 0,
        "passed": found.passed,
        "error": found.error,
    }


def main() -> int:
    results, seeds, *tests = sys.argv[1:]
    pytest.main([*_USUAL, "--collect-only", *tests])
    import chatfsm  # noqa: PLC0415  # whichever the tests have imported

    assert Path(chatfsm.__file__).is_relative_to(Path.cwd()), chatfsm.__file__
    for seed in map(int, seeds.split(",")):
        child = os.fork()
        if child == 0:
            with Path(results).open("a", encoding="utf-8") as out:
                out.write(json.dumps(run_seed(seed, tests)) + "\n")
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
