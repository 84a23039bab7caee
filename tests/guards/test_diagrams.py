"""The diagrams show the transition tables."""

from __future__ import annotations

import pytest

from tests.draw import FOLDER, drawings


@pytest.mark.parametrize("name", drawings())
def test_a_diagram_is_not_stale(name: str) -> None:
    """The files in diagrams/ are drawn from the current tables; `python -m tests.draw` redraws."""
    assert (FOLDER / name).read_text("utf-8") == drawings()[name]


def test_nothing_else_is_in_the_folder() -> None:
    """The folder has no drawing of a removed table."""
    assert {path.name for path in FOLDER.iterdir()} == set(drawings())
