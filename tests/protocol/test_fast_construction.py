"""Generated constructors build the same frozen values as attrs."""

from __future__ import annotations

import copy
import pickle
from typing import Any, get_args

import attrs
import pytest

from chatfsm import effects, events
from chatfsm._values import assignment_lines, compile_function, fast_constructor
from chatfsm.models import ChatMessage, Form, Party

VALUES = (*get_args(effects.Effect), *get_args(events.Event), Party, Form, ChatMessage)


@attrs.frozen(kw_only=True)
class Base:
    late: bool = attrs.field(default=False, repr=False)


@attrs.frozen
class Made(Base):
    """A class like those of chatfsm."""

    one: str
    two: int | None = None
    extra: dict[str, object] = attrs.field(factory=dict, hash=False)


def by_attrs(cls: type) -> Any:
    """An object of a class, with a text in every field."""
    return cls(**{field.name: f"<{field.name}>" for field in attrs.fields(cls)})


def by_fast_constructor(cls: type) -> Any:
    """The same object by the generated constructor."""
    return fast_constructor(cls)(**{field.name: f"<{field.name}>" for field in attrs.fields(cls)})


@pytest.mark.parametrize("make", [by_attrs, by_fast_constructor])
@pytest.mark.parametrize("cls", VALUES, ids=lambda cls: cls.__name__)
def test_a_value_has_the_given_fields(cls: type, make: Any) -> None:
    """Each field has the given value and is immutable; the class is unchanged."""
    value = make(cls)
    assert type(value) is cls
    assert value == by_attrs(cls)
    for field in attrs.fields(cls):
        assert getattr(value, field.name) == f"<{field.name}>"
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, None)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            delattr(value, field.name)


@pytest.mark.parametrize("make", [by_attrs, by_fast_constructor])
@pytest.mark.parametrize("cls", VALUES, ids=lambda cls: cls.__name__)
def test_a_value_can_be_copied_and_pickled(cls: type, make: Any) -> None:
    """Copies, pickles and `evolve` give equal values of the same class."""
    value = make(cls)
    for other in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):  # noqa: S301  # made in the line before
        assert other == value
        assert type(other) is cls
    assert attrs.evolve(value) == value


def test_defaults_are_those_of_the_class() -> None:
    """Constant defaults are shared; the results of a factory are not."""
    make = fast_constructor(Made)
    first, second = make("a"), make("a")
    assert first == second == make(one="a", two=None, extra={}, late=False) == Made("a")
    assert first.extra is not second.extra
    assert (first.two, first.late) == (None, False)


@pytest.mark.parametrize(
    ("arguments", "named", "message"),
    [
        ((), {}, "missing 1 required positional argument: 'one'"),
        (("a", 1, {}, True, 5), {}, "takes from 1 to 4 positional arguments but 5"),
        (("a",), {"other": 1}, "unexpected keyword argument 'other'"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: tuple[Any, ...], named: dict[str, Any], message: str
) -> None:
    """The error has the name of the class, as that of attrs has."""
    with pytest.raises(TypeError, match=message) as caught:
        fast_constructor(Made)(*arguments, **named)
    assert "Made" in str(caught.value)


@pytest.mark.parametrize("has_gil", [True, False])
def test_a_class_with_validators_is_refused(has_gil: bool) -> None:
    """A class with validators or converters is refused."""

    @attrs.frozen(weakref_slot=False)
    class Checked:
        one: str = attrs.field(validator=attrs.validators.instance_of(str))

    @attrs.frozen(weakref_slot=False)
    class Converted:
        one: str = attrs.field(converter=str)

    for cls in (Checked, Converted):
        with pytest.raises(TypeError, match=f"{cls.__name__} has validators or converters"):
            fast_constructor(cls, has_gil=has_gil)


def test_a_class_with_weak_references_is_refused() -> None:
    """A class with a slot for weak references is refused: CPython cannot assign its `__class__`."""

    @attrs.frozen
    class Referred:
        one: str

    with pytest.raises(TypeError, match="weakref_slot=False"):
        fast_constructor(Referred)


@pytest.mark.parametrize("has_gil", [True, False])
def test_without_the_gil_the_same_value_is_made(has_gil: bool) -> None:
    """Without the GIL, attrs builds the value."""

    @attrs.frozen(weakref_slot=False)
    class Plain:
        one: str
        extra: dict[str, object] = attrs.field(factory=dict)

    values = {"one": "one", "extra": "NOTHING"}
    lines, names = assignment_lines(Plain, values, has_gil=has_gil)
    code = "\n".join(("def make(one):", *(f" {line}" for line in lines), " return self"))
    made_value = compile_function(code, names | {"NOTHING": attrs.NOTHING}, "make")("a")
    assert made_value == Plain("a") == fast_constructor(Plain, has_gil=has_gil)("a")
    assert type(made_value) is Plain


@pytest.mark.parametrize("has_gil", [True, False])
def test_an_inner_value_is_built_from_its_fields(has_gil: bool) -> None:
    """A constructor can build an inner value from its fields, with their defaults."""

    @attrs.frozen(weakref_slot=False)
    class Inner:
        one: str
        other: dict[str, object] = attrs.field(factory=dict)

    @attrs.frozen(weakref_slot=False)
    class Outer:
        inner: Inner
        more: int = 3
        last: bool = attrs.field(default=False, kw_only=True)

    make = fast_constructor(Outer, has_gil=has_gil, inner=Inner)
    assert make("a", {"b": 1}, 5, True) == Outer(Inner("a", {"b": 1}), 5, last=True)
    assert make("a") == Outer(Inner("a"))
    assert make("a").inner.other is not make("a").inner.other
