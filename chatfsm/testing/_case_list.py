"""Case list: all cases of the conformance kit."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Final

from attrs import evolve

from chatfsm.testing._cases import (
    BODY,
    GZIP_BODY,
    HEADERS,
    HUGE,
    Case,
    CaseRequest,
    Expectation,
    Target,
    chunked_response,
    chunks,
    drip_after,
    expect_any,
    expect_failure,
    expect_reply,
    gzip_response,
    repeat_after,
    replying,
    reset_after,
    respond_with,
    response,
    response_head,
    stall_after,
)
from chatfsm.testing._loopback import (
    BadRequestError,
    Connection,
    LoopbackServer,
    ReceivedRequest,
    Script,
    shown,
)

__all__ = ["CONNECTING", "FAILING", "REPLYING"]

# Cases in which the server sends a valid response, in every form of HTTP.

_ERRORS: Final = range(400, 504)
_STATUSES: Final = {f"/{status}": status for status in _ERRORS}
_ALL_BYTES: Final = bytes(range(256)) * 64
_BIG: Final = bytes(range(251)) * 16_711  # 4 MiB, more than a socket's buffers hold
_PATH: Final = (
    "/clientweb/api/v2/chats/a%2Fb%C3%A9%20c/events?tenantUrl=x%26y.example%3F&_=1%2B1&q=%25%23"
)


def _error(status: int) -> bytes:
    return b'{"error_code": "%d"}' % status


def _send_every_error(connection: Connection) -> None:
    while True:
        target = connection.receive().target
        if target not in _STATUSES:
            raise BadRequestError(f"the target must be the URL's path, not {shown(target)}")
        status = _STATUSES[target]
        connection.send(response(_error(status), "WWW-Authenticate: Basic", status=status))


def _send_slowly(connection: Connection) -> None:
    connection.receive()
    connection.drip(response(), every=connection.server.patience / 300)


def _respond_early(connection: Connection) -> None:
    connection.receive_head()
    connection.send(response(b"too large", "Connection: close", status=413))


def _in_one_request(
    find_problem: Callable[[LoopbackServer, ReceivedRequest], str],
) -> Callable[[LoopbackServer], str]:
    """Return a function that finds a problem in the one request that must have arrived."""

    def find(server: LoopbackServer) -> str:
        if len(server.received) != 1:
            return f"{len(server.received)} requests arrived"
        return find_problem(server, server.received[0])

    return find


def _no_problem(_server: LoopbackServer, _request: ReceivedRequest) -> str:
    return ""


def _header_problem(_server: LoopbackServer, request: ReceivedRequest) -> str:
    changed = [name for name, value in HEADERS if request.values(name) != [value]]
    return f"headers did not arrive as sent: {', '.join(changed)}" if changed else ""


def _url_problem(server: LoopbackServer, request: ReceivedRequest) -> str:
    if request.target != _PATH:
        return "the path and query of the URL did not arrive as sent"
    own = request.values("host") == [f"127.0.0.1:{server.port}"]
    return "" if own else "the Host header must name the host and port of the URL"


def _body_problem(_server: LoopbackServer, request: ReceivedRequest) -> str:
    if (request.method, request.body) != ("POST", _BIG):
        return "the body did not arrive as sent"
    once = request.values("content-length") == [str(len(_BIG))]
    return "" if once else "the request must have one Content-Length, that of its body"


def _empty_body_problem(server: LoopbackServer) -> str:
    lengths = [request.values("content-length") for request in server.received]
    chunks = any(request.values("transfer-encoding") for request in server.received)
    if chunks or [request.method for request in server.received] != ["GET", "POST"]:
        return "a GET and a POST, both without a body, did not arrive"
    fitting = lengths[0] in ([], ["0"]) and lengths[1] == ["0"]
    return "" if fitting else "a POST without a body must have the Content-Length 0"


REPLYING: Final = (
    replying("reply", response(), content_length=str(len(BODY))),
    replying("reply-empty", response(b""), body=b""),
    replying("reply-204", response_head(204), 204, b""),
    replying("reply-bytes-unchanged", response(_ALL_BYTES), body=_ALL_BYTES),
    replying(
        "reply-header-names", response(BODY, "RETRY-after: 7", "X-Odd: a:b; c"), retry_after="7"
    ),
    replying("reply-header-repeated", response(BODY, "X-Who: one", "x-who: two"), x_who="two"),
    replying("reply-until-close", response_head(200, "Connection: close") + BODY),
    replying("reply-http-1.0", response_head(200, version="1.0") + BODY),
    replying("reply-after-100", response_head(100) + response()),
    replying("reply-after-103", response_head(103, "Link: </a>") * 2 + response()),
    Case("reply-slowly", _send_slowly, (CaseRequest(expect_reply(200, BODY)),)),
    Case(
        "reply-header-not-ascii",
        respond_with(response(BODY, "X-Name: \xc3\xa9\xff")),
        (CaseRequest(expect_any(expect_reply(200, BODY), expect_failure("protocol"))),),
    ),
    Case(
        "reply-as-long-as-allowed",
        respond_with(response(_ALL_BYTES)),
        (CaseRequest(expect_reply(200, _ALL_BYTES), max_body=len(_ALL_BYTES)),),
    ),
    Case(
        "reply-every-error-status",
        _send_every_error,
        tuple(
            CaseRequest(expect_reply(status, _error(status)), path=f"/{status}")
            for status in _ERRORS
        ),
        find_problem=lambda server: (
            "" if len(server.received) == len(_ERRORS) else "requests were repeated"
        ),
        limit=100.0,
    ),
    Case(
        "reply-401-challenge",
        respond_with(response(_error(401), 'WWW-Authenticate: Basic realm="x"', status=401)),
        (CaseRequest(expect_reply(401, _error(401))),),
        find_problem=_in_one_request(_no_problem),
    ),
    Case(
        "request-headers-as-sent",
        respond_with(response()),
        (CaseRequest(expect_reply(200, BODY), "POST", body=BODY),),
        find_problem=_in_one_request(_header_problem),
    ),
    Case(
        "request-url-as-sent",
        respond_with(response()),
        (CaseRequest(expect_reply(200, BODY), path=_PATH),),
        find_problem=_in_one_request(_url_problem),
    ),
    Case(
        "request-body-big",
        respond_with(response()),
        (CaseRequest(expect_reply(200, BODY), "POST", body=_BIG),),
        find_problem=_in_one_request(_body_problem),
    ),
    Case(
        "request-body-empty",
        respond_with(response(), response()),
        (CaseRequest(expect_reply(200, BODY)), CaseRequest(expect_reply(200, BODY), "POST")),
        find_problem=_empty_body_problem,
    ),
    Case(
        "request-answered-early",
        _respond_early,
        (
            CaseRequest(
                expect_any(expect_reply(413), expect_failure("protocol")), "POST", body=_BIG
            ),
        ),
        find_problem=_in_one_request(_no_problem),
    ),
)


# Cases in which the server stalls, breaks off, sends invalid or endless responses.

_CHUNKED: Final = response_head(200, "Transfer-Encoding: chunked")
_MIB: Final = 1024 * 1024
_ZEROS: Final = bytes(_MIB)
_UPLOAD: Final = bytes(24 * _MIB)  # more than sockets buffer for a server that does not read
_BOMB: Final = gzip.compress(bytes(HUGE), 1, mtime=0)


def _never_read(connection: Connection) -> None:
    connection.receive_head()
    connection.server.stopped.wait()


def _reset_at_once(connection: Connection) -> None:
    connection.reset()


def _send_interim_for_ever(connection: Connection) -> None:
    connection.receive()
    while not connection.server.stopped.wait(connection.server.patience / 10):
        connection.send(response_head(103))


def _read_whole_problem(server: LoopbackServer) -> str:
    return "all of the response was read" if server.sent_bytes >= HUGE else ""


def _stalling(name: str, script: Script, method: str = "GET", body: bytes = b"") -> Case:
    return Case(
        name, script, (CaseRequest(expect_failure("timeout"), method, body=body, stalls=True),)
    )


def _broken(name: str, script: Script, expects: Expectation = expect_failure("protocol")) -> Case:  # noqa: B008  # a value
    return Case(name, script, (CaseRequest(expects),))


def _flooding(
    name: str, script: Script, find_problem: Callable[[LoopbackServer], str] = _read_whole_problem
) -> Case:
    request = CaseRequest(expect_failure("protocol", "timeout"))
    return Case(name, script, (request,), find_problem=find_problem)


FAILING: Final = (
    _stalling("stall-before-headers", stall_after(b"")),
    _stalling("stall-in-status-line", stall_after(b"HTTP/1.1 2")),
    _stalling("stall-in-headers", stall_after(response()[:25])),
    _stalling("stall-in-body", stall_after(response()[:-3])),
    _stalling(
        "stall-in-body-until-close", stall_after(response_head(200, "Connection: close") + BODY)
    ),
    _stalling("stall-in-chunk", stall_after(_CHUNKED + chunks(BODY)[:-4])),
    _stalling("stall-before-last-chunk", stall_after(_CHUNKED + chunks(BODY))),
    _stalling("stall-in-upload", _never_read, "POST", _UPLOAD),
    _stalling("drip-headers", drip_after(b"", response_head(200, "X-Long: " + "a" * 999))),
    _stalling("drip-body", drip_after(response_head(200, "Content-Length: 999"), bytes(999))),
    _stalling("drip-chunks", drip_after(_CHUNKED, chunks(bytes(999), 1))),
    _stalling("interim-for-ever", _send_interim_for_ever),
    _broken("reset-at-once", _reset_at_once, expect_failure("protocol", "connect")),
    _broken("reset-after-request", reset_after(b"")),
    _broken("reset-in-headers", reset_after(response()[:25])),
    _broken("reset-in-body", reset_after(response()[:-3])),
    _broken("closed-without-a-word", respond_with(b"")),
    _broken("truncated-status-line", respond_with(b"HTTP/1.1 2")),
    _broken("truncated-headers", respond_with(response()[:25])),
    _broken("truncated-body", respond_with(response()[:-3])),
    _broken("truncated-before-body", respond_with(response_head(200, "Content-Length: 14"))),
    _broken("truncated-chunk", respond_with(_CHUNKED + chunks(BODY)[:-4])),
    _broken("truncated-before-last-chunk", respond_with(_CHUNKED + chunks(BODY))),
    _broken("garbage", respond_with(b"\x15\x03\x01\x00\x02\x02\x16" * 9)),
    _broken("garbage-text", respond_with(b"this is not what was asked for\r\n\r\n")),
    _broken("garbage-status", respond_with(response_head("fine"))),
    _broken("chunk-size-no-number", respond_with(_CHUNKED + b"zz\r\n" + BODY + b"\r\n0\r\n\r\n")),
    _broken("chunk-size-negative", respond_with(_CHUNKED + b"-5\r\n" + BODY + b"\r\n0\r\n\r\n")),
    _broken("chunk-size-huge", respond_with(_CHUNKED + b"f" * 15 + b"\r\n" + BODY)),
    _broken("gzip-broken", respond_with(gzip_response(GZIP_BODY[:12] + b"\xff" * 20))),
    _broken("gzip-truncated", respond_with(gzip_response(GZIP_BODY[:-6]))),
    _broken("gzip-bomb", respond_with(gzip_response(_BOMB))),
    _broken(
        "gzip-bomb-chunked", respond_with(chunked_response(_BOMB[:4096], "Content-Encoding: gzip"))
    ),
    _broken("one-byte-too-many", respond_with(response(bytes(_MIB + 1)))),
    _flooding(
        "flood-by-length", repeat_after(response_head(200, f"Content-Length: {HUGE}"), _ZEROS)
    ),
    _flooding("flood-in-chunks", repeat_after(_CHUNKED, chunks(_ZEROS, 65536))),
    _flooding("flood-until-close", repeat_after(response_head(200, "Connection: close"), _ZEROS)),
    _flooding("flood-of-headers", repeat_after(b"HTTP/1.1 200 OK\r\n", b"X-Flood: 1\r\n" * 999)),
    _flooding("flood-in-one-header", repeat_after(b"HTTP/1.1 200 OK\r\nX-Flood: ", b"a" * 65536)),
)


# Cases about connections: refused, reused, shared and redirected.

_OTHER: Final = b'{"events": ["not asked for"]}'
_CONCURRENT: Final = 8
_FINE: Final = CaseRequest(expect_reply(200, BODY))
# A server closes its connection a moment after the response.
_LATER: Final = evolve(_FINE, pause=0.5)
_LOST: Final = expect_failure("protocol")


def _wait(connection: Connection) -> None:
    connection.wait()


def _send_clear_text(connection: Connection) -> None:
    connection.send(response(b"speak plainly", status=400))
    connection.wait()


def _echo_paths(connection: Connection) -> None:
    """Respond with the path of each request, once all requests have arrived."""
    while True:
        target = connection.receive().target
        while len(connection.server.received) < _CONCURRENT and not connection.server.stopped.wait(
            0.001
        ):
            pass
        connection.send(response(target.encode("latin-1")))


def _respond_late(connection: Connection) -> None:
    """Respond to the first request after its timeout, and to later ones at once."""
    connection.receive()
    if connection.number == 1:
        connection.server.stopped.wait(2 * connection.server.patience)
        connection.send(response(_OTHER))
        connection.receive()
    connection.send(response())


def _respond_twice(connection: Connection) -> None:
    """Respond twice to the first request, the second time after the first reply was read."""
    connection.receive()
    connection.send(response())
    if connection.number == 1:
        connection.server.stopped.wait(connection.server.patience / 4)
        connection.send(response(_OTHER))
        connection.wait()


def _drop_second(connection: Connection) -> None:
    """Respond to the first request, receive the second, and close without a response."""
    connection.receive()
    connection.send(response())
    connection.receive()


def _redirect_response(status: int, location: str) -> bytes:
    return response(b"moved", f"Location: {location}", status=status)


def _redirect_to_other_name(connection: Connection) -> None:
    """Redirect to another name of the server, which must not receive the credentials."""
    connection.receive()
    port = connection.server.port
    connection.send(_redirect_response(302, f"http://localhost:{port}/elsewhere"))


def _flood_redirect(connection: Connection) -> None:
    connection.receive()
    connection.send(response_head(302, "Location: /elsewhere", f"Content-Length: {HUGE}"))
    while connection.server.sent_bytes < HUGE:
        connection.send(bytes(1024 * 1024))


def _repeated_post_problem(server: LoopbackServer) -> str:
    posts = [request for request in server.received if request.method == "POST"]
    return "" if len(posts) == 1 else f"the POST arrived {len(posts)} times"


def _followed_redirect_problem(server: LoopbackServer) -> str:
    return "" if len(server.received) == 1 else "the redirect was followed"


def _contact_problem(server: LoopbackServer) -> str:
    return "a request arrived" if server.received else ""


def _flooded_redirect_problem(server: LoopbackServer) -> str:
    return _followed_redirect_problem(server) or (
        "all of the response was read" if server.sent_bytes >= HUGE else ""
    )


def _connecting(name: str, where: Target, script: Script = _wait, *, stalls: bool = False) -> Case:
    ask = CaseRequest(expect_failure("connect"), "POST", body=BODY, stalls=stalls)
    # The system's name resolution has a timeout of its own.
    limit = 200.0 if where == "unknown" else 20.0
    return Case(name, script, (ask,), target=where, find_problem=_contact_problem, limit=limit)


def _redirect(status: int, method: str = "GET") -> Case:
    return Case(
        f"redirect-{status}-{method.lower()}",
        respond_with(_redirect_response(status, "/elsewhere"), response()),
        (CaseRequest(expect_reply(status, b"moved", location="/elsewhere"), method, body=b""),),
        find_problem=_followed_redirect_problem,
    )


CONNECTING: Final = (
    _connecting("connect-refused", "refused"),
    _connecting("connect-unknown-name", "unknown"),
    _connecting("connect-not-accepted", "full", stalls=True),
    _connecting("tls-not-trusted", "distrusted", respond_with(response())),
    _connecting("tls-not-answered", "https", stalls=True),
    _connecting("tls-answered-in-clear", "https", _send_clear_text),
    Case("again-on-the-same", respond_with(response(), response()), (_FINE, _FINE)),
    Case("again-after-its-end", respond_with(response()), (_FINE, _LATER, _LATER)),
    Case("again-after-close", respond_with(response(BODY, "Connection: close")), (_FINE, _FINE)),
    Case(
        "again-after-http-1.0",
        respond_with(response_head(200, version="1.0") + BODY),
        (_FINE, _FINE),
    ),
    Case(
        "again-after-truncation",
        respond_with(response()[:-3]),
        (CaseRequest(_LOST), CaseRequest(_LOST)),
    ),
    Case(
        "again-after-too-much",
        respond_with(response(bytes(4096)), response(bytes(4096)), response(bytes(4096))),
        (
            CaseRequest(_LOST, max_body=64),
            CaseRequest(expect_reply(200, bytes(4096))),
            CaseRequest(_LOST, max_body=64),
        ),
    ),
    Case(
        "again-after-a-late-reply",
        _respond_late,
        (
            CaseRequest(expect_failure("timeout"), stalls=True),
            CaseRequest(expect_reply(200, BODY), pause=2.0),
        ),
    ),
    Case(
        "again-after-a-second-reply",
        _respond_twice,
        (_FINE, CaseRequest(expect_any(expect_reply(200, BODY), _LOST), pause=1.0)),
    ),
    Case(
        "again-after-a-reply-too-long",
        respond_with(response_head(200, f"Content-Length: {len(BODY)}") + BODY + response(_OTHER)),
        (_FINE, CaseRequest(expect_any(expect_reply(200, BODY), _LOST), pause=0.5)),
    ),
    Case(
        "post-taken-and-dropped",
        _drop_second,
        (_FINE, CaseRequest(_LOST, "POST", body=BODY)),
        find_problem=_repeated_post_problem,
    ),
    Case(
        "several-at-once",
        _echo_paths,
        tuple(
            CaseRequest(expect_reply(200, b"/%d" % number), path=f"/{number}")
            for number in range(_CONCURRENT)
        ),
        concurrent=True,
    ),
    *(_redirect(status) for status in (301, 302, 303, 307, 308)),
    _redirect(302, "POST"),
    _redirect(307, "POST"),
    Case(
        "redirect-to-another-host",
        _redirect_to_other_name,
        (CaseRequest(expect_reply(302, b"moved")),),
        find_problem=_followed_redirect_problem,
    ),
    Case(
        "redirect-with-flood",
        _flood_redirect,
        (CaseRequest(expect_failure("protocol", "timeout")),),
        find_problem=_flooded_redirect_problem,
    ),
)
