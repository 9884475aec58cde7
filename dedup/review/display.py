"""Whether a window can be opened here, and with which of matplotlib's backends."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

QT_BINDINGS = ("PySide6", "PyQt6", "PyQt5", "PySide2")


def window_backend() -> str | None:
    """The interactive backend to use, or None where no window can be opened."""
    asked = os.environ.get("MPLBACKEND", "").lower()
    if asked in ("agg", "pdf", "svg", "ps", "cairo", "template"):
        return None
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return None
    if _tk_opens():
        return "TkAgg"
    if any(find_spec(name) for name in QT_BINDINGS):
        return "QtAgg"
    return None


def why_no_window() -> str:
    """One sentence on why there is no window, and what would help."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "There is no display here, so the sets are reviewed in the terminal."
    return (
        "No window can be opened (this Python has no Tk; installing python3-tk or PySide6 gives it one), "
        "so the sets are reviewed in the terminal."
    )


def _tk_opens() -> bool:
    try:
        import tkinter

        tkinter.Tk().destroy()
    except Exception:  # ImportError without Tk, TclError without a reachable display
        return False
    return True
