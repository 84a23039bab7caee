from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatfsm.effects import Anomaly, PartyAdded, PartyChanged, PartyRemoved, TypingStopped
from chatfsm.models import Party

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness


def test_a_join_adds_a_party(harness: Harness) -> None:
    """A party that joins is reported with all names and is in the roster."""
    effects = harness.join(
        "ann",
        type="internal",
        display_name="Agent Ann",
        first_name="Ann",
        last_name="Ode",
        timestamp="1614718750",
    )

    ann = Party("ann", "internal", "Agent Ann", "Ann", "Ode")
    assert effects == [PartyAdded(ann)]
    assert harness.session.parties == (ann,)


def test_a_party_needs_only_an_id(harness: Harness) -> None:
    """A party may have no type and no names."""
    assert harness.join("ann") == [PartyAdded(Party("ann"))]


def test_a_repeated_join_is_a_duplicate(harness: Harness) -> None:
    """A join of a known party with the same names is a duplicate, whatever its timestamp."""
    harness.join("ann", type="internal", display_name="Ann", timestamp="100")

    assert harness.join("ann", type="internal", display_name="Ann", timestamp="200") == []
    assert harness.session.counts.duplicates == 1
    assert len(harness.session.parties) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "external", "display_name": "Ann"},
        {"type": "internal", "display_name": "Anna"},
        {"type": "internal", "display_name": "Ann", "first_name": "Ann"},
        {"type": "internal", "display_name": "Ann", "last_name": ""},
        {"type": "internal"},
    ],
)
def test_a_known_party_may_change(harness: Harness, fields: dict[str, str]) -> None:
    """A known party that differs in any field is reported as changed, and keeps its position."""
    harness.join("ann", type="internal", display_name="Ann")
    harness.join("bob")

    changed = Party("ann", **fields)
    assert harness.join("ann", **fields) == [PartyChanged(changed)]
    assert harness.session.parties == (changed, Party("bob"))
    assert harness.session.counts.duplicates == 0


def test_an_equal_join_of_the_first_party_does_not_change_the_other(harness: Harness) -> None:
    """Each party keeps its own time of joining: A at 10, B at 20, A at 10 again."""
    harness.join("ann", timestamp="10")
    harness.join("bob", timestamp="20")

    assert harness.join("ann", timestamp="10") == []
    assert harness.session._state.joined_at == (10.0, 20.0)
    assert harness.leave("bob", timestamp="15") == [], "before the party joined"
    assert harness.leave("ann", timestamp="15") == [PartyRemoved(Party("ann"))]
    assert harness.leave("bob", timestamp="20") == [PartyRemoved(Party("bob"))]


def test_a_party_renamed_in_the_same_second_has_changed(harness: Harness) -> None:
    """Only an older join is stale: timestamps are whole seconds."""
    harness.join("ann", display_name="Ann", timestamp="10")
    harness.join("bob", timestamp="20")

    renamed = Party("ann", display_name="Anna")
    assert harness.join("ann", display_name="Anna", timestamp="10") == [PartyChanged(renamed)]
    assert harness.join("ann", display_name="Ann", timestamp="9") == []
    assert harness.session.parties == (renamed, Party("bob"))
    assert harness.session._state.joined_at == (10.0, 20.0)


def test_a_leave_removes_the_party(harness: Harness) -> None:
    """A party that leaves is reported as it joined, and is no longer in the roster."""
    harness.join("ann", type="internal", display_name="Ann")
    harness.join("bob")

    assert harness.leave("ann", type="internal") == [
        PartyRemoved(Party("ann", "internal", "Ann")),
    ]
    assert harness.session.parties == (Party("bob"),)


def test_a_party_that_leaves_stops_typing_first(harness: Harness) -> None:
    """The typing of a party that leaves stops before the leave is reported."""
    harness.join("ann")
    harness.typing("ann")
    harness.typing("bob")

    assert harness.leave("ann") == [TypingStopped("ann", "left"), PartyRemoved(Party("ann"))]
    assert harness.session.typing == ("bob",)


def test_a_leave_of_an_unknown_party_is_an_anomaly(harness: Harness) -> None:
    """A leave of a party that is not in the roster is an anomaly."""
    harness.join("bob")

    assert harness.leave("ann") == [
        Anomaly("unknown_party", "'ann' left, and was not in the roster")
    ]
    assert harness.session.parties == (Party("bob"),)


def test_an_unknown_typing_party_stops_by_a_leave(harness: Harness) -> None:
    """The typing of a party that never joined stops at its leave, which stays an anomaly."""
    harness.typing("ann")

    assert harness.leave("ann") == [
        TypingStopped("ann", "left"),
        Anomaly("unknown_party", "'ann' left, and was not in the roster"),
    ]


@pytest.mark.parametrize("timestamp", ["1614718760", None])
def test_a_repeated_leave_is_a_duplicate(harness: Harness, timestamp: str | None) -> None:
    """A duplicate leave is neither reported nor an anomaly."""
    harness.join("ann")
    harness.leave("ann", timestamp=timestamp)

    assert harness.leave("ann", timestamp=timestamp) == []
    assert harness.session.counts.duplicates == 1
    assert harness.anomalies == []


