"""README.md is true: its programs run, and its commands are the ones that the gate runs."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from chatfsm._cli import _parser, main

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_programs_print_what_they_show() -> None:
    """Every Python example of the README prints what stands below it."""
    examples = "".join(re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, "README.md", None, 0)
    assert len(test.examples) > 5
    told: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test, out=told.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(told)


def commands() -> list[str]:
    return re.findall(r"```sh\n(.*?)\n```", README, flags=re.DOTALL)


def test_there_are_two_set_up_commands() -> None:
    """The first shows the demo, the second passes the tests; both make the environment."""
    demo, tests = commands()
    assert all(command.startswith("python3 -m venv .venv && ") for command in (demo, tests))
    assert demo.endswith("'.[simulator]' && .venv/bin/chatfsm demo")
    assert tests.endswith(".venv/bin/python -m pytest -q")


def test_the_gate_ends_with_the_test_command() -> None:
    """.ci/run ends with the very command that the README prints."""
    gate = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert gate[-1] == commands()[1]


def test_each_link_leads_to_a_file() -> None:
    """Or to another site."""
    links = re.findall(r"\]\(([^)#]+)", README)
    assert len(links) > 10
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert missing == []


def test_the_commands_are_all_there() -> None:
    """Each command of `chatfsm` has its row."""
    rows = re.findall(r"(?m)^\| `chatfsm (.*?) \|", README)
    named = set(re.findall(r"chatfsm (\w+)", " ".join(f"chatfsm {row}" for row in rows)))
    assert named == set(_command_names())


def _command_names() -> list[str]:
    [choices] = [action.choices for action in _parser()._actions if action.metavar == "COMMAND"]
    return list(choices or ())


def without_times(text: str) -> str:
    """The seconds that a demo takes differ from run to run; all else in it does not."""
    return re.sub(r"^ +\+\d+\.\d  ", "  +0.0  ", text, flags=re.MULTILINE)


def test_the_sample_is_what_the_demo_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """The README has the beginning of the demo's timeline, and all of its verdict."""
    [sample] = re.findall(r"```text\n(What chatfsm reports.*?)```", README, flags=re.DOTALL)
    timeline, verdict = sample.split("  …\n")
    assert main(commands()[0].split()[-1:]) == 0
    printed = without_times(capsys.readouterr().out)
    assert f"\n\n{without_times(timeline)}" in printed
    assert f"\n\n{verdict}\n" in printed


def test_the_replay_is_what_replay_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timeline in the README is the beginning of what the command above it prints."""
    [(command, sample)] = re.findall(
        r"```console\n\$ \.venv/bin/chatfsm (.*?)\n(.*?)  …\n```", README, flags=re.DOTALL
    )
    monkeypatch.chdir(ROOT)
    assert main(command.split()) == 0
    assert capsys.readouterr().out.startswith(sample)
