"""How good a ranking is, per query: nDCG, recall, reciprocal rank, and average precision."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# The cut-offs of BEIR (arXiv:2104.08663) and of MS MARCO.
NDCG_DEPTH = 10
RECALL_DEPTH = 100
MRR_DEPTH = 10
MAP_DEPTH = 100


def ndcg(ranked: ArrayLike, judged: ArrayLike, depth: int = NDCG_DEPTH) -> NDArray[np.float64]:
    r"""Return the normalised discounted cumulative gain of each query.

    `DCG@k = sum over ranks i = 1..k of grade_i / log2(i + 1)`, divided by that of the best possible
    ranking (Järvelin and Kekäläinen 2002, doi:10.1145/582415.582418). The gain is linear in the
    grade, as in trec_eval's `ndcg_cut`, not `2^grade - 1`.

    Args:
        ranked: (queries, ranks) grade of the document at each rank, best first; 0 where it is not
            relevant or the ranking has ended.
        judged: (queries, documents) grades of all relevant documents, found or not, in any order;
            0 for padding.
        depth: The last rank that counts.

    Returns:
        (queries,) 0 to 1; 0 where nothing is relevant.

    >>> ndcg([[0, 1], [1, 0]], [[1], [1]])
    array([0.6309, 1. ])
    """
    return _ratio(_dcg(ranked, depth), _dcg(-np.sort(-np.asarray(judged), axis=1), depth))


def recall(ranked: ArrayLike, judged: ArrayLike, depth: int = RECALL_DEPTH) -> NDArray[np.float64]:
    """Return the share of each query's relevant documents among the first `depth`.

    Args:
        ranked: (queries, ranks) grade of the document at each rank, best first.
        judged: (queries, documents) grades of all relevant documents; 0 for padding.
        depth: The last rank that counts.

    Returns:
        (queries,) 0 to 1; 0 where nothing is relevant.

    >>> recall([[0, 1, 2]], [[1, 1, 2]], depth=2)
    array([0.3333])
    """
    found = np.count_nonzero(np.asarray(ranked)[:, :depth], axis=1)
    return _ratio(found, np.count_nonzero(np.asarray(judged), axis=1))


def mrr(ranked: ArrayLike, depth: int = MRR_DEPTH) -> NDArray[np.float64]:
    """Return the reciprocal rank of each query's first relevant document.

    Args:
        ranked: (queries, ranks) grade of the document at each rank, best first.
        depth: The last rank that counts.

    Returns:
        (queries,) 1, 1/2, 1/3, …; 0 where none of the first `depth` is relevant.

    >>> mrr([[0, 1, 1], [0, 0, 0]])
    array([0.5, 0. ])
    """
    is_relevant = np.asarray(ranked)[:, :depth] > 0
    if is_relevant.shape[1] == 0:
        return np.zeros(len(is_relevant))
    return np.where(is_relevant.any(axis=1), 1 / (is_relevant.argmax(axis=1) + 1), 0.0)


def average_precision(
    ranked: ArrayLike, judged: ArrayLike, depth: int = MAP_DEPTH
) -> NDArray[np.float64]:
    """Return the average precision of each query; its mean over queries is MAP.

    `AP@k = sum over the relevant ranks i = 1..k of (relevant documents up to i) / i`, divided by
    the number of relevant documents, found or not: trec_eval's `map_cut`. Grades count alike.

    Args:
        ranked: (queries, ranks) grade of the document at each rank, best first.
        judged: (queries, documents) grades of all relevant documents; 0 for padding.
        depth: The last rank that counts.

    Returns:
        (queries,) 0 to 1; 0 where nothing is relevant.

    >>> average_precision([[1, 0, 2]], [[1, 2]])
    array([0.8333])
    """
    is_relevant = np.asarray(ranked)[:, :depth] > 0
    precisions = np.cumsum(is_relevant, axis=1) / (np.arange(is_relevant.shape[1]) + 1)
    found = (precisions * is_relevant).sum(axis=1)
    return _ratio(found, np.count_nonzero(np.asarray(judged), axis=1))


def _dcg(grades: ArrayLike, depth: int) -> NDArray[np.float64]:
    counted = np.asarray(grades, dtype=np.float64)[:, :depth]
    discounts: NDArray[np.float64] = 1 / np.log2(np.arange(counted.shape[1]) + 2)
    gains: NDArray[np.float64] = (counted * discounts).sum(axis=1)
    return gains


def _ratio(parts: ArrayLike, wholes: ArrayLike) -> NDArray[np.float64]:
    numerators, denominators = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    return np.divide(
        numerators, denominators, out=np.zeros_like(numerators), where=denominators > 0
    )
