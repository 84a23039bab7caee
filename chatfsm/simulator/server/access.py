"""Access rules: the hosts and the pages that may use the server."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from attrs import field, frozen

from chatfsm.simulator.tenants import domain_of

__all__ = ["ANY_ORIGIN", "AccessRules", "is_loopback", "is_origin"]

ANY_ORIGIN: Final = "*"
"""The origin that stands for all of them."""
_METHODS: Final = "GET, POST, OPTIONS"
# The vendor's clients set User-Agent, which browsers may send across origins if it is allowed.
_HEADERS: Final = (
    "Accept, Accept-Language, Authorization, Cache-Control, Content-Type, If-Modified-Since,"
    " Pragma, User-Agent, X-Requested-With"
)
# Seconds for which a browser may keep the answer to a preflight: the most that Chromium does.
_PREFLIGHT_SECONDS: Final = "7200"


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # an IPv4 address at a socket for both families
    return address.is_loopback if mapped is None else bool(mapped.is_loopback)


def is_origin(text: str) -> bool:
    """Whether a text is an origin as browsers send it, `null`, or the origin for all of them."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    if text in {"null", ANY_ORIGIN}:
        return True
    is_bare = not (parts.path or parts.query or parts.fragment or parts.username)
    return bool(parts.scheme and parts.hostname and is_bare and port != 0)


def _as_set(values: Iterable[str]) -> frozenset[str]:
    return frozenset(value.lower() for value in values)


@frozen
class AccessRules:
    """Rules by the Host and Origin headers of requests.

    A page of another site may have its own name resolved to this machine (DNS rebinding); its
    browser then sends that name as the host. So a name must be known. Addresses and names without
    a dot are none that such a page can have.
    """

    hosts: frozenset[str] = field(converter=_as_set, default=frozenset())
    """Names of the server, in any case, besides those of loopback."""
    origins: frozenset[str] = field(converter=_as_set, default=frozenset())
    """Origins of pages that may use the API, besides those on loopback; `*` for all."""

    def allows_host(self, header: str | None) -> bool:
        """Whether a request with this Host header is answered; None: it has none."""
        if header is None or ANY_ORIGIN in self.origins:
            return True
        name = domain_of(header)
        if is_loopback(name) or name in self.hosts or "." not in name.strip("[]"):
            return True
        if any(name == urlsplit(origin).hostname for origin in self.origins):
            return True
        try:
            ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def allows_origin(self, origin: str) -> bool:
        """Whether a page of this origin may read replies."""
        if ANY_ORIGIN in self.origins or origin.lower() in self.origins:
            return True
        try:
            return is_loopback(urlsplit(origin).hostname or "")
        except ValueError:
            return False

    def reply_headers(self, origin: str | None) -> dict[str, str]:
        """Return the CORS headers of a reply. Pages send credentials, so the origin is named."""
        if origin is None or not self.allows_origin(origin):
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "Retry-After, Content-Disposition",
        }

    def preflight_headers(self, origin: str | None) -> dict[str, str]:
        """Return the headers of the answer to a preflight."""
        headers = self.reply_headers(origin) | {"Allow": _METHODS}
        if "Access-Control-Allow-Origin" not in headers:
            return headers
        return headers | {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _HEADERS,
            "Access-Control-Allow-Private-Network": "true",
            "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
        }
