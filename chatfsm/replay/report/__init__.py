"""Report: recorded logs as one HTML page with totals, charts, a table of chats and their traces.

    builder = ReportBuilder(title="Monday")
    builder.read(["logs/"])
    Path("report.html").write_text(builder.page(), "utf-8")

The page needs no network and no other file. It is drawn by scripts of chatfsm alone, of which there
are few enough to read; texts of a chat are shown as text, and a content security policy allows no
script but those, by their hash.
"""

from __future__ import annotations

from chatfsm.replay.report.builder import MAX_CHATS, MAX_STEPS, ReportBuilder, ReportInput

__all__ = ["MAX_CHATS", "MAX_STEPS", "ReportBuilder", "ReportInput"]
