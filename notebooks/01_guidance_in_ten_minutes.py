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
# $$F = s \cdot \cos(E'_I(x_t, t),\, E_L(y))$$
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

import sdg
from sdg.composition import ROOT
from sdg.data.toyfaces import SPLITS, faces
from sdg.data.toyfaces.styles import draw_style
from sdg.pixels import to_bytes
from sdg.report.grid import draw_grid

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
# ## A studio
#
# A studio holds the networks: the prior, which has never read a word; CLIP's text encoder; and its image
# encoder, taught to see through noise. They are loaded once, with the weights that come with sdg. Everything
# else may be asked for anew in every call, in the words of the command line.

# %%
studio = sdg.load(f"sampler.steps={STEPS}", *OVERRIDES)


def show(picture: Image.Image, name: str) -> Image.Image:
    """Keep a picture; a notebook also shows what a cell ends with."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture.save(FOLDER / f"{name}.png")
    return picture


def images(pictures: sdg.Pictures) -> list[Image.Image]:
    """The pictures without what they say of themselves."""
    return [picture.image for picture in pictures]


# %% [markdown]
# ## Drawing
#
# First the prior alone, then the same noise guided by four sentences, at the default scale. A picture's noise
# depends on its seed and its number only, so all pictures in a column start from the same. Look down a
# column: pose and lighting stay much as the noise set them, while what the sentence names changes.

# %%
unguided = studio.draw(method="unguided", n=SEEDS)
rows = [("no guidance", images(unguided))]
rows += [(prompt, images(studio.draw(prompt, n=SEEDS))) for prompt in PROMPTS]
show(draw_grid(rows, cell=112), "prompts")

# %% [markdown]
# Every picture knows the line that draws it outside of a notebook, and its file says how it was made:
# `sdg again PICTURE.png` draws it once more.

# %%
print(studio.request(PROMPTS[0], n=SEEDS).command)

# %% [markdown]
# ## In the making
#
# `studio.steps` gives the same pictures while they emerge: after every step, what they are expected to
# become. Closing it ends the drawing.

# %%
shown = range(1, STEPS + 1, max(1, STEPS // 6))
emerging = [step for step in studio.steps(PROMPTS[0]) if step.number in shown or step.number == step.of]
captions = [f"t = {step.t}" for step in emerging]
show(draw_grid([("expected", [step.images[0] for step in emerging])], captions, cell=112), "steps")

# %% [markdown]
# ## How strong?
#
# The scale $s$ weighs the sentence against the prior. If it is too small, nothing happens. If it is too
# large, the cosine rises at the cost of pictures that the prior would never have drawn. Below: one sentence,
# one column per noise, increasing scales.

# %%
drawn = {scale: studio.draw(PROMPTS[0], n=SEEDS, scale=scale) for scale in SCALES}
rows = [(f"scale {scale:g}", images(pictures)) for scale, pictures in drawn.items()]
show(draw_grid(rows, cell=112), "scales")

# %% [markdown]
# At scale 0 the gradient is zero, and the result equals that without guidance, to the last bit:

# %%
assert all(a.tobytes() == b.tobytes() for a, b in zip(images(drawn[0.0]), images(unguided), strict=True))

# %% [markdown]
# ## When does it happen?
#
# The plot shows the cosine between $E'_I(x_t, t)$ and the sentence at every step. Time runs to the right,
# from pure noise to the finished picture; each line is the mean over the pictures of a row. On the left the
# encoder sees noise and can say little. Where the lines diverge, the picture is being decided.


# %%
def draw_cosines(drawn: dict[float, sdg.Pictures]) -> Image.Image:
    """One line for each scale, against t."""
    figure = Figure(figsize=(7.0, 4.0), dpi=120, layout="constrained")
    axes = figure.subplots()
    colours = colormaps["viridis"](torch.linspace(0.85, 0.1, len(drawn)).numpy())
    for (scale, pictures), colour in zip(drawn.items(), colours, strict=True):
        steps = [picture.trace["guided"] for picture in pictures]
        cosines = torch.tensor([each["scores"]["text"] for each in steps]).mean(0)
        axes.plot(steps[0]["t"], cosines, color=colour, linewidth=2, label=f"{scale:g}")
    axes.invert_xaxis()
    axes.set(xlabel="timestep t", ylabel="cosine with the sentence")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(title="scale", frameon=False, loc="upper left")
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return Image.open(stream)


show(draw_cosines({scale: pictures for scale, pictures in drawn.items() if scale}), "cosines")

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
# Below, the same noise as above, guided by each term alone. The target picture is on the left.

# %%
size = unguided[0].image.width
face = faces(0, torch.tensor([SPLITS["test"].start + FACE]), size)[0][0]
targets = {"content": face, "style": draw_style(PAINTING, size)}
goals = {name: Image.fromarray(to_bytes(target).permute(1, 2, 0).numpy()) for name, target in targets.items()}
paths = {}
for name, goal in goals.items():
    show(goal, name)
    paths[name] = FOLDER / f"{name}.png"
alone = {"text": studio.draw(SENTENCE, n=SEEDS)}
alone |= {name: studio.draw(n=SEEDS, **{name: path}) for name, path in paths.items()}
blank = Image.new("RGB", (size, size), "white")
rows = [("no guidance", [blank, *images(unguided)]), (SENTENCE, [blank, *images(alone["text"])])]
rows += [(name, [goal, *images(alone[name])]) for name, goal in goals.items()]
show(draw_grid(rows, ["target"], cell=112, lead=1), "terms")

# %% [markdown]
# ## Two sliders
#
# Now words and a picture at once, from a single noise: the weight of the sentence grows to the right, that of
# the picture downwards. The top-left corner is the prior alone. Text, content and style are terms of one
# sum, $F = \sum_k w_k F_k$, and together cost one pass of the encoder; a weight is relative to the term's
# usual one.


# %%
def draw_sliders(name: str) -> Image.Image:
    """One noise under every pair of weights: the sentence's across, the picture's down."""
    rows = []
    for weight in WEIGHTS:
        sought = {name: (paths[name], weight)}
        drawn = [studio.draw(prompt=(SENTENCE, words), **sought)[0].image for words in WEIGHTS]
        rows.append((f"{name} {weight:g}", drawn))
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
# - `sdg draw "a face with blue hair" scale=200` draws a page of faces from the command line.
# - `sdg/guidance/text.py` is all of text guidance; a new term is another file like it.
# - `docs/method.md` has the formulas, `docs/architecture.md` a map of the code, and `docs/toyfaces.md`
#   describes the faces.
