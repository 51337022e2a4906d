"""Two processes with half a batch each do what one does with the whole: loss, gradients, statistics."""

import pytest
import torch
import torch.multiprocessing as mp
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.randomness import keyed_generator
from sdg.training.batchnorm import SynchronisedNorm, set_policy
from sdg.training.checkpointing import recompute_blocks
from sdg.training.ranks import Ranks
from tests.tiny import make_weights
from tests.training.two_ranks import everything, main, step, training

Steps = dict[str, dict[str, Tensor]]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_weights(tmp_path_factory.mktemp("weights"))[-2]


@pytest.fixture(scope="module")
def steps(weights: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Steps, list[Steps]]:
    """The steps of one process, and those of each of two."""
    folder = tmp_path_factory.mktemp("ranks")
    # Not forked: autograd refuses in a process whose parent has had threads for it, as other tests may have.
    mp.start_processes(main, (folder, weights), nprocs=2, start_method="spawn")
    return everything(weights), [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("policy", ["frozen", "synchronised", "recomputed"])
def test_two_ranks_equal_one_with_twice_the_batch(policy: str, steps: tuple[Steps, list[Steps]]):
    one, two = steps
    largest = max(float(value.abs().max()) for key, value in one[policy].items() if "gradient" in key)
    assert largest > 1
    for of_rank in two:
        assert of_rank[policy].keys() == one[policy].keys()
        for key, value in one[policy].items():
            assert (of_rank[policy][key] - value).abs().max() <= 1e-4 * largest, key


def test_without_the_others_negatives_the_loss_is_another(weights: str, steps: tuple[Steps, list[Steps]]):
    """As it would be if a rank used only its own rows: so the comparison above can fail."""
    alone = training(weights, "model.batchnorm=frozen")
    loss = step(alone.eval(), Ranks())["loss"]
    images = torch.rand(8, 3, 32, 32, generator=keyed_generator("pictures")) * 2 - 1
    half = alone._loss({"image": images[::2]}, keyed_generator("step"), Ranks(), alone.timesteps)[0].detach()
    torch.testing.assert_close(loss, steps[0]["frozen"]["loss"])
    assert abs(float(half) - float(loss)) > 0.1


def test_recomputing_changes_neither_gradients_nor_statistics_nor_names(weights: str):
    plain, recomputed = training(weights), training(weights, "model.checkpointing=true")
    assert plain.state_dict().keys() == recomputed.state_dict().keys()
    expected, got = step(plain, Ranks()), step(recomputed, Ranks())
    assert all(torch.equal(got[key], value) for key, value in expected.items())


def test_a_network_without_blocks_to_recompute_is_named():
    with pytest.raises(SDGError, match="only ResNets"):
        recompute_blocks(nn.Linear(2, 2))


def test_a_synchronised_norm_alone_is_batchnorm():
    x = torch.randn(6, 5, 4, 3, generator=keyed_generator("x")) * 3 + 7
    outcomes = []
    for kind in (nn.BatchNorm2d, SynchronisedNorm):
        norm = kind(5)
        norm.weight.data.uniform_(0.5, 2, generator=keyed_generator("weight"))
        own = x.clone().requires_grad_()
        norm(own).square().mul(torch.arange(3.0)).sum().backward()
        outcomes.append([own.grad, norm.weight.grad, norm.bias.grad, *norm.buffers(), norm.eval()(x)])
    for expected, got in zip(*outcomes, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def test_a_synchronised_norm_also_computes_in_half_precision():
    x = torch.randn(6, 5, 4, 3, generator=keyed_generator("x")) * 3 + 7
    outcomes = []
    for dtype in (torch.float32, torch.bfloat16):
        norm = SynchronisedNorm(5).to(dtype)
        outcomes.append([norm(x.to(dtype)).float(), norm.running_mean.float(), norm.running_var.float()])
    for expected, got in zip(*outcomes, strict=True):
        torch.testing.assert_close(got, expected, rtol=0.02, atol=0.02)


def test_the_policies_are_named():
    with pytest.raises(SDGError, match="use train, frozen or synchronised"):
        set_policy(nn.Sequential(nn.BatchNorm2d(3)), "moving")


def test_a_share_is_dealt_out_as_pictures_are():
    shares = [Ranks(3, rank).share(lambda n: torch.arange(n) * 10, 2) for rank in range(3)]
    assert [share.tolist() for share in shares] == [[0, 30], [10, 40], [20, 50]]
