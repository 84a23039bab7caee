"""How much there is to read, room by room: `python -m tests.bench.reading [REVISION…]`.

Code is what is left of lines without docstrings, comments and blank ones; a function is as long as
its code, what is defined inside it counted. With revisions, those stand beside what is here now.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import sys
import tarfile
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from attrs import frozen

__all__ = ["Room", "main", "rooms", "table"]

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = "chatfsm"
HERE: Final = "here, now"

Sources = Mapping[str, str]
"""By path, with slashes, from the root of the project: the text of each module."""

_NO_CODE: Final = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@frozen
class Room:
    """A folder of modules; the longest of something by name and in lines."""

    name: str
    lines: int
    code: int
    functions: int
    longest_function: tuple[str, int]
    longest_module: tuple[str, int]


class UnreadError(Exception):
    """A revision whose files cannot be had."""


def main(arguments: Sequence[str] | None = None) -> str | None:
    """Print the table; returns what went wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.reading",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("revisions", nargs="*", metavar="REVISION", help="as git knows them")
    revisions = parser.parse_args(arguments).revisions
    try:
        found = {revision: rooms(_in_revision(revision)) for revision in revisions}
    except UnreadError as error:
        return str(error)
    print("\n".join(table({**found, HERE: rooms(_in_folder())})))
    return None


def rooms(sources: Sources) -> dict[str, Room]:
    """Each room by name, and all of them together as the last."""
    by_room: dict[str, dict[str, str]] = {}
    for path, text in sorted(sources.items()):
        folders = PurePosixPath(path).parts[1:-1]
        by_room.setdefault(".".join(folders) or PACKAGE, {})[path] = text
    found = {name: _room(name, modules) for name, modules in by_room.items()}
    return {**found, "all": _room("all", sources)}


def table(found: Mapping[str, Mapping[str, Room]]) -> Iterator[str]:
    """For each room a line a revision, in the order given."""
    yield (
        f"{'room':13} {'revision':10} {'lines':>6} {'code':>6} {'functions':>9}  "
        f"{'longest function':29} longest module"
    )
    names = dict.fromkeys(name for revision in found.values() for name in revision)
    names.pop("all", None)
    for name in (*names, "all"):
        heading = name
        for revision, by_name in found.items():
            if name in by_name:
                yield f"{heading[:13]:13} {revision[:10]:10} {_numbers(by_name[name])}".rstrip()
                heading = ""


def _numbers(room: Room) -> str:
    function, module = (
        f"{lines:3} {name}" for name, lines in (room.longest_function, room.longest_module)
    )
    return f"{room.lines:6,} {room.code:6,} {room.functions:9,}  {function[:29]:29} {module[:22]}"


def _room(name: str, modules: Sources) -> Room:
    code, functions, lengths = 0, [("", 0)], [("", 0)]
    for path, text in modules.items():
        word = PurePosixPath(path).stem
        lines = _code_lines(text)
        code += len(lines)
        lengths.append((word, len(text.splitlines())))
        functions += [
            (f"{word}.{node.name}", len(lines & set(range(node.lineno, _last(node) + 1))))
            for node in ast.walk(ast.parse(text))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        ]
    return Room(
        name,
        lines=sum(length for _, length in lengths),
        code=code,
        functions=len(functions) - 1,
        longest_function=max(functions, key=lambda named: named[1]),
        longest_module=max(lengths, key=lambda named: named[1]),
    )


def _code_lines(text: str) -> set[int]:
    """The numbers of the lines that hold code."""
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            found.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            found.difference_update(range(node.lineno, _last(node) + 1))
    return found


def _last(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _in_folder() -> dict[str, str]:
    paths = sorted((ROOT / PACKAGE).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in paths}


def _in_revision(revision: str) -> dict[str, str]:
    command = ["git", "archive", "--format=tar", "--end-of-options", revision, PACKAGE]
    try:
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True)
    except FileNotFoundError:
        raise UnreadError("revisions are read with git, which is not there") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise UnreadError(f"revision {revision!r} cannot be read from a git checkout here: {said}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        return {
            member.name: archive.extractfile(member).read().decode("utf-8")
            for member in archive
            if member.name.endswith(".py")
        }


if __name__ == "__main__":
    sys.exit(main())
