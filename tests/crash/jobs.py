"""The jobs that are broken off, a line each: the words of the command line, and what must be done before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Job:
    """One run of the command line. ``words`` may name {first}, {second} (the folders) and {plan}.

    ``before``: the jobs that make the state it starts from. ``frees``: whether it may delete from the trash for good.
    ``keeps_names``: it replaces files by other names of those kept, so that run again it finds other files than before.
    ``stops_halfway``: what it was at when it was broken off lies in the trash, from where it goes another way.
    """

    name: str
    words: str
    before: tuple[str, ...] = ()
    frees: bool = False
    keeps_names: bool = False
    stops_halfway: bool = False

    def command(self, places: Mapping[str, str]) -> list[str]:
        """Its words with the places filled in."""
        return [word.format(**places) for word in self.words.split()]


INDEXED = ("index", "index second")
REMOVED = (*INDEXED, "find", "remove")
ENCODER = "--encoder dhash --params hash_size=8"

JOBS = (
    Job("index", f"index {{first}} {ENCODER} --workers 0 --batch-size 4"),
    Job("index second", f"index {{second}} {ENCODER} --workers 0 --batch-size 4", ("index",)),
    Job("find", "find {first} {second} --within --encoder dhash --save-plan {plan}", INDEXED),
    Job("remove", "remove --plan {plan} --yes", (*INDEXED, "find")),
    Job("remove by hard links", "remove --plan {plan} --yes --to hardlink", (*INDEXED, "find"), keeps_names=True),
    Job(
        "remove for good",
        "remove --plan {plan} --yes --to delete --for-good",
        (*INDEXED, "find"),
        frees=True,
        stops_halfway=True,
    ),
    Job("undo hard links", "undo {first} {second}", (*INDEXED, "find", "remove by hard links"), keeps_names=True),
    Job("undo", "undo {first} {second}", REMOVED),
    Job("purge", "purge {first} {second} --yes", REMOVED, frees=True),
    Job("clean", "clean {first} {second} --yes", REMOVED),
)
NAMED = {job.name: job for job in JOBS}
