"""All cases of the conformance kit."""

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
    Ask,
    Case,
    Expectation,
    Where,
    as_chunks,
    chunked,
    either,
    fails,
    head,
    packed,
    replies,
    reply,
    says,
)
from chatfsm.testing._loopback import Connection, Heard, Play, Stage

__all__ = ["CONNECTING", "FAILING", "REPLYING"]

# Cases in which the server answers well, in every form that HTTP has for it.

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


# Cases in which the server stalls, breaks off, lies, or says too much.

_CHUNKED: Final = head(200, "Transfer-Encoding: chunked")
_MIB: Final = 1024 * 1024
_ZEROS: Final = bytes(_MIB)
_UPLOAD: Final = bytes(24 * _MIB)  # more than the system takes for a server that does not read
_BOMB: Final = gzip.compress(bytes(HUGE), 1, mtime=0)


def _stalls_after(start: bytes) -> Play:
    def play(connection: Connection) -> None:
        connection.hears()
        connection.says(start)
        connection.waits()

    return play


def _drips_after(start: bytes, rest: bytes) -> Play:
    """Say a byte every third of the patience: no read waits too long, all of them do."""

    def play(connection: Connection) -> None:
        connection.hears()
        connection.says(start)
        connection.drips(rest, every=connection.stage.patience / 3)

    return play


def _repeats(start: bytes, rest: bytes) -> Play:
    """Say the same without end: as much as is taken, but no more than is huge."""

    def play(connection: Connection) -> None:
        connection.hears()
        connection.says(start)
        while connection.stage.said < HUGE and not connection.stage.over.is_set():
            connection.says(rest)

    return play


def _never_reads(connection: Connection) -> None:
    connection.hears_head()
    connection.stage.over.wait()


def _resets_at_once(connection: Connection) -> None:
    connection.resets()


def _resets_after(start: bytes) -> Play:
    def play(connection: Connection) -> None:
        connection.hears()
        connection.says(start)
        connection.resets()

    return play


def _interim_for_ever(connection: Connection) -> None:
    connection.hears()
    while not connection.stage.over.wait(connection.stage.patience / 10):
        connection.says(head(103))


def _swallowed(stage: Stage) -> str:
    return "all of it was read" if stage.said >= HUGE else ""


def _stall(name: str, play: Play, method: str = "GET", body: bytes = b"") -> Case:
    return Case(name, play, (Ask(fails("timeout"), method, body=body, stalls=True),))


def _broken(name: str, play: Play, expects: Expectation = fails("protocol")) -> Case:  # noqa: B008  # a value
    return Case(name, play, (Ask(expects),))


def _flood(name: str, play: Play, amiss: Callable[[Stage], str] = _swallowed) -> Case:
    return Case(name, play, (Ask(fails("protocol", "timeout")),), amiss=amiss)


