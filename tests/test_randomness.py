"""Keyed generators: the numbers behind every picture and every training."""

import torch

from sdg.randomness import keyed_generator


def test_a_generator_is_a_function_of_its_key() -> None:
    first, second = (torch.randn(8, generator=keyed_generator("noise", 3, 1)) for _ in range(2))
    assert torch.equal(first, second)


def test_keys_do_not_share_a_generator() -> None:
    keys = [("noise", seed, index) for seed in range(20) for index in range(20)]
    keys += [("other", 0, 0), ("noise", 0), ("noise",)]
    assert len({keyed_generator(*key).initial_seed() for key in keys}) == len(keys)


def test_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    torch.randn(8, generator=keyed_generator("noise"))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_numbers_stay_what_they_are() -> None:
    """Another hash would change every picture that was ever published with its seed."""
    assert keyed_generator("x_t", 0, 1).initial_seed() == 3745326725507763064
