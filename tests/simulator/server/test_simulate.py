"""The command `chatfsm simulate`: its output, its server, its record and its errors."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any

import pytest

from chatfsm._cli import main, simulate
from chatfsm.simulator.builtin_scenarios import SCENARIOS
from chatfsm.simulator.faults import KINDS, PRESETS
from chatfsm.simulator.scenario import Tell
from tests.simulator.server.conftest import Client

LOGS = Path(__file__).parents[2] / "logs"
# The timeout in seconds of a child process; a longer run means that it is stuck.
PATIENCE = 60
SCENARIO = {"name": "short", "steps": [{"step": "say", "text": "Hi.", "by": "scenario"}]}


@contextmanager
def simulating(*words: str) -> Iterator[tuple[subprocess.Popen[str], list[str], str]]:
    """Run the command in a process; yield it, the lines of its greeting and its URL."""
    program = [sys.executable, "-m", "chatfsm", "simulate", "--port", "0", *words]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            lines = []
            while not lines or "clientId" not in lines[-1]:
                lines.append(process.stdout.readline())
                assert lines[-1], process.communicate()
            [url] = re.findall(r"http://[0-9.]+:\d+", lines[0])
            yield process, [line.rstrip("\n") for line in lines], url
        finally:
            process.kill()


def stopped(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """Send a signal; return the exit status and the rest of both outputs."""
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def credentials_of(lines: list[str], url: str) -> str:
    """Return the credentials in the curl command of the greeting, parsed as by a shell."""
    program, *words = shlex.split("\n".join(lines[lines.index("try it:") + 1 :]))
    assert (program, words[:2]) == ("curl", ["-X", "POST"])
    assert words[2] == f"{url}/clientweb/api/v2/chats?tenantUrl=tenant.example"
    name, _, value = words[words.index("-H") + 1].partition(": ")
    assert (name, json.loads(words[-1])) == ("Authorization", {})
    return value.removeprefix("MOBILE-API-140-327-PLAIN ")


def test_a_run_serves_records_and_stops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Replay reads the recorded chat, and the log of requests has no secrets."""
    file = tmp_path / "chats.jsonl"
    words = ("--scenario", "echo", "--record", str(file), "--speed", "20")
    with simulating(*words) as (process, lines, url):
        assert "tenant          tenant.example" in lines
        assert any(line.startswith("app ids         demo (plays echo), ") for line in lines)
        credentials = credentials_of(lines, url).replace('"me"', '"secret-17"')
        with closing(Client(url, who=credentials)) as client:
            chat_id = client.open()
            client.wait_for(chat_id, lambda event: event.get("state") == "connected")
            client.post(chat_id, event="chat_session_message", msg="heron-17", msg_id="1")
            client.wait_for(chat_id, lambda event: event.get("msg") == "You said: heron-17")
            client.post(chat_id, event="chat_session_end")
            client.wait_for(chat_id, lambda event: event["event"] == "chat_session_ended")
        status, out, err = stopped(process, signal.SIGTERM)
    assert (status, out) == (0, "")
    assert re.search(r"^\d\d:\d\d:\d\d POST /clientweb/api/v2/chats 200 \d+ ms$", err, re.MULTILINE)
    assert "17" not in re.sub(r"\d+ ms|^\S+|" + chat_id, "", err, flags=re.MULTILINE)
    assert file.stat().st_mode & 0o777 == 0o600
    assert main(["replay", "--fail-on", "any", str(file)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{chat_id}  ended")
    assert re.search(r"customer +heron-17", printed)


def test_an_interrupt_ends_the_run_and_quiet_logs_nothing() -> None:
    """Ctrl-C during a held poll gives status 0 and no traceback; `--quiet` logs no requests."""
    with simulating("--quiet", "--web", "--speed", "20") as (process, lines, url):
        assert f"web page        {url}/" in lines
        with closing(Client(url)) as client:
            chat_id = client.open()
            client.wait_for(chat_id, lambda event: event["event"] == "chat_session_message")
            polling = Thread(target=client.request, args=("GET", f"chats/{chat_id}/events"))
            polling.start()
            assert stopped(process, signal.SIGINT) == (0, "", "")
            polling.join(PATIENCE)


def test_the_list_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    """It has scenarios with their titles, kinds of faults, and presets."""
    assert main(["simulate", "--list"]) == 0
    words = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[0] == " "]
    assert words == [*SCENARIOS, *KINDS, *PRESETS]


Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run the command, which must fail, and return its error."""

    def of(*words: str) -> str:
        assert main(["simulate", *words]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("chatfsm: ")
        assert err.count("\n") == 1
        return err.removeprefix("chatfsm: ").rstrip("\n")

    return of


def test_an_unknown_scenario_is_refused(refused: Refused) -> None:
    """The error lists the scenarios."""
    said = refused("--scenario", "quue")
    assert said == f"scenario must be one of {', '.join(SCENARIOS)}, not 'quue'"


def test_invalid_faults_are_refused(refused: Refused) -> None:
    """The error has the invalid part, and the place of the documentation."""
    said = refused("--faults", "reset:0.1,explode:0.5")
    assert said.startswith("cannot read the fault 'explode:0.5': ")
    assert said.endswith("; see chatfsm simulate --list")


def test_a_port_that_is_taken_is_refused(refused: Refused) -> None:
    """The error is one line with the address."""
    with create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert refused("--port", str(port)) == (
            f"cannot listen on 127.0.0.1:{port}: Address already in use"
        )


def test_an_invalid_host_is_refused(refused: Refused) -> None:
    """The error is one line with the address."""
    assert refused("--host", "256.0.0.1").startswith("cannot listen on 256.0.0.1:8765: ")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the log has no events"),
        ("no log at all", "not a log of chat events"),
        ('{"name": "x"}', "scenario 'x': steps is missing"),
        ('{"name": "x", "steps": [{"step": "dance"}]}', "step 1: unknown kind 'dance'"),
        ('{"event": "typing", "chat_id": "A"}\n{"event": "typing", "chat_id": "B"}', "2 chats"),
        ('{"journal": {}, "v": 1, "chat_id": "A", "at": 0.0}', "journal"),
    ],
)
def test_an_invalid_scenario_file_is_refused(
    refused: Refused, tmp_path: Path, text: str, why: str
) -> None:
    """The error has the file's name and the reason."""
    file = tmp_path / "played.json"
    file.write_text(text)
    said = refused(str(file))
    assert said.startswith(f"{file}: ")
    assert why in said


def test_a_missing_file_is_refused(refused: Refused, tmp_path: Path) -> None:
    """This holds for a scenario file and for the folder of a record."""
    missing = tmp_path / "missing"
    assert refused(str(missing)) == f"{missing}: cannot be read: No such file or directory"
    record = missing / "chats.jsonl"
    assert refused("--record", str(record)).startswith(f"{record}: cannot be written: No such")


def test_a_record_is_not_overwritten(refused: Refused, tmp_path: Path) -> None:
    """Chats of two runs may have the same ids, so they are never mixed in one file."""
    file = tmp_path / "chats.jsonl"
    file.write_text("mine")
    assert refused("--record", str(file)) == f"{file}: cannot be written: File exists"
    assert file.read_text() == "mine"


def test_without_aiohttp_the_extra_is_named(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to install; `--list` works without it."""
    for name in ("aiohttp", "chatfsm.simulator.server.server", "chatfsm.simulator.server.handler"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    assert refused() == "this needs aiohttp: pip install 'chatfsm[simulator]'"
    assert main(["simulate", "--list"]) == 0


def test_the_list_needs_no_aiohttp() -> None:
    """The test runs in a process in which the import fails."""
    words = "import sys; sys.modules['aiohttp'] = None; from chatfsm._cli import main"
    program = f"{words}; sys.exit(main(['simulate', '--list']))"
    run = subprocess.run([sys.executable, "-c", program], check=False, timeout=PATIENCE)
    assert run.returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ["log.jsonl", "--scenario", "echo"],
        ["--list", "--scenario", "echo"],
        *[[f"--port={port}"] for port in ("-1", "65536", "http", "")],
        *[[f"--speed={speed}"] for speed in ("0", "-1", "nan", "inf", "fast", "10001")],
        *[[f"--hold={seconds}"] for seconds in ("0", "-1", "nan", "soon")],
        *[[f"--seed={seed}"] for seed in ("1.5", "", "one", "--1")],
        ["--host="],
    ],
)
def test_a_wrong_command_line_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, with the usage and the reason."""
    with pytest.raises(SystemExit) as stop:
        main(["simulate", *words])
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert "error: " in err


Begun = Callable[..., Any]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Begun:
    """Return the server that the command would run, without running it."""

    def of(*words: str) -> Any:
        servers: list[Any] = []

        async def serve(server: Any, _begun: object) -> None:
            servers.append(server)

        monkeypatch.setattr(simulate, "_serve", serve)
        assert main(["simulate", *words]) == 0
        return servers[0]

    return of


def test_the_options_reach_the_center(begun: Begun) -> None:
    """Hold, inactivity, timestamps, seed, faults, speed and address reach the server."""
    words = ("--hold", "7", "--inactivity", "90", "--milliseconds", "--speed", "2", "--seed=-3")
    server = begun(*words, "--faults", "reset:poll:0.5", "--port", "0", "--quiet")
    settings = server.network.center.settings
    assert (settings.hold, settings.inactivity_timeout) == (7.0, 90.0)
    assert settings.milliseconds is True
    assert (server.speed, server.port, server.host) == (2.0, 0, "127.0.0.1")
    assert str(server.network.faults) == "reset:poll:0.5"
    assert (server.log, server.pages) == (None, None)
    usual = begun().network.center.settings
    assert (usual.hold, usual.inactivity_timeout, usual.milliseconds) == (12.0, 600.0, False)


def test_the_control_door_is_an_option(
    begun: Begun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--control` opens the control door and prints its address.

    `--web` prints that of the seat.
    """
    assert begun("--control").control is True
    assert begun("--web").control is False

    async def serve(_server: object, begun: Callable[[], object]) -> None:
        begun()

    monkeypatch.setattr(simulate, "_serve", serve)
    capsys.readouterr()
    assert main(["simulate", "--control", "--web"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "control         /__control/" in lines
    assert "agent's seat    /agent" in lines


def test_a_recorded_log_is_played(begun: Begun) -> None:
    """The app `demo` plays the chat of the log; one of several can be chosen."""
    assert played(begun(str(LOGS / "transfer.jsonl"))).name == "transfer"
    two = LOGS / "two_chats.jsonl"
    chat_ids = [json.loads(line)["chat_id"] for line in two.read_text().splitlines()]
    chosen = played(begun(str(two), "--chat-id", chat_ids[0]))
    assert chosen.chat_id == chat_ids[0]


def test_broken_lines_of_a_log_are_left_out(begun: Begun, tmp_path: Path) -> None:
    """Broken lines and broken events are left out, and the rest is played."""
    file = tmp_path / "broken.jsonl"
    good = '{"event": "chat_session_ended"}'
    file.write_text(f'{good}\n{{"event": "chat_session_typ\n[1]\n{{"no": "event"}}\n{good}\n')
    tells = [step for step in played(begun(str(file))).steps if isinstance(step, Tell)]
    assert [step.event for step in tells] == [json.loads(good)] * 2


def test_a_large_file_is_read_as_a_log(refused: Refused, tmp_path: Path) -> None:
    """A file too large to be written by hand is not read as a scenario."""
    file = tmp_path / "large.json"
    file.write_text(json.dumps({**SCENARIO, "title": "x" * 5_000_000}))
    assert "scenario" not in refused(str(file))


def test_a_scenario_file_is_played(begun: Begun, tmp_path: Path) -> None:
    """The app `demo` plays it; the built-in scenarios keep their names."""
    file = tmp_path / "short.json"
    file.write_text(json.dumps(SCENARIO))
    server = begun(str(file))
    assert played(server).name == "short"
    assert {"demo", *SCENARIOS} == {entry.app_id for entry in tenant(server).entries}


def tenant(server: Any) -> Any:
    return server.network.center._state.tenants[simulate.TENANT_URL]


def played(server: Any) -> Any:
    return tenant(server).entry("demo").scenario


@pytest.mark.parametrize(
    ("host", "is_warned"),
    [("127.0.0.1", False), ("localhost", False), ("::1", False), ("0.0.0.0", True), ("x", True)],  # noqa: S104  # the address that causes the warning
)
def test_listening_beyond_loopback_causes_a_warning(
    host: str, is_warned: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line warns if other machines can connect, and only then."""

    async def serve(_server: object, begun: Callable[[], object]) -> None:
        begun()

    monkeypatch.setattr(simulate, "_serve", serve)
    assert main(["simulate", "--host", host]) == 0
    warned = [line for line in capsys.readouterr().out.splitlines() if "warning" in line]
    assert bool(warned) is is_warned


def test_the_printed_curl_command_works(tmp_path: Path) -> None:
    """The printed command works; without the tenant, the error names the option for it."""
    with simulating("--scenario", "echo", "--speed", "20") as (_process, lines, _url):
        (line,) = [line for line in lines if line.startswith("chat with it")]
        program, *words = shlex.split(line.removeprefix("chat with it"))
        assert program == "chatfsm"
        command = [sys.executable, "-m", "chatfsm", *words, "--plain"]
        known = subprocess.run(
            command, input="/end\n", capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        place = command.index("--tenant-url")
        del command[place : place + 2]
        refused = subprocess.run(
            command, input="", capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    assert known.returncode == 0, known.stderr
    assert refused.returncode == 2
    assert "name the tenant by --tenant-url" in refused.stderr


def test_agents_and_tenant_are_options(begun: Begun) -> None:
    """The options set the domain of a URL, the number of agents and the origins of pages."""
    server = begun(
        *("--tenant", "https://Bank.example/", "--agents", "5", "--capacity", "2"),
        *("--allow-origin", "https://a.example", "--allow-origin", "null"),
    )
    tenant = server.network.center.tenants["bank.example"]  # type: ignore[attr-defined]
    assert len(tenant.agents) == 5
    assert {agent.capacity for agent in tenant.agents} == {2}
    assert server.allow_origins == ("https://a.example", "null")
    usual = begun().network.center.tenants["tenant.example"]  # type: ignore[attr-defined]
    assert [agent.capacity for agent in usual.agents] == [4] * 3


@pytest.mark.parametrize(
    "words",
    [
        ("--agents", "0"),
        ("--agents", "x"),
        ("--capacity", "10001"),
        ("--tenant", "https://"),
        ("--tenant", "a b"),
        ("--allow-origin", "shop.example"),
        ("--allow-origin", "https://shop.example/path"),
    ],
)
def test_invalid_options_are_refused(words: tuple[str, str], capsys: Any) -> None:
    """The error has the value and the allowed ones."""
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *words])
    assert ended.value.code == 2
    assert f"not {words[1]!r}" in capsys.readouterr().err
