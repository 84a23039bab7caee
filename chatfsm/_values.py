"""How frozen values are built fast: as mutable twins of theirs, whose class is set at last.

attrs fills a frozen object through `object.__setattr__`, a call a field. A twin has the same
layout and plain assignment; once it is full it becomes what it is to be, and nobody ever sees it
before. Five fields, CPython 3.11, as ratios in one run: attrs 1, a twin behind the class's own
name 0.57, a twin that a `maker` fills 0.37, an object that is not frozen at all 0.34.

Where there is no global lock, setting a class stops the other threads: there attrs does it all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Final, TypeVar

from attrs import NOTHING, Attribute, fields

__all__ = ["assignment_lines", "compiled", "fast_constructor", "quicken"]

HAS_GIL: Final = getattr(sys, "_is_gil_enabled", lambda: True)()

Names = dict[str, Any]
Made = TypeVar("Made")

_NONE: Final[Mapping[str, type[Any]]] = {}


def quicken(classes: Iterable[type], *, twins_pay: bool = HAS_GIL) -> None:
    """Let frozen attrs classes be built by their twins, whoever calls them.

    They take and refuse what they did before. They cannot be subclassed any more: a twin is that
    of one class. TypeError for a class whose fields are checked or converted.
    """
    for cls in classes:
        if any(known.validator or known.converter for known in fields(cls)):
            raise TypeError(f"{cls.__name__} has checks that a twin would pass by")
        _refuse_twinless(cls)
        if twins_pay:
            _quicken(cls)


def fast_constructor(cls: type[Made], **inner: type[Any]) -> Callable[..., Made]:
    """A function that makes what `cls` does, without the detour through the class.

    It takes all by place, what is by name only last: CPython is slower with names. `inner`: the
    classes of fields that are made on the way; it takes what those are made of in their place.
    """
    parameters = [
        parameter
        for known in _in_order(cls)
        for parameter in _parameters(inner.get(known.name), known)
    ]
    made: Callable[..., Made] = _function(cls, "make", ", ".join(parameters), inner)
    return made


def _function(
    cls: type[Any], name: str, parameters: str, inner: Mapping[str, type[Any]] = _NONE
) -> Any:
    lines: list[str] = []
    names: Names = {"NOTHING": NOTHING}
    for into, made_of in {**inner, "made": cls}.items():
        fill, needs = assignment_lines(
            made_of, {known.name: known.name for known in fields(made_of)}, into
        )
        lines += fill
        names |= needs
    code = [f"def {name}({parameters}):", *(f"    {line}" for line in lines), "    return made"]
    return compiled("\n".join(code), names, name)


def _quicken(cls: type[Any]) -> None:
    """Put the twin in place when the first value is made: most programs make few kinds."""
    as_attrs_does = wraps(cls.__init__)

    @as_attrs_does
    def first(_: type, *arguments: object, **named: object) -> Any:
        cls.__new__ = as_attrs_does(_built_by_twin(cls))
        return cls(*arguments, **named)

    replaced = {
        "__new__": first,
        "__init__": object.__init__,
        "__init_subclass__": classmethod(_refuse_subclass),
        "__getnewargs_ex__": _arguments,  # what copies and pickles begin with
    }
    for name, value in replaced.items():
        setattr(cls, name, value)


def _built_by_twin(cls: type[Any]) -> Callable[..., Any]:
    placed = [known for known in fields(cls) if not known.kw_only]
    parameters = ["_", *(_parameter(known) for known in _in_order(cls))]
    if len(placed) < len(fields(cls)):
        parameters.insert(len(placed) + 1, "*")
    made: Callable[..., Any] = _function(cls, "__new__", ", ".join(parameters))
    return made


def assignment_lines(
    cls: type[Any], values: Mapping[str, str], into: str = "made", *, twins_pay: bool = HAS_GIL
) -> tuple[list[str], Names]:
    """Lines of code that make an object, under the name of `into`, and the names that they use.

    `values`: an expression for each field; one that is `NOTHING` is the field's own default.
    """
    names: Names = {f"{into}_cls": cls}
    given = {known.name: _or_made(known, values[known.name], names) for known in fields(cls)}
    if not twins_pay:
        arguments = ", ".join(f"{name}={value}" for name, value in given.items())
        return [f"{into} = {into}_cls({arguments})"], names
    names[f"{into}_twin"] = _twin_of(cls)
    assignments = (f"{into}.{name} = {value}" for name, value in given.items())
    return [f"{into} = {into}_twin()", *assignments, f"{into}.__class__ = {into}_cls"], names


def compiled(code: str, names: Names, name: str) -> Any:
    """What `code` defines as `name`, with these names around it. Never code from outside."""
    exec(code, names)  # noqa: S102  # written here, from fields of our own classes
    return names[name]


def _refuse_twinless(cls: type[Any]) -> None:
    if "__weakref__" in cls.__slots__ and len(cls.__slots__) > 1:
        # CPython counts the places of fields or that of weak references, not both at once.
        raise TypeError(f"{cls.__name__} needs weakref_slot=False to have a twin")


def _twin_of(cls: type[Any]) -> type:
    plain = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    return type(cls.__name__, cls.__bases__, {"__slots__": cls.__slots__, **plain})


def _or_made(known: Attribute[Any], value: str, names: Names) -> str:
    """A value, or what the field's factory makes where none is given."""
    make = getattr(known.default, "factory", None)
    if make is None:
        return value
    names[f"make_{known.name}"] = make
    made = "{}" if make is dict else f"make_{known.name}()"
    return made if value == "NOTHING" else f"{made} if {value} is NOTHING else {value}"


def _in_order(cls: type) -> list[Attribute[Any]]:
    """The fields, those that are given by name only last."""
    return sorted(fields(cls), key=lambda known: known.kw_only or False)


def _parameters(inner: type | None, known: Attribute[Any]) -> list[str]:
    """The parameter of a field, or those of what the field is made of."""
    return [_parameter(known)] if inner is None else [_parameter(part) for part in _in_order(inner)]


def _parameter(known: Attribute[Any]) -> str:
    if known.default is NOTHING:
        return known.name
    is_made = getattr(known.default, "factory", None) is not None
    return f"{known.name}={'NOTHING' if is_made else repr(known.default)}"


def _arguments(self: Any) -> tuple[tuple[()], Names]:
    return (), {known.name: getattr(self, known.name) for known in fields(type(self))}


def _refuse_subclass(cls: type, /, **_options: object) -> None:
    raise TypeError(f"{cls.__bases__[0].__name__} is final")
