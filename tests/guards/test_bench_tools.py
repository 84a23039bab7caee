"""The tools beside the benchmarks print correct tables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import code_size
from tests.bench.machine import calibrate, this_machine
from tests.bench.profile import by_function, by_kind, by_stage
from tests.bench.report import head
from tests.bench.workloads import chats

ROOT = Path(__file__).parents[2]
CHATS = chats(3)

MODULE = '''"""Three lines,
of which two are this docstring's."""

LIMIT = 3  # a reason

def outer():
    """A docstring."""

    # a comment
    def inner():
        return """a text
that is code"""

    return inner
'''


def test_the_head_names_the_machine() -> None:
    """The lines above a table name the interpreter, the machine, the versions and the speed."""
    lines = head(this_machine(), calibrate(2)).splitlines()
    assert lines[0].startswith(sys.implementation.name.capitalize()[0])
    assert "--enable-optimizations" in lines[0]
    assert "core" in lines[1]
    assert "transitions 0" in lines[2]
    assert lines[3].count("µs") == 3


def test_missing_packages_are_named() -> None:
    """A package that is not installed is listed as "not there"."""
    machine = this_machine()
    machine.versions["orjson"] = None
    assert "not there: orjson" in head(machine, {}).splitlines()[2]


def test_kinds_make_up_the_whole_log() -> None:
    """Every kind of event has a line, and the shares add up to 100 %."""
    _, *lines, whole = by_kind(CHATS, 2)
    assert {"Message", "Typing", "Status", "PartyJoined"} <= {line.split()[0] for line in lines}
    assert sum(float(line.split()[-2][:-1]) for line in lines) == pytest.approx(100, abs=1)
    assert whole.split()[-2:] == ["100.0%", "100.0%"]


def test_functions_are_named_by_their_modules() -> None:
    """A function has its module, its name and its calls per event."""
    rows = {line[:60].strip(): line.split() for line in by_function(CHATS)}
    assert rows["_session.session.receive"][-1] == "1.00"


def test_the_profile_is_printed() -> None:
    """The command prints its three tables, and no line is wider than a screen."""
    output = run("tests.bench.profile", "--chats", "2", "--rounds", "2").stdout
    assert [table for table in ("by stage", "by kind", "by function") if table in output] == [
        "by stage",
        "by kind",
        "by function",
    ]
    assert max(map(len, output.split("\n\n", 1)[1].splitlines())) <= 100
    assert "bytes → values" in "\n".join(by_stage(CHATS, 2))


def test_lines_without_code_are_not_counted() -> None:
    """Docstrings, comments and blank lines do not count as code; a returned text does."""
    sources = {"chatfsm/part/module.py": MODULE, "chatfsm/part/empty.py": ""}
    size = code_size.package_sizes(sources)["part"]
    assert (size.lines, size.code, size.functions) == (14, 6, 2)
    assert size.longest_function == ("module.outer", 5)
    assert size.longest_module == ("module", 14)


def test_sizes_of_two_revisions_are_compared() -> None:
    """A package of both revisions has two lines, a package of one revision has one."""
    before = code_size.package_sizes({"chatfsm/session/a.py": "x = 1\n"})
    sources = {"chatfsm/session/a.py": "x = 1\ny = 2\n", "chatfsm/new/b.py": ""}
    after = code_size.package_sizes(sources)
    _, *lines = code_size.table({"before": before, "after": after})
    assert [line.split()[:3] for line in lines] == [
        ["session", "before", "1"],
        ["after", "2", "2"],
        ["new", "after", "0"],
        ["all", "before", "1"],
        ["after", "2", "2"],
    ]


def test_the_sizes_are_printed() -> None:
    """The command prints a line for each package."""
    output = run("tests.bench.code_size").stdout
    assert {"_session", "_protocol", "all"} <= {line.split()[0] for line in output.splitlines()}
    assert max(map(len, output.splitlines())) <= 100


def test_an_unknown_revision_is_an_error() -> None:
    """For an unknown revision, or outside of a git checkout, the command prints an error."""
    done = run("tests.bench.code_size", "no-such-revision")
    assert done.returncode == 1
    assert "no-such-revision" in done.stderr
    assert "Traceback" not in done.stderr


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, encoding="utf-8")
