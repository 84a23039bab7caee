from __future__ import annotations

from math import inf, nan

import pytest
from attrs import asdict, evolve
from attrs.exceptions import FrozenInstanceError

from chatfsm import ChatSession, Settings

COUNTS = ["max_ids", "max_parties", "max_typists", "max_forms", "max_candidates"]


def test_the_default_settings() -> None:
    """Settings without arguments, and those of a session without settings, have these values."""
    assert asdict(Settings()) == {
        "strict": False,
        "explain": False,
        "typing_timeout": 30.0,
        "typing_renew": 10.0,
        "typing_idle": 5.0,
        "msg_id_format": "n",
        "empty_file_ids": False,
        "max_unsent": 256,
        "max_ids": 4_096,
        "max_parties": 256,
        "max_typists": 256,
        "max_forms": 64,
        "max_candidates": 128,
    }
    assert ChatSession("chat-1").settings == Settings()


@pytest.mark.parametrize("value", ["30", None, True, [30]])
def test_a_timeout_is_a_number(value: object) -> None:
    """A timeout of another type is refused; the error has its name."""
    with pytest.raises(TypeError, match=r"^typing_timeout must be a number of seconds, not \w+$"):
        Settings(typing_timeout=value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value", [0, 0.0, -1, -0.5, nan, inf, -inf, pytest.param(10**400, id="no float")]
)
def test_a_timeout_is_positive_and_finite(value: float) -> None:
    """A timeout out of range is refused; the error has its name."""
    with pytest.raises(
        ValueError,
        match=r"^typing_timeout must be (greater than 0|a finite number of) seconds, not .+$",
    ):
        Settings(typing_timeout=value)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", ["8", None, True, 8.0, nan])
def test_a_bound_is_a_whole_number(name: str, value: object) -> None:
    """A bound of another type is refused; the error has its name."""
    with pytest.raises(TypeError, match=rf"^{name} must be an integer, not \w+$"):
        Settings(**{name: value})


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", [0, -1])
def test_a_bound_is_one_or_more(name: str, value: int) -> None:
    """A bound out of range is refused; the error has its name."""
    with pytest.raises(ValueError, match=rf"^{name} must be 1 or more, not {value}$"):
        Settings(**{name: value})


@pytest.mark.parametrize("name", COUNTS)
def test_the_least_bound_is_one(name: str) -> None:
    """A bound of 1 is accepted, and the other bounds keep their defaults."""
    assert asdict(Settings(**{name: 1})) == {**asdict(Settings()), name: 1}


def test_settings_cannot_be_changed() -> None:
    """Settings are immutable; `evolve` makes others, which are validated too."""
    settings = Settings(typing_timeout=5)

    with pytest.raises(FrozenInstanceError):
        settings.strict = True  # type: ignore[misc]
    assert evolve(settings, strict=True) == Settings(typing_timeout=5, strict=True)
    with pytest.raises(ValueError, match="max_ids"):
        evolve(settings, max_ids=0)


def test_settings_are_given_by_name() -> None:
    """Settings are keyword-only, so that their order does not matter."""
    with pytest.raises(TypeError):
        Settings(True)  # type: ignore[misc]


def test_many_sessions_share_settings() -> None:
    """A session uses the settings object that it was given."""
    settings = Settings(strict=True)

    assert ChatSession("chat-1", settings=settings).settings is settings
    assert ChatSession("chat-2", settings=settings).settings is settings
