"""`chatfsm judge`: options, output and exit code, with clients that are processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from chatfsm._cli import client_process, main
from chatfsm.testing.judge_rules import RULES

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent.parent.parent / "docs"
GOOD = (sys.executable, str(DOCS / "examples" / "small_client.py"))
VALUES = ("{url}", "{tenant}", "{app_id}", "{client_id}")
BAD = (sys.executable, str(HERE / "bad_client.py"), *VALUES)
NO_CHAT = ("--ignore", "opens-a-chat")
SCENARIO = {
    "name": "quick",
    "steps": [
        {"step": "say", "by": "scenario", "text": "Welcome!"},
        {"step": "await", "event": "chat_session_message"},
        {"step": "say", "by": "scenario", "text": "Goodbye!"},
        {"step": "await", "event": "chat_session_message"},
        {"step": "end"},
    ],
}


@pytest.fixture
def quick(tmp_path: Path) -> str:
    """The path of a scenario without pauses."""
    path = tmp_path / "quick.json"
    path.write_text(json.dumps(SCENARIO), "utf-8")
    return str(path)


def client(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", code


def verdict(capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return dict(json.loads(capfd.readouterr().out))


def rules_of(found: dict[str, Any]) -> list[str]:
    return [violation["rule"] for violation in found["violations"]]


def test_a_good_client_passes(quick: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The verdict is on standard output, and the client's output is on standard error."""
    assert main(["judge", "--script", quick, "--", *GOOD]) == 0
    out, err = capfd.readouterr()
    assert out == "pass: 0 errors, 0 warnings; 2 texts said, 2 texts told\n"
    assert err == "Welcome!\nGoodbye!\n"


