"""Files as lines of bytes."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatfsm.errors import UnreadableLogError
from chatfsm.replay import sources as source_module
from chatfsm.replay.sources import Source

Log = Callable[..., Path]
MIB = 1024 * 1024


def read(path: Path) -> list[bytes]:
    """All lines of a file."""
    return list(Source(str(path)).lines())


def read_until_error(path: Path) -> tuple[list[bytes], str]:
    """The lines before the error, and the error without the name of the file."""
    lines: Iterator[bytes] = Source(str(path)).lines()
    taken: list[bytes] = []
    with pytest.raises(UnreadableLogError) as caught:
        taken.extend(lines)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return taken, text.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("-", "stdin"),
        ("plain.jsonl", "plain"),
        ("a/b/plain.jsonl", "plain"),
        ("plain.jsonl.gz", "plain"),
        ("plain.gz", "plain"),
        ("2026.01.02.jsonl", "2026.01.02"),
        ("no_ending", "no_ending"),
        (".hidden", ".hidden"),
    ],
)
def test_a_chat_is_called_like_its_file(name: str, stem: str) -> None:
    """The stem is the name without directory, `.gz` and extension."""
    assert Source(name).stem == stem


def test_lines_keep_their_ends(log: Log) -> None:
    """Lines are unchanged, and a missing newline at the end loses nothing."""
    path = log("a.jsonl", b"one\n", b"two\r\n", b"\n", b"four")
    assert read(path) == [b"one\n", b"two\r\n", b"\n", b"four"]


def test_an_empty_file_has_no_lines(log: Log) -> None:
    """An empty file has no lines and no error."""
    assert read(log("empty.jsonl")) == []


def test_a_file_of_one_byte_is_read(log: Log) -> None:
    """A file shorter than the magic number of gzip is plain."""
    assert read(log("short.jsonl", b"x")) == [b"x"]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl", "a.txt"])
def test_gzip_is_known_by_its_content(log: Log, name: str) -> None:
    """The name of a file does not tell whether it is compressed."""
    assert read(log(name, b"one\n", b"two\n", packed=True)) == [b"one\n", b"two\n"]


def test_a_plain_file_called_gz_is_plain(log: Log) -> None:
    """An uncompressed log that kept its name is read."""
    assert read(log("a.jsonl.gz", b"one\n")) == [b"one\n"]


def test_gzip_files_may_be_joined(log: Log) -> None:
    """Concatenated gzip files are one log."""
    path = log("a.gz", gzip.compress(b"one\n"), gzip.compress(b"two\n"))
    assert read(path) == [b"one\n", b"two\n"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_standard_input_is_plain_or_packed_and_stays_open(
    stdin: Callable[[bytes], io.TextIOWrapper], pack: Callable[[bytes], bytes]
) -> None:
    """`-` is standard input; it may be compressed, and it is not closed."""
    stream = stdin(pack(b"one\ntwo\n"))
    source = Source("-")
    assert list(source.lines()) == [b"one\n", b"two\n"]
    assert not stream.closed
    assert not stream.buffer.closed
    assert source.size is None


def test_standard_input_has_no_position(stdin: Callable[[bytes], io.TextIOWrapper]) -> None:
    """The position in a pipe is unknown, and 0."""
    stdin(b"one\ntwo\n")
    source = Source("-")
    lines = source.lines()
    next(lines)
    assert source.position == 0
    lines.close()


def test_the_position_counts_the_bytes_read(log: Log) -> None:
    """The position is 0 before reading, grows with the lines, and is 0 after closing."""
    path = log("a.jsonl", *[b"x" * 99 + b"\n"] * 1_000)
    source = Source(str(path))
    assert (source.position, source.size) == (0, None)
    lines = source.lines()
    next(lines)
    first = source.position
    for _ in range(500):
        next(lines)
    later = source.position
    assert 100 <= first < later < 100_000
    assert source.size == 100_000
    assert len(list(lines)) == 499
    assert source.position == 0


def test_the_position_of_a_packed_file_is_that_in_the_file(log: Log) -> None:
    """Position and size count the same bytes, so that their ratio is the progress."""
    path = log("a.jsonl.gz", *[b"x" * 99 + b"\n"] * 10_000, packed=True)
    source = Source(str(path))
    lines = source.lines()
    next(lines)
    assert source.size == path.stat().st_size
    assert 0 < source.position <= source.size
    lines.close()


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_closed_once_it_is_read(log: Log, *, packed: bool) -> None:
    """A closed file releases its descriptor."""
    source = Source(str(log("a.jsonl", b"one\n", packed=packed)))
    assert list(source.lines()) == [b"one\n"]
    assert source._file is not None
    closed = source._file.closed
    source._file.close()
    assert closed


def test_a_line_may_be_as_long_as_the_limit(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit itself is allowed."""
    monkeypatch.setattr(source_module, "MAX_LINE_BYTES", MIB)
    assert [len(line) for line in read(log("a.jsonl", b"x" * (MIB - 1), b"\ny"))] == [MIB, 1]


