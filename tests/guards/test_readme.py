"""README.md is true: its programs run, and its commands are the ones that the gate runs."""

from __future__ import annotations

import doctest
import re
import tomllib
from pathlib import Path

from chatfsm._cli import _parser

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_programs_print_what_they_show() -> None:
    """Every Python example of the README prints what stands below it."""
    examples = "".join(re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, "README.md", None, 0)
    assert len(test.examples) >= 5
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


def test_it_is_short() -> None:
    """At most 150 lines: what else there is to say has a page in docs/."""
    assert len(README.splitlines()) <= 150


def test_no_block_is_shown_as_code_on_an_index() -> None:
    """Pages of a package index draw no Mermaid; pictures have a description."""
    assert "```mermaid" not in README
    pictures = re.findall(r"!\[(.*?)\]\((.*?)\)", README)
    assert {Path(path).parent.as_posix() for _, path in pictures} == {"docs/pictures"}
    assert all(len(description) > 40 for description, _ in pictures)


def test_links_are_absolute_on_an_index() -> None:
    """The build makes each link and picture of the README absolute: addresses of the project."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    text = README
    for rule in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    links = re.findall(r"\]\(([^)]+)", text)
    assert len(links) > 10
    assert [link for link in links if not link.startswith("https://")] == []
    source = project["project"]["urls"]["Source"]
    assert f"]({source}docs/drivers.md)" in text
    assert f"]({source}docs/pictures" not in text


def test_the_figures_are_those_of_the_table() -> None:
    """Each figure of the README about speed stands in the table of docs/performance.md."""
    speed = README.partition("## Speed")[2].partition("\n## ")[0]
    figures = re.findall(r"\d+\.\d+ (?:µs|ms|s)\b", speed)
    table = (ROOT / "docs" / "performance.md").read_text("utf-8")
    assert len(figures) >= 3
    assert [figure for figure in figures if f"| {figure} |" not in table] == []
