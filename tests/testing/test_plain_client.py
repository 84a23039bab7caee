"""A small client with planted bugs: the judge finds each by its rule, and no other error."""

from __future__ import annotations

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from chatfsm.simulator.faults import PRESETS, Faults
from chatfsm.testing.harness import Harness, VirtualHttp
from chatfsm.testing.judge import Verdict
from tests.testing.plain_client import TEXTS, Bug, PlainClient

# All faults of the presets, since clients can handle only those. Each hits one or some requests.
KINDS = sorted({str(fault).rpartition(":")[0] for fault in Faults.parse(",".join(PRESETS))})
WHEN = st.integers(1, 12).map("@{}".format) | st.sampled_from(("0.05", "0.2", "0.5"))


def one_fault(kind: str, when: str) -> str:
    """Return `kind` with a selection of its requests, such as `duplicate:poll` and `reset`."""
    if not when.startswith("@"):
        return f"{kind}:{when}"
    return f"{kind}{when}" if ":" in kind else f"{kind}:{when}"


FAULTS = st.lists(st.builds(one_fault, st.sampled_from(KINDS), WHEN), max_size=3).map(",".join)
SEEDS = st.integers(0, 999)


def play(faults: str, seed: int, bug: Bug = "") -> tuple[Verdict, Harness, PlainClient]:
    clients: list[PlainClient] = []

    def client(http: VirtualHttp) -> None:
        clients.append(PlainClient(http, bug))
        clients[0].run()

    harness = Harness(client, faults=faults, seed=seed)
    return harness.play(), harness, clients[0]


@given(FAULTS, SEEDS)
def test_the_correct_client_passes(faults: str, seed: int) -> None:
    """With any faults, the texts sent and received are those that the judge has counted."""
    verdict, harness, client = play(faults, seed)
    verdict.check()
    assert verdict.said <= len(TEXTS)
    assert len(client.received) <= verdict.told
    assert client.is_over or harness.stopped


@pytest.mark.parametrize(
    ("bug", "rule"),
    [
        ("doubles", "told-once"),
        ("resends", "arrived-once"),
        ("polls-on", "no-poll-after-end"),
        ("reuses-ids", "unique-message-ids"),
    ],
)
def test_a_bug_is_found_and_named(bug: Bug, rule: str) -> None:
    """Hypothesis shrinks the run to one fault, or none; no other rule is broken."""

    def is_found(example: tuple[str, int]) -> bool:
        return play(*example, bug)[0].verdict == "fail"

    phases = (Phase.generate, Phase.shrink)
    searching = settings(max_examples=200, derandomize=True, database=None, phases=phases)
    faults, seed = find(st.tuples(FAULTS, SEEDS), is_found, settings=searching)
    verdict, _, _ = play(faults, seed, bug)
    print(f"{bug}: faults={faults!r}, seed={seed}\n{verdict}\n")
    assert "," not in faults
    broken = {found.rule for found in verdict.violations if found.severity == "error"}
    assert broken == {rule}