def test_a_bad_client_fails(quick: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The report names each violated rule; the client got its arguments."""
    assert main(["judge", "--script", quick, *BAD]) == 1
    out = capfd.readouterr().out
    assert out.startswith("fail: 2 errors")
    assert "error: unique-message-ids, 1 time" in out
    assert "error: no-poll-after-end, 1 time" in out


def test_the_json_of_a_verdict(quick: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The document has exactly these fields."""
    assert main(["judge", "--json", "--script", quick, "--", *BAD]) == 1
    found = verdict(capfd)
    assert list(found) == ["verdict", "violations", "said", "told"]
    assert (found["verdict"], found["said"], found["told"]) == ("fail", 2, 2)
    assert {tuple(one) for one in found["violations"]} == {
        ("rule", "severity", "explanation", "at", "request")
    }
    assert sorted(rules_of(found)) == ["no-poll-after-end", "unique-message-ids"]


def test_rules_may_be_ignored(quick: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Ignored rules are neither reported nor counted."""
    ignored = ("--ignore", "unique-message-ids", "--ignore=no-poll-after-end")
    assert main(["judge", "--json", *ignored, "--script", quick, "--", *BAD]) == 0
    assert verdict(capfd) == {"verdict": "pass", "violations": [], "said": 2, "told": 2}


def test_faults_and_seed(quick: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A client that treats a failed poll as the end of the chat fails."""
    options = ("--faults", "503:poll@2", "--seed", "3", "--quiet", "--json", "--script", quick)
    assert main(["judge", *options, "--", *GOOD]) == 1
    assert "client-succeeds" in rules_of(verdict(capfd))


@pytest.mark.parametrize(
    ("spec", "found"), [("delay=0.1:open", "delay (1)"), ("503:upload", "none has hit a request")]
)
def test_the_faults_that_hit(
    spec: str, found: str, quick: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Faults that hit a request are counted, since a verdict without faults shows less."""
    assert main(["judge", "--faults", spec, "--script", quick, "--", *GOOD]) == 0
    assert capfd.readouterr().out.splitlines()[1:] == ["", f"faults: {found}"]


def test_other_scenarios(capfd: pytest.CaptureFixture[str]) -> None:
    """A built-in scenario, another tenant, and the app_id of the scenario."""
    code = (
        "import os; print(*(os.environ['CHATFSM_' + n] for n in ('TENANT', 'APP_ID', 'CLIENT_ID')))"
    )
    options = ("--scenario", "bot", "--tenant", "https://Shop.example/", *NO_CHAT)
    assert main(["judge", *options, "--", *client(code)]) == 0
    assert capfd.readouterr().err == "shop.example demo client-under-test\n"


def test_the_list_of_rules(capfd: pytest.CaptureFixture[str]) -> None:
    """Each rule is listed with its severity; no client is run."""
    assert main(["judge", "--list-rules"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        [rule.name, rule.severity] for rule in RULES.values()
    ]


def test_colours(capfd: pytest.CaptureFixture[str]) -> None:
    """Colours are for terminals, unless the option is given."""
    pytest.importorskip("rich")
    assert main(["judge", "--color", "always", "--", *client("")]) == 1
    coloured = capfd.readouterr().out
    assert main(["judge", "--plain", "--", *client("")]) == 1
    assert "\x1b[" in coloured
    assert "\x1b[" not in capfd.readouterr().out


# Clients that fail.


def test_a_client_without_a_chat(capfd: pytest.CaptureFixture[str]) -> None:
    """A client that does nothing fails."""
    assert main(["judge", "--json", "--", *client("")]) == 1
    (violation,) = verdict(capfd)["violations"]
    assert (violation["rule"], violation["request"]) == ("opens-a-chat", "")


def test_a_client_that_gives_up_on_its_chat(capfd: pytest.CaptureFixture[str]) -> None:
    """A chat that the client never learned of does not count."""
    code = """
import os, urllib.request as r
url = "{CHATFSM_URL}/clientweb/api/v2/chats?tenantUrl={CHATFSM_TENANT}".format(**os.environ)
name = "MOBILE-API-140-327-PLAIN appId=demo, clientId=c"
r.getproxies = dict
try:
    r.urlopen(r.Request(url, b"{}", {"Authorization": name}))
except OSError:
    pass
"""
    options = ("--json", "--faults", "reset:open")
    assert main(["judge", *options, "--", *client(code)]) == 1
    assert rules_of(verdict(capfd)) == ["opens-a-chat"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit(3)", "exited with status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by signal 9 (SIGKILL)"),
        ("import os; os.kill(os.getpid(), 40)", "was ended by signal 40"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="signal numbers differ")
def test_a_client_that_fails(code: str, reason: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A client that exits with an error fails."""
    assert main(["judge", "--json", *NO_CHAT, "--", *client(code)]) == 1
    found = verdict(capfd)
    assert rules_of(found) == ["client-succeeds"]
    assert reason in found["violations"][0]["explanation"]


# A shell starts within the timeout even on a busy machine.
FOREVER = "{trap} sleep 600 & echo child $!; wait"


def has_ended(pid: int) -> bool:
    """Whether a process has ended: it is gone or a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_for(pid: int) -> None:
    for _ in range(500):
        if has_ended(pid):
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} still runs")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("trap", ["", "trap '' TERM;"])
def test_a_client_that_hangs(
    trap: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is ended with its children, even if it ignores SIGTERM."""
    monkeypatch.setattr(client_process, "_GRACE", 0.1)
    command = ("sh", "-c", FOREVER.format(trap=trap))
    assert main(["judge", *NO_CHAT, "--timeout", "1", "--", *command]) == 1
    out, err = capfd.readouterr()
    assert "the client was still running, and was ended" in out
    wait_for(int(err.split()[1]))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupt(number: int) -> None:
    """Ctrl-C and SIGTERM end the client too."""
    forever = ("sh", "-c", FOREVER.format(trap=""))
    command = (sys.executable, "-m", "chatfsm", "judge", "--", *forever)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        child = int(process.stderr.readline().split()[1])
        process.send_signal(number)
        assert process.wait(60) == 130
        assert process.stderr.read() == "chatfsm: interrupted\n"
    wait_for(child)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_interrupt_at_the_start(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An interrupt during the start leaves no client behind."""
    start, pids = subprocess.Popen, []

    def start_and_interrupt(*arguments: Any, **options: Any) -> Any:
        process = start(*arguments, **options)
        pids.append(process.pid)
        os.kill(os.getpid(), signal.SIGINT)
        return process

    monkeypatch.setattr(subprocess, "Popen", start_and_interrupt)
    assert main(["judge", "--", "sleep", "600"]) == 130
    wait_for(pids[0])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_interrupt_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second interrupt leaves no client behind either."""
    monkeypatch.setattr(client_process, "_GRACE", 0.1)
    end = client_process._end_group

    def interrupt_and_end(process: subprocess.Popen[bytes]) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        end(process)
        assert has_ended(process.pid)

    monkeypatch.setattr(client_process, "_end_group", interrupt_and_end)
    assert main(["judge", "--timeout", "0.1", "--", "sleep", "600"]) == 130


# Errors of usage.


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--", "no-such-client"], "cannot run 'no-such-client': No such file or directory"),
        (["--", "no\0client"], "cannot run 'no\\x00client': embedded null byte"),
        ([], "COMMAND must follow the options: chatfsm judge [options] -- COMMAND ..."),
        (["--ignore", "polls", "--", "true"], "--ignore: rule must be one of one-poll-at-a-time,"),
        (["--scenario", "chess", "true"], "scenario must be one of plain, "),
        (["--faults", "losy", "true"], "; see chatfsm simulate --list"),
        (["--script", "no-such.json", "true"], "no-such.json: cannot be read"),
    ],
)
def test_errors(arguments: list[str], problem: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A command that cannot be run gives exit code 2 and no verdict."""
    assert main(["judge", *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert problem in err


def test_without_aiohttp() -> None:
    """The error names the extra."""
    code = (
        "import sys; sys.modules['aiohttp'] = None; from chatfsm._cli import main; "
        "sys.exit(main(['judge', 'true']))"
    )
    result = subprocess.run(
        client(code), capture_output=True, text=True, check=False, timeout=60, env={**os.environ}
    )
    assert result.returncode == 2
    assert "pip install 'chatfsm[simulator]'" in result.stderr


def test_the_documentation_shows_the_printed_verdict(capfd: pytest.CaptureFixture[str]) -> None:
    """The documentation shows the verdict that the command prints."""
    assert main(["judge", "--quiet", "--json", "--", *GOOD]) == 0
    document = capfd.readouterr().out
    found = json.loads(document)
    text = f"pass: 0 errors, 0 warnings; {found['said']} texts said, {found['told']} texts told\n"
    page = (DOCS / "judge.md").read_text("utf-8")
    command = "judge --quiet {}-- python small_client.py\n"
    assert command.format("") + text in page
    assert command.format("--json ") + document in page
