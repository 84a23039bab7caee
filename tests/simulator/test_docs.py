"""The examples in the docstrings of chatfsm.simulator."""

from __future__ import annotations

import doctest

import chatfsm.simulator


def test_the_example_works() -> None:
    """The example of the package runs, and its doctests pass."""
    results = doctest.testmod(chatfsm.simulator)
    assert (results.failed, results.attempted) == (0, 15)
