"""Find duplicate and near-duplicate pictures and remove the ones a person confirms.

The modules form a total order (see ``tests/test_architecture.py``): each imports
only modules above it. Front ends are ``menu`` and ``cli``; ``workflow`` is all they call.
"""

__version__ = "0.1.0"
