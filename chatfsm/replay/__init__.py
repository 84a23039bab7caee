"""What happened, read again: recorded logs, their replay, and what there is to say."""

from __future__ import annotations

from typing import Final

__all__ = ["FINDINGS"]

# What may be wrong with a log: words that the command's help needs before anything is loaded.

FINDINGS: Final = ("unknown", "malformed", "anomalies", "late")
"""What may be wrong with a log; late events count as a finding beyond the terminal batch only."""
