"""The web page where a person chats with the simulator, as it lies in the package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Final, Self

from attrs import frozen

from chatfsm.conversation.exchange import HttpReply

__all__ = ["Pages"]

_SCRIPT: Final = "text/javascript; charset=utf-8"
_KINDS: Final = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(("page.js", "heard.js", "forms.js", "law.js", "wire.js"), _SCRIPT),
}
_FIRST: Final = "index.html"
# Nothing of other places is loaded, and nothing that a center says can run.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


@frozen
class Pages:
    """What is served beside the API, by path."""

    replies: Mapping[str, HttpReply]

    @classmethod
    def about(cls, tenant: str, apps: Mapping[str, str]) -> Self:
        """The page, and what it asks to know: the tenant, and the ids of apps with their titles."""
        folder = files("chatfsm.serving") / "page"
        found = {
            f"/{'' if name == _FIRST else name}": _page(kind, (folder / name).read_bytes())
            for name, kind in _KINDS.items()
        }
        entries = [{"app_id": app_id, "title": title} for app_id, title in apps.items()]
        told = json.dumps({"tenant": tenant, "apps": entries}).encode()
        return cls({**found, "/simulator.json": _page("application/json", told)})

    def at(self, path: str) -> HttpReply | None:
        """What stands there, if anything."""
        return self.replies.get(path)


def _page(kind: str, body: bytes) -> HttpReply:
    return HttpReply(0, 200, {**_HEADERS, "content-type": kind}, body)
