"""Faults: the failures of a network and a server, as data and as text.

On a command line: `drop-reply:0.05,duplicate:poll:0.1,500/5500:post@3,delay=2:0.2`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite
from typing import Any, Final, Literal, Self, cast, get_args

from attrs import field, fields, frozen

from chatfsm.transport import HttpReply

__all__ = ["KINDS", "SUBJECTS", "Fault", "Faults", "Subject"]

Subject = Literal["any", "open", "poll", "post", "history", "upload", "other"]
SUBJECTS: Final = get_args(Subject)
"""The kinds of requests; `other` is none of those named, `any` is every request."""

KINDS: Final[dict[str, str]] = {
    "refuse": "no connection is made: the request never leaves",
    "drop-request": "the request is lost on its way, and no reply comes",
    "drop-reply": "the request arrives, and its reply is lost",
    "reset": "the request arrives, and the connection breaks before its reply",
    "truncate": "the request arrives, and the connection breaks within its reply",
    "garbage": "the request arrives, and what comes back is no HTTP",
    "portal": "a proxy answers with a page of its own; the request never arrives",
    "redirect": "a portal redirects to a page of its own; the request never arrives",
    "not-found": "a proxy answers 404 with a page of its own; the request never arrives",
    "duplicate": "a cache gives its last answer again; the request, a GET, never arrives",
    "busy": "another client polls: it has the events, and this poll is refused",
    "bad-byte": "a byte of the reply that is no UTF-8, and one that JSON does not allow",
    "status": "the server answers with this status, and has done nothing",
    "after": "the server has done what it was asked, and answers with this status",
    "delay": "the reply comes so many seconds later",
    "late": "the request arrives so many seconds later, even if its client has given it up",
    "reorder": "the reply is overtaken by the client's next, or comes so many seconds later",
    "twice": "the reply comes twice",
    "restart": "the server restarts as the request arrives",
    "jump": "the server's clock jumps by so many seconds as the request arrives",
}
"""The effect of each kind of fault. In texts, `status` and `after` are written with the status:
`500`, `after-500`.

