"""The tools beside the benchmarks say what they claim to say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import reading
from tests.bench.machine import calibrated, this_machine
from tests.bench.profile import by_function, by_kind, by_stage
from tests.bench.report import head
from tests.bench.workloads import chats

ROOT = Path(__file__).parents[2]
CHATS = chats(3)

MODULE = '''"""Three lines,
of which two are this docstring's."""

LIMIT = 3  # a reason

def outer():
    """Says nothing."""

    # a comment
    def inner():
        return """a text
that is code"""

    return inner
'''


def test_the_head_names_the_machine() -> None:
    """Whoever reads a table learns what it was measured on, and how fast that is."""
    lines = head(this_machine(), calibrated(2)).splitlines()
    assert lines[0].startswith(sys.implementation.name.capitalize()[0])
    assert "--enable-optimizations" in lines[0]
    assert "core" in lines[1]
    assert "transitions 0" in lines[2]
    assert lines[3].count("µs") == 3


def test_what_is_not_there_is_said() -> None:
    """A package that is not installed is named as such, and not left out."""
    machine = this_machine()
    machine.versions["orjson"] = None
    assert "not there: orjson" in head(machine, {}).splitlines()[2]


def test_kinds_make_up_the_whole_log() -> None:
    """Every kind of event has its line, and the lines add up."""
    _, *lines, whole = by_kind(CHATS, 2)
    assert {"Message", "Typing", "Status", "PartyJoined"} <= {line.split()[0] for line in lines}
    assert sum(float(line.split()[-2][:-1]) for line in lines) == pytest.approx(100, abs=1)
    assert whole.split()[-2:] == ["100.0%", "100.0%"]


def test_functions_are_named_by_their_modules() -> None:
    """Who is called is named so that a reader finds it, with the calls of an event."""
    rows = {line[:60].strip(): line.split() for line in by_function(CHATS)}
    assert rows["_session.session.receive"][-1] == "1.00"


def test_the_profile_is_printed() -> None:
    """The command prints its three tables, and no line is wider than a screen."""
    printed = run("tests.bench.profile", "--chats", "2", "--rounds", "2").stdout
    assert [table for table in ("by stage", "by kind", "by function") if table in printed] == [
        "by stage",
        "by kind",
        "by function",
    ]
    assert max(map(len, printed.split("\n\n", 1)[1].splitlines())) <= 100
    assert "bytes → values" in "\n".join(by_stage(CHATS, 2))


def test_lines_that_hold_no_code_are_not_counted() -> None:
    """Docstrings, comments and blank lines are no code; a text that is returned is."""
    room = reading.rooms({"chatfsm/room/module.py": MODULE, "chatfsm/room/empty.py": ""})["room"]
    assert (room.lines, room.code, room.functions) == (14, 6, 2)
    assert room.longest_function == ("module.outer", 5)
    assert room.longest_module == ("module", 14)


def test_rooms_of_two_revisions_stand_side_by_side() -> None:
    """What is called the same is compared, and what is only in one has one line."""
    before = reading.rooms({"chatfsm/session/a.py": "x = 1\n"})
    after = reading.rooms({"chatfsm/session/a.py": "x = 1\ny = 2\n", "chatfsm/new/b.py": ""})
    _, *lines = reading.table({"before": before, "after": after})
    assert [line.split()[:3] for line in lines] == [
        ["session", "before", "1"],
        ["after", "2", "2"],
        ["new", "after", "0"],
        ["all", "before", "1"],
        ["after", "2", "2"],
    ]


def test_the_rooms_are_printed() -> None:
    """The command prints a line a room."""
    printed = run("tests.bench.reading").stdout
    assert {"_session", "_protocol", "all"} <= {line.split()[0] for line in printed.splitlines()}
    assert max(map(len, printed.splitlines())) <= 100


def test_a_revision_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Outside of a git checkout, or for a revision that it has not, the command says so."""
    done = run("tests.bench.reading", "no-such-revision")
    assert done.returncode == 1
    assert "no-such-revision" in done.stderr
    assert "Traceback" not in done.stderr


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, encoding="utf-8")