def test_a_longer_line_is_an_error(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names file and line; the lines before it are read."""
    monkeypatch.setattr(source_module, "MAX_LINE_BYTES", MIB)
    path = log("a.jsonl", b"one\n", b"x" * MIB, b"\n", b"three\n")
    assert read_until_error(path) == ([b"one\n"], "line 2 is longer than 1 MiB")


def test_the_limit_is_far_above_what_a_server_sends() -> None:
    """An upload of 25 MB as base64 in one line fits."""
    assert source_module.MAX_LINE_BYTES > 25 * MIB * 4 / 3


@pytest.mark.parametrize("packed", [False, True])
def test_a_packed_line_counts_unpacked(
    log: Log, monkeypatch: pytest.MonkeyPatch, *, packed: bool
) -> None:
    """A small file that expands to one endless line does not exhaust the memory."""
    monkeypatch.setattr(source_module, "MAX_LINE_BYTES", MIB)
    path = log("bomb.gz", b"\0" * (4 * MIB), packed=packed)
    assert read_until_error(path) == ([], "line 1 is longer than 1 MiB")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error names the file and the reason."""
    taken, why = read_until_error(tmp_path / "missing.jsonl")
    assert (taken, why) == ([], "cannot be read: No such file or directory")


def test_a_directory_is_not_a_file(tmp_path: Path) -> None:
    """The error names the directory."""
    assert read_until_error(tmp_path) == ([], "cannot be read: Is a directory")


def test_the_lines_before_a_cut_are_reported(log: Log) -> None:
    """A truncated gzip file gives the readable lines, then the error."""
    whole = gzip.compress(b"one\ntwo\n")
    taken, why = read_until_error(log("cut.gz", whole[:-8]))
    assert taken == [b"one\n", b"two\n"]
    assert why.startswith("cannot be read after line 2: ")
    assert "end-of-stream" in why


def test_a_gzip_file_of_two_bytes_is_unreadable(log: Log) -> None:
    """A file with the magic number of gzip only is not an empty log."""
    taken, why = read_until_error(log("cut.gz", b"\x1f\x8b"))
    assert taken == []
    assert why.startswith("cannot be read: ")


@pytest.mark.parametrize("place", [-1, -6, 12])
def test_a_damaged_packed_file_is_unreadable(log: Log, place: int) -> None:
    """A wrong length, checksum or block is an error of the file, for any library."""
    whole = bytearray(gzip.compress(b"one\ntwo\n"))
    whole[place] ^= 0xFF
    _, why = read_until_error(log("damaged.gz", bytes(whole)))
    assert why.startswith("cannot be read")


class OneLinePipe(io.RawIOBase):
    """A pipe that has one line, and blocks for more."""

    def __init__(self) -> None:
        self._left = [b"one\n"]

    def readable(self) -> bool:
        """True: the stream can be read."""
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Return the line; a second read would block, and fails the test."""
        if not self._left:
            raise AssertionError("a second read although a line is available")
        line = self._left.pop()
        buffer[: len(line)] = line
        return len(line)


def test_a_line_on_standard_input_is_read_when_it_arrives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A live log is followed: a line is read before more data arrives."""
    stream = io.TextIOWrapper(io.BufferedReader(OneLinePipe()), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stream)
    assert next(Source("-").lines()) == b"one\n"


class OneByOne(io.RawIOBase):
    """Standard input whose bytes arrive one by one."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        piece, self._left = self._left[:1], self._left[1:]
        buffer[: len(piece)] = piece
        return len(piece)


@pytest.mark.parametrize("encode", [gzip.compress, lambda data: data.decode().encode("utf-16")])
@pytest.mark.parametrize("data", [b"one\ntwo\n", b"", b"\n"])
def test_the_encoding_of_standard_input_is_known_by_its_first_bytes(
    monkeypatch: pytest.MonkeyPatch, encode: Callable[[bytes], bytes], data: bytes
) -> None:
    """The first bytes are enough, however slowly they arrive."""
    stream = io.TextIOWrapper(io.BufferedReader(OneByOne(encode(data))), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stream)
    assert b"".join(Source("-").lines()) == data


def test_a_closed_standard_input_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that was started without standard input gets an error."""
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UnreadableLogError, match=r"^-: cannot be read"):
        list(Source("-").lines())
