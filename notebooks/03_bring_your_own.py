# %% [markdown]
# # Bring your own captioned pictures
#
# Your pictures, what is said of them, your prompts. Three things change from one domain to another, and each
# is one setting on the command line: `data=`, `prior=` and `encoder=`. This notebook goes through the whole
# process once, at a size that a laptop can handle: captioned pictures, a prior trained on the pictures alone,
# a small CLIP trained on pictures and captions, its copy that learns to see through the prior's noise, and
# samples for sentences of your own.
#
# The pictures are 1,911 emoji with their names, which anybody can fetch:
#
# ```
# npm pack emoji-datasource-google@16 && tar xzf emoji-datasource-google-*.tgz
# ```
#
# Every step calls what the commands `train.py`, `sample.py` and `python -m sdg.checkpoints` call, with the
# arguments that you would type. It takes some ten minutes and saves its results in `outputs/notebooks/03`.
# If you run it again, it finds everything done, because a run continues where it stopped. (So when you
# change parameters, choose another `FOLDER`.)

# %%
import json
from pathlib import Path

from omegaconf import DictConfig
from PIL import Image

from sdg.checkpoints.inspect import inspect
from sdg.composition import ROOT, compose
from sdg.config import build
from sdg.data.picture import adm_square, open_picture
from sdg.report.grid import draw_grid
from sdg.sampling.run import sample
from sdg.training.run import train

# %% tags=["parameters"]
PACKAGE = ROOT / "package"  # what tar unpacked
PRIOR_STEPS, CLIP_STEPS, ENCODER_STEPS, BATCH = 400, 400, 200, 32
SAMPLES, SAMPLING_STEPS = 4, 50
PROMPTS = ["red heart", "flag", "grinning face"]
OVERRIDES: list[str] = []
FOLDER = ROOT / "outputs" / "notebooks" / "03"


# %% [markdown]
# `configure("train", …)` gives what `python train.py …` reads: the configuration with your arguments applied.


# %%
def configure(command: str, *words: str) -> DictConfig:
    """The configuration of ``train`` or ``sample``, as its command line would make it."""
    return compose(command, [*words, *OVERRIDES])


# %% [markdown]
# ## Pictures, and what is said of them
#
# Any folder or zip archive of pictures will do; they may lie at any depth and have any size above the one
# you train at. Each is cut to a square. Beside it lies a table with a column of file names and one of
# captions, or of labels from which sentences are made: [docs/photographs.md](../docs/photographs.md) has
# every form of it. `conf/data/emoji.yaml` says which columns of this package's table they are. For your own
# pictures it is `data=table data.root=PICTURES data.table=captions.csv`.
#
# `python -m sdg.data words` prints some captions and every word of them; a CLIP of your own needs that list.

