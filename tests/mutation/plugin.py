"""The plugin of pytest in a worker, which runs some tests, the fastest first, up to a failure.

Hypothesis does not shrink a failing example, because any failure kills a mutant.
"""

from __future__ import annotations

import importlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest

__all__ = ["COLLECTION", "IMPORT", "Plugin", "chosen", "measured"]

IMPORT: Final = "(import)"
COLLECTION: Final = "(collection)"

# The bound of a test in processor time: so many times its usual time, and so many seconds more.
_TIMES_AS_LONG: Final = 10
_SECONDS: Final = 2.0


class Plugin:
    """Plugin: run the tests in `seconds`, the first group before the second; if None, all tests."""

    def __init__(self, seconds: list[Mapping[str, float]] | None) -> None:
        self.groups = seconds
        self.failed = ""
        """The test that failed, or the file that could not be imported."""

    @pytest.hookimpl
    def pytest_sessionstart(self) -> None:
        profile = os.environ.get("CHATFSM_HYPOTHESIS") or "usual"
        usual = hypothesis.settings.get_profile(profile)
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile(
            "mutation", usual, phases=phases, report_multiple_bugs=False
        )
        hypothesis.settings.load_profile("mutation")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.groups is not None:
            items[:] = chosen(items, self.groups)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        expected = [group[item.nodeid] for group in self.groups or () if item.nodeid in group]
        if not expected:
            return (yield)
        # Without a handler the signal ends the process, also within a function of C.
        signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS + _TIMES_AS_LONG * expected[0])
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.failed:
            self.failed = f"import of {report.nodeid}"


def chosen(items: list[pytest.Item], groups: list[Mapping[str, float]]) -> list[pytest.Item]:
    """Return the items of the groups, group by group, the fastest first."""
    found: list[pytest.Item] = []
    for group in groups:
        named = [item for item in items if item.nodeid in group]
        found += sorted(named, key=lambda item: group[item.nodeid])
    return found


class Measuring(Plugin):
    """Plugin: run all tests, and measure the lines and the time of each."""

    def __init__(self, coverage: Any) -> None:
        super().__init__(None)
        self.coverage = coverage
        self.taken: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        self.coverage.switch_context(item.nodeid)
        started = time.process_time()
        try:
            return (yield)
        finally:
            self.taken[item.nodeid] = round(time.process_time() - started, 4)
            self.coverage.switch_context(COLLECTION)


def measured(options: list[str], packages: list[str]) -> dict[str, Any]:
    """Return the exit code of the tests, the seconds of each, and for each line its tests.

    A test is given by its place in `seconds`. `IMPORT` stands for the import, `COLLECTION` for the
    collection of tests.
    """
    import coverage  # noqa: PLC0415  # the tests themselves do not need it

    root = Path.cwd()
    modules = [
        path.relative_to(root).as_posix().removesuffix(".py").replace("/", ".")
        for package in packages
        for path in sorted((root / "chatfsm" / package).glob("**/*.py"))
    ]
    include = [str(root / "chatfsm" / package / "*") for package in packages]
    measuring = coverage.Coverage(data_file=None, config_file=False, include=include)
    measuring.start()
    measuring.switch_context(IMPORT)
    for name in modules:
        importlib.import_module(name)
    measuring.switch_context(COLLECTION)
    plugin = Measuring(measuring)
    code = int(pytest.main(options, plugins=[plugin]))
    measuring.stop()
    data = measuring.get_data()
    numbers: dict[str, int | str] = {name: number for number, name in enumerate(plugin.taken)}
    numbers |= {name: name for name in (IMPORT, COLLECTION)}
    lines = {
        os.path.relpath(path): {
            line: [numbers[name] for name in names]
            for line, names in data.contexts_by_lineno(path).items()
        }
        for path in data.measured_files()
    }
    return {"code": code, "failed": plugin.failed, "seconds": plugin.taken, "lines": lines}
