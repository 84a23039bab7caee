"""Structuring: JSON objects to typed values, by schemas. Knows no field names of the wire.

A schema lists the fields of a class. Its structure hook parses what it can, keeps the rest in
`extra`, and refuses the object only if a required field is missing or invalid. Its fast decoder
does the same for well-formed objects alone, in less time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from math import isfinite
from typing import Any, Final, NamedTuple, TypeVar

from attrs import NOTHING, fields

from chatfsm._protocol import json_input
from chatfsm._values import assignment_lines, compile_function
from chatfsm.errors import DecodeError

__all__ = ["FastDecoder", "FieldSpec", "Parser", "Schema", "fast_decoders", "structure_hook"]

Parser = Callable[[object], Any]


class FieldSpec(NamedTuple):
    """A field: its attribute, the parser of its value, and its names on the wire."""

    attribute: str
    """Attribute of the class; "" for a field that is parsed but not kept."""
    parser: Parser
    names: tuple[str, ...]
    """The usual name first, then names that some servers use."""


Schema = tuple[FieldSpec, ...]


def structure_hook(
    cls: type, schema: Schema, tag: str | None
) -> Callable[[Mapping[str, Any], Any], Any]:
    """Return a structure hook for cattrs: a JSON object in, a `cls` out.

    `tag`: the field that names the kind of object; ignored, unless the schema has it. The hook
    raises ValueError that names a missing or invalid required field.
    """
    known_names: set[str | None] = {name for spec in schema for name in spec.names}
    unparsed_tag = {tag} - known_names - {None}
    known_names |= unparsed_tag
    required = {field.name for field in fields(cls) if field.default is NOTHING}
    required_fields = [spec for spec in schema if spec.attribute in required]

    def structure(raw: Mapping[str, Any], _cls: object) -> Any:
        values: dict[str, Any] = {}
        unused: dict[str, str] = {}
        found = _parse_fields(raw, schema, values, unused)
        for spec in required_fields:
            if spec.attribute not in values:
                raise ValueError(_missing_reason(spec, unused))
        if unused or found + len(unparsed_tag & raw.keys()) != len(raw):
            values["extra"] = _extra(raw, known_names, unused)
        return cls(**values)

    return structure


def _parse_fields(
    raw: Mapping[str, Any], schema: Schema, values: dict[str, Any], unused: dict[str, str]
) -> int:
    """Fill `values` with parsed values and `unused` with the reasons for the rest.

    Returns the number of fields of `raw` that the schema has.
    """
    found = 0
    for attribute, parser, names in schema:
        for name in names:
            if name not in raw:
                continue
            found += 1
            try:
                value = parser(raw[name])
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


def _missing_reason(spec: FieldSpec, unused: dict[str, str]) -> str:
    for name in spec.names:
        if name in unused:
            return f"{name} {unused[name]}"
    return f"{spec.names[0]} is missing"


# Parsers: one value of the wire to one value of an event. They return None for a value that counts
# as missing, and raise ValueError for one that is invalid, which the hook then keeps in `extra`.

Parsed = TypeVar("Parsed")

# Sessions keep ids and names, so a limit on their length is part of the limit on memory. Real ids
# have 36 characters at most and real names fewer than 100.
LONGEST_ID: Final = 1_024
LONGEST_NAME: Final = 4_096

# A timestamp below 10^11 is in seconds, from there on in milliseconds; both end in the year 5138.
FIRST_MILLISECONDS: Final = 1e11
LAST_MILLISECONDS: Final = 1e14

# json.loads allows about a thousand levels; values that are kept and compared need a lower limit.
MAX_DEPTH: Final = 32


def text(value: object) -> str | None:
    """Parse a text; a number becomes its digits."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _digits(value)
    raise ValueError("is not text")


def identifier(value: object) -> str | None:
    """Parse an id or another short text; "" counts as missing."""
    found = text(value)
    if found is not None and len(found) > LONGEST_ID:
        raise ValueError(f"is longer than {LONGEST_ID} characters")
    return found or None


def name(value: object) -> str | None:
    """Parse the name of a person, form or service; "" stays ""."""
    found = text(value)
    if found is not None and len(found) > LONGEST_NAME:
        raise ValueError(f"is longer than {LONGEST_NAME} characters")
    return found


