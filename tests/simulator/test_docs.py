"""The example at the top of the package."""

from __future__ import annotations

import doctest

import chatfsm.simulator


def test_the_example_works() -> None:
    """A center, a world and a server do what the package says of them."""
    results = doctest.testmod(chatfsm.simulator)
    assert (results.failed, results.attempted) == (0, 15)
