"""Arguments of `chatfsm schema`; like those of the other commands they load no library."""

from __future__ import annotations

import argparse
from typing import Final

from chatfsm._cli import argument_types as types
from chatfsm._cli.arguments import Commands, add_command

__all__ = ["add_schema"]

_SCHEMA: Final = """\
Print the JSON Schema (2020-12) of what chatfsm writes: events, effects, journals, snapshots,
metrics and exports. Without NAME the schemas are listed.

The schemas are generated from the classes of this version. They describe all that it writes, with
the descriptions of the fields, and refuse all else. For example:

  chatfsm schema journal > journal.schema.json
"""
_SCHEMA_EXIT: Final = """\
exit status: 0 done; 2 there is no schema of this name.
"""


def add_schema(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `chatfsm schema`."""
    summary = "print the JSON Schema of what chatfsm writes"
    schema = add_command(commands, "schema", summary, _SCHEMA, _SCHEMA_EXIT)
    schema.add_argument(
        "name", nargs="?", metavar="NAME", type=types.text, help="the schema (default: list them)"
    )
    schema.set_defaults(run=_run_schema)


def _run_schema(options: argparse.Namespace) -> int:
    from chatfsm._cli.schema import run  # noqa: PLC0415

    return run(options)
