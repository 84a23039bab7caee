"""Short soaks with any seed and faults: no message is lost or reported twice."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.soak.__main__ import LASTING_EVERY, OPAQUE_EVERY, play

SEEDS = st.integers(0, 2**32)
WEATHERS = st.sampled_from(("storm", "lossy", "proxy", "sick", "storm"))
# Each example is four chats of a minute with faults, and their ends: 0.15 s.
SOAKS = max(4, settings().max_examples // 10)
ORDINARY, LASTING, OPAQUE = 0, LASTING_EVERY - 1, OPAQUE_EVERY // 2


@settings(max_examples=SOAKS)
@given(SEEDS, WEATHERS)
@example(260, "storm")  # as the faults end, a client waits for a reply to a poll that was lost
def test_any_temporary_faults(seed: int, faults: str) -> None:
    """With temporary faults nothing is lost or doubled, and the roster is the center's."""
    assert play(seed, ORDINARY, 4, faults, 1.0).violations == []


@settings(max_examples=SOAKS)
@given(SEEDS, WEATHERS)
def test_any_faults_that_end_chats(seed: int, faults: str) -> None:
    """With faults that end sessions, each end and each loss is reported."""
    assert play(seed, LASTING, 4, faults, 1.0).violations == []


@settings(max_examples=SOAKS)
@given(SEEDS, WEATHERS)
def test_any_faults_that_no_client_can_detect(seed: int, faults: str) -> None:
    """With late requests and cached histories copies may arrive, and nothing else goes wrong."""
    assert play(seed, OPAQUE, 4, faults, 1.0).violations == []
