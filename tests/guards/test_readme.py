"""README.md is correct: its programs run, and .ci/run runs its commands."""

from __future__ import annotations

import doctest
import re
import tomllib
from pathlib import Path

from chatfsm._cli import _parser

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_the_programs_print_what_they_show() -> None:
    """Every Python example of the README prints the output that the README shows."""
    examples = "".join(re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, "README.md", None, 0)
    assert len(test.examples) >= 5
    output: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test, out=output.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(output)


def commands() -> list[str]:
    return re.findall(r"```sh\n(.*?)\n```", README, flags=re.DOTALL)


def test_there_are_two_set_up_commands() -> None:
    """The first command runs the demo, the second the tests; both create the environment."""
    demo, tests = commands()
    assert all(command.startswith("python3 -m venv .venv && ") for command in (demo, tests))
    assert demo.endswith("'.[simulator]' && .venv/bin/chatfsm demo")
    assert tests.endswith(".venv/bin/python -m pytest -q")


def test_the_gate_ends_with_the_test_command() -> None:
    """The last line of .ci/run is the test command of the README."""
    gate = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert gate[-1] == commands()[1]


def test_each_link_leads_to_a_file() -> None:
    """Each link without a scheme leads to a file of the project."""
    links = re.findall(r"\]\(([^)#]+)", README)
    assert len(links) > 10
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert missing == []


def test_the_commands_are_all_there() -> None:
    """Each command of `chatfsm` has a row in the table."""
    rows = re.findall(r"(?m)^\| `chatfsm (.*?) \|", README)
    named = set(re.findall(r"chatfsm (\w+)", " ".join(f"chatfsm {row}" for row in rows)))
    assert named == set(_command_names())


def _command_names() -> list[str]:
    [choices] = [action.choices for action in _parser()._actions if action.metavar == "COMMAND"]
    return list(choices or ())


def test_it_is_short() -> None:
    """The README has at most 150 lines; everything else has a page in docs/."""
    assert len(README.splitlines()) <= 150


def test_no_block_is_shown_as_code_on_an_index() -> None:
    """The README has no Mermaid, which package indexes do not draw; pictures have a description."""
    assert "```mermaid" not in README
    pictures = re.findall(r"!\[(.*?)\]\((.*?)\)", README)
    assert {Path(path).parent.as_posix() for _, path in pictures} == {"docs/pictures"}
    assert all(len(description) > 40 for description, _ in pictures)


def test_links_are_absolute_on_an_index() -> None:
    """The build makes each link and picture of the README an absolute URL of the project."""
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
    """Each figure of the README about speed is in the table of docs/performance.md."""
    speed = README.partition("## Speed")[2].partition("\n## ")[0]
    figures = re.findall(r"\d+\.\d+ (?:µs|ms|s)\b", speed)
    table = (ROOT / "docs" / "performance.md").read_text("utf-8")
    assert len(figures) >= 3
    assert [figure for figure in figures if f"| {figure} |" not in table] == []
