#!/usr/bin/env python3
"""Start here: opens the menu, or runs a subcommand (``python detector.py --help``)."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # said in words to whoever has an older one
    sys.exit("This program needs Python 3.11 or newer.")

if __name__ == "__main__":  # decode workers may import this file again
    try:
        from dedup.cli import main

        sys.exit(main())
    except ModuleNotFoundError as problem:
        sys.exit(
            f"The package {problem.name} is not installed for this Python ({sys.executable}).\n"
            "  Use the Python of the .venv that the README makes, or run: pip install -r requirements.txt"
        )
    except KeyboardInterrupt:  # while it was still starting
        sys.exit(130)
