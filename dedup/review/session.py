"""The decisions about the sets of one find run, and the rules they must keep.

Whatever is decided: at least one picture of every set stays, and every picture to be
removed directly matches one that stays. A filter changes which sets are shown, never a decision.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from dedup.keep import Match
from dedup.review.sets import Place, SetUnderReview, Tally
from dedup.store import Picture
from dedup.tiers import IDENTICAL, SAME_PIXELS, TIERS
from dedup.trash import Plan, make_plan
from dedup.wording import printable
from dedup.workflow import Found


class ReviewSession:
    """Sets, a position among them, and the decisions taken so far.

    Methods that change a decision return one line for the user: what happened, or why not. ``shown_tier``: the tier
    whose sets are shown; "" for all sets.
    """

    def __init__(self, found: Found) -> None:
        self.found = found
        self.sets: Sequence[SetUnderReview] = [SetUnderReview.of(group) for group in found.groups]
        self.position = 0
        self.shown_tier = ""
        self.visible: Sequence[int] = range(len(self.sets))
        self._matches: dict[tuple[Picture, Picture], Match | None] = {}

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
        before = self.position
        self.position = self.visible[min(max(self.place + by, 0), len(self.visible) - 1)]
        return self.position != before

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
            self.position = shown[0]
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
        old = one.keeper
        one.keeper = number
        one.marked.discard(number)
        if not self.found.rule.keeps(one.pictures[old]) and self._match(one, number, old) is not None:
            one.marked.add(old)
        return self._line(one, number, "is the keeper now") + self._repair(one)

    def toggle_not_duplicates(self) -> str:
        """Call the current set "not duplicates" (everything stays, never asked again), or take it back."""
        one = self.current
        if one.not_duplicates:
            one.not_duplicates, one.marked = False, one._before
            return "Duplicates again."
        one.not_duplicates, one._before, one.marked = True, one.marked, set()
        return "Not duplicates: everything stays, and this set is not asked about again."

    def mark_tier(self, tier: str) -> str:
        """Mark every picture of a tier in all sets for removal, but what must stay."""
        may, new = self._markable(tier), self._unmarked(tier)
        for one, number in new:
            one.marked.add(number)
        # A picture that goes now may have been the only match of another one marked before.
        orphans = sum(len(self._drop_orphans(one)) for one in {id(one): one for one, _ in new}.values())
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
            one.marked.discard(number)
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

    def not_duplicates(self) -> list[tuple[Picture, ...]]:
        """The sets called "not duplicates"."""
        return [one.pictures for one in self.sets if one.not_duplicates]

    def plan(self) -> Plan:
        """The decisions as a plan; each removal names a picture that stays and that it matches."""
        found = self.found
        return make_plan(found.encoder, found.threshold, found.folders, self._removals(), found.rule.protected)

    def _removals(self) -> Iterator[tuple[Picture, Picture, float, str]]:
        for one in self.sets:
            for number in sorted(one.marked):
                partner = self._partner(one, number)
                if partner is not None:
                    keeper, match = partner
                    yield one.pictures[number], one.pictures[keeper], match.similarity, match.tier

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
        return f" ({delicate:,} of them the original of an edit that stays, or of several frames)" if delicate else ""

    def _is_delicate(self, one: SetUnderReview, number: int) -> bool:
        """Whether find would not propose a picture for removal though its tier may be marked."""
        match = self._match(one, one.keeper, number)
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
