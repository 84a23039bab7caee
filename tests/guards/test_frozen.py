"""Frozen values that are built by their twins are what attrs would build."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any, get_args

import attrs
import pytest

from chatfsm import effects, events
from chatfsm._values import assignment_lines, compiled, fast_constructor, quicken
from chatfsm.models import ChatMessage, Form, Party

QUICK = (*get_args(effects.Effect), *get_args(events.Event), Party, Form, ChatMessage)


@attrs.frozen(kw_only=True)
class Base:
    late: bool = attrs.field(default=False, repr=False)


def made() -> Any:
    """A class like those of chatfsm, quickened."""

    @attrs.frozen
    class Made(Base):
        one: str
        two: int | None = None
        extra: dict[str, object] = attrs.field(factory=dict, hash=False)

    quicken([Made])
    return Made


def some(cls: type) -> Any:
    """An object of a class, with a text in every field."""
    return cls(**{known.name: f"<{known.name}>" for known in attrs.fields(cls)})


@pytest.mark.parametrize("cls", QUICK, ids=lambda cls: cls.__name__)
def test_a_quick_value_holds_what_it_was_given(cls: type) -> None:
    """In every field, under the class's own name, and nothing of it can be changed."""
    value = some(cls)
    assert type(value) is cls
    for known in attrs.fields(cls):
        assert getattr(value, known.name) == f"<{known.name}>"
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, known.name, None)
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            delattr(value, known.name)


@pytest.mark.parametrize("cls", QUICK, ids=lambda cls: cls.__name__)
def test_a_quick_value_can_be_copied_and_pickled(cls: type) -> None:
    """As any value can."""
    value = some(cls)
    for other in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):  # noqa: S301  # made in the line before
        assert other == value
        assert type(other) is cls
    assert attrs.evolve(value) == value


def test_defaults_are_those_of_the_class() -> None:
    """Constants are shared, and what a factory makes is not."""
    cls = made()
    first, second = cls("a"), cls("a")
    assert first == second == cls(one="a", two=None, extra={}, late=False)
    assert first.extra is not second.extra
    assert (first.two, first.late) == (None, False)


@pytest.mark.parametrize(
    ("arguments", "named", "words"),
    [
        ((), {}, "missing 1 required positional argument: 'one'"),
        (("a", 1, {}, True), {}, "takes from 2 to 4 positional arguments"),
        (("a",), {"other": 1}, "unexpected keyword argument 'other'"),
    ],
)
def test_wrong_arguments_are_refused(
    arguments: tuple[Any, ...], named: dict[str, Any], words: str
) -> None:
    """With the name of the class, as attrs does."""
    with pytest.raises(TypeError, match=words) as caught:
        made()(*arguments, **named)
    assert "Made" in str(caught.value)


def test_the_signature_is_the_one_that_attrs_made() -> None:
    """With its annotations, for whoever asks for help."""
    parameters = inspect.signature(made()).parameters
    assert list(parameters) == ["one", "two", "extra", "late"]
    assert parameters["late"].kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters["one"].annotation == "str"


def test_a_quick_class_is_final() -> None:
    """A twin is that of one class."""
    with pytest.raises(TypeError, match="Made is final"):
        type("Other", (made(),), {})


def test_checks_are_not_passed_by() -> None:
    """A class that looks at its values is not for twins."""

    @attrs.frozen
    class Checked:
        one: str = attrs.field(validator=attrs.validators.instance_of(str))

    with pytest.raises(TypeError, match="has checks"):
        quicken([Checked])


def test_a_class_that_can_have_no_twin_is_refused() -> None:
    """CPython sets no class where the places of weak references differ."""

    @attrs.frozen
    class Referred:
        one: str

    with pytest.raises(TypeError, match="weakref_slot=False"):
        quicken([Referred])


@pytest.mark.parametrize("twins_pay", [True, False])
def test_without_twins_the_same_is_made(twins_pay: bool) -> None:
    """Where threads run without a global lock, attrs makes all of it."""

    @attrs.frozen(weakref_slot=False)
    class Plain:
        one: str
        extra: dict[str, object] = attrs.field(factory=dict)

    quicken([Plain], twins_pay=twins_pay)
    values = {"one": "one", "extra": "NOTHING"}
    lines, names = assignment_lines(Plain, values, twins_pay=twins_pay)
    code = "\n".join(("def make(one):", *(f" {line}" for line in lines), " return made"))
    made_so = compiled(code, names | {"NOTHING": attrs.NOTHING}, "make")("a")
    assert made_so == Plain("a") == fast_constructor(Plain)("a")
    assert type(made_so) is Plain


def test_what_a_field_is_made_of_may_be_given_in_its_place() -> None:
    """A maker makes the inner value on the way, from its own fields, with their defaults."""

    @attrs.frozen(weakref_slot=False)
    class Inner:
        one: str
        other: dict[str, object] = attrs.field(factory=dict)

    @attrs.frozen(weakref_slot=False)
    class Outer:
        inner: Inner
        more: int = 3
        last: bool = attrs.field(default=False, kw_only=True)

    quicken([Inner, Outer])
    made = fast_constructor(Outer, inner=Inner)
    assert made("a", {"b": 1}, 5, True) == Outer(Inner("a", {"b": 1}), 5, last=True)
    assert made("a") == Outer(Inner("a"))
    assert made("a").inner.other is not made("a").inner.other
