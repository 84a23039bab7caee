"""The examples in docs/ print the output that the pages show, and the named tools exist."""

from __future__ import annotations

import doctest
import logging
import pkgutil
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import chatfsm
from chatfsm._cli import _parser
from tests.testing.test_plugin import IS_INSTALLED, PLUGIN

pytest_plugins = ["pytester"]

DOCS = Path(__file__).parent.parent.parent / "docs"
# The first failure ends a page, because a later example may wait forever for its result.
FLAGS = doctest.ELLIPSIS | doctest.FAIL_FAST
EXAMPLE = re.compile(r"^```(?:python|pycon)\n(?=>>> )(.*?)^```", flags=re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


def with_examples() -> list[Path]:
    pages = sorted(DOCS.glob("**/*.md"))
    return [page for page in pages if EXAMPLE.search(page.read_text("utf-8"))]


@pytest.fixture
def log_as_before() -> Iterator[None]:
    """Restore the level and the handlers of the logger after a test."""
    logger = logging.getLogger("chatfsm")
    level, handlers = logger.level, [*logger.handlers]
    yield
    logger.setLevel(level)
    logger.handlers = handlers


@pytest.mark.usefixtures("log_as_before")
@pytest.mark.parametrize("page", with_examples(), ids=name_of)
def test_the_examples_print_what_they_show(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The examples of a page, run in order in an empty folder, print the shown output."""
    monkeypatch.chdir(tmp_path)
    text = page.read_text("utf-8")
    # Empty lines in place of the prose, so that a failure names the line of the page.
    kept, end = "", 0
    for match in EXAMPLE.finditer(text):
        kept += "\n" * text.count("\n", end, match.start(1)) + match[1]
        end = match.end(1)
    test = doctest.DocTestParser().get_doctest(kept, {}, page.name, str(page), 0)
    output: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    runner.run(test, out=output.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(output)


COMMAND = re.compile(r"^\$ chatfsm (.*)$", flags=re.MULTILINE)
COMMANDS = sorted(
    {line for page in DOCS.glob("**/*.md") for line in COMMAND.findall(page.read_text("utf-8"))}
)


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_exist(line: str) -> None:
    """The parser accepts the command line of each `$ chatfsm …`; the command is not run."""
    assert _parser().parse_args(shlex.split(line))


def test_the_example_of_a_test_passes(pytester: pytest.Pytester) -> None:
    """The test of a bridge passes with the plugin alone, in a folder of its own."""
    for name in ("small_bridge.py", "test_small_bridge.py"):
        pytester.path.joinpath(name).write_text((DOCS / "examples" / name).read_text("utf-8"))
    options = () if IS_INSTALLED else ("-p", PLUGIN)
    pytester.runpytest_inprocess(*options, "-W", "error", "--strict-markers").assert_outcomes(
        passed=2
    )


TOOLS = sorted(
    set(re.findall(r"python -m (tests\.[\w.]+)", (DOCS / "contributing.md").read_text("utf-8")))
)


@pytest.mark.parametrize("module", TOOLS)
def test_the_tools_exist(module: str) -> None:
    """Each `python -m tests.…` of the page for contributors is a program in tests/."""
    path = DOCS.parent.joinpath(*module.split("."))
    assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()


FOR_CONTRIBUTORS = {"test", "docs", "lint"}


def test_each_extra_is_explained() -> None:
    """The table of the first page lists every extra for users."""
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]
    rows = re.findall(r"(?m)^\| (`.*?) \|", (DOCS / "start.md").read_text("utf-8"))
    named = set(re.findall(r"`(\w+)`", " ".join(rows)))
    assert named == set(project["optional-dependencies"]) - FOR_CONTRIBUTORS


# Modules of the simulator and of replay whose public names other modules export.
INNER = re.compile(
    r"chatfsm\.simulator\.(?!agent_seat|builtin|center|faults|from_log|network|scenario|settings|"
    r"tenants|world|server\.server|server\.control).+|"
    r"chatfsm\.replay\.(chat_replay|formats|reader|replayed_chat|scrub|sharding|sources|stats|stream_replay)|"
    r"chatfsm\.replay\.(compression|har|items|kinds|log_files|tables|wrapped)|"
    r"chatfsm\.replay\.(arrow_schema|export_(mining|tables)|schema_(forms|types|wire))|"
    r"chatfsm\.testing\.(judge_leaving|judge_polls|judge_posts)"
)


def test_the_reference_has_every_public_module() -> None:
    """A page of docs/reference/ describes each public module, except those of INNER."""
    names = {module.name for module in pkgutil.walk_packages(chatfsm.__path__, "chatfsm.")}
    public = {name for name in names if "._" not in name and not INNER.fullmatch(name)}
    pages = "".join(page.read_text("utf-8") for page in (DOCS / "reference").glob("*.md"))
    described = set(re.findall(r"^\.\. automodule:: (\S+)$", pages, flags=re.MULTILINE))
    missing = public - described - {"chatfsm.simulator.server"}
    assert not missing, "describe them on a page of docs/reference/, by `.. automodule::`"
    assert described <= public
