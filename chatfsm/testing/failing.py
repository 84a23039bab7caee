"""Cases in which the server stalls, breaks off, lies, or says too much."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Final

from chatfsm.testing.cases import Ask, Case, Expectation, fails
from chatfsm.testing.loopback import Connection, Play, Stage
from chatfsm.testing.speaking import (
    BODY,
    GZIP_BODY,
    HUGE,
    as_chunks,
    chunked,
    head,
    packed,
    reply,
    says,
)

__all__ = ["FAILING"]

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
