# %% [markdown]
# # How the encoder sees through noise
#
# CLIP has only ever seen clean pictures, but guidance needs answers about unfinished ones, which are mostly
# noise. So Semantic Diffusion Guidance ([arXiv 2112.05744](https://arxiv.org/abs/2112.05744)) trains a
# copy of CLIP's image encoder, $E'_I(x_t, t)$, that is given the noise level and learns to produce the
# embedding that CLIP gives to the clean picture. This notebook looks inside it:
#
# 1. what the noise levels look like,
# 2. how the copy starts as CLIP itself, and what it becomes,
# 3. up to which noise level it still finds the clean picture,
# 4. what its gradient, the only thing that guidance uses, looks like.
#
# It takes about a minute on a laptop CPU. `python
# notebooks/02_how_the_encoder_sees_through_noise.py` does the same; the pictures are saved in
# `outputs/notebooks/02`.

# %%
import io

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from sdg.checkpoints import load_weights
from sdg.composition import ROOT, compose
from sdg.config import build
from sdg.data.toyfaces import SPLITS, faces
from sdg.diffusion.level import Level
from sdg.diffusion.noise import NoiseSource
from sdg.guidance.guidance import Guidance
from sdg.guidance.text import Text
from sdg.metrics.retrieval import top_k
from sdg.networks.embedding import timestep_embedding
from sdg.networks.time_encoder import TimeEncoder, from_clip
from sdg.report.grid import draw_grid

# %% tags=["parameters"]
SHOWN = [0, 50, 100, 200, 300, 400, 500, 600, 800, 999]  # timesteps to look at
CURVE = [*range(0, 1000, 100), 999]  # timesteps for the curves
POOL = 256  # number of pictures among which to find the clean one
SENTENCE = "a face with glasses"
NOISES = 16  # number of noised copies whose gradients are averaged
OVERRIDES: list[str] = []
FOLDER = ROOT / "outputs" / "notebooks" / "02"

# %% [markdown]
# ## The parts
#
# CLIP, its fine-tuned copy, the schedule on which the copy has learned noise, and faces
# that none of them was trained on.

# %%
config = compose("sample", OVERRIDES)
clip = load_weights(build(config.encoder.clip), config.encoder.clip_checkpoint).eval()
tuned: TimeEncoder = load_weights(build(config.encoder.network), config.encoder.checkpoint).eval()
schedule = build(config.encoder.schedule)
images, _ = faces(0, torch.arange(POOL) + SPLITS["test"].start, tuned.image_size)


def level_of(t: int) -> Level:
    """What the loop knows about timestep t: how much of the picture is left, and how far it has come."""
    return Level.vp(t, schedule.alpha_bar[t].item(), 1 - t / (len(schedule) - 1))


def noised(clean: Tensor, t: int, stream: str = "x_t") -> Tensor:
    """Clean pictures (B, 3, S, S) brought to timestep t, each by a noise of its own."""
    noise = NoiseSource([(0, index) for index in range(len(clean))], stream)
    return level_of(t).diffuse(clean, noise.normal(clean.shape[1:]))


def pictures(x: Tensor) -> list[Image.Image]:
    """Images in [-1, 1] as pictures."""
    return [to_pil_image(image) for image in (x.clamp(-1, 1) + 1) / 2]


def show(picture: Image.Image, name: str) -> Image.Image:
    """Keep a picture; a notebook also shows what a cell ends with."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture.save(FOLDER / f"{name}.png")
    return picture


def to_picture(figure: Figure) -> Image.Image:
    """A figure as a picture."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return Image.open(stream)


# %% [markdown]
# ## What it has to look at
#
# $x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon$: the picture fades while noise
# takes its place. Below are the same two faces with more and more of the same noise. Ask yourself up to
# which level you could still tell whether there are glasses.

# %%
levels = [noised(images[:2], t) for t in SHOWN]
rows = [(f"face {i}", pictures(torch.stack([x[i] for x in levels]))) for i in range(2)]
show(draw_grid(rows, [f"t = {t}" for t in SHOWN], cell=96, label=80), "levels")

