"""The closed-form probe of Spectral Guidance on an encoder's features: ``python -m experiments.spectral``.

Fits CLIP's embeddings of clean toy faces to whitened features of noised ones, level by level, and asks by
which of the two, the features' own cosine or the fit's, sentences are better told apart in pictures that
took no part. ``--sample encoder=toyfaces_spectral`` asks it of trained spectral features.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.command import add_report, add_settings, command
from experiments.pages import head, table
from experiments.results import save_page
from experiments.running import configuration, invocation, launch
from experiments.visibility.questions import toy_exam
from sdg.data.toyfaces import SPLITS, faces
from sdg.diffusion.schedule import NoiseSchedule
from sdg.errors import SDGError
from sdg.metrics.visibility import Encode, visibility
from sdg.networks.spectrum import fitted
from sdg.randomness import keyed_generator
from sdg.sampling.networks import Compute, Networks

FOLDER = Path(__file__).parent
LEVELS = (0, 100, 200, 300, 400, 500, 600, 800)


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    if options.count < 2 or options.train < 2:
        raise SDGError("a fit and an exam take pictures: use --train and --count from 2")
    encoder = configuration("sample", options.sample).encoder
    networks = Networks("cuda" if torch.cuda.is_available() else "cpu")
    clip, schedule = networks.texts(encoder).clip, networks.noise(encoder)
    if not isinstance(schedule, NoiseSchedule):
        raise SDGError("the exam counts noise in timesteps: choose an encoder that has learned on timesteps")
    tower = networks.tower(encoder, Compute())

    @torch.no_grad()
    def features(pictures: Tensor, t: int) -> Tensor:
        at = torch.full((1,), t, device=networks.device)
        return torch.cat([tower(batch.to(networks.device), at).pooled.cpu() for batch in pictures.split(64)])

    @torch.no_grad()
    def texts(sentences: Sequence[str]) -> Tensor:
        return clip.encode_text(sentences).cpu()

    size = int(getattr(tower, "image_size", 64))
    pictures, _ = faces(0, torch.arange(options.train) + SPLITS["train"].start, size)
    with torch.no_grad():
        shown = torch.cat(
            [clip.encode_image(batch.to(networks.device)).cpu() for batch in pictures.split(64)]
        )
    fits = {}
    for t in LEVELS:
        print(f"timestep {t}", flush=True)
        noise = torch.randn(pictures.shape, generator=keyed_generator("probe", t))
        phi = features(schedule.diffuse(pictures, torch.tensor([t]), noise), t)
        fits[t] = fit(phi, shown)

    exam = toy_exam(options.count, size)
    ways: dict[str, Encode] = {
        "as they are": lambda x, t: F.normalize(features(x, t), dim=-1),
        "fitted": lambda x, t: F.normalize(features(x, t) @ fits[t][:-1] + fits[t][-1], dim=-1),
    }
    asked = {
        name: visibility(encode, texts, schedule, exam.pictures, exam.questions, LEVELS)
        for name, encode in ways.items()
    }
    means = {
        name: [sum(each.accuracy[i] for each in answers) / len(answers) for i in range(len(LEVELS))]
        for name, answers in asked.items()
    }
    what = (
        f"Encoder: `{encoder.checkpoint.rpartition('/')[2]}`. Fitted to CLIP's embeddings of {options.train} "
        f"training faces. Asked of {exam.told}: the chance that of two pictures the first sentence fits its "
        f"own better, mean over {len(exam.questions)} pairs of sentences; 0.5 is blind."
    )
    rows = [[name, *(f"{value:.3f}" for value in values)] for name, values in means.items()]
    lines = [
        *head("What a linear fit adds to an encoder's features", invocation("spectral", arguments), what),
        *table(["features at timestep", *map(str, LEVELS)], rows),
    ]
    print(f"look at {save_page(options.report / options.name, lines, __package__)}")


def fit(features: Tensor, wanted: Tensor) -> Tensor:
    """(K + 1, D): the fit of ``wanted`` (N, D) by whitened ``features`` (N, K) and a constant."""
    z = torch.cat([torch.ones(len(features), 1), features, wanted], dim=1).double()
    return fitted(z.mT @ z / len(z), features.shape[1]).float()


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = command("spectral", "Hold a linear fit of an encoder's features against their own cosine.")
    parser.add_argument("--train", type=int, default=2048, help="faces that are fitted")
    parser.add_argument("--count", type=int, default=40, help="faces that are asked about, in each form")
    parser.add_argument("--name", default="results.md", help="of the page")
    add_report(parser, FOLDER, "page")
    add_settings(parser, "sample")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    launch(main)
