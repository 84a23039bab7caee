"""How one object of the wire becomes one typed value, whatever its names are.

A shape is a row of `Read`s, and its hook takes what it can use, keeps the rest in `extra`, and
refuses the object only where a needed attribute could not be had. The same, sooner, for objects
that are just as they are meant: `glances`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from attrs import NOTHING, fields

from chatfsm.protocol.readers import DEEPEST, deeper_than

__all__ = ["Read", "Reader", "Shape", "hook"]

Reader = Callable[[object], Any]


class Read(NamedTuple):
    """One attribute: the reader of its value, and the wire's names for it, the usual one first."""

    attribute: str
    reader: Reader
    names: tuple[str, ...]


Shape = tuple[Read, ...]


def hook(cls: type, shape: Shape, tag: str | None) -> Callable[[Mapping[str, Any], Any], Any]:
    """A structure hook for cattrs: object in, `cls` out; ValueError says what is missing.

    `tag` is the field that names the kind of object: it is neither read nor kept, unless the
    shape reads it.
    """
    known: set[str | None] = {name for read in shape for name in read.names}
    unread = {tag} - known - {None}
    known |= unread
    required = {field.name for field in fields(cls) if field.default is NOTHING}
    needed = [read for read in shape if read.attribute in required]

    def structure(raw: Mapping[str, Any], _cls: object) -> Any:
        values: dict[str, Any] = {}
        unused: dict[str, str] = {}
        met = _take(raw, shape, values, unused)
        for read in needed:
            if read.attribute not in values:
                raise ValueError(_what_lacks(read, unused))
        if unused or met + len(unread & raw.keys()) != len(raw):
            values["extra"] = _extra(raw, known, unused)
        return cls(**values)

    return structure


def _take(
    raw: Mapping[str, Any], shape: Shape, values: dict[str, Any], unused: dict[str, str]
) -> int:
    """Fill `values` with what can be used, and `unused` with why not; count the names met."""
    met = 0
    for attribute, reader, names in shape:
        for name in names:
            if name not in raw:
                continue
            met += 1
            try:
                value = reader(raw[name])
            except ValueError as error:
                unused[name] = str(error)
                continue
            if value is None:
                continue
            if attribute in values:
                unused[name] = "is given twice"
            else:
                values[attribute] = value
    return met


def _extra(
    raw: Mapping[str, Any], known: set[str | None], unused: dict[str, str]
) -> dict[str, Any]:
    extra = {key: raw[key] for key in raw if key not in known or key in unused}
    if any(deeper_than(DEEPEST, value) for value in extra.values()):
        raise ValueError(f"holds something nested deeper than {DEEPEST} levels")
    return extra


def _what_lacks(read: Read, unused: dict[str, str]) -> str:
    for name in read.names:
        if name in unused:
            return f"{name} {unused[name]}"
    return f"{read.names[0]} is missing"
