"""How one object of the wire becomes one typed value, whatever its names are.

A shape is a row of `Read`s, and its hook takes what it can use, keeps the rest in `extra`, and
refuses the object only where a needed attribute could not be had. The same, sooner, for objects
that are just as they are meant: `glances`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any, Final, NamedTuple, TypeVar

from attrs import NOTHING, fields

from chatfsm._protocol import json_input
from chatfsm._values import assignment_lines, compile_function
from chatfsm.errors import DecodeError

__all__ = ["FastDecoder", "FieldSpec", "Parser", "Schema", "fast_decoders", "structure_hook"]

Parser = Callable[[object], Any]


class FieldSpec(NamedTuple):
    """One attribute: the reader of its value, and the wire's names for it, the usual one first."""

    attribute: str
    parser: Parser
    names: tuple[str, ...]


Schema = tuple[FieldSpec, ...]


def structure_hook(
    cls: type, schema: Schema, tag: str | None
) -> Callable[[Mapping[str, Any], Any], Any]:
    """A structure hook for cattrs: object in, `cls` out; ValueError says what is missing.

    `tag` is the field that names the kind of object: it is neither read nor kept, unless the
    shape reads it.
    """
    known_names: set[str | None] = {name for read in schema for name in read.names}
    unparsed_tag = {tag} - known_names - {None}
    known_names |= unparsed_tag
    required = {field.name for field in fields(cls) if field.default is NOTHING}
    required_fields = [read for read in schema if read.attribute in required]

    def structure(raw: Mapping[str, Any], _cls: object) -> Any:
        values: dict[str, Any] = {}
        unused: dict[str, str] = {}
        found = _parse_fields(raw, schema, values, unused)
        for read in required_fields:
            if read.attribute not in values:
                raise ValueError(_missing_reason(read, unused))
        if unused or found + len(unparsed_tag & raw.keys()) != len(raw):
            values["extra"] = _extra(raw, known_names, unused)
        return cls(**values)

    return structure


def _parse_fields(
    raw: Mapping[str, Any], schema: Schema, values: dict[str, Any], unused: dict[str, str]
) -> int:
    """Fill `values` with what can be used, and `unused` with why not; count the names met."""
    found = 0
    for attribute, reader, names in schema:
        for name in names:
            if name not in raw:
                continue
            found += 1
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
    return found


def _extra(
    raw: Mapping[str, Any], known: set[str | None], unused: dict[str, str]
) -> dict[str, Any]:
    extra = {key: raw[key] for key in raw if key not in known or key in unused}
    if any(deeper_than(MAX_DEPTH, value) for value in extra.values()):
        raise ValueError(f"holds something nested deeper than {MAX_DEPTH} levels")
    return extra


def _missing_reason(read: FieldSpec, unused: dict[str, str]) -> str:
    for name in read.names:
        if name in unused:
            return f"{name} {unused[name]}"
    return f"{read.names[0]} is missing"


# How one value of the wire is read: a reader takes what came and gives what the event holds.
#
# None means that the value says nothing (null, or "" where an empty value means missing). A value
# that cannot be used raises ValueError, and the codec keeps it as it came. Readers know no names
# of fields: those live in the codec alone.

Parsed = TypeVar("Parsed")

# Ids and names are remembered by sessions, so their length is part of what bounds the memory.
# Real ids have 36 characters at most and real names fewer than 100.
LONGEST_ID: Final = 1_024
LONGEST_NAME: Final = 4_096

# Under 10^11 a timestamp counts seconds, from there on milliseconds; both end in the year 5138.
FIRST_MILLISECONDS: Final = 1e11
_LAST_MILLISECONDS: Final = 1e14

# json.loads stops at about a thousand levels; what is kept and compared must stay well below.
MAX_DEPTH: Final = 32


