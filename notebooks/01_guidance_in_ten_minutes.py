# %% [markdown]
# # Guidance in ten minutes
#
# A diffusion model that has never read a word draws faces. At every step a second network, which has
# learnt to see through noise, scores how well the unfinished picture matches a sentence, and the gradient
# of this score shifts the next step. This is Semantic Diffusion Guidance
# ([arXiv 2112.05744](https://arxiv.org/abs/2112.05744)):
#
# $$x_s = \mu + \Sigma\, g + \sqrt{\Sigma}\, z, \qquad g = \nabla_{x_t} F(x_t, t)$$
#
# $\mu$ and $\Sigma$ come from the diffusion model and $z$ is noise. For a sentence $y$,
#
# $$F = s \cdot \cos\big(E'_I(x_t, t),\, E_L(y)\big)$$
#
# is the cosine between two embeddings, times a scale $s$.
#
# Everything here runs on a laptop CPU in a minute or two. Without a notebook,
# `python notebooks/01_guidance_in_ten_minutes.py` does the same; either way, the pictures are saved in
# `outputs/notebooks/01`.

# %%
import io

import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from sdg.composition import ROOT, compose
from sdg.data.toyfaces import SPLITS, faces
from sdg.data.toyfaces.styles import draw_style
from sdg.diffusion.noise import NoiseSource
from sdg.diffusion.process import generate
from sdg.diffusion.timeline import Level
from sdg.guidance.content import Content
from sdg.guidance.guidance import Guidance
from sdg.guidance.style import Style
from sdg.guidance.targets import Aim, Reference
from sdg.guidance.text import Text
from sdg.report.grid import draw_grid
from sdg.sampling.build import build_method

# %% tags=["parameters"]
PROMPTS = [
    "a smiling face with red hair",
    "a frowning person with long black hair",
    "a face with glasses and a hat",
    "a bearded person on a yellow background",
]
SCALES = [0.0, 25.0, 100.0, 400.0]
FACE, PAINTING = 1, "night"  # number of a face that no network was trained on; a painted style
SENTENCE = "a face with glasses and a hat"
WEIGHTS = [0.0, 0.25, 0.5, 1.0]
SEEDS = 4
STEPS = 50
OVERRIDES: list[str] = []
FOLDER = ROOT / "outputs" / "notebooks" / "01"

# %% [markdown]
# ## The parts
#
# The parts are built from the configuration of `sample.py`, with the weights that come with the repository.
# Any command-line setting also works in `OVERRIDES`, e.g. `"prior.checkpoint=my.safetensors"`.

# %%
config = compose("sample", [f"sampler.steps={STEPS}", *OVERRIDES])
sampling = build_method(config)

prior = sampling.denoiser  # x_t -> predicted clean picture
guidance = sampling.aims.guidance  # x_t, its noise level, targets -> F and its gradient
texts = sampling.aims.texts  # sentences -> targets, with CLIP's own text encoder
sampler = sampling.sampler  # x_t, prediction and gradient -> x_s
timeline = sampling.timeline  # the steps, from t = 999 down to 0

for name, part in {"prior": prior, "time-dependent encoder": guidance.encoder, "CLIP": texts.clip}.items():
    print(f"{name}: {sum(p.numel() for p in part.parameters()) / 1e6:.1f} million parameters")
print(f"{len(timeline)} steps: t = {', '.join(str(step.t) for step in list(timeline)[:4])}, …")

# %% [markdown]
# ## Drawing
#
# `generate` runs the loop. A guide is any function from $x_t$ and its noise level to a gradient; this one
# also records the cosine as it goes. Each picture has its own noise generator, keyed by a pair (seed,
# index). So all pictures in a column below start from the same noise whatever guides them, and a picture
# does not depend on the batch it is drawn in.


# %%
def noise() -> NoiseSource:
    """The same noise every time it is called, one stream for each picture of a row."""
    return NoiseSource([(0, index) for index in range(SEEDS)])


