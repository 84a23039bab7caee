from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatfsm.effects import Anomaly, PartyAdded, PartyChanged, PartyRemoved, TypingStopped
from chatfsm.models import Party

if TYPE_CHECKING:
    from tests.session.live.conftest import Play


def test_a_joining_adds_a_party(play: Play) -> None:
    """Somebody who joins is told with all names and is in the roster."""
    effects = play.joins(
        "ann",
        type="internal",
        display_name="Agent Ann",
        first_name="Ann",
        last_name="Ode",
        timestamp="1614718750",
    )

    ann = Party("ann", "internal", "Agent Ann", "Ann", "Ode")
    assert effects == [PartyAdded(ann)]
    assert play.session.parties == (ann,)


def test_a_party_needs_nothing_but_its_id(play: Play) -> None:
    """A party without type and names is a party."""
    assert play.joins("ann") == [PartyAdded(Party("ann"))]


def test_a_joining_told_again_is_absorbed(play: Play) -> None:
    """The same party with the same names is no news, whatever the time of it."""
    play.joins("ann", type="internal", display_name="Ann", timestamp="100")

    assert play.joins("ann", type="internal", display_name="Ann", timestamp="200") == []
    assert play.session.counts.duplicates == 1
    assert len(play.session.parties) == 1


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
def test_a_known_party_may_change(play: Play, fields: dict[str, str]) -> None:
    """A known party that differs in any field is told as changed, and keeps its place."""
    play.joins("ann", type="internal", display_name="Ann")
    play.joins("bob")

    changed = Party("ann", **fields)
    assert play.joins("ann", **fields) == [PartyChanged(changed)]
    assert play.session.parties == (changed, Party("bob"))
    assert play.session.counts.duplicates == 0


def test_an_equal_join_of_the_first_party_leaves_the_other_alone(play: Play) -> None:
    """Each party keeps its own time of joining: A at 10, B at 20, A at 10 again."""
    play.joins("ann", timestamp="10")
    play.joins("bob", timestamp="20")

    assert play.joins("ann", timestamp="10") == []
    assert play.session._state.joined_at == (10.0, 20.0)
    assert play.leaves("bob", timestamp="15") == [], "before the party joined"
    assert play.leaves("ann", timestamp="15") == [PartyRemoved(Party("ann"))]
    assert play.leaves("bob", timestamp="20") == [PartyRemoved(Party("bob"))]


def test_a_party_renamed_in_the_same_second_has_changed(play: Play) -> None:
    """Only an older join is one of a cached poll; timestamps are whole seconds."""
    play.joins("ann", display_name="Ann", timestamp="10")
    play.joins("bob", timestamp="20")

    renamed = Party("ann", display_name="Anna")
    assert play.joins("ann", display_name="Anna", timestamp="10") == [PartyChanged(renamed)]
    assert play.joins("ann", display_name="Ann", timestamp="9") == []
    assert play.session.parties == (renamed, Party("bob"))
    assert play.session._state.joined_at == (10.0, 20.0)


def test_a_leaving_removes_the_party(play: Play) -> None:
    """Somebody who leaves is told as the party that joined, and is no longer in the roster."""
    play.joins("ann", type="internal", display_name="Ann")
    play.joins("bob")

    assert play.leaves("ann", type="internal") == [
        PartyRemoved(Party("ann", "internal", "Ann")),
    ]
    assert play.session.parties == (Party("bob"),)


def test_who_leaves_stops_typing_first(play: Play) -> None:
    """The typing of somebody who leaves stops before the leaving is told."""
    play.joins("ann")
    play.types("ann")
    play.types("bob")

    assert play.leaves("ann") == [TypingStopped("ann", "left"), PartyRemoved(Party("ann"))]
    assert play.session.typing == ("bob",)


def test_who_was_not_here_cannot_leave(play: Play) -> None:
    """A party that leaves without having been here is an anomaly."""
    play.joins("bob")

    assert play.leaves("ann") == [Anomaly("unknown_party", "'ann' left, and was not in the roster")]
    assert play.session.parties == (Party("bob"),)


def test_a_typist_never_announced_stops_by_leaving(play: Play) -> None:
    """A party that typed without being announced stops when it leaves, which stays an anomaly."""
    play.types("ann")

    assert play.leaves("ann") == [
        TypingStopped("ann", "left"),
        Anomaly("unknown_party", "'ann' left, and was not in the roster"),
    ]


