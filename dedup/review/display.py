"""Whether a window can be opened here, with which of matplotlib's backends, and what to settle before."""

from __future__ import annotations

import os
import sys
import warnings
from importlib.util import find_spec

QT_BINDINGS = ("PySide6", "PyQt6", "PyQt5", "PySide2")
FALLBACK_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Emoji",
    "Segoe UI Emoji",
)


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


def prepare_matplotlib() -> None:
    """No toolbar, no keys of matplotlib's own, and fonts for names in other scripts where there are any."""
    import matplotlib
    from matplotlib.font_manager import fontManager

    for name in [name for name in matplotlib.rcParams if name.startswith("keymap.")]:
        matplotlib.rcParams[name] = []
    matplotlib.rcParams["toolbar"] = "None"
    installed = set(fontManager.get_font_names())
    matplotlib.rcParams["font.family"] = ["DejaVu Sans", *(font for font in FALLBACK_FONTS if font in installed)]
    # A name in a script without a font shows boxes; the terminal need not hear of it.
    warnings.filterwarnings("ignore", message="Glyph .* missing from")


def _tk_opens() -> bool:
    try:
        import tkinter

        tkinter.Tk().destroy()
    except Exception:  # ImportError without Tk, TclError without a reachable display
        return False
    return True