def draw(prompt: str, scale: float) -> tuple[Tensor, Tensor]:
    """A row of pictures (SEEDS, 3, S, S), and their cosine with the prompt at every step (STEPS, SEEDS)."""
    targets = {"text": texts([prompt] * SEEDS)}
    scales = torch.full((SEEDS,), scale)
    cosines = []

    def guide(x_t: Tensor, level: Level) -> Tensor:
        steering = guidance(x_t, level, targets, scales)
        cosines.append(steering.scores["text"])
        return steering.gradient

    return generate(prior, sampler, timeline, noise(), guide), torch.stack(cosines)


def pictures(images: Tensor) -> list[Image.Image]:
    """Images in [-1, 1] as pictures."""
    return [to_pil_image(image) for image in (images.clamp(-1, 1) + 1) / 2]


def show(picture: Image.Image, name: str) -> Image.Image:
    """Keep a picture; a notebook also shows what a cell ends with."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture.save(FOLDER / f"{name}.png")
    return picture


# %% [markdown]
# First the prior alone, then the same noise guided by four sentences, at the default scale of `sample.py`.
# Look down a column: pose and lighting stay much as the noise set them, while what the sentence names
# changes.

# %%
unguided = generate(prior, sampler, timeline, noise())
rows = [("no guidance", pictures(unguided))]
rows += [(prompt, pictures(draw(prompt, config.guidance.scale)[0])) for prompt in PROMPTS]
show(draw_grid(rows, cell=112), "prompts")

# %% [markdown]
# ## How strong?
#
# The scale $s$ weighs the sentence against the prior. If it is too small, nothing happens. If it is too
# large, the cosine rises at the cost of pictures that the prior would never have drawn. Below: one sentence,
# one column per noise, increasing scales.

# %%
drawn = {scale: draw(PROMPTS[0], scale) for scale in SCALES}
rows = [(f"scale {scale:g}", pictures(images)) for scale, (images, _) in drawn.items()]
show(draw_grid(rows, cell=112), "scales")

# %% [markdown]
# At scale 0 the gradient is zero, and the result equals that without guidance, to the last bit:

# %%
assert torch.equal(drawn[0.0][0], unguided)

# %% [markdown]
# ## When does it happen?
#
# The plot shows the cosine between $E'_I(x_t, t)$ and the sentence at every step. Time runs to the right,
# from pure noise to the finished picture; each line is the mean over the pictures of a row. On the left the
# encoder sees noise and can say little. Where the lines diverge, the picture is being decided.


# %%
def draw_cosines(cosines: dict[float, Tensor]) -> Image.Image:
    """One line for each scale, against t."""
    figure = Figure(figsize=(7.0, 4.0), dpi=120, layout="constrained")
    axes = figure.subplots()
    t = [step.t for step in timeline]
    colours = colormaps["viridis"](torch.linspace(0.85, 0.1, len(cosines)).numpy())
    for (scale, values), colour in zip(cosines.items(), colours, strict=True):
        axes.plot(t, values.mean(dim=1), color=colour, linewidth=2, label=f"{scale:g}")
    axes.invert_xaxis()
    axes.set(xlabel="timestep t", ylabel="cosine with the sentence")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(title="scale", frameon=False, loc="upper left")
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return Image.open(stream)


cosines = {scale: values for scale, (_, values) in drawn.items()}
show(draw_cosines(cosines), "cosines")

# %% [markdown]
# This cosine is the guide's own opinion: guidance increases it by construction, so it proves little.
# Whether a face really has red hair is measured by a judge that never guides (`python evaluate.py --help`).
#
# ## Towards a picture
#
# A target can also be a picture. At every step it is noised to the level of $x_t$ and read by the same
# encoder, so the two pictures compared are equally hard to see. We can ask two questions:
#
# - **content**: what does it show? The cosine of the two embeddings.
# - **style**: how is it painted? The negative distance between the Gram matrices of the encoder's feature
#   maps; Gram matrices discard where things are.
#
# Text, content and style are terms of one sum, $F = \sum_k w_k F_k$, and together cost one pass of the
# encoder. Their values differ in magnitude, so a weight of 1 below means the scale that `sample.py` uses for
# that term alone.

# %%
FULL = {"text": (Text, 400.0), "content": (Content, 400.0), "style": (Style, 2e-4)}
face = faces(0, torch.tensor([SPLITS["test"].start + FACE]), prior.image_size)[0][0]
painting = draw_style(PAINTING, prior.image_size)
wanted = {"content": face, "style": painting}


def draw_towards(weights: dict[str, float], prompts: list[str], keys: list[tuple[int, int]]) -> Tensor:
    """A picture (B, 3, S, S) for each prompt and noise; one weight for each term."""
    terms = {name: FULL[name][0](weight=weight * FULL[name][1]) for name, weight in weights.items()}
    mix = Guidance(guidance.encoder, terms, scale=1.0, clamp=0.5)  # far from any face, style is unbounded
    references = {
        name: Reference(wanted[name].expand(len(keys), -1, -1, -1), NoiseSource(keys, "reference"))
        for name in weights
        if name in wanted
    }
    aim = Aim(mix.encode, {"text": texts(prompts)}, references)

    def guide(x_t: Tensor, level: Level) -> Tensor:
        return mix(x_t, level, aim.at(level), torch.ones(len(keys))).gradient

    return generate(prior, sampler, timeline, NoiseSource(keys), guide)


# %% [markdown]
# The same noise as above, guided by each term alone. The target picture is on the left.

# %%
keys = [(0, index) for index in range(SEEDS)]
alone = {name: draw_towards({name: 1.0}, [SENTENCE] * SEEDS, keys) for name in FULL}
blank = Image.new("RGB", (prior.image_size, prior.image_size), "white")
goals = [blank, blank, *pictures(torch.stack([face, painting]))]
drawn_rows = {"no guidance": unguided, SENTENCE: alone["text"]} | {k: alone[k] for k in wanted}
rows = [
    (label, [goal, *pictures(images)])
    for goal, (label, images) in zip(goals, drawn_rows.items(), strict=True)
]
show(draw_grid(rows, ["target"], cell=112, lead=1), "terms")

# %% [markdown]
# ## Two sliders
#
# Now words and a picture at once, from a single noise: the weight of the sentence grows to the right, that of
# the picture downwards. The top-left corner is the prior alone. (A prompt may end in a colon and a weight;
# this is how one row holds all weights of the sentence.)


# %%
def draw_sliders(name: str) -> Image.Image:
    """One noise under every pair of weights: the sentence's across, the picture's down."""
    prompts, same = [f"{SENTENCE}:{weight}" for weight in WEIGHTS], keys[:1] * len(WEIGHTS)
    images = [draw_towards({"text": 1.0, name: weight}, prompts, same) for weight in WEIGHTS]
    rows = [(f"{name} {weight:g}", pictures(row)) for weight, row in zip(WEIGHTS, images, strict=True)]
    return draw_grid(rows, [f"words {weight:g}" for weight in WEIGHTS], cell=112, label=130)


show(draw_sliders("content"), "words_and_content")

# %% [markdown]
# The same with the painting. Style and words hardly compete: one decides how, the other decides what.

# %%
show(draw_sliders("style"), "words_and_style")

# %% [markdown]
# On the command line this is `guidance=mix`, with a weight for each term (`README.md`, With pictures). A
# weight can also change while the picture emerges: see `sdg/guidance/weight.py`.
#
# ## Where to go from here
#
# - `02_how_the_encoder_sees_through_noise.py` looks into the encoder, `03_bring_your_own.py` trains one.
# - `python sample.py 'prompts=["a face with blue hair"]' guidance.scale=200` draws a page of faces from
#   the command line.
# - `sdg/guidance/text.py` is all of text guidance; a new term is another file like it.
# - `docs/method.md` has the formulas, `docs/architecture.md` a map of the code, and `docs/toyfaces.md`
#   describes the faces.
