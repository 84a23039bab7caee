"""Cases in which the server answers well, in every form that HTTP has for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chatfsm.testing.cases import HEADERS, Ask, Case, either, fails, replies
from chatfsm.testing.loopback import Connection, Heard, Stage
from chatfsm.testing.speaking import BODY, GZIP_BODY, chunked, head, packed, reply, says

__all__ = ["REPLYING"]

_ERRORS: Final = range(400, 504)
_ALL_BYTES: Final = bytes(range(256)) * 64
_BIG: Final = bytes(range(251)) * 16_711  # 4 MiB: more than the system's buffers hold
_PATH: Final = (
    "/clientweb/api/v2/chats/a%2Fb%C3%A9%20c/events?tenantUrl=x%26y.example%3F&_=1%2B1&q=%25%23"
)
_SHORT: Final = chunked(BODY)


def _good(name: str, answer: bytes, status: int = 200, body: bytes = BODY, **headers: str) -> Case:
    return Case(name, says(answer), (Ask(replies(status, body, **headers)),))


def _error(status: int) -> bytes:
    return b'{"error_code": "%d"}' % status


def _every_error(connection: Connection) -> None:
    while True:
        status = int(connection.hears().target[1:])
        connection.says(reply(_error(status), "WWW-Authenticate: Basic", status=status))


def _slowly(connection: Connection) -> None:
    connection.hears()
    connection.drips(reply(), every=connection.stage.patience / 300)


def _early(connection: Connection) -> None:
    connection.hears_head()
    connection.says(reply(b"too large", "Connection: close", status=413))


def _of_one(amiss: Callable[[Stage, Heard], str]) -> Callable[[Stage], str]:
    """What is amiss with the one request that should have arrived."""

    def judge(stage: Stage) -> str:
        if len(stage.heard) != 1:
            return f"{len(stage.heard)} requests arrived"
        return amiss(stage, stage.heard[0])

    return judge


def _nothing(_stage: Stage, _heard: Heard) -> str:
    return ""


def _headers(_stage: Stage, heard: Heard) -> str:
    changed = [name for name, value in HEADERS if heard.values(name) != [value]]
    return f"headers did not arrive as sent: {', '.join(changed)}" if changed else ""


def _url(stage: Stage, heard: Heard) -> str:
    if heard.target != _PATH:
        return "the url's path and query did not arrive as sent"
    own = heard.values("host") == [f"127.0.0.1:{stage.port}"]
    return "" if own else "the Host header is not the url's"


def _body(_stage: Stage, heard: Heard) -> str:
    if (heard.method, heard.body) != ("POST", _BIG):
        return "the body did not arrive as sent"
    once = heard.values("content-length") == [str(len(_BIG))]
    return "" if once else "the body's length was not said once"


def _no_body_amiss(stage: Stage) -> str:
    lengths = [heard.values("content-length") for heard in stage.heard]
    chunks = any(heard.values("transfer-encoding") for heard in stage.heard)
    if chunks or [heard.method for heard in stage.heard] != ["GET", "POST"]:
        return "a GET and a POST, both without a body, did not arrive"
    fitting = lengths[0] in ([], ["0"]) and lengths[1] == ["0"]
    return "" if fitting else "an empty POST has to say that its length is 0"


REPLYING: Final = (
    _good("reply", reply(), content_length=str(len(BODY))),
    _good("reply-empty", reply(b""), body=b""),
    _good("reply-204", head(204), 204, b""),
    _good("reply-bytes-unchanged", reply(_ALL_BYTES), body=_ALL_BYTES),
    _good("reply-header-names", reply(BODY, "RETRY-after: 7", "X-Odd: a:b; c"), retry_after="7"),
    _good("reply-header-repeated", reply(BODY, "X-Who: one", "x-who: two"), x_who="two"),
    _good("reply-until-close", head(200, "Connection: close") + BODY),
    _good("reply-http-1.0", head(200, version="1.0") + BODY),
    _good("reply-after-100", head(100) + reply()),
    _good("reply-after-103", head(103, "Link: </a>") * 2 + reply()),
    Case("reply-slowly", _slowly, (Ask(replies(200, BODY)),)),
    Case(
        "reply-header-not-ascii",
        says(reply(BODY, "X-Name: \xc3\xa9\xff")),
        (Ask(either(replies(200, BODY), fails("protocol"))),),
    ),
    Case(
        "reply-as-long-as-allowed",
        says(reply(_ALL_BYTES)),
        (Ask(replies(200, _ALL_BYTES), max_body=len(_ALL_BYTES)),),
    ),
    Case(
        "reply-every-error-status",
        _every_error,
        tuple(Ask(replies(status, _error(status)), path=f"/{status}") for status in _ERRORS),
        amiss=lambda stage: "" if len(stage.heard) == len(_ERRORS) else "requests were repeated",
        limit=100.0,
    ),
    Case(
        "reply-401-challenge",
        says(reply(_error(401), 'WWW-Authenticate: Basic realm="x"', status=401)),
        (Ask(replies(401, _error(401))),),
        amiss=_of_one(_nothing),
    ),
    _good("chunked", _SHORT),
    _good("chunked-empty", chunked(b""), body=b""),
    _good(
        "chunked-with-trimmings",
        _SHORT.replace(b"5\r\n", b"5;name=value\r\n").replace(
            b"0\r\n\r\n", b"0\r\nX-End: 1\r\n\r\n"
        ),
    ),
    _good("gzip", packed(GZIP_BODY)),
    _good("gzip-chunked", chunked(GZIP_BODY, "Content-Encoding: gzip")),
    _good("gzip-until-close", head(200, "Content-Encoding: gzip") + GZIP_BODY),
    _good("gzip-empty", packed(b""), body=b""),
    Case(
        "request-headers-as-sent",
        says(reply()),
        (Ask(replies(200, BODY), "POST", body=BODY),),
        amiss=_of_one(_headers),
    ),
    Case(
        "request-url-as-sent",
        says(reply()),
        (Ask(replies(200, BODY), path=_PATH),),
        amiss=_of_one(_url),
    ),
    Case(
        "request-body-big",
        says(reply()),
        (Ask(replies(200, BODY), "POST", body=_BIG),),
        amiss=_of_one(_body),
    ),
    Case(
        "request-body-empty",
        says(reply(), reply()),
        (Ask(replies(200, BODY)), Ask(replies(200, BODY), "POST")),
        amiss=_no_body_amiss,
    ),
    Case(
        "request-answered-early",
        _early,
        (Ask(either(replies(413), fails("protocol")), "POST", body=_BIG),),
        amiss=_of_one(_nothing),
    ),
)
