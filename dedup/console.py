"""The terminal: progress bars, lines and questions. The first room that prints or asks.

Ctrl-C at a question raises Back, Ctrl-D raises Leave. During work the first Ctrl-C asks
the job to stop at its next safe point, the second stops it at once.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from dedup.errors import DedupError
from dedup.progress import Cancelled, Event, Notice, Progress, Skipped
from dedup.wording import printable

if TYPE_CHECKING:
    import questionary
    from tqdm import tqdm

Value = TypeVar("Value")


class Back(Exception):
    """The user pressed Ctrl-C at a question: one level back, nothing changed."""


class Leave(Exception):
    """The user pressed Ctrl-D: leave the program, nothing changed."""


def say(text: str = "") -> None:
    """Print a result to standard output."""
    print(text, flush=True)


def note(text: str = "") -> None:
    """Print a remark to standard error, where it does not mix with results."""
    print(text, file=sys.stderr, flush=True)


def explain(problem: DedupError) -> None:
    """Print an error and its remedy to standard error."""
    note(printable(problem.message))
    if problem.remedy:
        note(f"  {printable(problem.remedy)}")


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

    def __call__(self, event: Event) -> None:
        """Show one event; raises Cancelled once after ``stop`` was called."""
        if isinstance(event, Skipped):
            self.skipped.append(event)
        elif isinstance(event, Notice):
            self._above_the_bar(event.text)
        else:
            self._advance(event)
        if self._stop:
            self._stop = False
            self.close()
            raise Cancelled

    def stop(self) -> None:
        """Let the job stop at its next event."""
        self._stop = True

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

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

    rows = [questionary.Choice(title, value=number) for number, (title, _) in enumerate(choices)]
    chosen = next((row for row, (_, value) in zip(rows, choices, strict=True) if value == default), rows[0])
    answer: int = _ask(
        questionary.select(
            message,
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

    shown = f"{message} [{printable(default)}]:" if default else f"{message}:"
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
            message,
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
