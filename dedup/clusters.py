"""Which pictures hang together through duplicates, as these are found one by one (union-find)."""

from __future__ import annotations


class Clusters:
    """Which contents hang together through duplicates: a forest that joins as they are found."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))
        self._members: dict[int, list[int]] = {}

    def root(self, content: int) -> int:
        """The one that stands for the cluster of a content."""
        while self._parent[content] != content:
            self._parent[content] = self._parent[self._parent[content]]
            content = self._parent[content]
        return content

    def join(self, first: int, second: int) -> None:
        """Make one cluster of two."""
        large, small = self.root(first), self.root(second)
        if large != small:
            if len(self.of(large)) < len(self.of(small)):
                large, small = small, large
            self._members[large] = [*self.of(large), *self.of(small)]
            self._parent[small] = large
            self._members.pop(small, None)

    def copy(self) -> Clusters:
        """One to try joins on."""
        other = Clusters(0)
        other._parent, other._members = self._parent.copy(), self._members.copy()
        return other

    def of(self, content: int) -> list[int]:
        """The contents of a content's cluster."""
        root = self.root(content)
        return self._members.get(root, [root])

    def members(self) -> list[list[int]]:
        """The clusters of more than one content, each sorted."""
        return [sorted(members) for _, members in sorted(self._members.items())]
