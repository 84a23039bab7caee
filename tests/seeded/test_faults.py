"""The seeded faults fit the source, and cover what they must; the command is for releases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.seeded import __main__ as command
from tests.seeded.faults import FAULTS, LAWS, ROWS, Fault
from tests.seeded.tree import ROOT, applied, copy_tree


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_fits_the_source(fault: Fault) -> None:
    """Its old text stands once in its file, what comes of it compiles, and its tests exist."""
    assert applied(fault) != Path(ROOT, fault.file).read_text("utf-8")
    for test in fault.tests:
        path, _, name = test.partition("::")
        name = re.sub(r"\[.*", "", name)
        assert name in Path(ROOT, path).read_text("utf-8")


def test_each_row_and_each_law_has_a_fault() -> None:
    """And each fault a name and a purpose of its own."""
    assert {fault.covers for fault in FAULTS} == {*ROWS, *LAWS}
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 40
    assert len({fault.about for fault in FAULTS}) == len(FAULTS)
