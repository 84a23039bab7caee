"""Compressed logs are detected by content, and the size of their content is bounded."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from chatfsm.errors import UnreadableLogError
from chatfsm.replay import compression, open_logs
from chatfsm.replay.formats import records
from chatfsm.replay.sources import Source

Log = Callable[..., Path]
STATUS = b'{"event":"chat_session_status","state":"queued"}\n'
ENDED = b'{"event":"chat_session_ended"}\n'
LOG = STATUS + ENDED


def zstd_compress(data: bytes) -> bytes:
    try:
        zstd = importlib.import_module("compression.zstd")
    except ImportError:
        zstd = pytest.importorskip("backports.zstd")
    compressed: bytes = zstd.compress(data)
    return compressed


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip file with these files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd_compress,
}


def kinds(path: Path) -> list[str]:
    return [type(record.event).__name__ for record in records(Source(str(path)))]


def refusal(path: Path) -> str:
    with pytest.raises(UnreadableLogError) as caught:
        list(records(Source(str(path))))
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_compressed_log_is_read(log: Log, name: str) -> None:
    """The name of the file does not matter."""
    assert kinds(log("a.jsonl", COMPRESSIONS[name](LOG))) == ["Status", "Ended"]


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_compressed_logs_may_be_joined(log: Log, name: str) -> None:
    """Two concatenated compressed files are one log."""
    compress = COMPRESSIONS[name]
    assert kinds(log("a.log", compress(STATUS), compress(ENDED))) == ["Status", "Ended"]


def test_padding_between_xz_streams_is_skipped(log: Log) -> None:
    """Zero bytes between xz streams are padding."""
    data = lzma.compress(STATUS) + b"\0" * 8 + lzma.compress(ENDED) + b"\0" * 4
    assert kinds(log("a.xz", data)) == ["Status", "Ended"]


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_log_larger_than_a_block_is_complete(log: Log, name: str) -> None:
    """Content of many blocks is read completely."""
    path = log("a.log", COMPRESSIONS[name](LOG * 20_000))
    assert len(kinds(path)) == 40_000


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_truncated_file_is_an_error(log: Log, name: str) -> None:
    """A truncated file gives an error with the last line."""
    whole = COMPRESSIONS[name](LOG)
    assert refusal(log("cut.log", whole[:-5])).startswith("cannot be read")


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz"])  # zstd has no checksum by default
def test_a_damaged_file_is_unreadable(log: Log, name: str) -> None:
    """Changed bytes in the middle are an error."""
    whole = bytearray(COMPRESSIONS[name](LOG * 10))
    whole[len(whole) // 2] ^= 0xFF
    path = log("damaged.log", bytes(whole))
    with pytest.raises(UnreadableLogError):
        list(records(Source(str(path))))


def test_a_file_may_be_compressed_twice_but_not_thrice(log: Log) -> None:
    """Two layers of compression are the limit."""
    twice = gzip.compress(bz2.compress(LOG))
    assert kinds(log("twice.gz", twice)) == ["Status", "Ended"]
    assert refusal(log("thrice.gz", gzip.compress(twice))) == "compressed more than 2 times"


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_bomb_of_events_is_refused(log: Log, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A large file that expands to far more than its size is refused."""
    monkeypatch.setattr(compression, "_FREE_BYTES", 100_000)
    monkeypatch.setattr(compression, "_MAX_RATIO", 20)
    path = log("bomb", COMPRESSIONS[name](ENDED * 100_000))
    assert refusal(path) == "expands to more than 20 times its size"


