"""Endpoint: the URL of a contact center, the app's credentials, and the headers of its requests.

Source: PROTOCOL.md §1.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote, urlsplit

from attrs import Attribute, evolve, field, frozen

from chatfsm._validators import flag, non_empty_text, one_of

__all__ = ["Endpoint", "quote_segment"]

_JSON: Final = "application/json; charset=UTF-8"
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
# Visible ASCII except quote and backslash, which have a meaning within a quoted string of HTTP.
_HEADER_CHARACTER: Final = re.compile(r'[!-~](?<!["\\])')
_CACHE_BUSTER: Final = "_"


def quote_segment(value: str, argument: str = "id") -> str:
    """Return an id, percent-encoded as one segment of a path.

    Raises ValueError for "", "." and "..": HTTP libraries resolve the last two as steps in the
    path even if they are percent-encoded. The error names `argument`.
    """
    if value in {"", ".", ".."}:
        raise ValueError(f"{argument} must be neither empty nor '.' nor '..', but is {value!r}")
    return quote(value, safe="", errors="surrogatepass")


def _header_value(endpoint: Endpoint, attribute: Attribute[Any], value: object) -> None:
    """Refuse characters that end a header or a query. The error does not quote the value."""
    non_empty_text(endpoint, attribute, value)
    is_allowed = _HEADER_CHARACTER.match
    for place, character in enumerate(str(value), start=1):
        if not is_allowed(character) or (character == "," and not endpoint.quoted):
            raise ValueError(
                f"{attribute.name} must be visible ASCII without quotes and backslashes"
                f"{'' if endpoint.quoted else ', and without commas'}: character {place} is not"
            )


def _origin(endpoint: Endpoint, _attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"url must be a string, not {type(value).__name__}")
    try:
        parts = urlsplit(value)
        _port = parts.port
    except ValueError:
        raise ValueError("url must be a URL: its host or port is invalid") from None
    if parts.scheme == "http" and not endpoint.allow_http:
        raise ValueError("url must begin with https:// unless allow_http is True: http is readable")
    if parts.scheme not in {"http", "https"}:
        raise ValueError("url must begin with https://")
    host = parts.netloc if parts.port is None else parts.netloc.rpartition(":")[0]
    if not _HOST.fullmatch(host) or value != f"{parts.scheme}://{parts.netloc}":
        raise ValueError("url must be https:// and a host, without path, query or user name")


def _without_slash(value: Any) -> Any:
    return value.removesuffix("/") if isinstance(value, str) else value


@frozen
class Endpoint:
    """A contact center's API, and the credentials of the app; no repr shows the two ids.

    Raises TypeError or ValueError that names the invalid argument and never shows an id.
    """

    url: str = field(converter=_without_slash, validator=_origin)
    """Scheme and host, such as `https://chat.example.com`."""
    tenant_url: str = field(validator=_header_value)
    """Domain of the tenant; in the query of nearly every request."""
    app_id: str = field(repr=False, validator=_header_value)
    """Id of the scenario entry: visible ASCII without quotes and backslashes."""
    client_id: str = field(repr=False, validator=_header_value)
    """Stable id of one customer on one device, usually a UUID; `WebChat` stands for cookies."""
    version: int = field(default=2, validator=one_of(1, 2))
    """Version of the API: 1 or 2."""
    quoted: bool = field(default=True, validator=flag)
    """Quote both ids in the header, as documented; some shipped clients do not."""
    allow_http: bool = field(default=False, validator=flag)
    """Allow http in `url`, for a server on the same machine."""
    # Parts of each request, which are made once.
    _tenant: str = field(init=False, eq=False, repr=False)
    _headers: tuple[tuple[str, str], ...] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        mark = '"' if self.quoted else ""
        ids = f"appId={mark}{self.app_id}{mark}, clientId={mark}{self.client_id}{mark}"
        headers = (
            ("Content-Type", _JSON),
            ("User-Agent", "MobileClient"),
            ("Cache-Control", "no-cache"),
            ("Authorization", f"MOBILE-API-140-327-PLAIN {ids}"),
        )
        object.__setattr__(self, "_headers", headers)
        object.__setattr__(self, "_tenant", f"tenantUrl={quote(self.tenant_url, safe='')}&")

    def url_for(self, path: str, *, nonce: str, tenant: bool = True) -> str:
        """Return the URL of a path that is percent-encoded already.

        `nonce`: a text that differs in each request, since proxies were seen to answer polls from
        their cache. `tenant`: False for files and photos, which the server serves without it.
        """
        query = f"{self._tenant if tenant else ''}{_CACHE_BUSTER}={quote(nonce, safe='')}"
        return f"{self.url}/clientweb/api/v{self.version}/{path}?{query}"

    def headers(self, content_type: str = _JSON) -> tuple[tuple[str, str], ...]:
        """Return the headers of a request, in the order and spelling of the documentation."""
        if content_type == _JSON:
            return self._headers
        return ("Content-Type", content_type), *self._headers[1:]

    def with_credentials(self, app_id: str | None, client_id: str | None) -> Endpoint:
        """Return the endpoint with these ids; None leaves an id as it is. Raises as the class."""
        return evolve(
            self,
            app_id=self.app_id if app_id is None else app_id,
            client_id=self.client_id if client_id is None else client_id,
        )
