"""The soak in small, for any seed and any weather: all arrives once, all is told once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.soak.__main__ import LASTING_EVERY, OPAQUE_EVERY, play

SEEDS = st.integers(0, 2**32)
WEATHERS = st.sampled_from(("storm", "lossy", "proxy", "sick", "storm"))
# Each example is four chats of a minute with faults, and their ends: 0.15 s.
SOAKS = max(4, settings().max_examples // 10)
ORDINARY, LASTING, OPAQUE = 0, LASTING_EVERY - 1, OPAQUE_EVERY // 2


@settings(max_examples=SOAKS)
@given(SEEDS, WEATHERS)
def test_any_weather(seed: int, faults: str) -> None:
    """Faults that pass: nothing is lost, nothing is doubled, and the roster is the center's."""
    assert play(seed, ORDINARY, 4, faults, 1.0).violations == []


@settings(max_examples=SOAKS)
@given(SEEDS, WEATHERS)
def test_any_weather_that_ends_chats(seed: int, faults: str) -> None:
    """Faults that end sessions too: each end and each loss is told."""
    assert play(seed, LASTING, 4, faults, 1.0).violations == []


@settings(max_examples=SOAKS)
@given(SEEDS, WEATHERS)
def test_any_weather_that_no_client_sees_through(seed: int, faults: str) -> None:
    """Late requests and cached histories too: copies may arrive, nothing else goes wrong."""
    assert play(seed, OPAQUE, 4, faults, 1.0).violations == []
