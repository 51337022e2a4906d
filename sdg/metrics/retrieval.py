"""Retrieval: is the right answer among the best k of the pool?"""

from torch import Tensor

from sdg.errors import SDGError


def ranks(similarity: Tensor, answers: Tensor) -> Tensor:
    """How many wrong answers are at least as similar as the right one, for each query: (N,) int64.

    Ties count against the query: an answer no more similar than a wrong one does not outrank it, so an
    encoder that maps everything to one point finds nothing.

    Args:
        similarity: (N, M), of N queries to M possible answers.
        answers: (N,) int64, each query's right answer.

    Raises:
        SDGError: the shape or a similarity is not usable.
    """
    queries, pool = similarity.shape
    if not queries or not pool or len(answers) != queries:
        raise SDGError(f"retrieval needs an answer for every query: got {queries} queries and {pool} answers")
    if not similarity.isfinite().all():
        raise SDGError("some similarities are not finite: look at the embeddings they come from")
    right = similarity.gather(1, answers[:, None])
    return (similarity >= right).sum(dim=1) - 1  # the answer itself is counted once


def top_k(similarity: Tensor, k: int) -> float:
    """Share of the N queries whose right answer is among the k most similar of M, as :func:`ranks` counts.

    Args:
        similarity: (N, M), N <= M; query i's right answer is column i.

    Raises:
        SDGError: k, the shape or a similarity is not usable.
    """
    queries, pool = similarity.shape
    if not 0 < queries <= pool:
        raise SDGError(f"retrieval needs an answer for every query: got {queries} queries and {pool} answers")
    if not 1 <= k <= pool:
        raise SDGError(f"top-{k} of {pool} answers means nothing: use a k from 1 to {pool}")
    rank = ranks(similarity, similarity.new_tensor(range(queries)).long())
    return (rank < k).double().mean().item()
