"""The API in a browser: pages of another origin, images, and the offer of a call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from chatfsm._cli import simulate
from chatfsm.simulator.builtin_scenarios import AGENTS
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.echo_agent import call_offer
from chatfsm.simulator.network import Network
from chatfsm.simulator.server.server import SimulatorServer
from tests.simulator.server.browser import CHROMIUM, page_at
from tests.simulator.server.conftest import SCHEME

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

# A page at localhost asks 127.0.0.1, which is another site, as a vendor's widget does: with
# credentials, with a header that needs a preflight, and for images without any header.
VISIT = """(async () => {
    const base = "URL/clientweb/api/v1", tenant = "?tenantUrl=https://tenant.example/";
    const headers = {Authorization: WHO, "Content-Type": "application/json"};
    const ask = async (method, path, body) => {
        const given = {method, headers, body, credentials: "include"};
        return (await fetch(base + path + tenant, given)).json();
    };
    const chat = await ask("POST", "/chats", "{}");
    const history = await ask("GET", `/chats/${chat.chat_id}/history`);
    const image = new Image();
    image.src = `${base}/chats/${chat.chat_id}/profilephotos/PARTY`;
    await image.decode();
    return [history.events.length > 0, image.naturalWidth];
})()"""

OFFER = """(async () => {
    const connection = new RTCPeerConnection();
    await connection.setRemoteDescription({type: "offer", sdp: SDP});
    for (const candidate of CANDIDATES) await connection.addIceCandidate(candidate);
    const answer = await connection.createAnswer();
    connection.close();
    return answer.sdp.match(/m=/g).length;
})()"""


@pytest.fixture
def api() -> Iterator[SimulatorServer]:
    tenant = simulate.build_tenant(simulate.builtin_scenario("echo"))
    pages = simulate.build_pages(tenant)
    with SimulatorServer(Network(ContactCenter([tenant])), pages=pages) as served:
        yield served


def evaluated(server: SimulatorServer, expression: str, *, path: str = "") -> Any:
    """Return the value of an expression in a page of the server at another host name."""

    async def visit() -> Any:
        async with page_at(server.url.replace("127.0.0.1", "localhost") + path) as page:
            found = await page.do(
                "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
            )
            assert "exceptionDetails" not in found, found["exceptionDetails"]
            return found["result"]["value"]

    return asyncio.run(visit())


def test_a_page_of_another_site_uses_the_api(api: SimulatorServer) -> None:
    """The browser keeps no cookie, and the API needs none."""
    who = json.dumps(f'{SCHEME} appId="demo", clientId="WebChat"')
    script = VISIT.replace("URL", api.url).replace("WHO", who)
    script = script.replace("PARTY", AGENTS[0].party_id)
    # The simulator's own page may only ask its own server; a refusal of the API has no policy.
    path = "/clientweb/api/v2/version"
    assert evaluated(api, script, path=path) == [True, 64]


@pytest.mark.parametrize("video", [False, True])
def test_a_browser_accepts_the_offer_of_a_call(api: SimulatorServer, video: bool) -> None:
    """WebRTC accepts the offer with its candidates, and answers each medium."""
    first, *others = (step.event["data"] for step in call_offer(video=video))  # type: ignore[union-attr]
    names = ("candidate", "sdpMid", "sdpMLineIndex")
    candidates = [{name: data[name] for name in names} for data in others]
    script = OFFER.replace("SDP", json.dumps(first["sdp"]))
    script = script.replace("CANDIDATES", json.dumps(candidates))
    assert evaluated(api, script) == (2 if video else 1)
