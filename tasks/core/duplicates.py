"""Duplicates: documents that say nearly the same."""

from collections import Counter, defaultdict
from collections.abc import Sequence

MANY = 20  # documents that have something in common without being kin: a footer, a licence


def find_families(document_ids: Sequence[str], clusters: Sequence[str]) -> dict[str, str]:
    """Join documents that say nearly the same into families.

    Two documents are of one family if at least half of the clusters of the one that has fewer are
    in the other too; and so is whoever is of one family with one of them. What is in more than
    `MANY` documents does not count, or one footer would make all pages of a site kin; but in a
    document of which it is three quarters, it does.

    Args:
        document_ids: The document of each passage.
        clusters: The cluster of each passage. A passage that was set aside as a copy counts too:
            give it the cluster of the passage that stayed.

    Returns:
        Per document the least id of its family; itself if it is alone.
    """
    contents: defaultdict[str, set[str]] = defaultdict(set)
    for document_id, cluster in zip(document_ids, clusters, strict=True):
        contents[document_id].add(cluster)
    spread = Counter(cluster for content in contents.values() for cluster in content)
    for content in contents.values():
        common = {cluster for cluster in content if spread[cluster] > MANY}
        if 4 * len(common) < 3 * len(content):
            content -= common
    families = _Families(contents)
    seen: defaultdict[str, list[str]] = defaultdict(list)
    # a document meets those that have at least as many clusters
    for name in sorted(contents, key=lambda name: (-len(contents[name]), name)):
        shared = sorted(
            (cluster for cluster in contents[name] if spread[cluster] > 1),
            key=lambda cluster: (spread[cluster], cluster),
        )
        least = -(-len(contents[name]) // 2)
        # whoever has half of the clusters has one of the rarest half (prefix filtering)
        for cluster in shared[: max(len(shared) - least + 1, 0)]:
            families.meet(name, seen[cluster], least)
        for cluster in shared:
            seen[cluster].append(name)
    return {name: families.find(name) for name in contents}


class _Families:
    """Documents and the least id of each one's family."""

    def __init__(self, contents: dict[str, set[str]]) -> None:
        self._contents = contents
        self._parents = {name: name for name in contents}

    def find(self, name: str) -> str:
        while self._parents[name] != name:
            self._parents[name] = self._parents[self._parents[name]]
            name = self._parents[name]
        return name

    def meet(self, name: str, others: list[str], least: int) -> None:
        """Join `name` with those that have `least` of its clusters."""
        root = self.find(name)
        for other in others:
            found = self.find(other)
            if found != root and len(self._contents[name] & self._contents[other]) >= least:
                self._parents[max(root, found)] = root = min(root, found)
