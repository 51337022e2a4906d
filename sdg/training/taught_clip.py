"""Training a few parts of CLIP's image tower to see what another CLIP's has learned to see."""

from collections.abc import Sequence

import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from sdg.networks.clip import CLIP
from sdg.training.batchnorm import freeze
from sdg.training.objectives import Distillation, Objective
from sdg.training.optimisation import Optimisation
from sdg.training.parts import learn_only
from sdg.training.ranks import Ranks
from sdg.training.training import Training


class TaughtCLIPTraining(Training):
    """The image tower's embeddings of clean pictures are drawn to a teacher's; captions are not used.

    What a whole network took several trainings to learn, a few parts of an earlier one can take over, and a
    file of what these parts change is small (``sdg weights changes``). The text tower becomes the teacher's,
    whose words say what its pictures show.

    Args:
        clip: whose image tower learns; its norms keep their statistics.
        teacher: another CLIP with the same text tower; it stays as it is.
        image_tower: the parts that are trained, such as ``[layer3, attnpool.c_proj]``; None: all of it.
        objective: the loss; by default the paper's, of its fine-tuning.

    Raises:
        SDGError: the image tower has no such part.
    """

    least_batch = 2

    def __init__(
        self,
        clip: CLIP,
        teacher: CLIP,
        optimisation: Optimisation,
        image_tower: Sequence[str] | None = None,
        objective: Objective | None = None,
        seed: int = 0,
    ):
        super().__init__()
        self.clip, self.optimisation, self.seed = (
            clip.to(memory_format=torch.channels_last),
            optimisation,
            seed,
        )
        self.objective = objective or Distillation()
        clip.model.requires_grad_(False)
        if image_tower is None:
            clip.model.visual.requires_grad_(True)
        else:
            learn_only(clip.model.visual, image_tower, "model.image_tower")
        self._teacher = [teacher.eval().requires_grad_(False)]  # in a list: not in the checkpoint

    def setup(self, stage: str) -> None:
        """Take over the teacher's words; after a warm start, which fills both towers."""
        taught = self.clip.model.state_dict()
        words = {name: x for name, x in self._teacher[0].model.state_dict().items() if not _sees(name)}
        self.clip.model.load_state_dict({**taught, **words})

    def training_step(self, batch: dict, batch_idx: int) -> Tensor:
        freeze(self.clip.model.visual)
        loss, closeness = self._loss(batch)
        self.log_dict({"train/loss": loss, "train/cosine": closeness}, prog_bar=True, sync_dist=True)
        return loss

    def validation_step(self, batch: dict, batch_idx: int) -> None:
        _, closeness = self._loss(batch)
        self.log("val/cosine", closeness, batch_size=len(batch["image"]), sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return self.optimisation(self.clip.model.visual.parameters(), self.trainer.max_steps)

    def trained(self) -> nn.Module:
        """The model whose image tower the optimiser updates."""
        return self.clip

    def compiled(self) -> list[nn.Module]:
        """The image tower: CLIP's forward is never called."""
        return [self.clip.model.visual]

    def exported(self) -> nn.Module:
        """Both towers."""
        return self.clip

    def _loss(self, batch: dict) -> tuple[Tensor, Tensor]:
        """The objective over all devices' pictures, and the mean cosine to the teacher's embeddings."""
        pictures, ranks = batch["image"], Ranks.current()
        with torch.no_grad():
            shown = self._teacher[0].to(self.device).encode_image(pictures)
        seen = self.clip.encode_image(pictures)
        paired = batch.get("family", 1) > 1
        loss, _ = self.objective(ranks.gather(seen), ranks.gather(shown), paired=paired)
        return loss, (seen.float() * shown.float()).sum(dim=-1).mean()


def _sees(name: str) -> bool:
    """Whether a weight of CLIP belongs to the image tower."""
    return name.startswith("visual.")
