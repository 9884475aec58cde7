"""One example for each command, and all commands with all options as Markdown, made from their help."""

from __future__ import annotations

import argparse

from dedup.errors import program

EXAMPLES = {
    "index": "index ~/Pictures",
    "find": "find ~/Pictures --save-plan plan.json",
    "review": "review ~/Pictures ~/Backup --keep best",
    "encoders": "encoders --check pdq",
    "calibrate": "calibrate ~/Pictures --sample 200 --plot thresholds.png",
    "remove": "remove --plan plan.json --dry-run",
    "names": "names ~/Downloads",
    "undo": "undo ~/Pictures",
    "purge": "purge ~/Pictures",
    "import": "import ~/Pictures --encoder clip-vit-l14",
    "clean": "clean ~/Pictures",
    "status": "status ~/Pictures --json",
    "search": "search needle.jpg ~/Pictures --threshold 10 --format text",
    "dupe": "dupe ~/Pictures --format text",
    "history": "history ~/Pictures",
    "organise": "organise plan.json --copy-to ~/duplicates",
    "folders": "folders find ~/Pictures --output ~/sets",
    "folders find": "folders find ~/Pictures --output ~/sets",
    "folders check-deleted": "folders check-deleted ~/sets",
    "folders cleanup": "folders cleanup ~/sets",
    "verdicts": "verdicts ~/Pictures",
    "completion": "completion bash >> ~/.bashrc",
    "reference": "reference > reference.md",
}


def example_of(command: str) -> str:
    """The line under a command's help."""
    start = "python detector.py" if program() == "detector.py" else program()
    return f"Example: {start} {EXAMPLES[command]}"


def add_volume(parser: argparse.ArgumentParser, default: object = argparse.SUPPRESS) -> None:
    """How much is said; each may stand before or after the command. Not given after it, what stood before holds."""
    parser.add_argument(
        "--quiet", "-q", action="store_true", default=default, help="only results and errors: no bars, no remarks"
    )
    parser.add_argument(
        "--verbose", "-v", action="store_true", default=default, help="also say each step's time and each file left out"
    )
    parser.add_argument("--debug", action="store_true", default=default, help="show where an error comes from")


def as_markdown(parser: argparse.ArgumentParser) -> str:
    """Every command of a parser: what it does, how it is called, an example, and its options in a table."""
    lines: list[str] = []
    for name, command, text in _commands(parser):
        lines += [
            f"**`{name}`**: {_plain(text)}.",
            "",
            "```",
            _usage(command),
            (command.epilog or "").strip(),
            "```",
            "",
        ]
        options = [action for action in command._actions if _is_own(action)]
        if options:
            lines += ["| | |", "|---|---|", *(f"| {_called(one)} | {_plain(one.help or '')} |" for one in options), ""]
    return "\n".join(lines)


def _commands(parser: argparse.ArgumentParser, before: str = "") -> list[tuple[str, argparse.ArgumentParser, str]]:
    """(name, parser, what it does) of every command, those within commands after them."""
    found = []
    for group in (action for action in parser._actions if isinstance(action, argparse._SubParsersAction)):
        texts = {choice.dest: choice.help or "" for choice in group._choices_actions}
        for name, command in group.choices.items():
            if name in texts:
                found.append((before + name, command, texts[name]))
                found += _commands(command, f"{before}{name} ")
    return found


def _is_own(action: argparse.Action) -> bool:
    """Whether an option or argument is a command's own: help and what every command has stand elsewhere."""
    everywhere = {"help", "quiet", "verbose", "debug"}
    kind = isinstance(action, argparse._SubParsersAction)
    return action.dest not in everywhere and action.help != argparse.SUPPRESS and not kind


def _usage(command: argparse.ArgumentParser) -> str:
    words = [one for one in command._actions if not one.option_strings and _is_own(one)]
    needed = [one for one in command._actions if one.option_strings and one.required]
    parts = [command.prog, *(f"{one.option_strings[0]} {_value(one)}" for one in needed)]
    return " ".join([*parts, *(_argument(one) for one in words), "[options]"])


def _argument(action: argparse.Action) -> str:
    shape = {"+": "{0}...", "*": "[{0}...]", "?": "[{0}]"}.get(str(action.nargs), "{0}")
    return shape.format(_value(action))


def _value(action: argparse.Action) -> str:
    if action.metavar is not None:
        return action.metavar if isinstance(action.metavar, str) else " ".join(action.metavar)
    if action.choices is not None:
        return "|".join(map(str, action.choices))
    return action.dest.upper()


def _called(action: argparse.Action) -> str:
    names = ", ".join(action.option_strings) or _value(action)
    value = f" {_value(action)}" if action.option_strings and action.nargs != 0 else ""
    return "`" + (names + value).replace("|", "\\|") + "`"


def _plain(text: str) -> str:
    return (text % {} if "%%" in text else text).replace("|", "\\|")
