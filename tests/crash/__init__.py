"""Crash safety, proven: jobs of the real command line are broken off, and the folder is looked at afterwards.

``python -m tests.crash --kills 500`` prints the table; README.md lists the attacks.
"""