FAILING: Final = (
    _stall("stall-before-headers", _stalls_after(b"")),
    _stall("stall-in-status-line", _stalls_after(b"HTTP/1.1 2")),
    _stall("stall-in-headers", _stalls_after(reply()[:25])),
    _stall("stall-in-body", _stalls_after(reply()[:-3])),
    _stall("stall-in-body-until-close", _stalls_after(head(200, "Connection: close") + BODY)),
    _stall("stall-in-chunk", _stalls_after(_CHUNKED + as_chunks(BODY)[:-4])),
    _stall("stall-before-last-chunk", _stalls_after(_CHUNKED + as_chunks(BODY))),
    _stall("stall-in-upload", _never_reads, "POST", _UPLOAD),
    _stall("drip-headers", _drips_after(b"", head(200, "X-Long: " + "a" * 999))),
    _stall("drip-body", _drips_after(head(200, "Content-Length: 999"), bytes(999))),
    _stall("drip-chunks", _drips_after(_CHUNKED, as_chunks(bytes(999), 1))),
    _stall("interim-for-ever", _interim_for_ever),
    _broken("reset-at-once", _resets_at_once, fails("protocol", "connect")),
    _broken("reset-after-request", _resets_after(b"")),
    _broken("reset-in-headers", _resets_after(reply()[:25])),
    _broken("reset-in-body", _resets_after(reply()[:-3])),
    _broken("closed-without-a-word", says(b"")),
    _broken("truncated-status-line", says(b"HTTP/1.1 2")),
    _broken("truncated-headers", says(reply()[:25])),
    _broken("truncated-body", says(reply()[:-3])),
    _broken("truncated-before-body", says(head(200, "Content-Length: 14"))),
    _broken("truncated-chunk", says(_CHUNKED + as_chunks(BODY)[:-4])),
    _broken("truncated-before-last-chunk", says(_CHUNKED + as_chunks(BODY))),
    _broken("garbage", says(b"\x15\x03\x01\x00\x02\x02\x16" * 9)),
    _broken("garbage-text", says(b"this is not what was asked for\r\n\r\n")),
    _broken("garbage-status", says(head("fine"))),
    _broken("chunk-size-no-number", says(_CHUNKED + b"zz\r\n" + BODY + b"\r\n0\r\n\r\n")),
    _broken("chunk-size-negative", says(_CHUNKED + b"-5\r\n" + BODY + b"\r\n0\r\n\r\n")),
    _broken("chunk-size-huge", says(_CHUNKED + b"f" * 15 + b"\r\n" + BODY)),
    _broken("gzip-broken", says(packed(GZIP_BODY[:12] + b"\xff" * 20))),
    _broken("gzip-not-gzip", says(packed(BODY))),
    _broken("gzip-truncated", says(packed(GZIP_BODY[:-6]))),
    _broken("gzip-bomb", says(packed(_BOMB))),
    _broken("gzip-bomb-chunked", says(chunked(_BOMB[:4096], "Content-Encoding: gzip"))),
    _broken("one-byte-too-many", says(reply(bytes(_MIB + 1)))),
    _flood("flood-by-length", _repeats(head(200, f"Content-Length: {HUGE}"), _ZEROS)),
    _flood("flood-in-chunks", _repeats(_CHUNKED, as_chunks(_ZEROS, 65536))),
    _flood("flood-until-close", _repeats(head(200, "Connection: close"), _ZEROS)),
    _flood("flood-of-headers", _repeats(b"HTTP/1.1 200 OK\r\n", b"X-Flood: 1\r\n" * 999)),
    _flood("flood-in-one-header", _repeats(b"HTTP/1.1 200 OK\r\nX-Flood: ", b"a" * 65536)),
)


# Cases about connections: not made at all, used again, shared, and led elsewhere.

_OTHER: Final = b'{"events": ["not asked for"]}'
_AT_ONCE: Final = 8
_FINE: Final = Ask(replies(200, BODY))
# A server's end of a connection arrives soon after the reply, not with it.
_LATER: Final = evolve(_FINE, pause=0.5)
_LOST: Final = fails("protocol")


def _never(connection: Connection) -> None:
    connection.waits()


def _speaks_clear(connection: Connection) -> None:
    connection.says(reply(b"speak plainly", status=400))
    connection.waits()


def _own_answers(connection: Connection) -> None:
    """Answer with the request's own path, once all the others have arrived as well."""
    while True:
        target = connection.hears().target
        while len(connection.stage.heard) < _AT_ONCE and not connection.stage.over.wait(0.001):
            pass
        connection.says(reply(target.encode("ascii")))


def _late(connection: Connection) -> None:
    """Answer the first request when its time is over, and what comes after it at once."""
    connection.hears()
    if connection.number == 1:
        connection.stage.over.wait(2 * connection.stage.patience)
        connection.says(reply(_OTHER))
        connection.hears()
    connection.says(reply())


def _two_for_one(connection: Connection) -> None:
    """Answer the first request twice, the second time when the first reply has been read."""
    connection.hears()
    connection.says(reply())
    if connection.number == 1:
        connection.stage.over.wait(connection.stage.patience / 4)
        connection.says(reply(_OTHER))
        connection.waits()


def _second_is_dropped(connection: Connection) -> None:
    """Answer the first request, take the second, and close without an answer."""
    connection.hears()
    connection.says(reply())
    connection.hears()


def _redirects(status: int, location: str) -> bytes:
    return reply(b"moved", f"Location: {location}", status=status)


def _elsewhere(connection: Connection) -> None:
    """Lead to another name of the same server, where the credentials have no business."""
    connection.hears()
    port = connection.stage.port
    connection.says(_redirects(302, f"http://localhost:{port}/elsewhere"))


