"""Where a contact center is, who asks, and how the two are written into every request.

Source: PROTOCOL.md §1.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote, urlsplit

from attrs import Attribute, evolve, field, frozen
from attrs.validators import in_, instance_of

__all__ = [
    "Endpoint",
    "quote_segment",
]

_JSON: Final = "application/json; charset=UTF-8"
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
# Visible ASCII without what a quoted string of HTTP gives another meaning: quote and backslash.
_VISIBLE: Final = re.compile(r'[!-~](?<!["\\])')
_AGAINST_CACHES: Final = "_"


def quote_segment(value: str) -> str:
    """An id as one segment of a path, whatever is in it.

    Raises ValueError for what no encoding can carry: "." and "..", which HTTP libraries take as
    steps in the path even where they are percent-encoded, and nothing at all.
    """
    if value in {"", ".", ".."}:
        raise ValueError(f"{value!r} cannot be the id of anything")
    return quote(value, safe="", errors="surrogatepass")


def _word(endpoint: Endpoint, attribute: Attribute[Any], value: object) -> None:
    """Refuse what could break out of a header or a query; the value itself is not shown."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{attribute.name} must be a text that is not empty")
    unfit = next((at for at, found in enumerate(value) if not _VISIBLE.match(found)), None)
    if unfit is None and not endpoint.quoted:
        unfit = next((at for at, found in enumerate(value) if found == ","), None)
    if unfit is not None:
        raise ValueError(
            f"{attribute.name} must be visible ASCII without quotes: character {unfit + 1} is not"
        )


def _origin(endpoint: Endpoint, _attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str):
        raise TypeError("url must be a text")
    try:
        parts = urlsplit(value)
        _port = parts.port
    except ValueError:
        raise ValueError("url is no URL") from None
    if parts.scheme == "http" and not endpoint.allow_http:
        raise ValueError("url is not https: what is said could be read; allow_http=True allows it")
    if parts.scheme not in {"http", "https"}:
        raise ValueError("url must begin with https://")
    host = parts.netloc if parts.port is None else parts.netloc.rpartition(":")[0]
    if not _HOST.fullmatch(host) or value != f"{parts.scheme}://{parts.netloc}":
        raise ValueError("url must be https:// and a host, with nothing after it")


def _without_slash(value: Any) -> Any:
    return value.removesuffix("/") if isinstance(value, str) else value


@frozen
class Endpoint:
    """A contact center's API, and the app that speaks to it; no repr shows the two ids.

    Raises ValueError or TypeError, saying which part is wrong and never showing an id.
    """

    url: str = field(converter=_without_slash, validator=_origin)
    """Like `https://chat.example.com`: the host, without a path."""
    tenant_url: str = field(validator=_word)
    """The tenant's domain, which goes with nearly every request."""
    app_id: str = field(repr=False, validator=_word)
    """Names the scenario entry."""
    client_id: str = field(repr=False, validator=_word)
    """One stable id per customer and device, a UUID by habit; `WebChat` means cookies."""
    version: int = field(default=2, validator=[instance_of(int), in_((1, 2))])
    quoted: bool = field(default=True, validator=instance_of(bool))
    """Whether the two ids stand in quotes, as documented; some shipped clients leave them out."""
    allow_http: bool = field(default=False, validator=instance_of(bool))
    """Whether `url` may be http, for a server on this very machine."""

    def url_for(self, path: str, *, nonce: str, tenant: bool = True) -> str:
        """The URL of a path that is percent-encoded already.

        `nonce` differs from request to request, since proxies have been seen to answer a poll
        from their cache. `tenant`: files and photos are asked for without the tenant's domain.
        """
        query = f"{_AGAINST_CACHES}={quote(nonce, safe='')}"
        if tenant:
            query = f"tenantUrl={quote(self.tenant_url, safe='')}&{query}"
        return f"{self.url}/clientweb/api/v{self.version}/{path}?{query}"

    def headers(self, content_type: str = _JSON) -> tuple[tuple[str, str], ...]:
        """The headers of every request, in the order and spelling of the documentation."""
        mark = '"' if self.quoted else ""
        who = f"appId={mark}{self.app_id}{mark}, clientId={mark}{self.client_id}{mark}"
        return (
            ("Content-Type", content_type),
            ("User-Agent", "MobileClient"),
            ("Cache-Control", "no-cache"),
            ("Authorization", f"MOBILE-API-140-327-PLAIN {who}"),
        )

    def with_credentials(self, app_id: str | None, client_id: str | None) -> Endpoint:
        """The same place, with other ids where they are given. Raises as the class does."""
        return evolve(
            self,
            app_id=self.app_id if app_id is None else app_id,
            client_id=self.client_id if client_id is None else client_id,
        )
