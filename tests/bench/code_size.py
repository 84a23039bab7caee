"""The code size of each package: `python -m tests.bench.code_size [REVISION…]`.

Lines of code are the lines without docstrings, comments and blank lines; a function includes the
functions that it defines. Given revisions are compared with the working tree.
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

__all__ = ["PackageSize", "main", "package_sizes", "table"]

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = "chatfsm"
HERE: Final = "here, now"

Sources = Mapping[str, str]
"""The text of each module, by its path from the root of the project, with slashes."""

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
class PackageSize:
    """The size of a folder of modules; a longest part is given by its name and lines."""

    name: str
    lines: int
    code: int
    functions: int
    longest_function: tuple[str, int]
    longest_module: tuple[str, int]


class RevisionError(Exception):
    """A revision whose files cannot be read."""


def main(arguments: Sequence[str] | None = None) -> str | None:
    """Print the table; return the error text if a revision cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.code_size",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("revisions", nargs="*", metavar="REVISION", help="as git knows them")
    revisions = parser.parse_args(arguments).revisions
    try:
        found = {revision: package_sizes(_in_revision(revision)) for revision in revisions}
    except RevisionError as error:
        return str(error)
    print("\n".join(table({**found, HERE: package_sizes(_in_folder())})))
    return None


def package_sizes(sources: Sources) -> dict[str, PackageSize]:
    """Return the size of each package by name, and of all packages together as the last."""
    by_package: dict[str, dict[str, str]] = {}
    for path, text in sorted(sources.items()):
        folders = PurePosixPath(path).parts[1:-1]
        by_package.setdefault(".".join(folders) or PACKAGE, {})[path] = text
    found = {name: _size_of(name, modules) for name, modules in by_package.items()}
    return {**found, "all": _size_of("all", sources)}


def table(found: Mapping[str, Mapping[str, PackageSize]]) -> Iterator[str]:
    """Yield a line for each package and revision, the revisions in the given order."""
    yield (
        f"{'package':13} {'revision':10} {'lines':>6} {'code':>6} {'functions':>9}  "
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


def _numbers(size: PackageSize) -> str:
    function, module = (
        f"{lines:3} {name}" for name, lines in (size.longest_function, size.longest_module)
    )
    return f"{size.lines:6,} {size.code:6,} {size.functions:9,}  {function[:29]:29} {module[:22]}"


def _size_of(name: str, modules: Sources) -> PackageSize:
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
    return PackageSize(
        name,
        lines=sum(length for _, length in lengths),
        code=code,
        functions=len(functions) - 1,
        longest_function=max(functions, key=lambda named: named[1]),
        longest_module=max(lengths, key=lambda named: named[1]),
    )


def _code_lines(text: str) -> set[int]:
    """Return the numbers of the lines that contain code."""
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
        raise RevisionError("revisions are read with git, which is not installed") from None
    if done.returncode:
        error = done.stderr.decode("utf-8", "replace").strip()
        raise RevisionError(f"revision {revision!r} cannot be read from this checkout: {error}")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        return {
            member.name: archive.extractfile(member).read().decode("utf-8")
            for member in archive
            if member.name.endswith(".py")
        }


if __name__ == "__main__":
    sys.exit(main())
