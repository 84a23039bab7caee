"""Cases about connections: not made at all, used again, shared, and led elsewhere."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from chatfsm.testing.cases import Ask, Case, Where, either, fails, replies
from chatfsm.testing.loopback import Connection, Play, Stage
from chatfsm.testing.speaking import BODY, HUGE, head, reply, says

__all__ = ["CONNECTING"]

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


def _swallowed(stage: Stage) -> str:
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
        amiss=_swallowed,
    ),
)
