# %% [markdown]
# # Bring your own
#
# Your pictures, your diffusion model, your prompts. Three things change between one world and another,
# and each is a word on the command line: `data=`, `prior=` and `encoder=`. This notebook walks the whole
# way once, at a size that a laptop can take: a folder of pictures, a prior trained on them, an encoder
# that learns to see through that prior's noise, and samples of sentences from a file.
#
# Every step calls what the commands `train.py`, `sample.py` and `python -m sdg.checkpoints` call, with
# the words that you would type. It takes two or three minutes; what it makes is kept in
# `outputs/notebooks/03`. Run it twice, and the second time it finds everything done: a run goes on where
# it stopped. (So with other parameters, give it another `FOLDER`.)

# %%
import os
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from PIL import Image

from sdg.checkpoints.inspect import inspect
from sdg.config import ROOT
from sdg.data.picture import adm_square, list_pictures, open_picture
from sdg.data.toyfaces.references import write_references
from sdg.report.grid import draw_grid
from sdg.sampling.run import sample
from sdg.training.run import train

# %% tags=["parameters"]
PICTURES: Path | None = None  # your own folder; None: the notebook writes one
COUNT, HELD_OUT = 640, 64  # pictures to write, and how many are kept for validation
PRIOR_STEPS, ENCODER_STEPS, BATCH = 200, 60, 32
SAMPLES, SAMPLING_STEPS = 4, 50
PROMPTS = ["a face with red hair on a yellow background", "a person with glasses | a face with a hat:-0.5"]
OVERRIDES: list[str] = []
FOLDER = ROOT / "outputs" / "notebooks" / "03"


# %% [markdown]
# `configure("train", …)` is what `python train.py …` reads: the configuration with your words put in.


# %%
def configure(command: str, *words: str) -> DictConfig:
    """The configuration of ``train`` or ``sample``, as its command line would make it."""
    os.environ.setdefault("SDG_ROOT", str(ROOT))  # where the configuration looks for the shipped weights
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose(command, [*words, *OVERRIDES])


# %% [markdown]
# ## Pictures
#
# Any folder or zip archive of pictures will do, at any depth and of any size above the one you train at;
# each is cut to a square. Here they are drawn, as `python -m sdg.data.toyfaces FOLDER --faces 640` does,
# and five painted styles among them. They have no captions: neither the prior nor the encoder ever reads
# one.

# %%
size = 64
if PICTURES is None:
    PICTURES = FOLDER / "pictures"
    write_references(PICTURES, COUNT, size)
paths = list_pictures(PICTURES)
print(f"{len(paths)} pictures, such as {[path.name for path in paths[:3]]}")
draw_grid([("yours", [adm_square(open_picture(path), size) for path in paths[:8]])], cell=96, label=70)

# %% [markdown]
# The words that name them, for every training below. The first so many by name are trained on, the rest
# validate; `data.enlarge=true` would take pictures that are too small, `data.on_corrupt=fail` would not
# pass over damaged ones.

# %%
data = [
    "data=folder",
    f"data.root={PICTURES}",
    f"data.size={size}",
    f"data.train_count={len(paths) - HELD_OUT}",
    f"data.batch_size={BATCH}",
    "data.workers=0",
    f"data.cache={FOLDER / 'cache'}",
]

# %% [markdown]
# ## A prior of your own
#
# The UNet of ADM, in a size for the impatient: 4 × 4 pixels go in as one, it predicts the clean picture,
# and a few hundred steps teach it little more than where a head is and which colours there are. The
# command is
#
# ```
# python train.py +experiment=toyfaces_prior data=folder data.root=PICTURES prior=ffhq prior.denoiser.…
# ```
#
# Given two hours, `trainer.max_steps=7000` and the sizes in `conf/prior/toyfaces.yaml`, it draws faces.

# %%
architecture = [
    "prior=ffhq",
    f"prior.denoiser.image_size={size}",
    "prior.denoiser.parameterisation=x0",
    "prior.denoiser.network.base_channels=64",
    "prior.denoiser.network.channel_mult=[1,1]",
    "prior.denoiser.network.attention_factors=[2]",
    "prior.denoiser.network.out_channels=3",
    "+prior.denoiser.network.patch=4",
]
training = ["model.optimisation.warmup=20", "callbacks.bar.refresh_rate=20"]
train(
    configure(
        "train",
        "+experiment=toyfaces_prior",
        "name=my_prior",
        f"output_dir={FOLDER / 'prior'}",
        *data,
        *architecture,
        *training,
        f"trainer.max_steps={PRIOR_STEPS}",
        f"trainer.val_check_interval={PRIOR_STEPS}",
        "model.ema_decay=0.98",
        "callbacks.figure.count=8",
        f"callbacks.figure.steps={SAMPLING_STEPS}",
    )
)