def test_a_lower_ratio_is_read(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound does not concern ordinary files."""
    monkeypatch.setattr(compression, "_FREE_BYTES", 1_000)
    assert len(kinds(log("a.gz", gzip.compress(LOG * 1_000, 1)))) == 2_000


def test_xz_may_not_demand_any_memory(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory that a file may request is bounded."""
    monkeypatch.setattr(compression, "_XZ_MEMORY", 100_000)
    assert refusal(log("a.xz", lzma.compress(LOG))) == "cannot be read: Memory usage limit exceeded"


def test_zstd_needs_its_extra(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library the error names the extra."""
    monkeypatch.setattr(compression, "find_spec", lambda name: None)
    path = log("a.zst", b"\x28\xb5\x2f\xfd\0\0\0\0")
    assert "pip install 'chatfsm[zstd]'" in refusal(path)


# Zip files


def test_a_zip_file_of_one_log_is_read_by_its_name(log: Log) -> None:
    """A zip file with one file needs no `open_logs`."""
    assert kinds(log("a.zip", zipped({"a.jsonl": LOG}))) == ["Status", "Ended"]


def test_a_zip_file_is_expanded_to_its_files(log: Log) -> None:
    """Each file is a log, sorted by name, compressed or not; hidden files are skipped."""
    hidden = {"__MACOSX/x": b"x", "a/.hidden": b"x", "folder/": b""}
    data = zipped({"b.jsonl": LOG, "a/c.jsonl": gzip.compress(LOG), **hidden})
    path = log("a.zip", data)
    sources = open_logs(path)
    assert [source.name for source in sources] == [f"{path}/a/c.jsonl", f"{path}/b.jsonl"]
    assert [source.stem for source in sources] == ["c", "b"]
    assert [len(list(records(source))) for source in sources] == [2, 2]


def test_a_zip_file_of_many_must_be_opened_by_open_logs(log: Log) -> None:
    """The error has the number of files."""
    path = log("a.zip", zipped({"a.jsonl": LOG, "b.jsonl": LOG}))
    assert refusal(path) == "a zip file with 2 files: name one of them"


def test_an_empty_zip_file_has_no_logs(log: Log) -> None:
    """An empty zip file has no logs and no error."""
    assert open_logs(log("a.zip", zipped({}))) == []


def test_a_path_in_a_zip_file_writes_nothing(log: Log, tmp_path: Path) -> None:
    """Members are read in place, whatever their names are; no file is written."""
    path = log("deep/a.zip", zipped({}))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil.jsonl", LOG)
    (source,) = open_logs(path)
    assert len(list(records(source))) == 2
    assert [each.name for each in tmp_path.rglob("*.jsonl")] == []


def test_the_number_of_files_in_a_zip_file_is_bounded(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of members is checked before they are listed."""
    monkeypatch.setattr(compression, "MAX_ZIP_FILES", 2)
    path = log("a.zip", zipped({"a": LOG, "b": LOG, "c": LOG}))
    (source,) = open_logs(path)
    with pytest.raises(UnreadableLogError, match="a zip file with more than 2 files"):
        list(records(source))


def test_an_encrypted_zip_file_is_unreadable(log: Log) -> None:
    """The error says that the file is encrypted."""
    data = bytearray(zipped({"a.jsonl": LOG}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    assert "encrypted" in refusal(log("a.zip", bytes(data)))


@pytest.mark.parametrize("cut", [40, -10])
def test_a_cut_off_zip_file_is_unreadable(log: Log, cut: int) -> None:
    """A truncated zip file is refused, with or without its directory."""
    path = log("a.zip", zipped({"a.jsonl": LOG})[:cut])
    (source,) = open_logs(path)
    with pytest.raises(UnreadableLogError, match=r"cannot be read"):
        list(records(source))


def test_a_zip_file_with_a_wrong_checksum_is_unreadable(log: Log) -> None:
    """A damaged member is an error of the member."""
    data = bytearray(zipped({"a.jsonl": LOG}))
    place = data.index(b"PK\x01\x02") + 16
    struct.pack_into("<L", data, place, 7)
    (source,) = open_logs(log("a.zip", bytes(data)))
    with pytest.raises(UnreadableLogError, match=r"a\.jsonl: cannot be read"):
        list(records(source))


def test_a_missing_member_is_unreadable(log: Log) -> None:
    """The zip file may change after its members were listed."""
    path = log("a.zip", zipped({"a.jsonl": LOG}))
    source = Source(f"{path}/b.jsonl", member="b.jsonl")
    with pytest.raises(UnreadableLogError, match="the zip file has no such file"):
        list(records(source))


def test_an_office_document_is_not_a_zip_file_of_logs(log: Log) -> None:
    """An Office document is refused by its kind."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
    path = log("a.docx", stream.getvalue())
    (source,) = open_logs(path)
    assert refusal(Path(source.name)) == "not a log of chat events: this is an Office document"


def test_a_zip_file_cannot_come_through_a_pipe(stdin: Callable[[bytes], object]) -> None:
    """A zip file needs seeking, since its directory is at its end."""
    stdin(zipped({"a.jsonl": LOG}))
    with pytest.raises(UnreadableLogError, match="from a pipe"):
        list(records(Source("-")))


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_standard_input_may_be_compressed(stdin: Callable[[bytes], object], name: str) -> None:
    """Standard input may be compressed in the same ways as a file."""
    stdin(COMPRESSIONS[name](LOG))
    assert len(list(records(Source("-")))) == 2
