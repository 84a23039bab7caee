"""What most objects of the wire become, seen at a glance.

A glance is code made from a shape. It knows objects that are just as they are meant, which nearly
all are, and leaves all others to the hook of the shape. What it costs is paid for every event, so
it has no loops, hardly a call, and asks first what is most often so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import NOTHING, fields

from chatfsm.frozen import compiled, filling
from chatfsm.protocol import readers as r
from chatfsm.protocol.shapes import Read, Shape

__all__ = ["Glance", "glances"]

Glance = Callable[[Mapping[str, Any]], Any]
"""An object in, a value out; None where that needs a closer look."""

# For a glance, as code. What a value `{0}` is that says nothing to its reader, and one that its
# reader does not give back just as it came, which is most often not so. Both bounds of a word in
# one look-up, which finds nothing for a longer one: 0.95 of the time of two comparisons.
_IS_EMPTY: Final = (True, *[False] * r.LONGEST_ID)
AS_IT_IS: Final[dict[object, tuple[str, str]]] = {
    r.text: ("{0} is None", "{0}.__class__ is not str"),
    r.word: ('{0} is None or {0} == ""', "{0}.__class__ is not str or is_empty[len({0})]"),
    r.name: ("{0} is None", f"{{0}}.__class__ is not str or len({{0}}) > {r.LONGEST_NAME}"),
}
# And what gives the same as a reader that may be called at once, sooner for the usual texts; ""
# is usual for a length of time, which has to be finite.
AT_ONCE: Final[dict[object, str]] = {
    r.timestamp: "found if {0}.__class__ is str and 0.0 <= (found := float({0}))"
    f" < {r.FIRST_MILLISECONDS!r} else read_{{0}}({{0}})",
    r.seconds: "found if {0}.__class__ is str and {0} and 0.0 <= (found := float({0}))"
    " < 1e300 else read_{0}({0})",
    r.number: "read_{0}({0})",
    r.dropped: "None",
}


def glances(known: Mapping[str, tuple[type, Shape]], tag: str) -> dict[str, Glance]:
    """The glance for each value of the tag, made when such an object is first met."""

    def first(name: str) -> Glance:
        def look(raw: Mapping[str, Any]) -> Any:
            made[name] = _glance(*known[name], tag)
            return made[name](raw)

        return look

    made = {name: first(name) for name in known}
    return made


def _glance(cls: type, shape: Shape, tag: str) -> Glance:
    """For objects that have the tag: what their hook gives, or None."""
    defaults = {known.name: known.default for known in fields(cls)}
    names: dict[str, Any] = {"NOTHING": NOTHING, "is_empty": _IS_EMPTY}
    looks = [line for read in shape for line in _look(read, defaults, names, tag)]
    found = {read.attribute for read in shape}
    fill, needs = filling(cls, {name: name if name in found else "NOTHING" for name in defaults})
    body = (
        f"met = {len(shape) + all(tag not in read.names for read in shape)}",
        *looks,
        "if met != len(raw): return None",
        *fill,
        "return made",
    )
    code = ["def glance(raw):", " try:", *(f"  {line}" for line in body)]
    code += [" except (LookupError, ValueError):", "  return None"]
    known: Glance = compiled("\n".join(code), names | needs, "glance")
    return known


def _look(
    read: Read, defaults: Mapping[str, Any], names: dict[str, Any], tag: str
) -> Iterator[str]:
    """The lines that take one value, and give up where its reader has more to do.

    What is needed is taken without a question, since a glance gives up where it is missing.
    """
    value = read.attribute or "unread"
    name = read.names[0]
    default = defaults.get(read.attribute)
    names |= {f"read_{value}": read.reader, f"default_{value}": default}
    if default is NOTHING or tag in read.names:
        yield f"{value} = raw[{name!r}]"
        yield from _judged(read, value, tag, "return None")
        return
    missing = f"{value} = None" if default is None else f"{value} = default_{value}"
    yield f"if {name!r} in raw:"
    yield f" {value} = raw[{name!r}]"
    yield from (f" {line}" for line in _judged(read, value, tag, missing))
    yield f"else: met -= 1; {missing}"


def _judged(read: Read, value: str, tag: str, missing: str) -> Iterator[str]:
    """The lines that make a value what its reader makes of it."""
    if read.reader in AS_IT_IS:
        says_nothing, is_odd = (judgement.format(value) for judgement in AS_IT_IS[read.reader])
        yield f"if {is_odd}:"
        yield f" if {says_nothing}: {missing}"
        yield " else: return None"
    elif read.reader in AT_ONCE:
        yield f"{value} = {AT_ONCE[read.reader].format(value)}"
    elif tag in read.names:
        yield f"{value} = read_{value}({value})"
    else:
        yield f"if {value} is not None: return None"
        yield missing
