"""Whatever the network does, and whenever the process dies: nothing lost, nothing twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatfsm import commands, effects
from tests.client.world import FATES, World

ACTIONS = st.one_of(
    st.sampled_from([("says",), ("speaks",), ("shows_form",), ("answers_form",)]),
    st.sampled_from([("waits",), ("wakes",), ("waits", 3.0), ("waits", 1_000.0)]),
    st.sampled_from([("decides", fate) for fate in FATES]),
    st.sampled_from([("restarts", True), ("restarts", False)]),
)
STORIES = st.lists(ACTIONS, min_size=5, max_size=60)


def plays(story: list[tuple[Any, ...]], version: int) -> World:
    """A world in which a story happened, after which everything calmed down."""
    world = World(version)
    spoken = 0
    for action, *detail in story:
        if action == "speaks":
            world.server.speaks(f"answer {spoken}")
            spoken += 1
        elif action == "restarts":
            world.restarts(arrived=detail[0])
        else:
            getattr(world, action)(*detail)
    world.calms_down()
    return world


def agrees(world: World) -> None:
    """Both sides know the same, each thing once."""
    assert world.arrived == world.said, "every text once, in the order of saying"
    assert sorted(world.arrived_answers) == sorted(world.answered_forms)
    spoken = [e["msg"] for e in world.server.log if e.get("party_id") == "ann"]
    assert sorted(world.heard) == sorted(spoken), "every text of theirs is told once"
    opened = [e.form.request_id for e in world.told if isinstance(e, effects.FormOpened)]
    assert len(opened) == len(set(opened))
    failed = [e for e in world.told if isinstance(e, effects.MessageFailed)]
    assert failed == []
    session = world.client.session
    assert session is not None
    assert set(session.outbox.values()) <= {"sent"}


@given(STORIES, st.sampled_from([1, 2]))
def test_nothing_is_lost_and_nothing_told_or_said_twice(
    story: list[tuple[Any, ...]], version: int
) -> None:
    """Requests and replies that get lost, copies, errors, and kill -9 at any step."""
    agrees(plays(story, version))


@given(STORIES, st.sampled_from([1, 2]))
def test_an_end_comes_last_and_once(story: list[tuple[Any, ...]], version: int) -> None:
    """After any story, `End` goes out behind all that was said, and the chat is over once."""
    world = plays(story, version)
    world.says()
    world.receives(commands.End())
    world.calms_down()
    assert world.client.done
    assert world.arrived == world.said
    assert world.server.taken[-1]["event"] == "chat_session_end"
    assert sum(isinstance(effect, effects.Terminated) for effect in world.told) == 1
    assert isinstance(world.told[-1], effects.Terminated)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("arrived", [True, False])
@pytest.mark.parametrize("fate", FATES)
def test_killed_after_each_fate_of_a_post(fate: str, arrived: bool, version: int) -> None:
    """Each fate of a POST, with a kill right after it, and one while it is sent again."""
    story = [("says",), ("decides", "answered"), ("decides", fate), ("restarts", arrived)]
    more = [("says",), ("waits",), ("waits",), ("restarts", not arrived), ("speaks",)]
    agrees(plays(story + more, version))


@pytest.mark.parametrize("end", [("restarts", True), ("decides", "broken off")])
def test_news_for_a_dead_connection(end: tuple[Any, ...]) -> None:
    """The server gives news to a poll whose connection broke, after the history was read."""
    world = plays([end, ("waits",), ("decides", "answered"), ("speaks",)], 2)
    assert world.heard == ["answer 0"]


@settings(max_examples=25)
@given(STORIES)
def test_the_same_story_has_the_same_requests(story: list[tuple[Any, ...]]) -> None:
    """Nothing is left to chance: two clients that live through the same do the same."""
    first, second = plays(story, 2), plays(story, 2)
    assert first.ids == second.ids
    assert first.now == second.now
    assert first.kept == second.kept
