"""The decisions about the sets of one find run, and the rules they must keep.

Whatever is decided: at least one picture of every set stays, and every picture to be
removed directly matches one that stays. A filter changes which sets are shown, never a decision.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from dedup.keep import Match
from dedup.review.memory import Memory, opening
from dedup.review.sets import Place, SetUnderReview, Tally
from dedup.store import Picture
from dedup.tiers import IDENTICAL, SAME_PIXELS, TIERS
from dedup.trash import Plan, make_plan
from dedup.wording import printable
from dedup.workflow import Found


class InFolders(Exception):
    """The person wants to review in folders, with the file manager; nothing was changed."""


class ReviewSession:
    """Sets, a position among them, and the decisions taken so far.

    Methods that change a decision return one line for the user: what happened, or why not. ``shown_tier``: the tier
    whose sets are shown; "" for all sets.
    """

    def __init__(self, found: Found, memory: Memory | None = None) -> None:
        self.found = found
        self.memory = memory
        self.sets: Sequence[SetUnderReview] = [SetUnderReview.of(group) for group in found.groups]
        self.position = 0
        self.shown_tier = ""
        self.visible: Sequence[int] = range(len(self.sets))
        self.in_folders = False  # whether the person chose to leave the window for the file manager
        self._matches: dict[tuple[Picture, Picture], Match | None] = {}
        self._has_moved = False
        self.opening = self._restored() if memory is not None else ""

    @property
    def current(self) -> SetUnderReview:
        """The set being looked at."""
        return self.sets[self.position]

    @property
    def place(self) -> int:
        """The place (from 0) of the current set among the visible ones."""
        return bisect_left(self.visible, self.position)

    @property
    def where(self) -> str:
        """``3 of 12``, or ``3 of 12 (edited only)``."""
        only = f" ({self.shown_tier} only)" if self.shown_tier else ""
        return f"{self.place + 1} of {len(self.visible)}{only}"

    def step(self, by: int) -> bool:
        """Go ``by`` visible sets forward or back, stopping at the ends; whether the position changed."""
        return self._go(self.visible[min(max(self.place + by, 0), len(self.visible) - 1)])

    def _go(self, position: int) -> bool:
        """Show another set; the one that was shown has been looked at, and what was decided is written down."""
        if position == self.position:
            return False
        self.current.see()
        self.position, self._has_moved = position, True
        self.save()
        return True

    def save(self) -> None:
        """Write down what is new; without a memory, nothing."""
        if self.memory is not None and (new := [one for one in self.sets if one.is_unsaved]):
            self.memory.keep(new)

    def close(self) -> None:
        """End the review: the set shown last was looked at, unless it is only where the review was opened."""
        if self._has_moved or self.current.is_unsaved or len(self.sets) == 1:
            self.current.see()
        self.save()

    def end_reached(self, by: int) -> str:
        """The line for a step that led nowhere."""
        only = f' with the tier "{self.shown_tier}"; F shows others' if self.shown_tier else ""
        return f"This is the {'last' if by > 0 else 'first'} set{only}."

    def show_only(self, tier: str) -> str:
        """Show the sets with a picture of this tier, all for ""; the set looked at stays, else the first is shown.

        Which sets those are is settled now, so that no set vanishes while its decisions change.
        """
        shown = [number for number, one in enumerate(self.sets) if not tier or any(self._of_tier(one, tier))]
        if not shown:
            return f'No picture is of the tier "{tier}".'
        self.shown_tier, self.visible = tier, shown
        if self.position not in shown:
            self._go(shown[0])
        return f'Showing the sets with the tier "{tier}": {self.tiers()[tier]}.' if tier else "Showing all sets."

    def show_next_tier(self) -> str:
        """Show all sets, then those of each tier that occurs, the surest first, then all again."""
        order = ["", *self.tiers(), ""]
        return self.show_only(order[order.index(self.shown_tier) + 1] if self.shown_tier in order else "")

    def tiers(self) -> dict[str, Tally]:
        """The tiers that occur, the surest first, each with its number of pictures."""
        found = {tier: Tally.of(self._everywhere(tier)) for tier in TIERS}
        return {tier: tally for tier, tally in found.items() if tally.pictures}

    def match(self, number: int) -> Match | None:
        """How a picture of the current set matches its keeper."""
        return self._match(self.current, self.current.keeper, number)

    def tier_meant(self, number: int) -> str:
        """The tier of a picture, of the keeper the one shown alone or the first other picture's; "" for none."""
        if number == self.current.keeper and self.shown_tier:
            return self.shown_tier
        match = self.match(self.current.beside_keeper(number))
        return match.tier if match is not None else ""

    def toggle(self, number: int) -> str:
        """Switch a picture of the current set between keep and remove."""
        one = self.current
        if one.not_duplicates:
            return "This set was called not duplicates; press N to take that back first."
        if number in one.marked:
            one.change()
            one.marked.discard(number)
            one.proposed.discard(number)
            return self._line(one, number, "stays")
        if self.found.rule.keeps(one.pictures[number]):
            return "Everything in this picture's folder is kept, as chosen."
        if len(one.kept) == 1:
            return "One picture of a set always stays; make another one the keeper first."
        one.marked.add(number)
        if self._partner(one, number) is None:
            one.marked.discard(number)
            return self._line(one, number, "stays: it matches none of the other pictures that stay")
        one.change()
        if number == one.keeper:
            one.keeper = one.kept[0]
        return self._line(one, number, "is to be removed") + self._repair(one)

    def make_keeper(self, number: int) -> str:
        """Keep this picture of the current set; the old keeper goes, if it may and matches."""
        one = self.current
        if one.not_duplicates:
            return "This set was called not duplicates; press N to take that back first."
        if number == one.keeper:
            return self._line(one, number, "is the keeper already")
        one.change()
        old = one.keeper
        one.keeper = number
        one.marked.discard(number)
        if not self.found.rule.keeps(one.pictures[old]) and self._match(one, number, old) is not None:
            one.marked.add(old)
        return self._line(one, number, "is the keeper now") + self._repair(one)

    def toggle_not_duplicates(self) -> str:
        """Call the current set "not duplicates" (everything stays, never asked again), or take it back."""
        one = self.current
        one.change()
        if one.not_duplicates:
            one.not_duplicates, one.marked = False, one._before
            return "Duplicates again."
        one.not_duplicates, one._before, one.marked = True, one.marked, set()
        return "Not duplicates: everything stays, and this set is not asked about again."

    def reset(self) -> str:
        """Let the current set stand as it was proposed."""
        one = self.current
        if one.is_as_proposed:
            return "This set stands as it was proposed."
        one.reset()
        one.change()
        return "As it was proposed again."

    def mark_tier(self, tier: str) -> str:
        """Mark every picture of a tier in all sets for removal, but what must stay."""
        may, new = self._markable(tier), self._unmarked(tier)
        for one, number in new:
            one.change()
            one.marked.add(number)
        # A picture that goes now may have been the only match of another one marked before.
        orphans = sum(len(self._drop_orphans(one)) for one in {id(one): one for one, _ in new}.values())
        self.save()
        if new:
            line = f'Marked for removal: {Tally.of(new)}, all of the tier "{tier}"{self._warning(new)}.'
        elif may:
            line = f'Everything of the tier "{tier}" that may go is marked already: {Tally.of(may)}.'
        else:
            line = f'No picture that may be removed is of the tier "{tier}".'
        if staying := len(list(self._everywhere(tier))) - len(may):
            line += f" Not marked, in sets without duplicates or in the folder that is kept: {staying:,}."
        if orphans:
            line += f" No longer marked, as no picture kept matches: {orphans:,}."
        return line

    def unmark_tier(self, tier: str) -> str:
        """Let every picture of a tier stay, in all sets."""
        marked = [(one, number) for one, number in self._everywhere(tier) if number in one.marked]
        for one, number in marked:
            one.change()
            one.marked.discard(number)
        self.save()
        if not marked:
            return f'No picture marked for removal is of the tier "{tier}".'
        return f'No longer marked: {Tally.of(marked)}, all of the tier "{tier}".'

    def switch_tier(self, tier: str) -> str:
        """Mark every picture of a tier in all sets; when all that may go are marked, let them stay."""
        return self.mark_tier(tier) if self._unmarked(tier) else self.unmark_tier(tier)

    def question_before(self, tier: str) -> str:
        """What to ask before ``switch_tier`` marks pictures that were not proposed, or kept one by one; else ""."""
        new = self._unmarked(tier)
        if all(number in one.proposed for one, number in new):
            return ""
        what = f'{Tally.of(new)} for removal, all of the tier "{tier}"{self._warning(new)}'
        return f"This would mark {what}. Press M again to do so."

    def totals(self) -> tuple[int, int]:
        """(files, bytes) to be removed by the decisions so far."""
        sizes = [one.pictures[number].size for one in self.sets for number in one.marked]
        return len(sizes), sum(sizes)

    def carried_out(self) -> None:
        """After a removal: decisions about files that are gone are done with."""
        if self.memory is not None:
            self.memory.carried_out(self.sets)

    @property
    def trouble(self) -> str:
        """Why decisions cannot be written down; "" where they can."""
        return self.memory.trouble if self.memory is not None else ""

    @property
    def seen(self) -> int:
        """How many sets a person has looked at, in this review or an earlier one."""
        return sum(one.is_seen for one in self.sets)

    def unseen_removals(self) -> tuple[int, int]:
        """(sets, files marked in them) that nobody looked at."""
        unseen = [one for one in self.sets if not one.is_seen]
        return len(unseen), sum(len(one.marked) for one in unseen)

    def not_duplicates(self) -> list[tuple[Picture, ...]]:
        """The sets called "not duplicates"."""
        return [one.pictures for one in self.sets if one.not_duplicates]

    def plan(self, *, only_seen: bool = False) -> Plan:
        """The decisions as a plan; each removal names a picture that stays and that it matches."""
        found = self.found
        sets = [one for one in self.sets if one.is_seen or not only_seen]
        return make_plan(found.encoder, found.threshold, found.folders, self._removals(sets), found.rule.protected)

    def _removals(self, sets: Iterable[SetUnderReview]) -> Iterator[tuple[Picture, Picture, float, str]]:
        for one in sets:
            for number in sorted(one.marked):
                partner = self._partner(one, number)
                if partner is not None:
                    keeper, match = partner
                    yield one.pictures[number], one.pictures[keeper], match.similarity, match.tier

    def _restored(self) -> str:
        """Let the sets stand as they were decided before; the line that says so."""
        if self.memory is None or not self.sets:
            return ""
        self.memory.restore(self.sets, self._may_stand)
        self.position, line = opening(self.sets)
        return line

    def _may_stand(self, one: SetUnderReview) -> bool:
        """Whether a decision taken before obeys today's rules."""
        if any(self.found.rule.keeps(one.pictures[number]) for number in one.marked):
            return False
        # Whatever was proposed beside the same keeper matches it; other pairs may have to be looked up.
        is_proposed = one.keeper == 0
        return is_proposed or all(self._partner(one, number) is not None for number in one.marked)

    def _partner(self, one: SetUnderReview, number: int) -> tuple[int, Match] | None:
        """A picture that stays and that this one directly matches: the keeper if it can be."""
        for kept in one.kept:
            match = self._match(one, kept, number)
            if match is not None:
                return kept, match
        return None

    def _match(self, one: SetUnderReview, first: int, second: int) -> Match | None:
        pair = one.pictures[first], one.pictures[second]
        if pair not in self._matches:
            self._matches[pair] = self.found.relation(*pair)
        return self._matches[pair]

    def _of_tier(self, one: SetUnderReview, tier: str) -> Iterator[Place]:
        """The pictures of a set that match its keeper in this tier."""
        for number in range(len(one.pictures)):
            if number != one.keeper:
                match = self._match(one, one.keeper, number)
                if match is not None and match.tier == tier:
                    yield one, number

    def _everywhere(self, tier: str) -> Iterator[Place]:
        return (place for one in self.sets for place in self._of_tier(one, tier))

    def _markable(self, tier: str) -> list[Place]:
        return [
            (one, number)
            for one, number in self._everywhere(tier)
            if not one.not_duplicates and not self.found.rule.keeps(one.pictures[number])
        ]

    def _unmarked(self, tier: str) -> list[Place]:
        return [(one, number) for one, number in self._markable(tier) if number not in one.marked]

    def _warning(self, places: list[Place]) -> str:
        delicate = sum(self._is_delicate(one, number) for one, number in places)
        what = "the original of an edit that stays, of several frames, or with more than the picture that stays"
        return f" ({delicate:,} of them {what})" if delicate else ""

    def _is_delicate(self, one: SetUnderReview, number: int) -> bool:
        """Whether find would not propose a picture for removal though its tier may be marked."""
        match = self._match(one, one.keeper, number)
        if match is not None and match.carries:
            return True
        if match is None or match.tier in (IDENTICAL, SAME_PIXELS):
            return False
        return match.edit == 1 or any(one.pictures[place].several_frames for place in (one.keeper, number))

    def _drop_orphans(self, one: SetUnderReview) -> list[int]:
        """Keep what has no match left among the pictures that stay."""
        orphans = [number for number in sorted(one.marked) if self._partner(one, number) is None]
        one.marked.difference_update(orphans)
        return orphans

    def _repair(self, one: SetUnderReview) -> str:
        orphans = self._drop_orphans(one)
        if not orphans:
            return ""
        names = ", ".join(str(number + 1) for number in orphans)
        return f" Number {names} stays too: it matches none of the pictures kept."

    def _line(self, one: SetUnderReview, number: int, what: str) -> str:
        return f"{number + 1} {printable(one.pictures[number].full_path.name)} {what}."
