"""Log files: the files that paths, directories, patterns and zip files stand for."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Final

from chatfsm.errors import UnreadableLogError
from chatfsm.replay.compression import is_file_error, is_zip, zip_members
from chatfsm.replay.kinds import HEAD_SIZE
from chatfsm.replay.sources import Source

__all__ = ["MAX_FILES", "open_logs"]

MAX_FILES: Final = 100_000
"""Files of one directory, with all directories in it."""

# A file with another suffix, met in a directory or a zip file, is left out if it is no log.
_LOG_SUFFIXES: Final = frozenset(
    (
        *(".jsonl", ".ndjson", ".json", ".har", ".csv", ".tsv", ".parquet", ".log"),
        *(".gz", ".bz2", ".xz", ".zst", ".zip"),
    )
)


def open_logs(
    paths: str | PathLike[str] | Iterable[str | PathLike[str] | Source],
    *,
    received_at: str | None = None,
    unwrap: str | None = None,
) -> list[Source]:
    """Return the sources of recorded logs, in the order of the paths, to be read one by one.

    A path may be a file, `-` for standard input, a directory, whose files are all taken, a pattern
    such as `logs/**/*.har`, or a zip file, whose files are all taken. Files of a directory, a
    pattern or a zip file are sorted by name; hidden ones are left out. No file is read yet: one
    that is missing raises `UnreadableLogError` when it is. A source stands for itself.

    `received_at`: the field with the time at which a line was received; None: `received_at`,
    `recv_ts` or `@timestamp`. `unwrap`: the field that holds the event, such as `payload` or
    `record.message`, or `docker`, `kubectl` or `text`; None: recognized if all lines agree.

    Raises `UnreadableLogError` if a directory has more than `MAX_FILES` files.
    """
    given = [paths] if isinstance(paths, (str, PathLike)) else paths
    sources: list[Source] = []
    for path in given:
        if isinstance(path, Source):
            sources.append(path)
            continue
        for name, is_optional in _files(os.fspath(path)):
            members = _members(name)
            for member in [None] if members is None else members:
                source = Source(
                    name if member is None else f"{name}/{member}",
                    received_at=received_at,
                    unwrap=unwrap,
                    member=member,
                    is_optional=(is_optional if member is None else not _is_named_log(member)),
                )
                sources.append(source)
    return sources


def _files(path: str) -> Iterator[tuple[str, bool]]:
    """The files that a path stands for, each with whether it may be left out."""
    if path == "-" or Path(path).is_file():
        yield path, False
    elif Path(path).is_dir():
        for file in _files_in(path):
            yield file, not _is_named_log(file)
    elif glob.has_magic(path):
        found = sorted(glob.glob(path, recursive=True))  # noqa: PTH207  # Path takes no absolute pattern
        for name in found:
            if Path(name).is_file():
                yield name, False
        if not found:
            yield path, False  # the error of reading it names the pattern
    else:
        yield path, False


def _files_in(directory: str) -> list[str]:
    files: list[str] = []
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [os.path.join(folder, name) for name in names if not name.startswith(".")]  # noqa: PTH118  # as it was given
        if len(files) > MAX_FILES:
            raise UnreadableLogError(f"{directory}: a directory with more than {MAX_FILES:,} files")
    return sorted(file for file in files if Path(file).is_file())


def _is_named_log(name: str) -> bool:
    return Path(name).suffix.lower() in _LOG_SUFFIXES


def _members(name: str) -> list[str] | None:
    """The files of a zip file; None if the file is none, or cannot be opened."""
    if name == "-" or not Path(name).is_file():
        return None
    try:
        with Path(name).open("rb") as file:
            return zip_members(file) if is_zip(file.read(HEAD_SIZE)) else None
    except Exception as error:
        if isinstance(error, UnreadableLogError) or is_file_error(error):
            return None  # the error of reading it says why
        raise
