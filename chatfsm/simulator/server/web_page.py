"""Web page: the files of the chat page and of the agent's seat."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from importlib.resources import files
from typing import Final, Self

from attrs import frozen

from chatfsm._lifecycle_drawing import lifecycle_svg
from chatfsm.transport import HttpReply

__all__ = ["PageFiles"]

_SCRIPT: Final = "text/javascript; charset=utf-8"
_CONTENT_TYPES: Final = {
    **dict.fromkeys(("index.html", "agent.html"), "text/html; charset=utf-8"),
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(("page.js", "chat.js", "view.js", "forms.js", "lifecycle.js"), _SCRIPT),
    **dict.fromkeys(("agent.js", "agent_view.js", "scroll.js", "typing.js"), _SCRIPT),
}
_INDEX: Final = "index.html"
_PATHS: Final = {_INDEX: "/", "agent.html": "/agent"}
# Browsers request these by themselves. Touch icons are PNG files, which the page has not.
_ICON: Final = "/favicon.ico"
_NO_ICONS: Final = ("/apple-touch-icon.png", "/apple-touch-icon-precomposed.png")
# Nothing is loaded from other places, and no text of a chat can run.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_DRAWING: Final = "<!-- lifecycle -->"


@frozen
class PageFiles:
    """The files of the web page by path, and the tenant that its chats are with."""

    replies: Mapping[str, HttpReply]
    """The reply to a GET of each path."""
    tenant_url: str
    """The domain of the tenant, for `Endpoint.tenant_url`."""

    @classmethod
    def for_apps(cls, tenant_url: str, apps: Mapping[str, str]) -> Self:
        """Return the page's files, with the tenant and the titles of apps by their ids."""
        folder = files("chatfsm.simulator.server") / "page"
        found = {
            _PATHS.get(name, f"/{name}"): _reply(kind, (folder / name).read_bytes())
            for name, kind in _CONTENT_TYPES.items()
        }
        page = found["/"].body.decode().replace(_DRAWING, lifecycle_svg())
        entries = [{"app_id": app_id, "title": title} for app_id, title in apps.items()]
        about = json.dumps({"tenant": tenant_url, "apps": entries}).encode()
        found |= {
            "/": _reply(_CONTENT_TYPES[_INDEX], page.encode()),
            "/simulator.json": _reply("application/json", about),
            _ICON: found["/icon.svg"],
            **dict.fromkeys(_NO_ICONS, HttpReply(0, HTTPStatus.NO_CONTENT, _HEADERS, b"")),
        }
        return cls(found, tenant_url)

    def reply_for(self, path: str) -> HttpReply | None:
        """Return the file at a path, or None."""
        return self.replies.get(path)


def _reply(kind: str, body: bytes) -> HttpReply:
    return HttpReply(0, HTTPStatus.OK, {**_HEADERS, "content-type": kind}, body)
