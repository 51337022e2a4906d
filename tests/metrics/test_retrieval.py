import pytest
import torch

from sdg.errors import SDGError
from sdg.metrics.retrieval import ranks, top_k

# The right answer's rank is 0, 1 and 2; the fourth column belongs to nobody.
RANKS_0_1_2 = torch.tensor([[0.9, 0.1, 0.2, 0.3], [0.8, 0.5, 0.1, 0.2], [0.4, 0.1, 0.3, 0.9]])


def test_counts_the_answers_among_the_best_k() -> None:
    assert [top_k(RANKS_0_1_2, k) for k in (1, 2, 3, 4)] == pytest.approx([1 / 3, 2 / 3, 1, 1])


def test_ties_count_against_the_query() -> None:
    assert top_k(torch.ones(5, 5), 4) == 0
    assert top_k(torch.ones(5, 5), 5) == 1
    assert top_k(torch.tensor([[0.5, 0.5, 0.1], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]), 1) == pytest.approx(1 / 3)


def test_refuses_what_has_no_answer() -> None:
    for similarity, k in (
        (torch.ones(3, 2), 1),
        (torch.ones(2, 3), 0),
        (torch.ones(2, 3), 4),
        (torch.ones(0, 3), 1),
    ):
        with pytest.raises(SDGError):
            top_k(similarity, k)
    with pytest.raises(SDGError, match="not finite"):
        top_k(torch.full((3, 3), torch.nan), 1)


def test_ranks_for_answers_anywhere_in_the_pool() -> None:
    similarity = torch.tensor([[0.9, 0.1, 0.2], [0.3, 0.3, 0.1], [0.1, 0.5, 0.5], [0.0, 0.0, 0.0]])
    assert ranks(similarity, torch.tensor([0, 2, 1, 0])).tolist() == [0, 2, 1, 2]
    with pytest.raises(SDGError, match="an answer for every query"):
        ranks(similarity, torch.tensor([0, 1]))