# %% [markdown]
# ## It starts as CLIP
#
# The copy has CLIP's layers and weights. The addition is small: after every BatchNorm, a scale and a shift
# that depend on $t$,
#
# $$y \leftarrow \mathrm{BN}(y)\,(1 + \mathrm{scale}(t)) + \mathrm{shift}(t).$$
#
# The last layer that produces them starts at zero. So before any training the copy ignores $t$ and *is*
# CLIP:

# %%
start = from_clip(clip.model.visual, build(config.encoder.network)).eval()


def embed(encoder: TimeEncoder, x: Tensor, t: int) -> Tensor:
    """Embeddings (B, D) of length 1."""
    with torch.no_grad():
        return F.normalize(encoder(x, torch.tensor([t])).pooled, dim=-1)


with torch.no_grad():
    by_clip = clip.encode_image(images[:8])
for t in (0, 500, 999):
    assert torch.allclose(embed(start, images[:8], t), by_clip, atol=1e-5)
assert torch.equal(embed(start, images[:8], 0), embed(start, images[:8], 999))
print("largest difference from CLIP:", (embed(start, images[:8], 500) - by_clip).abs().max().item())

# %% [markdown]
# This is a good starting point, and it is handy here: from now on, `start` is plain CLIP with the same
# interface as the fine-tuned encoder.
#
# Training then has a single goal and needs only pictures, no words. Take a batch of pictures, noise each to
# its own timestep, and require that the copy's embedding of a noised picture be nearest to CLIP's embedding
# of the same picture without noise, among all pictures of the batch (`sdg/training/time_clip.py`).
#
# What did training do to the modulation? Each row below is a norm of the network, from the pixels (top) to
# the embedding (bottom); colour shows the mean size of its scales. Where a row changes from left to right,
# the network works differently at different noise levels.


# %%
def modulation(encoder: TimeEncoder, t: Tensor) -> Tensor:
    """Mean |scale(t)| over the channels of each modulated norm: (norms, T)."""
    with torch.no_grad():
        values = encoder.emb_layers(encoder.time_embed(timestep_embedding(t, encoder.sinusoid_dim)))
    chunks = values.split([c for c in encoder.modulated_channels for _ in range(2)], dim=1)
    return torch.stack([scale.abs().mean(dim=1) for scale in chunks[::2]])


def draw_modulation(sizes: Tensor) -> Image.Image:
    """Norms down, t across."""
    figure = Figure(figsize=(7.0, 4.0), dpi=120, layout="constrained")
    axes = figure.subplots()
    drawn = axes.imshow(sizes.numpy(), aspect="auto", extent=(0, len(schedule), len(sizes), 0), cmap="magma")
    axes.set(xlabel="timestep t", ylabel="norm, from pixels to embedding")
    figure.colorbar(drawn, label="mean |scale(t)|")
    return to_picture(figure)


every_t = torch.arange(0, len(schedule), 10)
assert not modulation(start, every_t).any()
scales = modulation(tuned, every_t)
show(draw_modulation(scales), "modulation")

# %% [markdown]
# ## Does it see?
#
# Noise a picture, embed it, and look for its clean version among all pictures of the pool, by their CLIP
# embeddings. First a few examples, then the share of clean pictures found, plotted against $t$.

# %%
clean = embed(start, images, 0)
encoders = {"time-dependent": tuned, "plain CLIP": start}


def found(encoder: TimeEncoder, t: int) -> Tensor:
    """Similarity (POOL, POOL) of every noised picture to every clean one."""
    return embed(encoder, noised(images, t), t) @ clean.T