No client can handle two of them. A request that is later than its timeout (`late`) may arrive
beside its copy with the same msg_id, or take events that then reach no client. A history from a
cache (`duplicate:history`) lacks the newest events. The presets have neither, except a delay below
every timeout.
"""

_NEEDS_SECONDS: Final = {"delay", "late", "jump"}
_TAKES_SECONDS: Final = _NEEDS_SECONDS | {"reorder", "status", "after"}
_TAKES_STATUS: Final = {"status", "after"}
# Caches keep replies to GET requests only.
_CACHED: Final = {"any", "poll", "history", "other"}
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}")
# 5001 means that no server is available, so none has handled the request.
_NOTHING_DONE: Final = "5001"
_ERRORS: Final = range(400, 600)
_SERVER_ERRORS: Final = range(500, 600)


def _is_number(value: object) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and isfinite(cast("float", value))


@frozen
class Fault:
    """A fault. Raises ValueError, with the reason, for an invalid combination."""

    kind: str
    """A key of `KINDS`."""
    on: Subject = "any"
    """The kind of requests that the fault may hit."""
    rate: float | None = None
    """The share of those requests that it hits, above 0 up to 1; None: see `at`, or all of them."""
    at: int | None = None
    """The number, from 1, of the only request of that kind that it hits."""
    status: int | None = None
    """The status of the reply, from 400 to 599; only of the kinds `status` and `after`."""
    code: str | None = None
    """The error code in the body of the reply; None: the reply has no body."""
    seconds: float | None = None
    """The delay, the jump of the clock, or beside a status the Retry-After, in seconds."""

    def __attrs_post_init__(self) -> None:
        for is_wrong, reason in self._problems():
            if is_wrong:
                raise ValueError(reason)

    def _problems(self) -> Iterator[tuple[bool, str]]:
        kind, is_status = self.kind, self.kind in _TAKES_STATUS
        yield kind not in KINDS, f"no fault is called {kind!a}; there are {', '.join(_HEADS)}"
        yield self.on not in SUBJECTS, f"requests must be {', '.join(SUBJECTS)}, not {self.on!a}"
        yield (
            self.rate is not None and self.at is not None,
            "a fault has a rate or a number, not both",
        )
        if self.rate is not None:
            is_rate = _is_number(self.rate) and 0 < self.rate <= 1
            yield not is_rate, f"a rate must be above 0 and at most 1, not {self.rate!a}"
        if self.at is not None:
            is_count = isinstance(self.at, int) and not isinstance(self.at, bool) and self.at >= 1
            yield not is_count, f"the number of a request must be 1 or more, not {self.at!a}"
        yield from self._status_problems(is_status=is_status)
        yield kind in _NEEDS_SECONDS and self.seconds is None, f"{kind} needs seconds: {kind}=2"
        if self.seconds is not None:
            yield kind not in _TAKES_SECONDS, f"{kind} takes no seconds"
            is_time = _is_number(self.seconds) and (kind == "jump" or self.seconds >= 0)
            least = "a number of" if kind == "jump" else "0 or more"
            yield not is_time, f"a {kind} needs {least} seconds, not {self.seconds!a}"
        is_cached = kind != "duplicate" or self.on in _CACHED
        cached = _join_subjects(_CACHED)
        yield not is_cached, f"a duplicate needs {cached}, not {self.on}: only those are cached"

    def _status_problems(self, *, is_status: bool) -> Iterator[tuple[bool, str]]:
        yield not is_status and self.status is not None, f"{self.kind} takes no status"
        yield not is_status and self.code is not None, f"{self.kind} takes no error code"
        if is_status:
            status = self.status if isinstance(self.status, int) else 0
            yield status not in _ERRORS, f"status must be from 400 to 599, not {self.status!a}"
            is_done = self.kind == "after"
            fits = not is_done or (status in _SERVER_ERRORS and self.code != _NOTHING_DONE)
            yield not fits, "after- needs a status from 500 to 599 and a code other than 5001"
        if self.code is not None:
            is_code = isinstance(self.code, str) and _CODE.fullmatch(self.code) is not None
            characters = "1 to 32 of A-Z a-z 0-9 . _ -"
            yield not is_code, f"an error code must have {characters}, not {self.code!a}"

    def __str__(self) -> str:
        text = self.kind
        if self.status is not None:
            text = f"after-{self.status}" if self.kind == "after" else str(self.status)
            text += "" if self.code is None else f"/{self.code}"
        text += "" if self.seconds is None else f"={_format_number(self.seconds)}"
        on = "" if self.on == "any" else self.on
        if self.at is not None:
            return f"{text}:{on}@{self.at}"
        rate = "" if self.rate is None else _format_number(self.rate)
        return ":".join(part for part in (text, on, rate) if part)

    def error_reply(self, request_id: int) -> HttpReply:
        """Return the reply with the fault's status, code and Retry-After."""
        headers = {"content-type": "application/json"}
        if self.seconds is not None:
            headers["retry-after"] = _format_number(self.seconds)
        body = f'{{"error_code": "{self.code}", "error_message": "a fault"}}' if self.code else ""
        return HttpReply(request_id, self.status or 0, headers, body.encode())


def _join_subjects(subjects: set[str]) -> str:
    return ", ".join(subject for subject in SUBJECTS if subject in subjects)


def _format_number(number: float) -> str:
    return repr(float(number)).removesuffix(".0")


_HEAD: Final = re.compile(
    r"(?:(?P<after>after-)?(?P<status>[0-9]{3})(?:/(?P<code>[^=:@]*))?|(?P<kind>[^=:@]*))"
    r"(?:=(?P<seconds>[^:@]*))?"
)
_WHEN: Final = re.compile(r"(?P<on>[a-z]*)(?:@(?P<at>[0-9]{1,15}))?")
_DECIMAL: Final = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?")
# The possible beginnings of a fault's text.
_HEADS: Final = (
    *(kind for kind in KINDS if kind not in _TAKES_STATUS),
    "a status",
    "after- a status",
)


