"""The terminal: progress bars, lines and questions. The first room that prints or asks.

Whatever text it is handed reaches the terminal without a character that could command it or deceive a reader.

Ctrl-C at a question raises Back, Ctrl-D raises Leave. During work the first Ctrl-C asks
the job to stop at its next safe point, the second stops it at once.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import IntEnum
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from dedup.errors import DedupError
from dedup.progress import Cancelled, Event, Notice, Progress, Skipped
from dedup.wording import printable, printable_lines

if TYPE_CHECKING:
    import questionary
    from tqdm import tqdm

Value = TypeVar("Value")


class Volume(IntEnum):
    """How much is said beside results and errors: nothing; remarks and bars; also each phase and file left out."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


_volume = Volume.NORMAL


def set_volume(volume: Volume) -> None:
    """How much ``note`` and the reports say from now on."""
    global _volume
    _volume = volume


class Back(Exception):
    """The user pressed Ctrl-C at a question: one level back, nothing changed."""


class Leave(Exception):
    """The user pressed Ctrl-D: leave the program, nothing changed."""


def say(text: str = "") -> None:
    """Print a result to standard output."""
    print(printable_lines(text), flush=True)


def say_json(value: object) -> None:
    """Print one JSON value to standard output; it is ASCII throughout, names in it are given exactly."""
    print(json.dumps(value).replace("\x7f", "\\u007f"), flush=True)


def say_exactly(text: str) -> None:
    """Print what another program reads as it is; only a terminal gets it in printable form."""
    print(printable_lines(text) if sys.stdout.isatty() else text, flush=True)


def note(text: str = "") -> None:
    """Print a remark to standard error, where it does not mix with results; nothing when quiet."""
    if _volume > Volume.QUIET:
        complain(text)


def complain(text: str = "") -> None:
    """Print an error to standard error, however quiet."""
    print(printable_lines(text), file=sys.stderr, flush=True)


def explain(problem: DedupError) -> None:
    """Print an error and its remedy to standard error."""
    complain(printable(problem.message))
    if problem.remedy:
        complain(f"  {printable(problem.remedy)}")


def is_terminal() -> bool:
    """Whether a person sits at both ends."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


class TerminalReport:
    """A report that draws a bar per phase on standard error and collects what was skipped."""

    def __init__(self) -> None:
        self.skipped: list[Skipped] = []
        self._stop = False
        self._bar: tqdm[Any] | None = None
        self._phase = ""
        self._timed: tuple[str, float] | None = None

    def __call__(self, event: Event) -> None:
        """Show one event; raises Cancelled once after ``stop`` was called."""
        if isinstance(event, Skipped):
            self.skipped.append(event)
            if _volume >= Volume.VERBOSE:
                self._above_the_bar(f"left out: {event.path}: {event.reason}")
        elif isinstance(event, Notice):
            self._above_the_bar(event.text)
        else:
            self._time(event)
            if _volume > Volume.QUIET:
                self._advance(event)
        if self._stop:
            self._stop = False
            self.close()
            raise Cancelled

    def say(self, text: str, *, exactly: bool = False) -> None:
        """Print a result while the job goes on: above the bar where both are on one terminal."""
        if self._bar is not None:
            self._bar.clear()
        (say_exactly if exactly else say)(text)

    def stop(self) -> None:
        """Let the job stop at its next event."""
        self._stop = True

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _time(self, event: Progress) -> None:
        """Say, when verbose, how long each phase took: also where there is no terminal for a bar."""
        if self._timed is None or self._timed[0] != event.what:
            self._timed = event.what, time.monotonic()
        elif event.done >= event.total and _volume >= Volume.VERBOSE:
            self._above_the_bar(f"{event.what}: {event.done:,} in {time.monotonic() - self._timed[1]:.1f} s")
            self._timed = None

    def _advance(self, event: Progress) -> None:
        if self._bar is None or event.what != self._phase:
            self.close()
            if event.done >= event.total:
                return
            from tqdm import tqdm

            self._phase = event.what
            # disable=None: no bar where standard error is not a terminal.
            self._bar = tqdm(total=event.total, desc=event.what.capitalize(), unit="", disable=None, dynamic_ncols=True)
        if event.unreadable:
            self._bar.set_postfix_str(f"{event.unreadable} unreadable", refresh=False)
        self._bar.total = event.total  # it grows where files are listed while others are read
        self._bar.update(event.done - self._bar.n)
        if event.done >= event.total:
            self.close()

    def _above_the_bar(self, text: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        note(printable(text))


@contextmanager
def working() -> Iterator[TerminalReport]:
    """A report for one job; Ctrl-C once lets the job stop safely, twice stops it at once."""
    report = TerminalReport()
    pressed = False

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        report.stop()
        note("\nStopping after the work in hand; press Ctrl-C again to stop at once.")

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield report
    finally:
        signal.signal(signal.SIGINT, before)
        report.close()


def choose(message: str, choices: Sequence[tuple[str, Value]], default: Value | None = None) -> Value:
    """The value of the choice made by number or arrows and Enter."""
    import questionary

    rows = [questionary.Choice(printable(title), value=number) for number, (title, _) in enumerate(choices)]
    chosen = next((row for row, (_, value) in zip(rows, choices, strict=True) if value == default), rows[0])
    answer: int = _ask(
        questionary.select(
            printable_lines(message),
            choices=rows,
            default=chosen,
            use_shortcuts=len(rows) <= 36,
            instruction="(number or arrows, then Enter)",
            qmark="",
        )
    )
    return choices[answer][1]


def ask_line(message: str, default: str = "") -> str:
    """A line of text as it was typed; Enter alone gives the default, which is shown."""
    import questionary

    shown = printable_lines(f"{message} [{printable(default)}]:" if default else f"{message}:")
    answer: str = _ask(questionary.text(shown, qmark=""))
    return answer if answer.strip() else default


def ask_until(message: str, default: str, understand: Callable[[str], Value]) -> Value:
    """A line of text understood as a value; what is wrong with it is explained and asked again."""
    while True:
        try:
            return understand(ask_line(message, default))
        except DedupError as problem:
            explain(problem)


def confirm(message: str, *, default: bool = False) -> bool:
    """Yes or no; the default is what Enter alone means. What was typed before the question is not an answer."""
    import questionary

    _forget_what_was_typed_ahead()
    answer: bool = _ask(
        questionary.confirm(
            printable_lines(message),
            default=default,
            auto_enter=False,
            qmark="",
            instruction="(Y/n, then Enter) " if default else "(y/N, then Enter) ",
        )
    )
    return answer


def confirm_by_typing(message: str, sentence: str) -> bool:
    """Whether the sentence is typed in full; anything else, Enter alone included, means no."""
    _forget_what_was_typed_ahead()
    return ask_line(f"{message}\nType  {sentence}  to go on, or Enter to leave everything as it is").strip() == sentence


def _forget_what_was_typed_ahead() -> None:
    from prompt_toolkit.input import create_input
    from prompt_toolkit.input.typeahead import clear_typeahead

    clear_typeahead(create_input())
    with suppress(ImportError, OSError):
        import termios

        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _ask(question: questionary.Question) -> Any:
    from prompt_toolkit.key_binding import KeyBindings

    bindings = question.application.key_bindings
    if isinstance(bindings, KeyBindings):
        # Lists and yes/no questions have no Ctrl-D of their own.
        bindings.add("c-d", eager=True)(lambda event: event.app.exit(exception=EOFError, style="class:aborting"))
    try:
        return question.unsafe_ask()
    except KeyboardInterrupt as problem:
        raise Back from problem
    except EOFError as problem:
        raise Leave from problem
