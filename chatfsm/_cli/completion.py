"""Shell completion: a script for each shell, made by shtab from the arguments (extra `cli`).

The shell runs the script alone: completing a word starts no Python.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Final

from chatfsm.errors import ChatError

__all__ = ["completion_script"]

_PATHS: Final = frozenset({"A", "B", "COMMAND", "FILE", "IN", "OUT", "SCRIPT"})
"""The metavars of arguments that are paths."""


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script that completes the commands and options of `parser` in `shell`.

    Raises `ChatError`, which names the extra, if shtab is not installed.
    """
    try:
        import shtab  # noqa: PLC0415  # an extra, needed here only
    except ImportError:
        raise ChatError("shell completion needs shtab: pip install 'chatfsm[cli]'") from None
    for action in _actions(parser):
        if action.metavar in _PATHS and not action.choices:  # the commands have choices
            vars(action)["complete"] = shtab.FILE
    return shtab.complete(parser, shell)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of its commands."""
    for action in parser._actions:  # noqa: SLF001  # argparse has no public name for them
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _actions(command)
