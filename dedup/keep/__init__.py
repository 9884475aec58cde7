"""Which picture of a set stays: the criteria and their order, and the groups that come of it.

``criteria`` holds one small function for each reason, ``rule`` the chain and the folders' policies, ``groups``
the sets without chaining, ``headers`` what only the files themselves can say.
"""

from dedup.keep.criteria import CRITERIA, Criterion, Evidence
from dedup.keep.groups import MARKS, SURE, Group, Match, Member, bytes_freed, make_groups
from dedup.keep.headers import Headers
from dedup.keep.rule import (
    BEST,
    CHAINS,
    LARGEST,
    STRATEGIES,
    KeepRule,
    Ranking,
    chain_in_words,
    criteria_explained,
    place_within,
    rule_for,
    understand_chain,
)

__all__ = [
    "BEST",
    "CHAINS",
    "CRITERIA",
    "LARGEST",
    "MARKS",
    "STRATEGIES",
    "SURE",
    "Criterion",
    "Evidence",
    "Group",
    "Headers",
    "KeepRule",
    "Match",
    "Member",
    "Ranking",
    "bytes_freed",
    "chain_in_words",
    "criteria_explained",
    "make_groups",
    "place_within",
    "rule_for",
    "understand_chain",
]