def _floods_redirect(connection: Connection) -> None:
    connection.hears()
    connection.says(head(302, "Location: /elsewhere", f"Content-Length: {HUGE}"))
    while connection.stage.said < HUGE:
        connection.says(bytes(1024 * 1024))


def _posted_again(stage: Stage) -> str:
    posts = [heard for heard in stage.heard if heard.method == "POST"]
    return "" if len(posts) == 1 else f"the POST arrived {len(posts)} times"


def _followed(stage: Stage) -> str:
    return "" if len(stage.heard) == 1 else "the redirect was followed"


def _contacted(stage: Stage) -> str:
    return "the server was told a request" if stage.heard else ""


def _swallowed_by_proxy(stage: Stage) -> str:
    return _followed(stage) or ("all of it was read" if stage.said >= HUGE else "")


def _unmade(name: str, where: Where, play: Play = _never, *, stalls: bool = False) -> Case:
    ask = Ask(fails("connect"), "POST", body=BODY, stalls=stalls)
    # Names are looked up by the system, which takes the time that it takes.
    limit = 200.0 if where == "unknown" else 20.0
    return Case(name, play, (ask,), where=where, amiss=_contacted, limit=limit)


def _redirect(status: int, method: str = "GET") -> Case:
    return Case(
        f"redirect-{status}-{method.lower()}",
        says(_redirects(status, "/elsewhere"), reply()),
        (Ask(replies(status, b"moved", location="/elsewhere"), method, body=b""),),
        amiss=_followed,
    )


CONNECTING: Final = (
    _unmade("connect-refused", "refused"),
    _unmade("connect-unknown-name", "unknown"),
    _unmade("connect-not-accepted", "full", stalls=True),
    _unmade("tls-not-trusted", "distrusted", says(reply())),
    _unmade("tls-not-answered", "https", stalls=True),
    _unmade("tls-answered-in-clear", "https", _speaks_clear),
    Case("again-on-the-same", says(reply(), reply()), (_FINE, _FINE)),
    Case("again-after-its-end", says(reply()), (_FINE, _LATER, _LATER)),
    Case("again-after-close", says(reply(BODY, "Connection: close")), (_FINE, _FINE)),
    Case("again-after-http-1.0", says(head(200, version="1.0") + BODY), (_FINE, _FINE)),
    Case("again-after-truncation", says(reply()[:-3]), (Ask(_LOST), Ask(_LOST))),
    Case(
        "again-after-too-much",
        says(reply(bytes(4096)), reply(bytes(4096)), reply(bytes(4096))),
        (Ask(_LOST, max_body=64), Ask(replies(200, bytes(4096))), Ask(_LOST, max_body=64)),
    ),
    Case(
        "again-after-a-late-reply",
        _late,
        (Ask(fails("timeout"), stalls=True), Ask(replies(200, BODY), pause=2.0)),
    ),
    Case(
        "again-after-a-second-reply",
        _two_for_one,
        (_FINE, Ask(either(replies(200, BODY), _LOST), pause=1.0)),
    ),
    Case(
        "again-after-a-reply-too-long",
        says(head(200, f"Content-Length: {len(BODY)}") + BODY + reply(_OTHER)),
        (_FINE, Ask(either(replies(200, BODY), _LOST), pause=0.5)),
    ),
    Case(
        "post-taken-and-dropped",
        _second_is_dropped,
        (_FINE, Ask(_LOST, "POST", body=BODY)),
        amiss=_posted_again,
    ),
    Case(
        "several-at-once",
        _own_answers,
        tuple(Ask(replies(200, b"/%d" % number), path=f"/{number}") for number in range(_AT_ONCE)),
        together=True,
    ),
    *(_redirect(status) for status in (301, 302, 303, 307, 308)),
    _redirect(302, "POST"),
    _redirect(307, "POST"),
    Case(
        "redirect-to-another-host",
        _elsewhere,
        (Ask(replies(302, b"moved")),),
        amiss=_followed,
    ),
    Case(
        "redirect-with-flood",
        _floods_redirect,
        (Ask(fails("protocol", "timeout")),),
        amiss=_swallowed_by_proxy,
    ),
)
