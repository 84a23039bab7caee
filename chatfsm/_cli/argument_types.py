"""Argument types: the values that options take, checked and converted for argparse."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from math import isfinite
from typing import Final

from chatfsm.replay import COVERAGE_PARTS, FINDINGS

__all__ = [
    "MAX_JOBS",
    "agent_count",
    "coverage_parts",
    "domain",
    "finding_kinds",
    "form_fields",
    "integer",
    "job_count",
    "origin",
    "percent",
    "port",
    "row_count",
    "seconds",
    "speed",
    "text",
]

MAX_JOBS: Final = 64
"""Worker processes: more than any machine has use for, at 30 MB each."""
_MAX_AGENTS: Final = 10_000
_MAX_PORT: Final = 65_535
# Beyond these a hold of 15 seconds takes hours, or is shorter than one reading of the clock.
_MIN_SPEED: Final = 0.001
_MAX_SPEED: Final = 10_000.0


def text(value: str) -> str:
    """Return the value, which must not be empty."""
    if not value:
        raise ArgumentTypeError("must not be empty")
    return value


def integer(value: str) -> int:
    """Parse a whole number of either sign."""
    if not value.removeprefix("-").isdecimal():
        raise ArgumentTypeError(f"must be a whole number, not {value!r}")
    return int(value)


def seconds(value: str) -> float:
    """Parse a number of seconds greater than 0."""
    number = _number(value)
    if number <= 0:
        raise ArgumentTypeError(f"must be greater than 0 seconds, not {value!r}")
    return number


def speed(value: str) -> float:
    """Parse a factor of the speed of time."""
    number = _number(value)
    if not _MIN_SPEED <= number <= _MAX_SPEED:
        raise ArgumentTypeError(
            f"must be a number from {_MIN_SPEED:g} to {_MAX_SPEED:g}, not {value!r}"
        )
    return number


def percent(value: str) -> float:
    """Parse a number from 0 to 100."""
    number = _number(value)
    if not 0 <= number <= 100:  # noqa: PLR2004  # what a percentage is
        raise ArgumentTypeError(f"must be a number from 0 to 100, not {value!r}")
    return number


def _number(value: str) -> float:
    """Parse a finite number; -1, which no option takes, for anything else."""
    try:
        number = float(value)
    except ValueError:
        return -1.0
    return number if isfinite(number) else -1.0


def row_count(value: str) -> int:
    """Parse a number of rows; 0 stands for all."""
    if not value.isdecimal():
        raise ArgumentTypeError(f"must be a whole number, 0 or more, not {value!r}")
    return int(value)


def job_count(value: str) -> int:
    """Parse a number of worker processes."""
    if not value.isdecimal() or not 1 <= int(value) <= MAX_JOBS:
        raise ArgumentTypeError(f"must be a whole number from 1 to {MAX_JOBS}, not {value!r}")
    return int(value)


def agent_count(value: str) -> int:
    """Return the number of agents, or of an agent's chats. Raises ArgumentTypeError."""
    if not re.fullmatch(r"[0-9]{1,9}", value) or not 1 <= int(value) <= _MAX_AGENTS:
        raise ArgumentTypeError(f"must be a whole number from 1 to {_MAX_AGENTS}, not {value!r}")
    return int(value)


def domain(value: str) -> str:
    """Return the domain of a tenant, given as such or as a URL. Raises ArgumentTypeError."""
    from chatfsm.simulator.tenants import domain_of  # noqa: PLC0415  # for `simulate` only

    found = domain_of(value)
    if not re.fullmatch(r"[a-z0-9_.-]{1,253}", found):
        raise ArgumentTypeError(f"must be a domain, or a URL with one, not {value!r}")
    return found


def origin(value: str) -> str:
    """Return the origin of a page. Raises ArgumentTypeError."""
    from chatfsm.simulator.server.access import is_origin  # noqa: PLC0415  # for `simulate` only

    if not is_origin(value):
        raise ArgumentTypeError(f"must be like https://shop.example, or null or *, not {value!r}")
    return value


def port(value: str) -> int:
    """Parse the number of a TCP port; 0 stands for any free one."""
    if not value.isdecimal() or int(value) > _MAX_PORT:
        raise ArgumentTypeError(f"must be a port from 0 to {_MAX_PORT}, not {value!r}")
    return int(value)


def finding_kinds(value: str) -> tuple[str, ...]:
    """Parse kinds of findings, separated by commas; "any" stands for all of them."""
    kinds = tuple(kind.strip() for kind in value.split(","))
    allowed = (*FINDINGS, "any")
    for kind in kinds:
        if kind not in allowed:
            raise ArgumentTypeError(f"must be one of {', '.join(allowed)}, not {kind!r}")
    return FINDINGS if "any" in kinds else kinds


def coverage_parts(value: str) -> tuple[str, ...]:
    """Parse parts of a coverage, separated by commas."""
    parts = tuple(part.strip() for part in value.split(","))
    for part in parts:
        if part not in COVERAGE_PARTS:
            raise ArgumentTypeError(f"must be one of {', '.join(COVERAGE_PARTS)}, not {part!r}")
    return parts


def form_fields(value: str) -> tuple[str, tuple[str, ...]]:
    """Parse the name of a form and the names of its fields."""
    name, equals, rest = value.partition("=")
    fields = tuple(part.strip() for part in rest.split(","))
    if not name.strip() or not equals or not all(fields) or len({*fields}) != len(fields):
        raise ArgumentTypeError(f"must be NAME=FIELD,FIELD with each field once, not {value!r}")
    return name.strip(), fields
