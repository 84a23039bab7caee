"""Frozen values from generated constructors are what attrs would build."""

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


def some(cls: type) -> Any:
    """An object of a class, with a text in every field."""
    return cls(**{field.name: f"<{field.name}>" for field in attrs.fields(cls)})


def some_fast(cls: type) -> Any:
    """The same by the generated constructor."""
    return fast_constructor(cls)(**{field.name: f"<{field.name}>" for field in attrs.fields(cls)})


@pytest.mark.parametrize("make", [some, some_fast])
@pytest.mark.parametrize("cls", VALUES, ids=lambda cls: cls.__name__)
def test_a_value_holds_what_it_was_given(cls: type, make: Any) -> None:
    """In every field, under the class's own name, and nothing of it can be changed."""
    value = make(cls)
    assert type(value) is cls
    assert value == some(cls)
    for field in attrs.fields(cls):
        assert getattr(value, field.name) == f"<{field.name}>"
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, None)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            delattr(value, field.name)


@pytest.mark.parametrize("make", [some, some_fast])
@pytest.mark.parametrize("cls", VALUES, ids=lambda cls: cls.__name__)
def test_a_value_can_be_copied_and_pickled(cls: type, make: Any) -> None:
    """As any value can."""
    value = make(cls)
    for other in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):  # noqa: S301  # made in the line before
        assert other == value
        assert type(other) is cls
    assert attrs.evolve(value) == value


def test_defaults_are_those_of_the_class() -> None:
    """Constants are shared, and what a factory makes is not."""
    make = fast_constructor(Made)
    first, second = make("a"), make("a")
    assert first == second == make(one="a", two=None, extra={}, late=False) == Made("a")
    assert first.extra is not second.extra
    assert (first.two, first.late) == (None, False)


@pytest.mark.parametrize(
    ("arguments", "named", "words"),
    [
        ((), {}, "missing 1 required positional argument: 'one'"),
        (("a", 1, {}, True, 5), {}, "takes from 1 to 4 positional arguments but 5"),
        (("a",), {"other": 1}, "unexpected keyword argument 'other'"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: tuple[Any, ...], named: dict[str, Any], words: str
) -> None:
    """With the name of the class, as attrs does."""
    with pytest.raises(TypeError, match=words) as caught:
        fast_constructor(Made)(*arguments, **named)
    assert "Made" in str(caught.value)


@pytest.mark.parametrize("has_gil", [True, False])
def test_checks_are_not_passed_by(has_gil: bool) -> None:
    """A class that looks at its values, or converts them, is built by attrs alone."""

    @attrs.frozen(weakref_slot=False)
    class Checked:
        one: str = attrs.field(validator=attrs.validators.instance_of(str))

    @attrs.frozen(weakref_slot=False)
    class Converted:
        one: str = attrs.field(converter=str)

    for cls in (Checked, Converted):
        with pytest.raises(TypeError, match=f"{cls.__name__} has validators or converters"):
            fast_constructor(cls, has_gil=has_gil)


def test_a_class_whose_slots_do_not_allow_it_is_refused() -> None:
    """CPython sets no class where the places of weak references differ."""

    @attrs.frozen
    class Referred:
        one: str

    with pytest.raises(TypeError, match="weakref_slot=False"):
        fast_constructor(Referred)


@pytest.mark.parametrize("has_gil", [True, False])
def test_without_a_global_lock_the_same_is_made(has_gil: bool) -> None:
    """Where threads run without a global lock, attrs makes all of it."""

    @attrs.frozen(weakref_slot=False)
    class Plain:
        one: str
        extra: dict[str, object] = attrs.field(factory=dict)

    values = {"one": "one", "extra": "NOTHING"}
    lines, names = assignment_lines(Plain, values, has_gil=has_gil)
    code = "\n".join(("def make(one):", *(f" {line}" for line in lines), " return self"))
    made_so = compile_function(code, names | {"NOTHING": attrs.NOTHING}, "make")("a")
    assert made_so == Plain("a") == fast_constructor(Plain, has_gil=has_gil)("a")
    assert type(made_so) is Plain


@pytest.mark.parametrize("has_gil", [True, False])
def test_what_a_field_is_made_of_may_be_given_in_its_place(has_gil: bool) -> None:
    """A constructor makes the inner value on the way, from its own fields, with their defaults."""

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
