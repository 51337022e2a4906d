"""The judge as an extractor: its features, and its answers, which can be matched with text."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.data.toyfaces import ATTRIBUTES, MARGINALS
from sdg.errors import SDGError
from sdg.metrics.extractor import Extractor
from sdg.metrics.judged import judge_pixels, judgement_of
from sdg.metrics.judges import JudgeSource
from sdg.metrics.mentions import Mentions
from sdg.networks.judge import Judgement

OUTPUTS = "judge_outputs"


class JudgeOutputs(Extractor):
    """All that the judge says, which is kept once for whatever is taken from it.

    Args:
        judge: the judge, not loaded.

    Raises:
        SDGError: the weights are missing or do not fit.
    """

    keeps = OUTPUTS

    def __init__(self, judge: JudgeSource):
        super().__init__(judge.name, judge.digest())
        self.source, self.network = judge, judge.load()
        self.freeze()

    def forward(self, pictures: Tensor) -> Tensor:
        return judge_pixels(self.network, pictures, self.source.size)

    def judgement(self, kept: Tensor) -> Judgement:
        """What was kept, taken apart."""
        return judgement_of(kept, self.source.attributes, self.source.nuisances)


class JudgeFeatures(JudgeOutputs):
    """Outputs of the layer below the judge's answers."""

    def __init__(self, judge: JudgeSource):
        super().__init__(judge)
        self.protocol = judge.features

    def of(self, kept: Tensor) -> Tensor:
        return self.judgement(kept).features


class JudgeAnswers(JudgeOutputs):
    r"""The judge's answers, as evidence for text: :math:`\log p(v \mid x) - \log p(v)` for every value v.

    A text's vector marks the values that it mentions, so its product with a picture's features is their
    pointwise mutual information, if attributes are independent, as they are in the data. Without -log p(v),
    texts that say less would fit better.

    Args:
        judge: the judge, not loaded.
        mentions: file that says what the texts mention, as ``Mentions`` reads it.
        common: for each attribute, how common each of its values is, in their order; None: as in toy faces.

    Raises:
        SDGError: the judge does not read toy faces, and nothing says how common its values are; or what says
            so does not fit its values.
    """

    def __init__(
        self,
        judge: JudgeSource,
        mentions: str | Path | None,
        common: Mapping[str, Sequence[float]] | None = None,
    ):
        if common is None and judge.attributes != ATTRIBUTES:
            raise SDGError(
                "judge_answers needs to know how common every value is, which is known of toy faces alone: "
                "give features.judge_answers.common={sex: [0.5, 0.5], …}, or use other features"
            )
        self.common = MARGINALS if common is None else common
        for name, values in judge.attributes.items():
            if len(self.common.get(name, ())) != len(values) or min(self.common[name]) <= 0:
                raise SDGError(
                    f"features.judge_answers.common needs {len(values)} shares above 0 of {name}, those of "
                    f"{', '.join(values)}: mend it"
                )
        super().__init__(judge)
        self.protocol = f"log p(value | picture) - log p(value) by {judge.name}, for every attribute value"
        self.mentions = Mentions(mentions, judge.attributes)

    def of(self, kept: Tensor) -> Tensor:
        logits = self.judgement(kept).attributes
        return torch.cat(
            [
                own.log_softmax(dim=1) - own.new_tensor(self.common[name]).log()
                for name, own in logits.items()
            ],
            dim=1,
        )

    def texts(self, prompts: Sequence[str]) -> Tensor:
        said = self.mentions(prompts)
        columns = [
            F.one_hot(column + 1, len(values) + 1)[:, 1:]  # -1, no mention, is dropped
            for column, values in zip(said.T, self.source.attributes.values(), strict=True)
        ]
        return torch.cat(columns, dim=1).float()
