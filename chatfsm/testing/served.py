"""Served center: a contact center on the loopback, for a client in any language.

    center = ContactCenter([build_tenant(SCENARIOS["echo"])])
    with ServedCenter(center, faults="lossy") as served:
        subprocess.run(["node", "client.js"], env={**os.environ, **served.environment})

Needs aiohttp (extra `simulator`).
"""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from attrs import define, field

from chatfsm.endpoint import Endpoint
from chatfsm.simulator.builtin_scenarios import DEMO_APP_ID
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.faults import Faults
from chatfsm.simulator.network import Network
from chatfsm.simulator.server.server import SimulatorServer

__all__ = ["CLIENT_ID", "ServedCenter"]

CLIENT_ID: Final = "client-under-test"


@define(eq=False, repr=False)
class ServedCenter:
    """A contact center that is served on a free port of the loopback within a `with` block.

    `faults` hit its network, as `Faults` or as their text, and are drawn by `seed`. The four values
    that a client needs are `url`, `tenant`, `app_id` and `client_id`. Programs on this machine may
    use the admin API at `/__control/`. Raises ImportError without aiohttp.
    """

    center: ContactCenter
    """The center that is served."""
    faults: Faults | str = ""
    """The faults of the network, as `Faults` or as their text; "": none."""
    seed: int = 0
    """The seed by which faults are drawn."""
    app_id: str = DEMO_APP_ID
    """The app id that the client under test is to use."""
    client_id: str = CLIENT_ID
    """The client id that the client under test is to use."""
    network: Network = field(init=False)
    """The network between the clients and the center; for an observer."""
    server: SimulatorServer = field(init=False)
    """The HTTP server; it runs within the block."""

    def __attrs_post_init__(self) -> None:
        self.network = Network(self.center, self.faults, seed=self.seed)
        self.server = SimulatorServer(self.network, control=True)

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url or 'not started'}>"

    def __str__(self) -> str:
        return self.url

    @property
    def url(self) -> str:
        """The URL of the API, without a path."""
        return self.server.url

    @property
    def tenant(self) -> str:
        """The domain of the center's first tenant."""
        return next(iter(self.center.tenants))

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the environment with the address and the ids that a client needs."""
        return {f"CHATFSM_{name.upper()}": value for name, value in self._values().items()}

    def expand(self, text: str) -> str:
        """Return a text with the values in place of {url}, {tenant}, {app_id} and {client_id}."""
        for name, value in self._values().items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def endpoint(self, version: int = 2) -> Endpoint:
        """Return the endpoint for a client of chatfsm."""
        names = (self.url, self.tenant, self.app_id, self.client_id)
        return Endpoint(*names, version=version, allow_http=True)

    def _values(self) -> dict[str, str]:
        return {
            "url": self.url,
            "tenant": self.tenant,
            "app_id": self.app_id,
            "client_id": self.client_id,
        }
