import pytest
import torch
from torch import Tensor, nn

from sdg.data.toyfaces import ATTRIBUTES, NUISANCES
from sdg.errors import SDGError
from sdg.metrics.judged import true_nuisances
from sdg.metrics.measure import Measure
from sdg.metrics.spread import NuisanceSpread
from sdg.networks.judge import Judgement
from tests.metrics.examples import evidence, judged, record

RENDERS, PROMPTS, SAMPLES = 32, 6, 5


class Partial(nn.Module):
    """Knows the nuisances of the first test faces, in order, except the last ``blind`` nuisances."""

    def __init__(self, blind: int):
        super().__init__()
        self.blind = blind

    def forward(self, images: Tensor) -> Judgement:
        nuisances = true_nuisances(torch.arange(len(images)))
        nuisances[:, len(NUISANCES) - self.blind :] = 0
        logits = {name: torch.zeros(len(images), len(values)) for name, values in ATTRIBUTES.items()}
        return Judgement(logits, nuisances, torch.zeros(len(images), 4))


def measure(shrink: Tensor, blind: int = 2) -> dict[str, Measure]:
    """Guided samples with the nuisances of their partners, each shrunk about its prompt's centre."""
    noise = torch.randn(SAMPLES, len(NUISANCES), generator=torch.Generator().manual_seed(0))
    guided = [shrink * noise + prompt for prompt in range(PROMPTS)]
    found = evidence(
        judged(
            [record(f"{p}", i) for p in range(PROMPTS) for i in range(SAMPLES)], nuisances=torch.cat(guided)
        ),
        judged([record(None, i) for i in range(SAMPLES)], nuisances=noise),
        judge=Partial(blind),
    )
    return {each.name: each for each in NuisanceSpread(renders=RENDERS)(found)}


def test_is_the_ratio_of_the_standard_deviations() -> None:
    shrink = torch.linspace(0.1, 1.1, len(NUISANCES))
    measures = measure(shrink)
    assert [measures[name].value for name in NUISANCES] == pytest.approx(shrink.tolist(), rel=1e-5)


def test_paired_noise_makes_the_ratio_certain() -> None:
    measures = measure(torch.full((len(NUISANCES),), 0.6))
    assert measures["all"].value == pytest.approx(0.6)
    assert measures["all"].interval == pytest.approx((0.6, 0.6))


def test_only_what_the_judge_reads_well_counts_for_all() -> None:
    shrink = torch.full((len(NUISANCES),), 0.5)
    shrink[-2:] = 1.0
    measures = measure(shrink, blind=2)
    assert measures["all"].value == pytest.approx(0.5)
    assert measures["brow"].value == pytest.approx(1.0)
    assert measures["brow"].beside[1] > 0.9
    assert measures["x"].beside == ("unexplained", pytest.approx(0))
    assert 0.5 < measure(shrink, blind=0)["all"].value < 1.0


def test_needs_two_samples_of_a_prompt_and_a_judge_that_sees() -> None:
    one = evidence(judged([record("a", 0), record("b", 0)]), judged([record(None, 0)]), judge=Partial(0))
    with pytest.raises(SDGError, match="samples_per_prompt"):
        NuisanceSpread(renders=RENDERS)(one)
    with pytest.raises(SDGError, match="reads no nuisance well enough"):
        measure(torch.ones(len(NUISANCES)), blind=len(NUISANCES))
