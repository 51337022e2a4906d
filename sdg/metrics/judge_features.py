"""The judge as an extractor: its features, and its answers, which can be matched with text."""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sdg.data.toyfaces import ATTRIBUTES, MARGINALS
from sdg.errors import SDGError
from sdg.metrics.extractor import Extractor
from sdg.metrics.judged import judge_pixels
from sdg.metrics.judges import JudgeSource
from sdg.metrics.mentions import Mentions
from sdg.networks.judge import Judgement


class JudgeFeatures(Extractor):
    """Outputs of the layer below the judge's answers.

    Args:
        judge: the judge, not loaded.

    Raises:
        SDGError: the weights are missing or do not fit.
    """

    def __init__(self, judge: JudgeSource):
        super().__init__(judge.features, judge.digest())
        self.network, self.size = judge.load(), judge.size
        self.freeze()

    def forward(self, pictures: Tensor) -> Tensor:
        return self.judge(pictures).features

    def judge(self, pictures: Tensor) -> Judgement:
        """What the judge sees in pictures (B, 3, size, size) uint8; raises SDGError for another size."""
        return judge_pixels(self.network, pictures, self.size)


class JudgeAnswers(JudgeFeatures):
    r"""The judge's answers, as evidence for text: :math:`\log p(v \mid x) - \log p(v)` for every value v.

    A text's vector marks the values that it mentions, so its product with a picture's features is their
    pointwise mutual information, if attributes are independent, as they are in the data. Without -log p(v),
    texts that say less would fit better.

    Args:
        mentions: file that says what the texts mention, as ``Mentions`` reads it.

    Raises:
        SDGError: the judge does not read toy faces, of which alone it is known how common each value is.
    """

    def __init__(self, judge: JudgeSource, mentions: str | Path | None):
        if judge.attributes != ATTRIBUTES:
            raise SDGError(
                "judge_answers needs to know how common every value is, which is known of toy faces alone: "
                "use judge=toyfaces, or other features"
            )
        super().__init__(judge)
        self.protocol = (
            "log p(value | picture) - log p(value) by the toyfaces judge, for every attribute value"
        )
        self.mentions = Mentions(mentions)

    def forward(self, pictures: Tensor) -> Tensor:
        logits = self.judge(pictures).attributes
        return torch.cat(
            [
                logits[name].log_softmax(dim=1) - logits[name].new_tensor(MARGINALS[name]).log()
                for name in ATTRIBUTES
            ],
            dim=1,
        )

    def texts(self, prompts: Sequence[str]) -> Tensor:
        said = self.mentions(prompts)
        columns = [
            F.one_hot(column + 1, len(values) + 1)[:, 1:]  # -1, no mention, is dropped
            for column, values in zip(said.T, ATTRIBUTES.values(), strict=True)
        ]
        return torch.cat(columns, dim=1).float()