def text(value: object) -> str | None:
    """Any text; a number is taken as its digits."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _digits(value)
    raise ValueError("is not text")


def identifier(value: object) -> str | None:
    """A text in which "" means missing, no longer than an id."""
    found = text(value)
    if found is not None and len(found) > LONGEST_ID:
        raise ValueError(f"is longer than {LONGEST_ID} characters")
    return found or None


def name(value: object) -> str | None:
    """What a person, form or service is called; "" stays ""."""
    found = text(value)
    if found is not None and len(found) > LONGEST_NAME:
        raise ValueError(f"is longer than {LONGEST_NAME} characters")
    return found


def number(value: object) -> float | None:
    """A finite number, as a number or as text."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("is not a number")
    try:
        found = float(value)
    except (ValueError, OverflowError):
        raise ValueError("is not a number") from None
    if not isfinite(found):
        raise ValueError("is not a finite number")
    return found


def seconds(value: object) -> float | None:
    """A length of time in seconds, 0 or more."""
    found = number(value)
    if found is not None and found < 0:
        raise ValueError("is negative")
    return found


def timestamp(value: object) -> float | None:
    """A moment in seconds since 1970, from seconds or milliseconds, as a number or as text.

    The specification says milliseconds, captured traffic has strings of seconds (PROTOCOL.md §2).
    """
    found = seconds(value)
    if found is None or found < FIRST_MILLISECONDS:
        return found
    if found < _LAST_MILLISECONDS:
        return found / 1000
    raise ValueError("is no time that a chat can have")


def integer(value: object) -> int | None:
    """A whole number, as a number or as text (sdpMLineIndex comes as both)."""
    found = number(value)
    if found is None:
        return None
    if not found.is_integer():
        raise ValueError("is not a whole number")
    return int(found)


