"""Runs the command line in children of one warmed process, so that a run costs milliseconds and not a start.

``python -m tests.crash.runner`` reads one request a line (JSON) and forks a child for each; it answers with the
child's process id at once and with how it ended when it has. One thread, nothing computed before the fork.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .steps import Fault

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Ended:
    """How a run ended: ``code`` is its exit code, or minus the signal; ``steps`` are those it took."""

    code: int
    steps: list[str]
    said: str
    seconds: float


class Running:
    """A run under way."""

    def __init__(self, runner: Runner, pid: int, log: Path) -> None:
        self.pid = pid
        self._runner = runner
        self._log = log

    def wait(self) -> Ended:
        """How it ended."""
        answer = self._runner.read()
        steps = self._log.with_suffix(".steps")
        taken = steps.read_text().splitlines() if steps.exists() else []
        return Ended(answer["code"], taken, self._log.read_text(errors="replace"), answer["seconds"])


class Runner:
    """The warmed process; use as a context manager."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.runner"],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "DEDUP_HOME": str(home), "OMP_NUM_THREADS": "1"},
        )

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def start(self, words: list[str], fault: Fault | None = None, *, ordinary: bool = False) -> Running:
        """Start the command line with these words; ``ordinary``: without the powers of root."""
        log = self.home / "said"
        log.with_suffix(".steps").unlink(missing_ok=True)
        request = {"words": words, "fault": asdict(fault) if fault else None, "log": str(log), "ordinary": ordinary}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Running(self, self.read()["pid"], log)

    def run(self, words: list[str], fault: Fault | None = None, *, ordinary: bool = False) -> Ended:
        """Run the command line to its end, whichever that is."""
        return self.start(words, fault, ordinary=ordinary).wait()

    def read(self) -> dict[str, Any]:
        """The runner's next answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the runner itself ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


def serve() -> None:
    """Answer requests until the input ends."""
    _warm_up()
    for line in sys.stdin:
        request = json.loads(line)
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _be_the_child(request)
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        print(json.dumps({"code": code, "seconds": time.monotonic() - started}), flush=True)


def _warm_up() -> None:
    import torch

    torch.set_num_threads(1)
    import cv2

    cv2.setNumThreads(1)
    import dedup.cli
    import dedup.comparison
    import dedup.decoding
    import dedup.encoders.fingerprints
    import dedup.verify
    import dedup.workflow

    assert dedup.cli


def _be_the_child(request: dict[str, Any]) -> None:
    code = 70
    try:
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        fault = Fault(**request["fault"]) if request["fault"] else None
        if request["ordinary"] and os.geteuid() == 0:
            _give_up_powers()
        if fault:
            steps = os.open(Path(request["log"]).with_suffix(".steps"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            fault.taken = _Written(steps)
            fault.install()
        from dedup.cli import main

        code = main(request["words"])
    except SystemExit as problem:
        code = problem.code if isinstance(problem.code, int) else 70
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _give_up_powers() -> None:
    """Root without its powers (capset of linux/capability.h): permissions count as for anyone else."""
    import ctypes

    header = struct.pack("=Ii", 0x20080522, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, bytes(24)):
        raise OSError(ctypes.get_errno(), "the powers of root cannot be given up")


class _Written(list[str]):
    """A list whose rows are in a file the moment they are added."""

    def __init__(self, file: int) -> None:
        super().__init__()
        self._file = file

    def append(self, row: str) -> None:
        super().append(row)
        os.write(self._file, (row + "\n").encode())


if __name__ == "__main__":
    serve()
