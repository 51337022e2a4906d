"""Training CLIP on image-caption pairs (Radford et al. 2021), for domains too small to have a public one."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from sdg.errors import SDGError
from sdg.networks.clip import CLIP
from sdg.networks.tokenizer import WordTokenizer
from sdg.randomness import keyed_generator
from sdg.training.batchnorm import freeze
from sdg.training.clip_losses import angle_loss, clip_loss, family_loss, margin_loss, pair_loss
from sdg.training.contrast import Contrast
from sdg.training.dtypes import full
from sdg.training.optimisation import Optimisation
from sdg.training.parts import learn_only
from sdg.training.ranks import Ranks
from sdg.training.training import Training


class CLIPTraining(Training):
    """The symmetric contrastive loss with a learned temperature; identical captions share their target.

    A small domain has a few salient attributes (colours) and many subtle ones (an expression). With the
    contrastive loss alone, training stalls after the salient ones: both towers ignore the rest. So the image
    embedding must also predict the words of a full description, through a linear map that is discarded
    afterwards (as in Joulin et al. 2016).

    Args:
        clip: the model to train; its tokenizer must be word-level.
        word_loss: weight of the words' binary cross-entropy, summed over the vocabulary; 0 gives CLIP's loss.
        word_dropout: share of words replaced by the unknown-word token, so that unknown words in prompts do
            less harm.
        contrast: weight of CLIP's own loss.
        cosine_loss: weight of 1 - cos(picture, its caption), averaged. At its minimum a caption has the
            direction of the mean of all pictures that it is true of: what it leaves open, it does not say. By
            CLIP's loss alone, a neutral face and one of no expression in particular are hardly told apart.
        pair_loss: weight of :func:`pair_loss` between siblings, pictures that differ in one attribute, whose
            words are read through the same map. Two values that neither tower tells apart stay together:
            the pull of one on the other is proportional to what the other knows. This breaks the tie.
        margin_loss: weight of :func:`margin_loss` between siblings, by which all that can differ between them
            ends equally far apart: a cosine that hardly moves hardly guides.
        family_loss: weight of :func:`family_loss` within fours, CLIP's own loss on four pictures and what is
            said of them, of which none may stand in for another.
        angle_loss: weight of :func:`angle_loss` within fours, by which what tells one attribute is no part
            of what tells another.
        image_tower: the parts of it that are trained, such as ``[attnpool]``, which with the text tower
            chooses what to make of the convolutions at a third of the cost; None: all of it. With ``[]`` the
            words learn to say what the pictures show, and copies of the image tower stay right. Unless all
            of it is trained, its norms keep their statistics.
        grey: let the image tower see the mean of a picture's channels alone. Where only some of the pictures
            have colours, these would else tell which captions a picture can have, whatever it shows.

    Raises:
        SDGError: the tokenizer is not word-level; the image tower has no such part; in training, siblings
            are asked for and the data has none.
    """

    least_batch = 2

    def __init__(
        self,
        clip: CLIP,
        optimisation: Optimisation,
        word_loss: float = 1.0,
        word_dropout: float = 0.03,
        contrast: float = 1.0,
        cosine_loss: float = 0.0,
        pair_loss: float = 0.0,
        margin_loss: float = 0.0,
        family_loss: float = 0.0,
        angle_loss: float = 0.0,
        image_tower: Sequence[str] | None = None,
        grey: bool = False,
        seed: int = 0,
    ):
        super().__init__()
        if not isinstance(clip.tokenizer, WordTokenizer):
            raise SDGError(
                "this training needs a CLIP with words as tokens: make it with sdg.networks.clip.small_clip"
            )
        self.tokenizer = clip.tokenizer
        self.clip, self.optimisation = clip.to(memory_format=torch.channels_last), optimisation
        self.word_loss, self.word_dropout, self.seed = word_loss, word_dropout, seed
        self.contrast_weight, self.cosine_loss = contrast, cosine_loss
        self.pair_loss, self.margin_loss = pair_loss, margin_loss
        self.family_loss, self.angle_loss, self.contrast = family_loss, angle_loss, Contrast(of_chance=1)
        self.image_tower, self.grey = image_tower, grey
        self.words = nn.Linear(clip.embed_dim, self.tokenizer.size)
        if image_tower is not None:
            learn_only(clip.model.visual, image_tower, "model.image_tower")

    def training_step(self, batch: dict, batch_idx: int) -> Tensor:
        if self.image_tower is not None:
            freeze(self.clip.model.visual)
        generator = keyed_generator("clip", self.seed, batch["step"], device=self.device)
        tokens = self.tokenizer(batch["captions"]).to(self.device)
        words = (tokens > 1) & (tokens < self.tokenizer.start)
        ranks = Ranks.current()
        options: dict[str, Any] = {"generator": generator, "device": self.device, "dtype": torch.float32}
        chance = ranks.share(lambda n: torch.rand(n, tokens.shape[1], **options), len(tokens))
        dropped = chance < self.word_dropout
        text = F.normalize(self.clip.model.encode_text(tokens.masked_fill(words & dropped, 1)), dim=-1)
        image = self.clip.encode_image(batch["image"])
        scale = self.clip.model.logit_scale.exp()
        loss = clip_loss(ranks.gather(image), ranks.gather(text), scale, ranks.gather(tokens))
        self.contrast.note(loss, len(image) * ranks.size)
        logits = full(self.words(image * image.shape[-1] ** 0.5))
        present = self.tokenizer.bag(batch["descriptions"]).to(logits)
        words_loss = F.binary_cross_entropy_with_logits(logits, present, reduction="sum") / len(logits)
        logs = {"train/loss": loss, "train/words": words_loss}
        total = self.contrast_weight * loss + self.word_loss * words_loss
        if self.cosine_loss:
            logs["train/cosine"] = (full(image) * full(text)).sum(dim=-1).mean()
            total = total + self.cosine_loss * (1 - logs["train/cosine"])
        for name, (weight, value) in self._of_siblings(batch, image, text, tokens, logits).items():
            logs[f"train/{name}"] = value
            total = total + weight * value
        self.log_dict(logs, prog_bar=True, sync_dist=True)
        return total

    def _of_siblings(
        self, batch: dict, image: Tensor, text: Tensor, tokens: Tensor, logits: Tensor
    ) -> dict[str, tuple[float, Tensor]]:
        """Weight and value of each loss between siblings that is asked for."""
        family = batch.get("family", 1)
        found: dict[str, tuple[float, Tensor]] = {}
        for name, weight in (("pair_loss", self.pair_loss), ("margin_loss", self.margin_loss)):
            if weight and family < 2:
                raise SDGError(f"model.{name} compares siblings: give data.siblings, or use 0")
        for name, weight in (("family_loss", self.family_loss), ("angle_loss", self.angle_loss)):
            if weight and family < 4:
                raise SDGError(f"model.{name} compares fours: give data.crossed, or use 0")
        if self.pair_loss:
            said = self.tokenizer.bag(batch["captions"]).to(self.device)
            found["pairs"] = (self.pair_loss, pair_loss(logits, said))
        if self.margin_loss:
            found["margins"] = (self.margin_loss, margin_loss(image, text))
        if self.family_loss:
            found["families"] = (self.family_loss, family_loss(image, text, tokens))
        if self.angle_loss:
            found["angles"] = (self.angle_loss, angle_loss(image))
        return found

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        # Here, not in on_train_batch_end: a checkpoint is written before Lightning calls that hook.
        self.clip.model.logit_scale.data.clamp_(max=4.6052)  # ln 100, as in CLIP
        if self.grey:
            self._forget_colour()

    def on_fit_start(self) -> None:
        if self.grey:
            self._forget_colour()

    def _forget_colour(self) -> None:
        """Let the first convolution weight all channels of a picture alike, as they are in the file."""
        weight, std = self.clip.model.visual.conv1.weight.data, self.clip.normalise.std.view(1, -1, 1, 1)
        weight.copy_((weight / std.to(weight)).mean(dim=1, keepdim=True) * std.to(weight))

    def validation_step(self, batch: dict, batch_idx: int) -> None:
        image, text = self.clip.encode_image(batch["image"]), self.clip.encode_text(batch["captions"])
        tokens = self.tokenizer(batch["captions"])
        loss = clip_loss(image, text, self.clip.model.logit_scale.exp(), tokens)
        self.log("val/loss", loss, batch_size=len(image), prog_bar=True, sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return self.optimisation(self.parameters(), self.trainer.max_steps)

    def trained(self) -> nn.Module:
        """The model that the optimiser updates."""
        return self.clip

    def verdict(self) -> str:
        return self.contrast.verdict()

    def compiled(self) -> list[nn.Module]:
        """The two towers: CLIP's forward is never called."""
        return [self.clip.model.visual, self.clip.model.transformer]

    def exported(self) -> nn.Module:
        """Both towers: what guidance and fine-tuning load."""
        return self.clip