def boolean(value: object) -> bool | None:
    """A truth value, as such or as "true" and "false" (offerVideo, is_new_chat)."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        lowered = value.lower()
        if lowered in {"true", "false"}:
            return lowered == "true"
        if not value:
            return None
    raise ValueError("is neither true nor false")


def discard(_value: object) -> None:
    """Whatever it is, it is not kept (what the customer filled in)."""


def name_suffix(event: object) -> str:
    """What the name of an event ends with."""
    return str(event).rpartition("_")[2]


def is_secure(event: object) -> bool:
    """Whether an event is, by its name, about a secure form."""
    return "_secure_" in str(event)


def json_object(value: object) -> dict[str, object]:
    """An object, or a JSON text of one (signaling `data` is documented as a text)."""
    if isinstance(value, str):
        try:
            value = json_input.parse(value)
        except DecodeError:
            raise ValueError("is not the JSON text of an object") from None
    if not isinstance(value, dict):
        raise ValueError("is not an object")
    return value


def parse_or_none(parser: Callable[[object], Parsed | None], value: object) -> Parsed | None:
    """What a reader makes of a value; None where it cannot use it."""
    try:
        return parser(value)
    except ValueError:
        return None


def deeper_than(levels: int, value: object) -> bool:
    """Whether lists and objects are nested in `value` more than so many levels deep."""
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, (list, tuple)):
        inner = value  # type: ignore[assignment]  # both are iterated, nothing more
    else:
        return False
    return levels == 0 or any(deeper_than(levels - 1, item) for item in inner)


def _digits(value: float) -> str:
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError("is not a finite number")
        if value.is_integer():
            return str(int(value))
    try:
        return str(value)
    except ValueError:  # an int of more digits than str() writes
        raise ValueError("is a number too long to write") from None


# What most objects of the wire become, seen at a glance.
#
# A glance is code made from a shape. It knows objects that are just as they are meant, which nearly
# all are, and leaves all others to the hook of the shape. What it costs is paid for every event, so
# it has no loops, hardly a call, and asks first what is most often so.

FastDecoder = Callable[[Mapping[str, Any]], Any]
"""An object in, a value out; None where that needs a closer look."""

# For a glance, as code. What a value `{0}` is that says nothing to its reader, and one that its
# reader does not give back just as it came, which is most often not so. Both bounds of a word in
# one look-up, which finds nothing for a longer one: 0.95 of the time of two comparisons.
_IS_EMPTY: Final = (True, *[False] * LONGEST_ID)
PASS_THROUGH_CHECKS: Final[dict[object, tuple[str, str]]] = {
    text: ("{0} is None", "{0}.__class__ is not str"),
    identifier: ('{0} is None or {0} == ""', "{0}.__class__ is not str or is_empty[len({0})]"),
    name: ("{0} is None", f"{{0}}.__class__ is not str or len({{0}}) > {LONGEST_NAME}"),
}
# And what gives the same as a reader that may be called at once, sooner for the usual texts; ""
# is usual for a length of time, which has to be finite.
INLINE_PARSERS: Final[dict[object, str]] = {
    timestamp: "found if {0}.__class__ is str and 0.0 <= (found := float({0}))"
    f" < {FIRST_MILLISECONDS!r} else read_{{0}}({{0}})",
    seconds: "found if {0}.__class__ is str and {0} and 0.0 <= (found := float({0}))"
    " < 1e300 else read_{0}({0})",
    number: "read_{0}({0})",
    discard: "None",
}


def fast_decoders(schemas: Mapping[str, tuple[type, Schema]], tag: str) -> dict[str, FastDecoder]:
    """The glance for each value of the tag, made when such an object is first met."""

    def deferred(name: str) -> FastDecoder:
        def look(raw: Mapping[str, Any]) -> Any:
            decoders[name] = _fast_decoder(*schemas[name], tag)
            return decoders[name](raw)

        return look

    decoders = {name: deferred(name) for name in schemas}
    return decoders


def _fast_decoder(cls: type, schema: Schema, tag: str) -> FastDecoder:
    """For objects that have the tag: what their hook gives, or None."""
    defaults = {known.name: known.default for known in fields(cls)}
    names: dict[str, Any] = {"NOTHING": NOTHING, "is_empty": _IS_EMPTY}
    field_lines = [line for read in schema for line in _field_lines(read, defaults, names, tag)]
    parsed = {read.attribute for read in schema}
    assignments, needed = assignment_lines(
        cls, {name: name if name in parsed else "NOTHING" for name in defaults}
    )
    body = (
        f"met = {len(schema) + all(tag not in read.names for read in schema)}",
        *field_lines,
        "if met != len(raw): return None",
        *assignments,
        "return self",
    )
    code = ["def glance(raw):", " try:", *(f"  {line}" for line in body)]
    code += [" except (LookupError, ValueError):", "  return None"]
    decoder: FastDecoder = compile_function("\n".join(code), names | needed, "glance")
    return decoder


def _field_lines(
    read: FieldSpec, defaults: Mapping[str, Any], names: dict[str, Any], tag: str
) -> Iterator[str]:
    """The lines that take one value, and give up where its reader has more to do.

    What is needed is taken without a question, since a glance gives up where it is missing.
    """
    value = read.attribute or "unread"
    name = read.names[0]
    default = defaults.get(read.attribute)
    names |= {f"read_{value}": read.parser, f"default_{value}": default}
    if default is NOTHING or tag in read.names:
        yield f"{value} = raw[{name!r}]"
        yield from _parse_lines(read, value, tag, "return None")
        return
    missing = f"{value} = None" if default is None else f"{value} = default_{value}"
    yield f"if {name!r} in raw:"
    yield f" {value} = raw[{name!r}]"
    yield from (f" {line}" for line in _parse_lines(read, value, tag, missing))
    yield f"else: met -= 1; {missing}"


def _parse_lines(read: FieldSpec, value: str, tag: str, missing: str) -> Iterator[str]:
    """The lines that make a value what its reader makes of it."""
    if read.parser in PASS_THROUGH_CHECKS:
        says_nothing, is_odd = (
            judgement.format(value) for judgement in PASS_THROUGH_CHECKS[read.parser]
        )
        yield f"if {is_odd}:"
        yield f" if {says_nothing}: {missing}"
        yield " else: return None"
    elif read.parser in INLINE_PARSERS:
        yield f"{value} = {INLINE_PARSERS[read.parser].format(value)}"
    elif tag in read.names:
        yield f"{value} = read_{value}({value})"
    else:
        yield f"if {value} is not None: return None"
        yield missing
