"""The web page: its files, its content security policy, and its diagram of the lifecycle."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from urllib.request import urlopen
from xml.etree import ElementTree as ET

import pytest

from chatfsm._lifecycle_drawing import lifecycle_svg
from chatfsm._session.tables import LIFECYCLE, OUTCOMES, UNEXPECTED
from chatfsm.simulator.builtin_scenarios import SCENARIOS
from chatfsm.simulator.echo_agent import KEYWORDS
from chatfsm.simulator.scenario import ShowForm, ShowSecureForm
from chatfsm.simulator.server.server import SimulatorServer
from chatfsm.simulator.server.web_page import PageFiles
from tests.simulator.server.conftest import raw
from tests.simulator.server.fake_network import FakeNetwork

PAGE = files("chatfsm.simulator.server") / "page"
TEXTS = {item.name: item.read_text("utf-8") for item in PAGE.iterdir()}
SCRIPTS = {name: text for name, text in TEXTS.items() if name.endswith(".js")}
DRAWING = lifecycle_svg()
INDEX = TEXTS["index.html"].replace("<!-- lifecycle -->", DRAWING)


@pytest.fixture
def fake() -> FakeNetwork:
    return FakeNetwork()


@pytest.fixture
def server(fake: FakeNetwork) -> Iterator[SimulatorServer]:
    with SimulatorServer(
        fake.network, pages=PageFiles.for_apps("tenant.example", {"demo": "a play"})
    ) as served:
        yield served


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/agent", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        *[(f"/{name}", "text/javascript; charset=utf-8") for name in sorted(SCRIPTS)],
    ],
)
def test_the_page_is_served(
    server: SimulatorServer, fake: FakeNetwork, path: str, kind: str
) -> None:
    """The files of the package are served with their content type, without the network."""
    with urlopen(f"{server.url}{path}?v=1") as reply:  # noqa: S310  # a URL of the test's own server
        assert reply.headers["Content-Type"] == kind
        whole = {"/": INDEX, "/agent": TEXTS["agent.html"]}
        assert reply.read().decode() == (whole.get(path) or TEXTS[path.removeprefix("/")])
    assert fake.requests == []


def test_the_page_gets_its_apps(server: SimulatorServer) -> None:
    """It has the tenant, and the ids and titles of the apps."""
    with urlopen(f"{server.url}/simulator.json") as reply:  # noqa: S310  # a URL of the test's own server
        apps_file = json.load(reply)
    apps = [{"app_id": "demo", "title": "a play"}]
    assert apps_file == {"tenant": "tenant.example", "apps": apps}


def test_only_own_scripts_may_run(server: SimulatorServer) -> None:
    """The policy allows no inline script or style, and no foreign source."""
    policy = raw(server.url, "GET").getheader("Content-Security-Policy") or ""
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert "unsafe" not in policy
    for name in ("index.html", "agent.html"):
        assert not re.search(r"<script(?![^>]* src=)|<style| on[a-z]+=| style=", TEXTS[name])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/favicon.ico", 200),
        ("/apple-touch-icon.png", 204),
        ("/apple-touch-icon-precomposed.png", 204),
    ],
)
def test_automatic_requests_of_browsers_are_answered(
    server: SimulatorServer, fake: FakeNetwork, path: str, status: int
) -> None:
    """The automatic requests of browsers get no 404."""
    assert raw(server.url, "GET", path).status == status
    assert fake.requests == []


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_text_is_set_only_as_text(name: str) -> None:
    """No script uses an API that turns text into markup."""
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|\beval\b"
    assert re.search(ways, SCRIPTS[name]) is None


def test_without_pages_the_center_answers(fake: FakeNetwork) -> None:
    """Only `--web` serves a page; without it the center refuses every path."""
    with SimulatorServer(fake.network) as server, pytest.raises(OSError, match="timed out"):
        urlopen(server.url, timeout=0.2)  # noqa: S310  # a URL of the test's own server
    assert len(fake.requests) == 1


def drawn(attribute: str) -> list[str]:
    found = [node.get(attribute) for node in ET.fromstring(DRAWING).iter()]  # noqa: S314  # a constant of the package
    return [value for value in found if value is not None]


def test_the_states_drawn_are_those_of_the_table() -> None:
    """The diagram has each state of the lifecycle once and no other."""
    assert sorted(drawn("data-state")) == sorted(LIFECYCLE.states)


def test_the_arrows_drawn_are_in_the_table() -> None:
    """The arrows are the expected transitions between live states, each once and no other."""
    unexpected = {(source, to) for _, source, to in UNEXPECTED}
    moves = {(source, to) for source, moves in LIFECYCLE.moves.items() for to in moves.values()}
    live = {(a, b) for a, b in moves - unexpected if a != b and b not in OUTCOMES}
    arrows = [tuple(move.split()) for move in drawn("data-move")]
    assert len(arrows) == len(set(arrows))
    assert set(arrows) == live


def test_the_final_states_are_those_of_the_table() -> None:
    """The states drawn as final are those of the table."""
    ends = re.findall(r'data-state="(\w+)" class="end"', DRAWING)
    assert sorted(ends) == sorted(OUTCOMES)


def test_forms_of_the_scenarios_have_fields() -> None:
    """The page knows the fields of each form that a built-in agent shows."""
    [table] = re.findall(r"const FIELDS = \{\n(.*?)\n\};", SCRIPTS["forms.js"], flags=re.DOTALL)
    known = set(re.findall(r"^  (\w+): \[\[", table, flags=re.MULTILINE))
    spoken = [step for word in KEYWORDS.values() for step in word(0.0)]
    written = [step for one in SCENARIOS.values() for step in (*one.steps, *one.after_disconnect)]
    shown = {step.name for step in (*spoken, *written) if isinstance(step, ShowForm)}
    shown |= {step.form_id for step in (*spoken, *written) if isinstance(step, ShowSecureForm)}
    assert known == shown - {""}