# %%
settings = [
    "data=emoji",
    f"data.root={PACKAGE}",
    f"data.batch_size={BATCH}",
    "data.workers=0",
    f"data.cache={FOLDER / 'cache'}",
]
data = build(configure("train", "+experiment=faces64_clip_pretrain", *settings).data)
places = data.usable()[:: max(1, len(data.usable()) // 8)][:8]
vocabulary = data.words.vocabulary()
print(f"{len(data.usable())} captioned pictures, {len(vocabulary)} words")
rows = [(data.words.caption(0, place), [adm_square(data.source.source.open(place), 64)]) for place in places]
draw_grid(rows, cell=64, label=300)

# %% [markdown]
# ## A prior of your own
#
# This is ADM's UNet in a size for the impatient: 4 × 4 pixels go in as one, and it predicts the clean
# picture. It never reads a caption. The command is
#
# ```
# python train.py +experiment=faces64_prior data=emoji data.root=package name=emoji_prior
# ```
#
# which trains the larger network of `conf/prior/faces64.yaml` for 20,000 steps; the few hundred steps here
# teach little more than that something colourful stands on white.

# %%
architecture = [
    "prior=ffhq",
    "prior.denoiser.image_size=64",
    "prior.denoiser.parameterisation=x0",
    "prior.denoiser.network.base_channels=64",
    "prior.denoiser.network.channel_mult=[1,1]",
    "prior.denoiser.network.attention_factors=[2]",
    "prior.denoiser.network.out_channels=3",
    "+prior.denoiser.network.patch=4",
]


def learn(experiment: str, name: str, steps: int, *words: str) -> None:
    """``python train.py +experiment=… name=…`` on these pictures."""
    train(
        configure(
            "train",
            f"+experiment={experiment}",
            f"name=my_{name}",
            f"output_dir={FOLDER / name}",
            *settings,
            *words,
            "model.optimisation.warmup=20",
            "callbacks.bar.refresh_rate=20",
            f"trainer.max_steps={steps}",
            f"trainer.val_check_interval={steps}",
        )
    )


few = ["callbacks.figure.count=8", f"callbacks.figure.steps={SAMPLING_STEPS}", "model.ema_decay=0.98"]
learn("faces64_prior", "prior", PRIOR_STEPS, *architecture, *few)


def last_figure(folder: Path) -> Image.Image:
    """The newest of the figures that a training left."""
    return open_picture(max((folder / "figures").glob("*.png")))


last_figure(FOLDER / "prior")

# %% [markdown]
# ## What is this file?
#
# The training wrote weights, with a card that says where they come from. Suppose you had found such a file
# somewhere. `python -m sdg.checkpoints check FILE` opens it without running anything in it, recognises
# the network by the names and shapes of its weights, and prints the arguments that load it. It knows ADM's
# and diffusers' UNets, StyleGAN2, CLIP and its time-dependent copies.

# %%
mine = FOLDER / "prior" / "my_prior.safetensors"
facts = dict(inspect(mine))
for name, value in facts.items():
    print(f"{name:<14}{value}")

# %% [markdown]
# So `prior=adm` loads it, like any other unconditional ADM-style UNet. A folder saved by diffusers, with a
# UNet2DModel in it, is loaded by `prior=diffusers prior.checkpoint=FOLDER`. What the shapes do not reveal is
# given as arguments: how large the pictures are, and what the network predicts.

# %%
prior = [
    "prior=adm",
    f"prior.checkpoint={mine}",
    "prior.denoiser.image_size=64",
    "prior.denoiser.parameterisation=x0",
]

# %% [markdown]
# ## A CLIP of your own
#
# The only step that reads captions: two small towers learn which picture belongs to which name. For
# photographs you would leave it out and take a public CLIP, such as `encoder=vit_b_32`.

# %%
words = f"encoder.clip.vocabulary={json.dumps(vocabulary, ensure_ascii=False)}"
learn("faces64_clip_pretrain", "clip", CLIP_STEPS, words)
encoder = [
    "encoder=faces64",
    words,
    f"encoder.clip_checkpoint={FOLDER / 'clip' / 'my_clip.safetensors'}",
]

# %% [markdown]
# ## Its copy that sees through noise
#
# CLIP itself stays unchanged from here on and reads the words. A copy of its image tower learns to see
# through the noise of *this* prior, from the pictures alone: this is the paper's fine-tuning.

# %%
learn("faces64_clip", "encoder", ENCODER_STEPS, *prior, *encoder)
last_figure(FOLDER / "encoder")

# %% [markdown]
# The curve shows how often the clean picture is found from its noised copy, among those held out, against
# plain CLIP. `02_how_the_encoder_sees_through_noise.py` shows where a longer training leads.
#
# ## Prompts in a file
#
# One prompt per line; blank lines and lines that start with `#` are skipped. A bar separates sentences, and
# a number after a colon is a sentence's weight: with a negative weight, the sentence is avoided.

# %%
prompts = FOLDER / "prompts.txt"
prompts.write_text("\n".join(["# what I would like to see", *PROMPTS]) + "\n", encoding="utf-8")
print(prompts.read_text(encoding="utf-8"))

# %% [markdown]
# ## Samples
#
# Now everything together. The command is `python sample.py prior=adm prior.checkpoint=… encoder=faces64
# encoder.checkpoint=… prompts_file=…`, and it leaves a page to open in a browser.

# %%
page = sample(
    configure(
        "sample",
        *prior,
        *encoder,
        f"encoder.checkpoint={FOLDER / 'encoder' / 'my_encoder.safetensors'}",
        f"prompts_file={prompts}",
        f"samples_per_prompt={SAMPLES}",
        f"group={SAMPLES}",
        f"sampler.steps={SAMPLING_STEPS}",
        f"output_dir={FOLDER / 'samples'}",
    )
)
print(f"open {page}")
open_picture(page.with_name("grid.png"))

# %% [markdown]
# These are not emoji yet, because the prior has trained for minutes only. What the words ask for shows in the
# colours, against the unguided pictures of the same noise in the first row. Repeat the trainings with more
# steps, and they go on from here.
#
# ## With the real thing
#
# The same steps with photographs need a GPU, public weights and time:
#
# ```
# python -m sdg.data prepare data=folder data.root=PICTURES
# python train.py +experiment=ffhq_clip data=folder data.root=PICTURES prior=adm prior.checkpoint=FILE \
#     name=my_clip
# python sample.py +experiment=ffhq_text prior=adm prior.checkpoint=FILE prompts_file=prompts.txt \
#     encoder.checkpoint=outputs/train/my_clip/my_clip.safetensors
# ```
#
# `docs/checkpoints.md` has the full instructions, with every size and setting; `docs/evaluation.md` explains
# how to measure the results.
