"""The parameters of fingerprints: what may be set, and how it is written down (``hash_size=16,highfreq_factor=4``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dedup.errors import DedupError


@dataclass(frozen=True, slots=True)
class Parameter:
    """A whole number with its default, its bounds and one line of help."""

    name: str
    default: int
    low: int
    high: int
    help: str
    power_of_two: bool = False

    def check(self, value: int, encoder: str) -> int:
        """The value; raises DedupError where the encoder cannot work with it."""
        if not self.low <= value <= self.high or (self.power_of_two and value & (value - 1)):
            kind = "a power of two" if self.power_of_two else "a whole number"
            raise DedupError(
                f"{self.name} of {encoder} cannot be {value}.", f"Choose {kind} from {self.low} to {self.high}."
            )
        return value


def understand_parameters(text: str, known: Sequence[Parameter], encoder: str) -> dict[str, int]:
    """``name=value,name=value`` as a mapping; raises DedupError saying what is wrong and what there is."""
    by_name = {parameter.name: parameter for parameter in known}
    offered = "; ".join(f"{one.name} ({one.help}, default {one.default})" for one in known)
    remedy = f"It knows: {offered}." if known else f"Leave the parameters of {encoder} empty."
    values: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in by_name:
            raise DedupError(f"{encoder} has no parameter {name}.", remedy)
        try:
            values[name] = by_name[name].check(int(value), encoder)
        except ValueError:
            raise DedupError(f"{name}={value} is not a whole number.", remedy) from None
    return values


def complete(given: Mapping[str, int], known: Sequence[Parameter]) -> dict[str, int]:
    """Every parameter with its value, in the order of the row."""
    return {parameter.name: given.get(parameter.name, parameter.default) for parameter in known}


def written(values: Mapping[str, int]) -> str:
    """The parameters in one line, as ``understand_parameters`` reads them."""
    return ",".join(f"{name}={value}" for name, value in values.items())
