# %% [markdown]
# # Bring your own
#
# Your pictures, your diffusion model, your prompts. Three things change from one domain to another, and
# each is one setting on the command line: `data=`, `prior=` and `encoder=`. This notebook goes through the
# whole process once, at a size that a laptop can handle: a folder of pictures, a prior trained on them, an
# encoder that learns to see through that prior's noise, and samples for sentences from a file.
#
# Every step calls what the commands `train.py`, `sample.py` and `python -m sdg.checkpoints` call, with the
# arguments that you would type. It takes two or three minutes and saves its results in
# `outputs/notebooks/03`. If you run it again, it finds everything done, because a run continues where it
# stopped. (So when you change parameters, choose another `FOLDER`.)

# %%
from pathlib import Path

from omegaconf import DictConfig
from PIL import Image

from sdg.checkpoints.inspect import inspect
from sdg.composition import ROOT, compose
from sdg.data.listing import list_pictures
from sdg.data.picture import adm_square, open_picture
from sdg.data.toyfaces.references import write_references
from sdg.report.grid import draw_grid
from sdg.sampling.run import sample
from sdg.training.run import train

# %% tags=["parameters"]
PICTURES: Path | None = None  # your own folder; None: the notebook writes one
COUNT, HELD_OUT = 640, 64  # pictures to write, and how many are held out for validation
PRIOR_STEPS, ENCODER_STEPS, BATCH = 200, 60, 32
SAMPLES, SAMPLING_STEPS = 4, 50
PROMPTS = ["a face with red hair on a yellow background", "a person with glasses | a face with a hat:-0.5"]
OVERRIDES: list[str] = []
FOLDER = ROOT / "outputs" / "notebooks" / "03"


# %% [markdown]
# `configure("train", …)` gives what `python train.py …` reads: the configuration with your arguments applied.


# %%
def configure(command: str, *words: str) -> DictConfig:
    """The configuration of ``train`` or ``sample``, as its command line would make it."""
    return compose(command, [*words, *OVERRIDES])


# %% [markdown]
# ## Pictures
#
# Any folder or zip archive of pictures will do; they may lie at any depth and have any size above the one
# you train at. Each is cut to a square. Here the notebook draws them, as
# `python -m sdg.data.toyfaces FOLDER --faces 640` does, with five painted styles among them. They have no
# captions: neither the prior nor the encoder ever reads one.

# %%
size = 64
if PICTURES is None:
    PICTURES = FOLDER / "pictures"
    write_references(PICTURES, COUNT, size)
paths = list_pictures(PICTURES)
print(f"{len(paths)} pictures, such as {[path.name for path in paths[:3]]}")
draw_grid([("yours", [adm_square(open_picture(path), size) for path in paths[:8]])], cell=96, label=70)

# %% [markdown]
# These arguments select the pictures in every training below. The first `data.train_count`, by name, are
# trained on; the rest validate. `data.enlarge=true` would accept pictures that are too small,
# `data.on_corrupt=fail` would not skip damaged ones.

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
# This is ADM's UNet, in a size for the impatient: 4 × 4 pixels go in as one, it predicts the clean picture,
# and a few hundred steps teach it little more than where a head is and which colours occur. The command is
#
# ```
# python train.py +experiment=toyfaces_prior data=folder data.root=PICTURES prior=ffhq prior.denoiser.…
# ```
#
# With two hours, `trainer.max_steps=7000` and the sizes in `conf/prior/toyfaces.yaml`, it draws faces.

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
    f"prior.denoiser.image_size={size}",
    "prior.denoiser.parameterisation=x0",
]

# %% [markdown]
# ## An encoder of your own
#
# CLIP itself stays unchanged and reads the words; here we start from the small one that comes with the
# repository. A copy of it learns to see through the noise of *this* prior, on *these* pictures. For
# photographs, `encoder=rn50x16` starts from OpenAI's CLIP instead; the rest is the same.

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
# The curve shows how often the clean picture is found from its noised copy, among those held out. A handful
# of steps is not enough for a good encoder, but it should be on its way;
# `02_how_the_encoder_sees_through_noise.py` shows where this leads.
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
# Now everything together. The command is `python sample.py prior=adm prior.checkpoint=… encoder.checkpoint=…
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
# These are not faces yet, because the prior has trained for only a minute. What the words ask for already
# shows in the colours. To prove it, swap one part: let the same encoder, trained in this notebook, steer the
# prior that comes with the repository, which was trained for hours on the same schedule. Nothing else
# changes.

# %%
page = sample(configure("sample", *drawing, f"output_dir={FOLDER / 'samples_of_a_better_prior'}"))
open_picture(page.with_name("grid.png"))

# %% [markdown]
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