def url(value: object) -> str | None:
    """Parse a URL, no longer than a name; "" counts as missing."""
    return name(value) or None


def number(value: object) -> float | None:
    """Parse a finite number, given as a number or as text; "" counts as missing."""
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
    """Parse a duration in seconds, 0 or more."""
    found = number(value)
    if found is None:
        return None
    if found < 0:
        raise ValueError("is negative")
    return found + 0.0  # never -0.0


def timestamp(value: object) -> float | None:
    """Parse a time to seconds since 1970, from seconds or milliseconds, as a number or as text.

    The specification has milliseconds, captured traffic has strings of seconds (PROTOCOL.md §2).
    """
    found = seconds(value)
    if found is None or found < FIRST_MILLISECONDS:
        return found
    if found < LAST_MILLISECONDS:
        return found / 1000
    raise ValueError("is no time that a chat can have")


def integer(value: object) -> int | None:
    """Parse an integer, given as a number or as text; sdpMLineIndex comes as both."""
    found = number(value)
    if found is None:
        return None
    if not found.is_integer():
        raise ValueError("is not a whole number")
    return int(found)


def boolean(value: object) -> bool | None:
    """Parse a boolean, or "true" and "false"; offerVideo and is_new_chat come as both."""
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
    """Discard a value, such as the customer's answers to a form."""


def name_suffix(event: object) -> str:
    """Return the last part of an event's name, after the last underscore."""
    return str(event).rpartition("_")[2]


def is_not_text(data: object) -> bool:
    """Whether the data of a form has answers: a plain text is an error (PROTOCOL.md §3)."""
    return not isinstance(data, str)


def is_secure(event: object) -> bool:
    """Whether an event's name says that its form is secure."""
    return "_secure_" in str(event)


def json_object(value: object) -> dict[str, object]:
    """Parse a JSON object, or a JSON text of one: signaling `data` is documented as a text."""
    if isinstance(value, str):
        try:
            value = json_input.parse(value)
        except DecodeError:
            raise ValueError("is not the JSON text of an object") from None
    if not isinstance(value, dict):
        raise ValueError("is not an object")
    return value


def parse_or_none(parser: Callable[[object], Parsed | None], value: object) -> Parsed | None:
    """Return the parsed value; None if it is invalid."""
    try:
        return parser(value)
    except ValueError:
        return None


def deeper_than(levels: int, value: object) -> bool:
    """Whether lists and objects are nested deeper than `levels` in a value."""
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


# Fast decoders: one generated function per event type. Each handles well-formed objects, which
# nearly all are, and returns None for the rest, which the structure hook then handles.

FastDecoder = Callable[[Mapping[str, Any]], Any]
"""A function from a JSON object to a value; None if the structure hook has to do it."""

# A lookup by length answers two questions about an identifier: whether it is empty, and whether it
# is too long (IndexError). It takes 0.95 of the time of two comparisons in a fast decoder.
_IS_EMPTY: Final = (True, *[False] * LONGEST_ID)
# For parsers that return most values unchanged, as code with the value for {0}: whether the value
# counts as missing, and whether it is not returned unchanged. The second is asked first.
PASS_THROUGH_CHECKS: Final[dict[object, tuple[str, str]]] = {
    text: ("{0} is None", "{0}.__class__ is not str"),
    identifier: ('{0} is None or {0} == ""', "{0}.__class__ is not str or is_empty[len({0})]"),
    name: ("{0} is None", f"{{0}}.__class__ is not str or len({{0}}) > {LONGEST_NAME}"),
    url: (
        '{0} is None or {0} == ""',
        f"{{0}}.__class__ is not str or not 0 < len({{0}}) <= {LONGEST_NAME}",
    ),
}
# For other parsers, as code with the value for {0}: an expression with the result of the parser.
# It handles the usual texts of digits inline, and calls the parser for the rest.
INLINE_PARSERS: Final[dict[object, str]] = {
    timestamp: "found if {0}.__class__ is str and 0.0 < (found := float({0}))"
    f" < {FIRST_MILLISECONDS!r} else parse_{{0}}({{0}})",
    seconds: "found if {0}.__class__ is str and {0} and 0.0 < (found := float({0}))"
    " < 1e300 else parse_{0}({0})",
    number: "parse_{0}({0})",
    discard: "None",
    is_not_text: "{0}.__class__ is not str",
}


