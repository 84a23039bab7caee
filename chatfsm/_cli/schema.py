"""Command `chatfsm schema`: prints the JSON Schema of what chatfsm writes."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import Final

from chatfsm._cli import ExitCode
from chatfsm.errors import ChatError
from chatfsm.replay.schema import schema, schema_names, schema_title

__all__ = ["list_text", "run", "schema_text"]


_INDENT: Final = 2


def run(options: Namespace) -> int:
    """Print what the command line asks for; return the exit code. Raises `ChatError`."""
    text = list_text() if options.name is None else schema_text(options.name)
    sys.stdout.write(text)
    return ExitCode.SUCCESS


def list_text() -> str:
    """Return the names of the schemas with their titles, a line each."""
    names = schema_names()
    width = max(map(len, names))
    return "".join(f"{name:{width}}  {schema_title(name)}\n" for name in names)


def schema_text(name: str) -> str:
    """Return a schema as indented JSON text, which is equal in every run.

    Raises `ChatError`, which names the schemas that there are, if this one is unknown.
    """
    names = schema_names()
    if name not in names:
        raise ChatError(f"NAME must be one of {', '.join(names)}, not {name}")
    return json.dumps(schema(name), indent=_INDENT) + "\n"
