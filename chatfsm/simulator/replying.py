"""How replies are written."""

from __future__ import annotations

import json
from typing import Any, Final

from chatfsm.conversation.exchange import HttpReply
from chatfsm.simulator.errors import ERRORS, RefusedError, status_of

__all__ = ["UNCACHED", "as_bytes", "as_json", "empty", "refusal"]

_OK: Final = 200
_JSON: Final = "application/json; charset=UTF-8"
# Proxies were seen to answer polls from their caches.
UNCACHED: Final = {"cache-control": "no-cache"}


def as_json(request_id: int, value: Any, *, status: int = _OK) -> HttpReply:
    """A value, as JSON."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return HttpReply(request_id, status, {"content-type": _JSON, **UNCACHED}, body)


def empty(request_id: int, *, status: int = _OK) -> HttpReply:
    """Nothing but a status."""
    return HttpReply(request_id, status, dict(UNCACHED), b"")


def as_bytes(request_id: int, content: bytes, content_type: str) -> HttpReply:
    """A file."""
    return HttpReply(request_id, _OK, {"content-type": content_type, **UNCACHED}, content)


def refusal(request_id: int, refused: RefusedError, version: int) -> HttpReply:
    """An error, with its code where it has one."""
    if not refused.code:
        return empty(request_id, status=refused.status or status_of("5500", version))
    status = status_of(refused.code, version) if refused.status is None else refused.status
    message = ERRORS[refused.code][2]
    return as_json(
        request_id, {"error_code": refused.code, "error_message": message}, status=status
    )