def test_another_leave_of_a_departed_party_is_an_anomaly(harness: Harness) -> None:
    """A leave with another timestamp, of a party that has left, is an anomaly."""
    harness.join("ann")
    harness.leave("ann", timestamp="100")

    assert [type(effect) for effect in harness.leave("ann", timestamp="200")] == [Anomaly]
    assert harness.anomalies == ["unknown_party"]


def test_a_join_older_than_the_leave_is_a_duplicate(harness: Harness) -> None:
    """A stale join of a party that has left is a duplicate."""
    harness.join("ann", timestamp="100")
    harness.leave("ann", timestamp="200")

    assert harness.join("ann", timestamp="100") == []
    assert harness.session.parties == ()
    assert harness.session.counts.duplicates == 1


@pytest.mark.parametrize(
    ("left", "joined"), [("200", "300"), ("200", "200"), ("200", None), (None, "100")]
)
def test_a_party_may_join_again(harness: Harness, left: str | None, joined: str | None) -> None:
    """A join that is not known to be older than the leave adds the party again."""
    harness.join("ann", timestamp="100")
    harness.leave("ann", timestamp=left)

    assert harness.join("ann", timestamp=joined) == [PartyAdded(Party("ann"))]
    assert harness.session.parties == (Party("ann"),)


def test_another_party_may_join_while_departures_are_remembered(harness: Harness) -> None:
    """A remembered departure does not affect the join of another party."""
    harness.join("ann", timestamp="100")
    harness.leave("ann", timestamp="200")

    assert harness.join("bob", timestamp="50") == [PartyAdded(Party("bob"))]
    assert harness.leave("zoe") == [
        Anomaly("unknown_party", "'zoe' left, and was not in the roster")
    ]


def test_a_stale_leave_does_not_remove_a_party_that_rejoined(harness: Harness) -> None:
    """A leave that is delivered again after the party rejoined is a duplicate (law L5)."""
    harness.join("ann", timestamp="100")
    harness.leave("ann", timestamp="200")
    harness.join("ann", timestamp="300")

    assert harness.leave("ann", timestamp="200") == []
    assert harness.session.parties == (Party("ann"),)


def test_the_customer_is_one_party_in_any_case(make_harness: type[Harness]) -> None:
    """The customer's id in another case is not a second party in the roster."""
    harness = make_harness("Chat-A")
    harness.join("Chat-A", type="external")

    assert harness.join("CHAT-A", type="external") == []
    assert len(harness.session.parties) == 1


def test_a_transfer_in_either_order(make_harness: type[Harness]) -> None:
    """At a transfer the new agent may join before the old one leaves, or after."""
    before, after = make_harness(), make_harness()
    before.join("ann", type="internal")
    before.join("bob", type="internal")
    before.leave("ann")
    after.join("ann", type="internal")
    after.leave("ann")
    after.join("bob", type="internal")

    assert before.session.parties == after.session.parties == (Party("bob", "internal"),)
    assert before.session.agent == after.session.agent == Party("bob", "internal")
    assert before.anomalies == after.anomalies == []


@pytest.mark.parametrize(
    ("kind", "human"),
    [
        ("internal", True),
        ("msteams", True),
        ("scenario", False),
        ("external", False),
        ("newcomer", False),
        (None, False),
    ],
)
def test_an_agent_is_a_human_of_the_contact_center(
    harness: Harness, kind: str | None, human: bool
) -> None:
    """Only parties of the types internal and msteams are human agents."""
    harness.join("ann", type=kind)

    assert harness.session.human_present is human
    assert (harness.session.agent is not None) is human


def test_the_agent_is_the_last_human_in_the_roster(harness: Harness) -> None:
    """The agent is the human party that joined last and is in the roster."""
    harness.join("bot", type="scenario")
    assert harness.session.agent is None
    harness.join("ann", type="internal")
    harness.join("bob", type="msteams")
    harness.join("eve", type="external")
    assert harness.session.agent == Party("bob", "msteams")
    harness.leave("bob")
    assert harness.session.agent == Party("ann", "internal")
    harness.leave("ann")
    assert harness.session.agent is None
    assert not harness.session.human_present


@pytest.mark.parametrize(
    ("party", "name"),
    [
        (Party("p-1", display_name="Ann O.", first_name="Ann", last_name="Ode"), "Ann O."),
        (Party("p-1", display_name="", first_name="Ann", last_name="Ode"), "Ann Ode"),
        (Party("p-1", first_name="Ann"), "Ann"),
        (Party("p-1", last_name="Ode"), "Ode"),
        (Party("p-1", first_name="", last_name=""), "p-1"),
        (Party("p-1"), "p-1"),
    ],
)
def test_a_party_has_a_display_name(party: Party, name: str) -> None:
    """The name of a party is the display name, else first and last name, else the id."""
    assert party.name == name
