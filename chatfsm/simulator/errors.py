"""What a center refuses, and how it says so.

The pairing of status and code is documented nowhere, and is chosen here. Source: the table of
PROTOCOL.md §1.
"""

from __future__ import annotations

from typing import Final

__all__ = ["ERRORS", "RefusedError", "status_of"]

# code: (status in version 1, status in version 2, message). Authorization fails with 401 in the old
# documentation and with 403 in the current one.
ERRORS: Final[dict[str, tuple[int, int, str]]] = {
    "1000": (400, 400, "tenantUrl is missing or invalid"),
    "2000": (401, 403, "Authorization header is missing"),
    "2001": (401, 403, "Authorization header is malformed"),
    "2002": (401, 403, "Authorization scheme is not supported"),
    "2003": (401, 403, "appId is missing"),
    "2004": (401, 403, "clientId is missing"),
    "3000": (401, 403, "appId is unknown"),
    "5000": (503, 503, "Server is too slow"),
    "5001": (503, 503, "No server is available"),
    "5003": (400, 400, "Request cannot be decoded"),
    "5004": (503, 503, "Server was disconnected"),
    "5005": (404, 404, "Chat session not found"),
    "5006": (400, 400, "Launch point not found"),
    "5500": (500, 500, "Internal error"),
    "5501": (400, 400, "Upload is too large"),
    "5502": (404, 404, "File not found"),
    "5509": (400, 429, "Too many polls for this session"),
    "5511": (400, 400, "No events"),
    "5558": (400, 400, "File I/O error"),
    "5601": (406, 406, "No case"),
    "5602": (500, 500, "CRM error"),
    "5603": (406, 406, "Too many parameters"),
    "5955": (500, 500, "Unspecified error"),
}


class RefusedError(Exception):
    """A request is answered with an error; `status` where it is not the usual one of the code.

    A `code` of "" stands for a reply without a body.
    """

    def __init__(self, code: str, *, status: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


def status_of(code: str, version: int) -> int:
    """The status that goes with a code in a version of the API."""
    first, second, _message = ERRORS[code]
    return first if version == 1 else second