def last_figure(folder: Path) -> Image.Image:
    """The newest of the figures that a training left."""
    return open_picture(max((folder / "figures").glob("*.png")))


last_figure(FOLDER / "prior")

# %% [markdown]
# ## What is this file?
#
# The training left weights, with a card that says where they come from. Suppose you had found such a file
# somewhere. `python -m sdg.checkpoints inspect FILE` opens it without running anything in it, recognises
# the network by names and shapes, and says which words take it. It knows ADM's and diffusers' UNets,
# StyleGAN2, CLIP and its time-dependent copies.

# %%
mine = FOLDER / "prior" / "my_prior.safetensors"
facts = dict(inspect(mine))
for name, value in facts.items():
    print(f"{name:<14}{value}")

# %% [markdown]
# So `prior=adm` takes it, or any other unconditional UNet of ADM's kind. A folder that diffusers saved,
# with a UNet2DModel in it, is `prior=diffusers prior.checkpoint=FOLDER`. What shapes do not tell is said
# in words: how large the pictures are, and what the network predicts.

# %%
prior = [
    "prior=adm",
    f"prior.checkpoint={mine}",
    f"prior.denoiser.image_size={size}",
    "prior.denoiser.parameterisation=x0",
]

# %% [markdown]
# ## An encoder of your own
#
# CLIP stays as it is, for words; the small one that comes with the repository is the start. A copy of it
# learns to see through the noise of *this* prior, on *these* pictures. For photographs, `encoder=rn50x16`
# starts from OpenAI's CLIP instead, and the rest is the same.

# %%
train(
    configure(
        "train",
        "+experiment=toyfaces_clip",
        "name=my_clip",
        f"output_dir={FOLDER / 'encoder'}",
        *data,
        *prior,
        *training,
        f"trainer.max_steps={ENCODER_STEPS}",
        f"trainer.val_check_interval={ENCODER_STEPS}",
    )
)
last_figure(FOLDER / "encoder")

# %% [markdown]
# The curve: how often the clean picture is found among those held out, from its noised copy. A handful of
# steps is not enough to become good, but it should be on its way;
# `02_how_the_encoder_sees_through_noise.py` shows where the way leads.
#
# ## Prompts in a file
#
# One a line; blank lines and lines that start with `#` are skipped. A bar separates sentences, and a
# number after a colon weighs one: a negative one is avoided.

# %%
prompts = FOLDER / "prompts.txt"
prompts.write_text("\n".join(["# what I would like to see", *PROMPTS]) + "\n", encoding="utf-8")
print(prompts.read_text(encoding="utf-8"))

# %% [markdown]
# ## Samples
#
# Everything together. The command is `python sample.py prior=adm prior.checkpoint=… encoder.checkpoint=…
# prompts_file=…`, and it leaves a page to open in a browser.

# %%
encoder = f"encoder.checkpoint={FOLDER / 'encoder' / 'my_clip.safetensors'}"
drawing = [
    encoder,
    f"prompts_file={prompts}",
    f"samples_per_prompt={SAMPLES}",
    f"group={SAMPLES}",
    f"sampler.steps={SAMPLING_STEPS}",
]
page = sample(configure("sample", *prior, *drawing, f"output_dir={FOLDER / 'samples'}"))
print(f"open {page}")
open_picture(page.with_name("grid.png"))

# %% [markdown]
# Not faces yet: that is the prior, which has seen its pictures for a minute. What the words ask for is
# already there, in colours. The proof is to swap one part: the same encoder, trained in this notebook,
# steering the prior that comes with the repository, which has been trained for hours on the same
# schedule. Nothing else changes.

# %%
page = sample(configure("sample", *drawing, f"output_dir={FOLDER / 'samples_of_a_better_prior'}"))
open_picture(page.with_name("grid.png"))

# %% [markdown]
# ## With the real thing
#
# The same walk with photographs needs a GPU, public weights and time:
#
# ```
# python -m sdg.data prepare data=folder data.root=PICTURES
# python train.py +experiment=ffhq_clip data=folder data.root=PICTURES prior=adm prior.checkpoint=FILE \
#     name=my_clip
# python sample.py +experiment=ffhq_text prior=adm prior.checkpoint=FILE prompts_file=prompts.txt \
#     encoder.checkpoint=outputs/train/my_clip/my_clip.safetensors
# ```
#
# `docs/checkpoints.md` says it in full, with every size and setting; `docs/evaluation.md` how to measure
# what came out.
