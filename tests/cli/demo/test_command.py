"""`chatfsm demo`: options, output and exit code, over real HTTP on the loopback."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from chatfsm._cli import demo as scene
from chatfsm._cli import main
from chatfsm.simulator.faults import Faults

VERDICT = """\
                              the polling loop  chatfsm
  faults                      3                 3
  sent by the customer        4                 4
    received by the center    5                 4
  sent by the center          5                 5
    received by the customer  5                 5
  lost                        1                 0
  duplicated                  2                 0
  still typing at the end     Pilar             none
  form still open at the end  delivery_notes    none
  polls after the end         5, then stopped   0

Lost by the polling loop: Then a courier brings it today.

Duplicated by the polling loop: Yes, all afternoon.; It is still in our depot, I
am sorry.

"""


def test_a_whole_demo(capsys: pytest.CaptureFixture[str]) -> None:
    """Both clients have the same faults, and the chat of chatfsm is intact."""
    assert main(["demo", "--plain"]) == 0
    out = capsys.readouterr().out
    assert out.endswith(VERDICT)
    assert max(map(len, out.splitlines())) <= 80
    chatfsm_output, _, loop_output = out.partition("What the polling loop shows")
    assert all(fault in side for fault in FAULTS for side in (chatfsm_output, loop_output))
    # chatfsm shows each text once, the loop once for each delivery.
    assert chatfsm_output.count("Then a courier brings it today.") == 1
    assert chatfsm_output.count("It is still in our depot, I am sorry.") == 1
    assert "form       expired: form delivery_notes" in chatfsm_output
    assert chatfsm_output.index("typing     Pilar: stopped") < chatfsm_output.index(
        "state      connected → timed_out"
    )
    assert "over       timed out" in chatfsm_output
    timeline = loop_output.partition("  faults  ")[0]
    assert timeline.count("Then a courier brings it today.") == 0
    assert timeline.count("It is still in our depot, I am sorry.") == 2
    assert "again      customer: Yes, all afternoon." in timeline


FAULTS = (
    "fault      poll 4: a cache repeats the reply before",
    "fault      poll 5: answered, but the connection breaks within the reply",
    "fault      POST 4: arrived, but the connection breaks before the reply",
)


def test_the_exit_code_is_the_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If no poll reaches the chat, that of chatfsm fails too, and the exit code is 1."""
    monkeypatch.setattr(scene, "FAULTS", Faults.parse("404/5005:poll"))
    assert main(["demo", "--seed", "7"]) == 1
    table = capsys.readouterr().out.partition("  faults  ")[2]
    assert re.search(r"sent by the center +1 +1\n", table)
    assert re.search(r"received by the customer +0 +0\n", table)
    assert re.search(r"polls after the end +5, then stopped +1\n", table)
    assert "Lost by chatfsm: Welcome! What is it about?" in table


@pytest.mark.parametrize(
    ("words", "color"),
    [
        ([], "auto"),
        (["--plain"], "never"),
        (["--color", "never"], "never"),
        (["--color", "always"], "always"),
    ],
)
def test_the_colour_options(words: list[str], color: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default the colours depend on the terminal."""
    colors: list[str] = []
    monkeypatch.setattr("chatfsm._cli.demo.run", lambda options: colors.append(options.color))
    main(["demo", *words])
    assert colors == [color]


def test_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without aiohttp the error names the extra, and the exit code is 2."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "chatfsm._cli.demo.find_spec",
        lambda name: None if name == "aiohttp" else find_spec(name),
    )
    assert main(["demo"]) == 2
    assert capsys.readouterr() == (
        "",
        "chatfsm: the demo needs aiohttp: pip install 'chatfsm[simulator]'\n",
    )


def test_an_address_in_use_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the server cannot listen on the loopback, the error gives the reason."""

    def refuse(_network: object) -> Any:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr("chatfsm.simulator.server.server.SimulatorServer", refuse)
    assert main(["demo"]) == 2
    assert capsys.readouterr().err == (
        "chatfsm: cannot serve on the loopback: Address already in use\n"
    )


def test_an_interrupted_demo_has_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C gives exit code 130."""

    def interrupt(*_arguments: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("chatfsm._cli.demo.play", interrupt)
    assert main(["demo"]) == 130


def demo(*options: str) -> subprocess.Popen[str]:
    """Start the command in a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "chatfsm", "demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_is_clean() -> None:
    """Ctrl-C during the demo gives exit code 130, one line and no traceback."""
    with demo() as process:
        assert process.stdout
        assert any("Good morning, this is Pilar." in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "chatfsm: interrupted\n")


def test_a_closed_pipe_is_not_an_error() -> None:
    """A closed pipe at standard output, as of `chatfsm demo | head -5`, is no error."""
    with demo() as process:
        assert process.stdout
        assert process.stderr
        for _ in range(5):
            process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
