"""Fuzz the readers of untrusted input with atheris: `python -m tests.fuzz [TARGET…] [--seconds N]`.

Every target is a check that must hold for any input, such as: only the documented errors are
raised. The first inputs are the recorded logs in tests/logs and data derived from them. An input
that breaks a check is written to a file, beside its error. Keep it as a test in test_found.py.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from tests.fuzz.mutation import WORDS
from tests.fuzz.targets import TARGETS

_MISSING: Final = (
    "python -m tests.fuzz needs atheris, which is not installed: pip install atheris"
    " (Linux or macOS; releases for CPython 3.11 to 3.13)"
)
_ONE_INPUT: Final = 60  # seconds after which an input counts as a hang
_LONGEST: Final = 1 << 16
_MEMORY: Final = 1_024
# A target that hangs is restarted this many times at most.
_MAX_STARTS: Final = 5
_PROGRESS: Final = re.compile(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+) corp: (\d+)", re.MULTILINE)
_EXECUTED: Final = re.compile(r"stat::number_of_executed_units: (\d+)")
_PEAK: Final = re.compile(r"stat::peak_rss_mb: +(\d+)")
_HEAD: Final = (
    "target",
    "seconds",
    "executions",
    "edges",
    "features",
    "corpus",
    "peak MB",
    "found",
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="targets:\n" + "\n".join(f"  {n:14}{t.about}" for n, t in TARGETS.items()),
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="a target; default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target; default: 60")
    parser.add_argument(
        "--corpus",
        type=Path,
        metavar="DIR",
        help="folder of inputs, kept; default: a temporary one",
    )
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    options = parser.parse_args(arguments)
    for name in options.targets:
        if name not in TARGETS:
            parser.error(f"TARGET must be one of {', '.join(TARGETS)}, not {name!r}")
    if options.seconds < 1:
        parser.error(f"--seconds must be 1 or more, not {options.seconds}")
    if importlib.util.find_spec("atheris") is None:
        print(_MISSING, file=sys.stderr)
        return 2
    folder = options.corpus or Path(tempfile.mkdtemp(prefix="chatfsm-fuzz-"))
    rows = []
    for name in options.targets or TARGETS:
        rows.append(fuzz(name, options.seconds, folder))
        print(f"{name}: {rows[-1]['found']} found", file=sys.stderr)
    print(json.dumps(rows, indent=1) if options.json else table(rows))
    print(f"inputs: {folder}", file=sys.stderr)
    return 1 if any(row["found"] for row in rows) else 0


def fuzz(name: str, seconds: int, folder: Path) -> dict[str, Any]:
    """Fuzz one target for so long, and return its row of the table."""
    corpus, found = folder / name / "corpus", folder / name / "found"
    for path in (corpus, found):
        path.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(TARGETS[name].seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{word}"\n' for word in WORDS), "ascii")
    began, executions, peak, log = time.monotonic(), 0, 0, ""
    for _ in range(_MAX_STARTS):
        left = round(seconds - (time.monotonic() - began))
        if left < 1:
            break
        log = run_worker(name, found, corpus, words, left)
        (found.parent / "log.txt").write_text(log, "utf-8", "backslashreplace")
        progress = _PROGRESS.findall(log)
        counted = _EXECUTED.search(log)
        executions += int(counted[1] if counted else progress[-1][0] if progress else 0)
        peak = max(peak, *(int(size) for size in _PEAK.findall(log)), 0)
    edges, features, kept = (
        int(part) for part in (_PROGRESS.findall(log) or [(0, 0, 0, 0)])[-1][1:]
    )
    values = (name, round(time.monotonic() - began), executions, edges, features, kept, peak)
    return dict(zip(_HEAD, (*values, len(findings(found))), strict=True))


def run_worker(name: str, found: Path, corpus: Path, words: Path, seconds: int) -> str:
    """Run the worker for so many seconds and return the output of libFuzzer."""
    options = (
        *(f"-max_total_time={seconds}", f"-timeout={_ONE_INPUT}", f"-rss_limit_mb={_MEMORY}"),
        *(f"-max_len={_LONGEST}", f"-dict={words}", f"-artifact_prefix={found}/"),
        *("-print_final_stats=1", "-use_value_profile=1"),
    )
    command = [sys.executable, "-m", "tests.fuzz.worker", name, str(found), *options, str(corpus)]
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return ran.stdout + ran.stderr


def findings(found: Path) -> list[Path]:
    """Return the inputs that broke a check, without those that were only slow."""
    return [
        path
        for path in sorted(found.iterdir())
        if path.suffix != ".txt" and "slow" not in path.name
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table of text."""
    cells = [
        _HEAD,
        *(tuple(f"{v:,}" if isinstance(v, int) else v for v in r.values()) for r in rows),
    ]
    widths = [max(len(row[at]) for row in cells) for at in range(len(_HEAD))]
    lines = []
    for row in cells:
        first, *rest = (cell.ljust if at == 0 else cell.rjust for at, cell in enumerate(row))
        lines.append(
            "  ".join(
                [first(widths[0]), *(put(w) for put, w in zip(rest, widths[1:], strict=True))]
            )
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
