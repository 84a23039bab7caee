"""Trees: copies of the project with one fault each."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from tests.seeded.faults import Fault

__all__ = ["ROOT", "applied", "copy_tree"]

ROOT: Final = Path(__file__).resolve().parents[2]
_PARTS: Final = ("chatfsm", "tests", "diagrams", "docs", "pyproject.toml", "README.md", "LICENSE")


def applied(fault: Fault, root: Path = ROOT) -> str:
    """Return the text of the file with the fault; raise ValueError if the fault does not fit."""
    text = Path(root, fault.file).read_text("utf-8")
    count = text.count(fault.old)
    if count != 1:
        raise ValueError(
            f"fault {fault.name}: its old text must stand once in {fault.file}, not {count} times"
        )
    changed = text.replace(fault.old, fault.new)
    compile(changed, fault.file, "exec")
    return changed


def copy_tree(target: Path, fault: Fault | None) -> None:
    """Copy the project to a folder, with a fault or without."""
    for name in _PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, target / name, ignore=shutil.ignore_patterns("__pycache__", "_build")
            )
        elif source.exists():
            shutil.copy(source, target / name)
    if fault is not None:
        (target / fault.file).write_text(applied(fault), "utf-8")