@frozen
class Faults:
    """Faults in the order in which they are drawn; iterable."""

    entries: tuple[Fault, ...] = field(default=(), converter=tuple[Fault, ...])
    """The faults; of those that exclude each other, the first one that is drawn hits."""

    @classmethod
    def parse(cls, spec: str) -> Self:
        """Return the faults of a text; "" has none. Raises ValueError, naming the part.

        Commas separate the parts. A part is a kind, or a status with an error code after a slash;
        then seconds after `=`; then, after colons, the kind of requests, and a rate or `@` and a
        number. A part may be the name of a preset.
        """
        found: list[Fault] = []
        for part in spec.split(",") if spec.strip() else []:
            text = part.strip()
            if text in PRESETS:
                found += cls.parse(PRESETS[text])
                continue
            try:
                found.append(_parse_fault(text))
            except ValueError as error:
                raise ValueError(f"cannot read the fault {text!a}: {error}") from None
        return cls(tuple(found))

    def __str__(self) -> str:
        return ",".join(map(str, self.entries))

    def __iter__(self) -> Iterator[Fault]:
        return iter(self.entries)

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Return the faults of a list of objects with the fields of `Fault`.

        Raises ValueError, with the number of the invalid fault and the reason.
        """
        if not isinstance(value, list):
            raise ValueError("faults must be a list of objects")  # noqa: TRY004  # as for all invalid data
        names = {known.name for known in fields(Fault)}
        found: list[Fault] = []
        for number, item in enumerate(value, 1):
            if not isinstance(item, dict) or not isinstance(item.get("kind"), str):
                raise ValueError(f"fault {number} must be an object with a kind")  # noqa: TRY004
            if unknown := sorted(set(map(str, item)) - names):
                known = ", ".join(sorted(names))
                raise ValueError(f"fault {number}: unknown field {unknown[0]!a}; known are {known}")
            try:
                found.append(Fault(**item))
            except ValueError as error:
                raise ValueError(f"fault {number}: {error}") from None
        return cls(tuple(found))


def _parse_fault(part: str) -> Fault:
    head, *rest = part.split(":")
    if "@" in head:
        raise ValueError("a number must come after a colon: restart:@50")
    match = cast("re.Match[str]", _HEAD.fullmatch(head))  # every text without : and @ matches
    parsed: dict[str, Any] = {"kind": match["kind"]}
    if match["status"]:
        kind = "after" if match["after"] else "status"
        parsed = {"kind": kind, "status": int(match["status"]), "code": match["code"]}
    elif match["kind"] in _TAKES_STATUS:
        raise ValueError("write a status as its number: 503, or after-503")
    if match["seconds"] is not None:
        parsed["seconds"] = _parse_number(match["seconds"])
    for token in rest:
        for name, value in _parse_condition(token):
            if name in parsed:
                raise ValueError(f"{token!a}: requests, a rate and a number may each be given once")
            parsed[name] = value
    return Fault(**parsed)


def _parse_condition(token: str) -> Iterator[tuple[str, Any]]:
    """Yield the kind of requests, the rate or the number of a fault's text."""
    if _DECIMAL.fullmatch(token):
        yield "rate", _parse_number(token)
        return
    match = _WHEN.fullmatch(token)
    if match is None or not token:
        raise ValueError(
            f"{token!a} must be one of {', '.join(SUBJECTS)}, or a rate, or @ and a number"
        )
    if match["on"]:
        yield "on", match["on"]
    if match["at"]:
        yield "at", int(match["at"])


def _parse_number(text: str) -> float:
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"{text!a} must be a decimal number")
    return float(text)


PRESETS: Final[dict[str, str]] = {
    "calm": "",
    "lossy": "refuse:0.02,drop-request:0.02,drop-reply:0.02,reset:0.02,truncate:0.01,garbage:0.01",
    "proxy": "duplicate:poll:0.1,twice:0.02,reorder:0.05,portal:0.01,after-502:0.01,delay=2:0.05",
    "sick": "500:0.01,500/5500:0.01,after-500/5500:0.01,503=2:0.01,503/5001:0.02,after-503:0.01,"
    "429=3:poll:0.02,400/5509:poll:0.02",
    "field": "redirect:0.01,not-found:0.02,busy:poll:0.02,bad-byte:0.03",
    "storm": "lossy,proxy,sick,field,delay=40:0.005,late=1:0.02,restart:0.002,"
    "jump=3600:0.001,jump=-3600:0.001",
}
"""Faults by name. With each of them, all that is sent arrives in the end."""
