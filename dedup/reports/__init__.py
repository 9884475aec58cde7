"""What a find run found, as a file: one page, a table, JSON, contact sheets, or a figure. Nothing here decides."""

from dedup.reports.figure import write_summary
from dedup.reports.place import ENDINGS, require_place
from dedup.reports.writing import write_report

__all__ = ["ENDINGS", "require_place", "write_report", "write_summary"]
