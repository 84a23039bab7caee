"""How one object of the wire becomes one typed value, whatever its names are.

A shape is a row of `Read`s, and two functions are made from it. The hook takes what it can use,
keeps the rest in `extra`, and refuses the object only where a needed attribute could not be had.
The glance knows objects that are just as they are meant, which nearly all are, and leaves all
others to the hook: what it costs is paid for every event, so it is code without loops and calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from attrs import NOTHING, fields

from chatfsm.frozen import compiled, filling
from chatfsm.protocol.readers import AS_IT_IS, AT_ONCE, DEEPEST, deeper_than

__all__ = ["Glance", "Read", "Reader", "Shape", "glance", "hook"]

Reader = Callable[[object], Any]


class Read(NamedTuple):
    """One attribute: the reader of its value, and the wire's names for it, the usual one first."""

    attribute: str
    reader: Reader
    names: tuple[str, ...]


Shape = tuple[Read, ...]

Glance = Callable[[Mapping[str, Any]], Any]
"""An object in, a value out; None where that needs a closer look."""


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


def glance(cls: type, shape: Shape, tag: str) -> Glance:
    """For objects that have the tag: what their hook gives, or None."""
    defaults = {known.name: known.default for known in fields(cls)}
    names: dict[str, Any] = {"NOTHING": NOTHING}
    looks = [line for read in shape for line in _look(read, defaults, names, tag)]
    found = {read.attribute for read in shape}
    fill, needs = filling(cls, {name: name if name in found else "NOTHING" for name in defaults})
    body = (
        f"met = {len(shape) + all(tag not in read.names for read in shape)}",
        *looks,
        "if met != len(raw): return None",
        *fill,
    )
    code = ["def glance(raw):", " get = raw.get", " try:", *(f"  {line}" for line in body)]
    code += [" except ValueError:", "  return None"]
    known: Glance = compiled("\n".join(code), names | needs, "glance")
    return known


def _look(
    read: Read, defaults: Mapping[str, Any], names: dict[str, Any], tag: str
) -> Iterator[str]:
    """The lines that take one value, and give up where its reader has more to do."""
    value = read.attribute or "unread"
    default = defaults.get(read.attribute)
    yield f"{value} = get({read.names[0]!r})"
    yield f"if {value} is None:"
    yield " met -= 1"
    if default is NOTHING:
        yield " return None"
    elif default is not None:
        names[f"default_{value}"] = default
        yield f" {value} = default_{value}"
    if read.reader in AS_IT_IS:
        yield f"elif not ({AS_IT_IS[read.reader].format(value)}): return None"
    elif read.reader in AT_ONCE:
        names[f"read_{value}"] = read.reader
        yield f"else: {value} = {AT_ONCE[read.reader].format(value)}"
    elif tag in read.names:
        names[f"read_{value}"] = read.reader
        yield f"else: {value} = read_{value}({value})"
    else:
        yield "else: return None"


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
