"""Body cases: compressed bodies, encodings that are none, and cookies."""

from __future__ import annotations

import gzip
from typing import Final

from chatfsm.testing._cases import (
    BODY,
    GZIP_BODY,
    Case,
    CaseRequest,
    chunked_response,
    expect_reply,
    gzip_response,
    replying,
    respond_with,
    response,
    response_head,
)
from chatfsm.testing._loopback import LoopbackServer

__all__ = ["BODIES", "COOKIES"]

_SHORT: Final = chunked_response(BODY)
_COOKIES: Final = ("Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; HttpOnly")


def _cookie_problem(server: LoopbackServer) -> str:
    """A sender may serve many customers: a cookie of one must not go out with the next request."""
    kept = any(request.values("cookie") for request in server.received)
    return "a cookie of a reply was sent with a later request" if kept else ""


def _sent_cookie_problem(server: LoopbackServer) -> str:
    sent = [request.values("cookie") for request in server.received]
    return "" if sent == [["c=3; d=4"]] else "the Cookie header did not arrive as sent"


BODIES: Final = (
    replying("chunked", _SHORT),
    replying("chunked-empty", chunked_response(b""), body=b""),
    replying(
        "chunked-with-trimmings",
        _SHORT.replace(b"5\r\n", b"5;name=value\r\n").replace(
            b"0\r\n\r\n", b"0\r\nX-End: 1\r\n\r\n"
        ),
    ),
    replying("gzip", gzip_response(GZIP_BODY)),
    replying("gzip-chunked", chunked_response(GZIP_BODY, "Content-Encoding: gzip")),
    replying("gzip-until-close", response_head(200, "Content-Encoding: gzip") + GZIP_BODY),
    replying("gzip-empty", gzip_response(b""), body=b""),
    replying("gzip-of-nothing", gzip_response(gzip.compress(b"")), body=b""),
    replying("gzip-in-members", gzip_response(GZIP_BODY * 2), body=BODY * 2),
    replying("gzip-with-zeros-behind", gzip_response(GZIP_BODY + bytes(9))),
    replying("gzip-with-text-behind", gzip_response(GZIP_BODY + b"<!-- proxy -->")),
    # As browsers do with an encoding that is none, and with text that is no gzip.
    replying("gzip-not-gzip", gzip_response(BODY)),
    *(
        replying(f"encoding-{word}", response(BODY, f"Content-Encoding: {word}"))
        for word in ("utf-8", "none", "binary", "identity")
    ),
    replying("encoding-of-two-words", gzip_response(GZIP_BODY, "Content-Encoding: utf-8")),
)

COOKIES: Final = (
    replying("reply-cookies", response(BODY, *_COOKIES), set_cookie="a=1; Path=/\nb=2; HttpOnly"),
    Case(
        "cookies-are-not-kept",
        respond_with(response(BODY, *_COOKIES), response()),
        (CaseRequest(expect_reply(200, BODY)), CaseRequest(expect_reply(200, BODY))),
        find_problem=_cookie_problem,
    ),
    Case(
        "cookies-as-sent",
        respond_with(response()),
        (CaseRequest(expect_reply(200, BODY), headers=(("Cookie", "c=3; d=4"),)),),
        find_problem=_sent_cookie_problem,
    ),
)
