"""The pytest plugin: its fixtures, its marker, and the reports of broken rules.

It is loaded by its entry point if chatfsm is installed, and by its name otherwise.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

# Kept by the runs in this process, which unload the modules that they import first.
from chatfsm.simulator.world import World
from chatfsm.testing.fixture_judge import FixtureJudge
from chatfsm.testing.served import ServedCenter

KEPT = (World, FixtureJudge, ServedCenter)
pytest_plugins = ["pytester"]

PLUGIN = "chatfsm.testing.plugin"
IS_INSTALLED = any(found.value == PLUGIN for found in entry_points(group="pytest11"))
OPTIONS = () if IS_INSTALLED else ("-p", PLUGIN)

CLIENT = """
import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

def call(served, path, body=None):
    connection = HTTPConnection(urlsplit(served.url).netloc)
    names = f'appId="{served.app_id}", clientId="{served.client_id}"'
    connection.request(
        "GET" if body is None else "POST",
        f"/clientweb/api/v2/{path}?tenantUrl={served.tenant}",
        None if body is None else json.dumps(body),
        {"Authorization": f"MOBILE-API-140-327-PLAIN {names}"},
    )
    with connection.getresponse() as reply:
        found = json.loads(reply.read() or b"null")
    connection.close()
    return found

def say(served, chat, text, msg_id):
    event = {"event": "chat_session_message", "msg": text, "msg_id": msg_id}
    call(served, f"chats/{chat}/events", {"events": [event]})

def reuse_an_id(served):
    chat = call(served, "chats", {})["chat_id"]
    for text in ("one", "two"):
        say(served, chat, text, "1")
"""


def run(pytester: pytest.Pytester, code: str, *options: str) -> pytest.RunResult:
    """Run tests that use the client above, in this process and with all warnings as errors."""
    pytester.makepyfile(CLIENT + code)
    return pytester.runpytest_inprocess(
        *OPTIONS, "-W", "error", "--strict-markers", "-p", "no:cacheprovider", *options
    )


def test_a_client_on_the_loopback(pytester: pytest.Pytester) -> None:
    """`chatfsm_url` has the client's parameters, and a correct client passes."""
    code = """
def test_it(chatfsm_url, chatfsm_judge):
    chat = call(chatfsm_url, "chats", {})["chat_id"]
    assert call(chatfsm_url, f"chats/{chat}/events")["events"]
    assert chatfsm_url.endpoint().url == str(chatfsm_url) == chatfsm_url.url

def test_a_new_center_for_each_test(chatfsm_url):
    assert chatfsm_url.center.chats == {}
"""
    run(pytester, code).assert_outcomes(passed=2)


def test_a_broken_rule_fails_the_test(pytester: pytest.Pytester) -> None:
    """A test that would pass fails, with the report and without the plugin's code."""
    result = run(pytester, "\ndef test_it(chatfsm_url, chatfsm_judge): reuse_an_id(chatfsm_url)\n")
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "chatfsm_judge: fail: 1 error" in text
    assert "error: unique-message-ids" in text
    assert "plugin.py" not in text


def test_without_a_judge_nothing_is_judged(pytester: pytest.Pytester) -> None:
    """Only a test that uses the fixture of the judge is judged."""
    run(pytester, "\ndef test_it(chatfsm_url): reuse_an_id(chatfsm_url)\n").assert_outcomes(
        passed=1
    )


def test_the_test_may_read_the_verdict(pytester: pytest.Pytester) -> None:
    """A verdict that the test has read is not checked again; `check` raises at its line."""
    code = """
def test_verdict(chatfsm_judge, chatfsm_url):
    reuse_an_id(chatfsm_url)
    found = chatfsm_judge.verdict()
    assert [violation.rule for violation in found.violations] == ["unique-message-ids"]
    assert "of 3 requests" in repr(chatfsm_judge)

def test_check(chatfsm_url, chatfsm_judge):
    reuse_an_id(chatfsm_url)
    chatfsm_judge.check()

def test_check_of_a_good_one(chatfsm_url, chatfsm_judge):
    call(chatfsm_url, "chats", {})
    chatfsm_judge.check()
"""
    result = run(pytester, code)
    result.assert_outcomes(passed=2, failed=1)
    text = result.stdout.str()
    assert ">       chatfsm_judge.check()" in text
    assert "JudgementError: fail: 1 error" in text
    assert "fixture_judge.py" not in text


def test_ignored_rules(pytester: pytest.Pytester) -> None:
    """A rule may be ignored, if it exists."""
    code = """
def test_it(chatfsm_url, chatfsm_judge):
    chatfsm_judge.ignore("unique-message-ids")
    reuse_an_id(chatfsm_url)

def test_no_such_rule(chatfsm_url, chatfsm_judge):
    call(chatfsm_url, "version")
    with pytest.raises(ValueError, match="must be one of .*, not 'unique-ids'"):
        chatfsm_judge.ignore("unique-ids")
"""
    run(pytester, code).assert_outcomes(passed=2)


