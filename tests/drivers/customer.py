"""The endpoint of the tests' customers, without heavy imports, for processes of their own."""

from __future__ import annotations

from chatfsm.endpoint import Endpoint
from chatfsm.settings import ClientSettings

QUICK = ClientSettings(poll_every=0.01, poll_every_busy=0.0, settle_delay=0.05, backoff_first=0.05)
"""Settings without the delays of real clients."""
TENANT, APP = "127.0.0.1", "an-app"


def endpoint_at(url: str, client_id: str = "client-1", version: int = 2) -> Endpoint:
    """Return the endpoint of a customer at the center with this URL."""
    return Endpoint(url, TENANT, APP, client_id, version=version, allow_http=True)
