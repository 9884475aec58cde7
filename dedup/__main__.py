"""``python -m dedup``: the same as ``python detector.py``."""

import sys

from dedup.cli import main

if __name__ == "__main__":  # decode workers may import this file again
    sys.exit(main())
