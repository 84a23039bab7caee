"""The pictures show the current output of the commands and the current tables."""

from __future__ import annotations

import pytest

from tests.pictures import FOLDER, PICTURES, texts


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_not_stale(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts of docs/pictures/ are the current ones; `python -m tests.draw` redraws them."""
    monkeypatch.setenv("COLUMNS", "")  # drawing sets it
    kept = (FOLDER / name).read_text("utf-8")
    assert texts(kept) == texts(PICTURES[name]())
    assert len(texts(kept)) > 5


def test_nothing_else_is_in_the_folder() -> None:
    """The folder has no picture that is no longer drawn."""
    assert {path.name for path in FOLDER.iterdir()} == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_loads_nothing(name: str) -> None:
    """A picture has no script, and no address but those of its formats and of its maker."""
    svg = (FOLDER / name).read_text("utf-8")
    assert "<script" not in svg
    assert "url(http" not in svg.replace('"', "").replace("'", "")
    assert "href=" not in svg