def fast_decoders(
    schemas: Mapping[str, tuple[type, Schema]], tag: str, reserved: Iterable[str]
) -> dict[str, FastDecoder]:
    """Return a fast decoder for each value of the tag, generated when it is first called.

    `reserved`: unknown fields that are left to the structure hook.
    """

    def deferred(name: str) -> FastDecoder:
        def generate_and_decode(raw: Mapping[str, Any]) -> Any:
            decoders[name] = _fast_decoder(*schemas[name], tag, reserved)
            return decoders[name](raw)

        return generate_and_decode

    decoders = {name: deferred(name) for name in schemas}
    return decoders


def _fast_decoder(cls: type, schema: Schema, tag: str, reserved: Iterable[str]) -> FastDecoder:
    """Return a function that decodes an object as the structure hook does, or returns None.

    It counts down from the number of names of the schema; other fields go to `extra`.
    """
    defaults = {known.name: known.default for known in fields(cls)}
    names: dict[str, Any] = {"NOTHING": NOTHING, "is_empty": _IS_EMPTY}
    field_lines = [line for spec in schema for line in _field_lines(spec, defaults, names, tag)]
    parsed = {spec.attribute for spec in schema} | {"extra"}
    known_names = {tag, *reserved, *(name for spec in schema for name in spec.names)}
    names["unknown_fields"] = partial(_unknown_fields, known_names)
    assignments, needed = assignment_lines(
        cls, {name: name if name in parsed else "NOTHING" for name in defaults}
    )
    body = (
        f"expected = {len(schema) + all(tag not in spec.names for spec in schema)}",
        *field_lines,
        "extra = NOTHING if expected == len(raw) else unknown_fields(raw, expected)",
        *assignments,
        "return self",
    )
    code = ["def decode(raw):", " try:", *(f"  {line}" for line in body)]
    code += [" except (LookupError, ValueError):", "  return None"]
    decoder: FastDecoder = compile_function("\n".join(code), names | needed, "decode")
    return decoder


def _unknown_fields(known: set[str], raw: Mapping[str, Any], expected: int) -> dict[str, Any]:
    """Return the fields that are not known. Raises ValueError if the hook has to.

    That is for second names of fields, for what may be nested too deep, and for floats, which
    orjson also makes of large integers.
    """
    extra = {name: raw[name] for name in raw if name not in known}
    if expected + len(extra) != len(raw) or not _SIMPLE.issuperset(map(type, extra.values())):
        raise ValueError
    return extra


_SIMPLE: Final = {str, int, bool, type(None)}


def _field_lines(
    spec: FieldSpec, defaults: Mapping[str, Any], names: dict[str, Any], tag: str
) -> Iterator[str]:
    """Yield the lines that parse one field, or return None if the hook has to.

    A required field is looked up without a check: the decoder catches the LookupError.
    """
    value = spec.attribute or "discarded"
    name = spec.names[0]
    default = defaults.get(spec.attribute)
    names |= {f"parse_{value}": spec.parser, f"default_{value}": default}
    if default is NOTHING or tag in spec.names:
        yield f"{value} = raw[{name!r}]"
        yield from _parse_lines(spec, value, tag, "return None")
        return
    missing = f"{value} = None" if default is None else f"{value} = default_{value}"
    yield f"if {name!r} in raw:"
    yield f" {value} = raw[{name!r}]"
    yield from (f" {line}" for line in _parse_lines(spec, value, tag, missing))
    yield f"else: expected -= 1; {missing}"


def _parse_lines(spec: FieldSpec, value: str, tag: str, missing: str) -> Iterator[str]:
    """Yield the lines that replace a value by what its parser returns."""
    if spec.parser in PASS_THROUGH_CHECKS:
        counts_as_missing, is_changed = (
            check.format(value) for check in PASS_THROUGH_CHECKS[spec.parser]
        )
        yield f"if {is_changed}:"
        yield f" if {counts_as_missing}: {missing}"
        yield " else: return None"
    elif spec.parser in INLINE_PARSERS:
        yield f"{value} = {INLINE_PARSERS[spec.parser].format(value)}"
    elif tag in spec.names:
        yield f"{value} = parse_{value}({value})"
    else:
        yield f"if {value} is not None: return None"
        yield missing
