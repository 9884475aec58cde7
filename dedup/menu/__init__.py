"""The numbered menu: asks everything before work starts, then runs the jobs.

Ctrl-C goes back one level, Ctrl-D leaves; neither loses work.
"""

from dedup.menu.main import run_menu

__all__ = ["run_menu"]