@pytest.mark.parametrize("timestamp", ["1614718760", None])
def test_a_leaving_told_again_is_absorbed(play: Play, timestamp: str | None) -> None:
    """A leaving that a cached poll brings again is no news and no anomaly."""
    play.joins("ann")
    play.leaves("ann", timestamp=timestamp)

    assert play.leaves("ann", timestamp=timestamp) == []
    assert play.session.counts.duplicates == 1
    assert play.anomalies == []


def test_another_leaving_of_somebody_gone_is_an_anomaly(play: Play) -> None:
    """A leaving at another time, of a party that left before, is not the same leaving."""
    play.joins("ann")
    play.leaves("ann", timestamp="100")

    assert [type(effect) for effect in play.leaves("ann", timestamp="200")] == [Anomaly]
    assert play.anomalies == ["unknown_party"]


def test_a_joining_older_than_the_leaving_is_absorbed(play: Play) -> None:
    """A cached poll that brings the joining of somebody gone brings nobody back."""
    play.joins("ann", timestamp="100")
    play.leaves("ann", timestamp="200")

    assert play.joins("ann", timestamp="100") == []
    assert play.session.parties == ()
    assert play.session.counts.duplicates == 1


@pytest.mark.parametrize(
    ("left", "joined"), [("200", "300"), ("200", "200"), ("200", None), (None, "100")]
)
def test_somebody_may_come_back(play: Play, left: str | None, joined: str | None) -> None:
    """A joining that is not known to be older than the leaving brings the party back."""
    play.joins("ann", timestamp="100")
    play.leaves("ann", timestamp=left)

    assert play.joins("ann", timestamp=joined) == [PartyAdded(Party("ann"))]
    assert play.session.parties == (Party("ann"),)


def test_a_stranger_may_join_while_departures_are_remembered(play: Play) -> None:
    """That somebody left says nothing about the joining of somebody else."""
    play.joins("ann", timestamp="100")
    play.leaves("ann", timestamp="200")

    assert play.joins("bob", timestamp="50") == [PartyAdded(Party("bob"))]
    assert play.leaves("zoe") == [Anomaly("unknown_party", "'zoe' left, and was not in the roster")]


def test_an_old_leaving_removes_nobody_who_came_back(play: Play) -> None:
    """A leaving that is re-delivered after the party came back is absorbed (law L5)."""
    play.joins("ann", timestamp="100")
    play.leaves("ann", timestamp="200")
    play.joins("ann", timestamp="300")

    assert play.leaves("ann", timestamp="200") == []
    assert play.session.parties == (Party("ann"),)


def test_the_customer_is_one_party_in_any_case(plays: type[Play]) -> None:
    """The customer's own id in another case is no second party in the roster."""
    play = plays("Chat-A")
    play.joins("Chat-A", type="external")

    assert play.joins("CHAT-A", type="external") == []
    assert len(play.session.parties) == 1


def test_a_transfer_in_either_order(plays: type[Play]) -> None:
    """At a transfer the new agent may join before the old one leaves, or after."""
    before, after = plays(), plays()
    before.joins("ann", type="internal")
    before.joins("bob", type="internal")
    before.leaves("ann")
    after.joins("ann", type="internal")
    after.leaves("ann")
    after.joins("bob", type="internal")

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
def test_an_agent_is_a_person_of_the_contact_center(
    play: Play, kind: str | None, human: bool
) -> None:
    """Only parties of the types internal and msteams are persons of the contact center."""
    play.joins("ann", type=kind)

    assert play.session.human_present is human
    assert (play.session.agent is not None) is human


def test_the_agent_is_who_joined_last_and_is_still_here(play: Play) -> None:
    """The agent is recomputed at each joining and leaving."""
    play.joins("bot", type="scenario")
    assert play.session.agent is None
    play.joins("ann", type="internal")
    play.joins("bob", type="msteams")
    play.joins("eve", type="external")
    assert play.session.agent == Party("bob", "msteams")
    play.leaves("bob")
    assert play.session.agent == Party("ann", "internal")
    play.leaves("ann")
    assert play.session.agent is None
    assert not play.session.human_present


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
def test_a_party_has_a_name_to_show(party: Party, name: str) -> None:
    """A person sees the display name, else first and last name, else the id."""
    assert party.name == name
