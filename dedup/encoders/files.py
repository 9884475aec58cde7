"""Files of weights: their digests, whether a server can be reached, and fetching one file."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

SECONDS_FOR_A_SERVER = 4.0
SECONDS_BETWEEN_BYTES = 30.0


def digest_of(paths: Iterable[Path]) -> str:
    """A short SHA-256 over files' contents in this order; "" where there is none or one cannot be read."""
    digests = []
    try:
        for path in paths:
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").digest())
    except OSError:
        return ""
    if not digests:
        return ""
    whole = digests[0] if len(digests) == 1 else hashlib.sha256(b"".join(digests)).digest()
    return f"sha256:{whole.hex()[:16]}"


def server_answers(address: str) -> bool:
    """Whether the server of an address says anything within a few seconds: asked once."""
    answers: list[bool] = []
    # In a thread: looking up a name may take longer than any time limit of the connection.
    thread = threading.Thread(target=lambda: answers.append(_says_anything(address)), daemon=True)
    thread.start()
    thread.join(SECONDS_FOR_A_SERVER)
    return answers == [True]


def fetch(address: str) -> bytes:
    """What an address serves; raises OSError when it is not all there."""
    with urlopen(address, timeout=SECONDS_BETWEEN_BYTES) as answer:
        data: bytes = answer.read()
        expected = int(answer.headers.get("Content-Length", -1))
    if len(data) != expected >= 0:
        raise OSError(f"{address} sent {len(data):,} of {expected:,} bytes")
    return data


def _says_anything(address: str) -> bool:
    try:
        with urlopen(Request(address, method="HEAD"), timeout=SECONDS_FOR_A_SERVER):
            return True
    except HTTPError as problem:
        return problem.code < 500 or problem.code == 501  # it is there, and does not know HEAD
    except URLError as problem:
        # A certificate we do not know: the client that fetches has its own list.
        return isinstance(problem.reason, ssl.SSLError)
    except (OSError, ValueError, HTTPException):
        return False