AT = SHOWN[len(SHOWN) // 2]
rows = [(f"noised to t = {AT}", pictures(noised(images, AT)[:8]))]
rows += [(f"{name} finds", pictures(images[found(e, AT)[:8].argmax(dim=1)])) for name, e in encoders.items()]
rows += [("it was", pictures(images[:8]))]
show(draw_grid(rows, cell=96, label=190), "found")


# %%
def draw_retrieval(curves: dict[str, list[float]]) -> Image.Image:
    """One line for each encoder, against t."""
    figure = Figure(figsize=(7.0, 4.0), dpi=120, layout="constrained")
    axes = figure.subplots()
    for (name, values), colour in zip(curves.items(), ("#1f5fbf", "#c2571a"), strict=True):
        axes.plot(CURVE, values, marker="o", markersize=4, linewidth=2, color=colour, label=name)
    axes.axhline(1 / POOL, color="#999", linewidth=1, linestyle=":", label="chance")
    axes.set(xlabel="timestep t", ylabel=f"clean picture found among {POOL}", ylim=(-0.02, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return to_picture(figure)


curves = {name: [top_k(found(encoder, t), 1) for t in CURVE] for name, encoder in encoders.items()}
show(draw_retrieval(curves), "retrieval")

# %% [markdown]
# Without noise CLIP is better, because it is looking for its own embeddings. The fine-tuned copy gives up a
# little there and in return handles the noisy levels, where a chain makes its large decisions. Near pure
# noise neither sees anything, because there is nothing to see.
#
# ## What guidance gets out of it
#
# Guidance uses only one thing from the encoder: the gradient $\nabla_{x_t} F$ of the cosine with a sentence,
# which says which pixels should change, and how. Below, a face is noised many times to the same level, and
# the gradient is averaged over the noised copies, for both encoders. Grey means no change, brighter more,
# darker less; each picture has its own scale.

# %%
guides = {name: Guidance(encoder, {"text": Text()}, scale=1.0) for name, encoder in encoders.items()}
with torch.no_grad():
    target = clip.encode_text([SENTENCE]).expand(NOISES, -1)


def gradients(name: str, t: int) -> Tensor:
    """∇F at NOISES noised copies of one face, (NOISES, 3, S, S)."""
    copies = noised(images[:1].expand(NOISES, -1, -1, -1), t, "gradient")
    return guides[name](copies, level_of(t), {"text": target}, torch.ones(NOISES)).gradient


def wish(gradient: Tensor) -> Tensor:
    """A gradient (3, S, S) as an image around grey; white and black are three standard deviations."""
    return gradient / (3 * gradient.std())


rows = [("one noised copy", pictures(torch.cat([noised(images[:1], t, "gradient") for t in SHOWN])))]
rows += [
    (name, pictures(torch.stack([wish(gradients(name, t).mean(dim=0)) for t in SHOWN]))) for name in encoders
]
show(draw_grid(rows, [f"t = {t}" for t in SHOWN], cell=96, label=150), "gradients")

# %% [markdown]
# The time-dependent encoder asks for something dark around the eyes at every level: in strokes where
# little noise is left, in broad shapes where details could not survive anyway. Plain CLIP loses the face
# early, and from there its gradient is a texture: it reads the noise as if it were a picture.
#
# We can put a number on this. Two noised copies of one face are the same face, so a useful gradient should
# not depend much on the noise drawn. The agreement is the mean cosine between the gradients of two copies; 0
# means that every copy asks for something different.


# %%
def agreement(gradient: Tensor) -> float:
    """Mean cosine between the rows of (B, 3, S, S), each with every other."""
    unit = F.normalize(gradient.flatten(1), dim=1)
    total = (unit @ unit.T).sum() - len(unit)
    return (total / (len(unit) * (len(unit) - 1))).item()


agreements = {name: [agreement(gradients(name, t)) for t in SHOWN] for name in encoders}
print("t".rjust(14), *(f"{t:6d}" for t in SHOWN))
for name, values in agreements.items():
    print(name.rjust(14), *(f"{value:6.2f}" for value in values))

# %% [markdown]
# Agreement does not mean seeing: near pure noise the time-dependent encoder asks for glasses where faces
# usually have eyes, whatever the face. This is what a chain needs there, because nothing is decided yet.
#
# ## Where to go from here
#
# - `python train.py +experiment=toyfaces_clip` trains the encoder again, drawing the retrieval curve as it
#   goes; `03_bring_your_own.py` does this with your own pictures.
# - `python sample.py method=clip_x0 'prompts=["a smiling face"]' guidance.scale=100` guides with plain CLIP
#   instead, by showing it the clean picture that the diffusion model predicts.
# - `docs/networks.md` (The encoder) describes every layer; the code is in `sdg/networks/time_encoder.py`.