def test_a_test_that_cannot_fail_fails(pytester: pytest.Pytester) -> None:
    """A judge without a simulator, or without any request, is an error."""
    code = """
def test_no_request(chatfsm_url, chatfsm_judge): pass
def test_no_simulator(chatfsm_judge): pass
def test_no_simulator_asked(chatfsm_judge):
    with pytest.raises(RuntimeError, match="neither chatfsm_world nor chatfsm_url"):
        chatfsm_judge.verdict()
def test_failed_before(chatfsm_judge): assert 0
"""
    result = run(pytester, code)
    result.assert_outcomes(failed=3, passed=1)
    text = result.stdout.str()
    assert "chatfsm_judge: no request of the client has reached the contact center" in text
    assert "chatfsm_judge: the test uses neither chatfsm_world nor chatfsm_url" in text


def test_a_world_with_faults(pytester: pytest.Pytester) -> None:
    """The marker sets the faults of the World and their seed, and the judge sees its requests."""
    code = """
def chat(world):
    customer = world.add_customer("customer-1")
    customer.open_chat()
    world.run(10)
    customer.send_text("Hello.")
    world.run_until(lambda: "You said: Hello." in customer.received_texts)

@pytest.mark.chatfsm_faults("lossy", seed=7)
def test_faults(chatfsm_world, chatfsm_judge):
    chat(chatfsm_world)
    assert str(chatfsm_world.network.faults).startswith("refuse:0.02")
    assert chatfsm_world.network.seed == 7

def test_no_faults(chatfsm_world, chatfsm_judge):
    chat(chatfsm_world)
    assert not list(chatfsm_world.network.faults)
    assert chatfsm_judge.verdict().said == 1

@pytest.mark.chatfsm_faults("503:post@1")
def test_loopback(chatfsm_url):
    chat = call(chatfsm_url, "chats", {})["chat_id"]
    say(chatfsm_url, chat, "Hello.", "1")
    assert chatfsm_url.network.fault_counts == {"503": 1}
"""
    run(pytester, code).assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("'losy'", "cannot read the fault 'losy'"),
        ("'lossy', sede=7", "got an unexpected keyword argument 'sede'"),
        ("", "missing 1 required positional argument: 'spec'"),
    ],
)
def test_a_wrong_marker(pytester: pytest.Pytester, arguments: str, problem: str) -> None:
    """An invalid marker is an error with the reason in one line."""
    code = f"""
@pytest.mark.chatfsm_faults({arguments})
def test_it(chatfsm_world): pass
"""
    result = run(pytester, code)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"@pytest.mark.chatfsm_faults: {problem}*"])


def test_one_clock(pytester: pytest.Pytester) -> None:
    """A center is in a World or on the loopback, not in both, and a judge has one network."""
    code = """
def test_both(chatfsm_world, chatfsm_url): pass

def test_two_networks(chatfsm_world, chatfsm_judge):
    with pytest.raises(RuntimeError, match="judges one network"):
        chatfsm_judge.attach(chatfsm_world.network)
    chatfsm_judge.verdict()
"""
    result = run(pytester, code)
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["use chatfsm_world or chatfsm_url, not both: *"])


def test_the_center_may_be_replaced(pytester: pytest.Pytester) -> None:
    """All fixtures use the `chatfsm_center` of the tests' own conftest.py."""
    pytester.makeconftest(
        """
import pytest
from chatfsm.simulator.builtin_scenarios import SCENARIOS, build_tenant
from chatfsm.simulator.center import ContactCenter

@pytest.fixture
def chatfsm_center():
    return ContactCenter([build_tenant(SCENARIOS["bot"], "parcels.example")])
"""
    )
    code = """
def test_url(chatfsm_url, chatfsm_center):
    assert (chatfsm_url.center, chatfsm_url.tenant) == (chatfsm_center, "parcels.example")
def test_world(chatfsm_world, chatfsm_center): assert chatfsm_world.center is chatfsm_center
"""
    run(pytester, code).assert_outcomes(passed=2)


def test_fixtures_have_help(pytester: pytest.Pytester) -> None:
    """`pytest --fixtures` and `--markers` describe the plugin."""
    text = run(pytester, "", "--fixtures").stdout.str()
    for name in ("chatfsm_center", "chatfsm_world", "chatfsm_url", "chatfsm_judge"):
        assert name in text
    text = run(pytester, "", "--markers").stdout.str()
    assert "@pytest.mark.chatfsm_faults(spec, *, seed=0): the faults of" in text


def python(*arguments: str, path: str = ".") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=path,
        encoding="utf-8",
    )


def test_loading_is_cheap() -> None:
    """Without a fixture in use the plugin imports only itself, and no library."""
    code = (
        f"import pytest, sys; a = {{*sys.modules}}; import {PLUGIN}; print(*{{*sys.modules}} - a)"
    )
    loaded = set(python("-c", code).stdout.split())
    assert loaded == {"chatfsm", "chatfsm.testing", PLUGIN}


def test_the_extra_is_named(pytester: pytest.Pytester) -> None:
    """Without aiohttp a test that needs a server fails, and the error names the extra."""
    pytester.makeconftest("import sys; sys.modules['aiohttp'] = None")
    pytester.makepyfile("def test_it(chatfsm_url): pass\ndef test_world(chatfsm_world): pass")
    result = pytester.runpytest_subprocess(*OPTIONS, "-p", "no:cacheprovider")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*pip install 'chatfsm?simulator?'*"])
