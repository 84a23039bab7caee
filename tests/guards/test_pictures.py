"""The pictures show what the commands print and what the tables hold."""

from __future__ import annotations

import pytest

from tests.pictures import FOLDER, PICTURES, texts


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_not_stale(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts of docs/pictures/ are those of now: if not, run `python -m tests.draw`."""
    monkeypatch.setenv("COLUMNS", "")  # drawing sets it
    kept = (FOLDER / name).read_text("utf-8")
    assert texts(kept) == texts(PICTURES[name]())
    assert len(texts(kept)) > 5


def test_nothing_else_is_in_the_folder() -> None:
    """No picture of a thing that is gone stays behind."""
    assert {path.name for path in FOLDER.iterdir()} == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_loads_nothing(name: str) -> None:
    """A picture has no script, and no address but those of its formats and of its maker."""
    svg = (FOLDER / name).read_text("utf-8")
    assert "<script" not in svg
    assert "url(http" not in svg.replace('"', "").replace("'", "")
    assert "href=" not in svg
