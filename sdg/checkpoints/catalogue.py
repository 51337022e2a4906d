"""Every public file that a configuration can use, with its card: where it comes from, and what takes it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sdg.checkpoints.places import OPEN_CLIP, cache_folder
from sdg.errors import SDGError

_GUIDED_DIFFUSION = "https://openaipublic.blob.core.windows.net/diffusion/jul-2021"
_OPENAI_CLIP = "https://openaipublic.azureedge.net/clip/models"
_SDG_CODE = "https://hkuhk-my.sharepoint.com/:u:/g/personal/xihuiliu_hku_hk"
_STYLEGAN2 = "https://github.com/rosinality/stylegan2-pytorch"

_VIT_L = (
    "encoder.network.width=1024 encoder.network.output_dim=768 encoder.network.layers=24 "
    "encoder.network.patch=14 encoder.network.heads=16 encoder.network.stages=[0,6,12,18,24] "
    "encoder.network.image_size"
)


@dataclass(frozen=True)
class PublicFile:
    """The card of a file that others published.

    Args:
        name: what ``get`` takes.
        file: its file name.
        what: in a few words.
        words: command-line words that load it; FILE stands for its path.
        size: about, in megabytes.
        origin: where its authors publish it; a page to open in a browser if there is no ``url``.
        licence: as its authors state it.
        url: its own address, if a program may fetch it.
        sha256: its hash in hexadecimal, or how that begins, as some authors put it into the file's name.
        home: whose cache it belongs in: sdg's, open_clip's or torch's, where each looks for it.
        note: what else there is to know.
        parts: names of the files in a folder that is published, below ``url``; none for a single file.
    """

    name: str
    file: str
    what: str
    words: str
    size: int
    origin: str
    licence: str
    url: str | None = None
    sha256: str | None = None
    home: Literal["sdg", "open_clip", "torch"] = "sdg"
    note: str = ""
    parts: tuple[str, ...] = ()

    @property
    def place(self) -> Path:
        """Where ``get`` puts it, and where it is looked for without a path."""
        if self.home == "open_clip":
            return Path.home() / ".cache" / "clip" / self.file
        if self.home == "torch":
            import torch

            return Path(torch.hub.get_dir()) / "checkpoints" / self.file
        return cache_folder() / self.file

    @property
    def here(self) -> bool:
        """Whether all of it is at its place."""
        return all(os.path.isfile(self.place / part) for part in self.parts or ("",))


def _prior(name: str, what: str, note: str = "") -> PublicFile:
    return PublicFile(
        name,
        f"{name}.pt",
        f"prior: {what}, 256 px, 552,814,086 parameters",
        f"prior={name} prior.checkpoint=FILE",
        2211,
        "https://github.com/openai/guided-diffusion",
        "MIT, as its repository",
        f"{_GUIDED_DIFFUSION}/{name}.pt",
        note=note,
    )


def _clip(model: str, sha256: str, size: int, words: str) -> PublicFile:
    name = f"clip_{model.lower().replace('-', '_')}"
    return PublicFile(
        name,
        f"{model}.pt",
        f"OpenAI's CLIP {model}: reads sentences, and is what encoders are made from",
        words,
        size,
        "https://github.com/openai/CLIP",
        "MIT, as its repository",
        f"{_OPENAI_CLIP}/{sha256}/{model}.pt",
        sha256,
        "open_clip",
    )


def _encoder(subject: str, file: str, link: str) -> PublicFile:
    return PublicFile(
        f"time_clip_{subject}",
        file,
        f"time-dependent encoder of the paper's authors for {subject.removeprefix('lsun_')}",
        "encoder=rn50x16 encoder.checkpoint=FILE",
        1044,
        f"{_SDG_CODE}/{link}",
        "none stated in its repository, xh-liu/SDG_code",
        note=f"train your own instead: sdg train +experiment={subject}_clip data.root=FOLDER",
    )


def _edm(subject: str) -> PublicFile:
    return PublicFile(
        f"edm_lsun_{subject}",
        f"edm_{subject}256_ema.pt",
        f"prior: {subject}s, 256 px, EDM, 526,304,771 parameters",
        f"prior=edm_lsun_{subject} prior.checkpoint=FILE",
        2105,
        "https://github.com/openai/consistency_models",
        "MIT, as its repository",
        f"https://openaipublic.blob.core.windows.net/consistency/edm_{subject}256_ema.pt",
        note="the size is that of its parameters, derived",
    )


def _folder(name: str, what: str, size: int, repository: str, parts: tuple[str, ...]) -> PublicFile:
    return PublicFile(
        name,
        repository.partition("/")[2],
        f"prior: {what}, 256 px, a folder of diffusers",
        f"prior={name} prior.checkpoint=FILE",
        size,
        f"https://huggingface.co/{repository}",
        "Apache 2.0, as its model card states",
        f"https://huggingface.co/{repository}/resolve/main",
        note="its page shows the hash of each file",
        parts=parts,
    )


_DDPM = ("config.json", "scheduler_config.json", "diffusion_pytorch_model.bin")
_LDM = (
    *("unet/config.json", "unet/diffusion_pytorch_model.bin", "vqvae/config.json"),
    *("vqvae/diffusion_pytorch_model.bin", "scheduler/scheduler_config.json", "model_index.json"),
)


CATALOGUE: tuple[PublicFile, ...] = (
    PublicFile(
        "ffhq",
        "diffusion_ffhq_10m.pt",
        "prior: faces, 256 px, 93,563,910 parameters",
        "prior=ffhq prior.checkpoint=FILE",
        374,
        "https://huggingface.co/deepinv/diffunet (first published by jychoi118/ilvr_adm as ffhq_10m.pt)",
        "none stated; trained on FFHQ, whose own terms are CC BY-NC-SA 4.0",
        "https://huggingface.co/deepinv/diffunet/resolve/main/diffusion_ffhq_10m.pt",
        "81d535743156ec6be34d8668e6920da94f0614074d7793a16c8fa9e306237faa",
    ),
    _prior("lsun_bedroom", "bedrooms"),
    _prior("lsun_cat", "cats"),
    _prior("lsun_horse", "horses"),
    _prior("lsun_horse_nodropout", "horses, trained without dropout"),
    _edm("bedroom"),
    _edm("cat"),
    _folder("ddpm_celebahq", "faces, 113,673,219 parameters", 455, "google/ddpm-celebahq-256", _DDPM),
    _folder("ddpm_church", "churches, 113,673,219 parameters", 455, "google/ddpm-church-256", _DDPM),
    _folder("ddpm_bedroom", "bedrooms, 113,673,219 parameters", 455, "google/ddpm-bedroom-256", _DDPM),
    _folder("ddpm_cat", "cats, 113,673,219 parameters", 455, "google/ddpm-cat-256", _DDPM),
    _folder("ldm_celebahq", "faces, in the codes of a VQ-f4", 1317, "CompVis/ldm-celebahq-256", _LDM),
    _encoder("ffhq", "clip_ffhq.pt", "EQbpgLeWnZhBhNzvFXgn26IBhsveoX3V57ZoQdSsLnwrjA?e=1K0qwv"),
    _encoder("lsun_bedroom", "clipbedroom.pt", "EfVpSVSjAhlEpsBCxSwkBnQByUvgNZqr38bxnG6bDHuOZQ?e=bOgCZT"),
    _encoder("lsun_cat", "clip_cat.pt", "EQdhKa0Jte9FtaB21kRDbT0B7tI3SoZewOack9DNe8s0LQ?e=zILyOa"),
    _encoder("lsun_horse", "clip_horse.pt", "EWqcgeq4kkpCgi3S9WcsOjABScZg-gT-aSnaZyh1uHIxNg?e=qDUJWK"),
    _clip(
        "RN50x16",
        "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa",
        661,
        "encoder=rn50x16 encoder.clip_checkpoint=FILE",
    ),
    _clip(
        "RN50",
        "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
        256,
        "encoder=rn50 encoder.clip_checkpoint=FILE",
    ),
    _clip(
        "ViT-B-32",
        "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
        354,
        "encoder=vit_b_32 encoder.clip_checkpoint=FILE",
    ),
    _clip(
        "ViT-B-16",
        "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
        351,
        "encoder=vit_b_16 encoder.clip_checkpoint=FILE",
    ),
    _clip(
        "RN101",
        "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599",
        292,
        "encoder=rn50 encoder.clip_checkpoint=FILE encoder.clip.name=RN101-quickgelu "
        "encoder.network.output_dim=512 encoder.network.layers=[3,4,23,3]",
    ),
    _clip(
        "RN50x4",
        "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd",
        422,
        "encoder=rn50x16 encoder.clip_checkpoint=FILE encoder.clip.name=RN50x4-quickgelu "
        "encoder.network.width=80 encoder.network.output_dim=640 encoder.network.layers=[4,6,10,6] "
        "encoder.network.heads=40",
    ),
    _clip(
        "RN50x64",
        "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c",
        1291,
        "encoder=rn50 encoder.clip_checkpoint=FILE encoder.clip.name=RN50x64-quickgelu "
        "encoder.network.width=128 encoder.network.layers=[3,15,36,10] encoder.network.heads=64",
    ),
    _clip(
        "ViT-L-14",
        "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
        933,
        f"encoder=vit_b_32 encoder.clip_checkpoint=FILE encoder.clip.name=ViT-L-14-quickgelu {_VIT_L}=224",
    ),
    _clip(
        "ViT-L-14-336px",
        "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",
        934,
        "encoder=vit_b_32 encoder.clip_checkpoint=FILE encoder.clip.name=ViT-L-14-336-quickgelu "
        f"{_VIT_L}=336",
    ),
    PublicFile(
        "stylegan2_256",
        "550000.pt",
        "generator: faces, 256 px, 30,034,338 parameters in its average (g_ema)",
        "method=stylegan_clip generator=stylegan2_256 generator.checkpoint=FILE encoder=vit_b_32",
        121,
        _STYLEGAN2,
        "none stated for the file; parts of its code are under NVIDIA's Source Code License-NC",
        note="the link is under 'Pretrained Checkpoints'; the size is that of g_ema alone, derived",
    ),
    PublicFile(
        "stylegan2_1024",
        "stylegan2-ffhq-config-f.pt",
        "generator: faces, 1024 px, 30,370,060 parameters in its average (g_ema)",
        "method=stylegan_clip generator=stylegan2_1024 generator.checkpoint=FILE encoder=vit_b_32",
        133,
        f"{_STYLEGAN2} (convert_weight.py, from NVIDIA's stylegan2-ffhq-config-f.pkl)",
        "NVIDIA's Source Code License-NC",
        note="NVIDIA's own pickle is not read, as it runs code; the size is that of g_ema alone, derived",
    ),
    PublicFile(
        "inception",
        "weights-inception-2015-12-05-6726825d.pth",
        "features of FID and its kin: Inception-v3 of 2015-12-05, as torch-fidelity has it",
        "sdg evaluate: features.inception_tf.weights=FILE",
        95,
        "https://github.com/toshas/torch-fidelity",
        "Apache 2.0",
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        "6726825d",
        "torch",
    ),
    PublicFile(
        "alexnet",
        "alexnet-owt-7be5be79.pth",
        "features of LPIPS: torchvision's AlexNet",
        "sdg evaluate: features.lpips_alex.weights=FILE",
        244,
        "https://github.com/pytorch/vision",
        "BSD 3-clause, as its repository",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "7be5be79",
        "torch",
    ),
)


def public_file(name: str) -> PublicFile:
    """The card of this name.

    Raises:
        SDGError: there is none.
    """
    for card in CATALOGUE:
        if card.name == name:
            return card
    raise SDGError(f"the catalogue has no {name!r}: choose {', '.join(card.name for card in CATALOGUE)}")


def card_of(path: str | Path | None, url: str | None = None) -> PublicFile | None:
    """The card of a file that settings name, by its address or, without one, by its file name."""
    name = Path(str(path or "")).name
    if str(path).startswith(OPEN_CLIP):
        name = f"{str(path).removeprefix(OPEN_CLIP).removesuffix('/openai').removesuffix('-quickgelu')}.pt"
    return next(
        (card for card in CATALOGUE if (card.url == url if url else card.file == name)),
        None,
    )


def checklist_of(path: str | Path | None) -> str:
    """The command that lists what is needed beside a file that is not there, by the file's name."""
    subjects = [card.name for card in CATALOGUE if card.words.startswith("prior=")]
    near = [subject for subject in subjects if subject in str(path)]
    return f"sdg weights {max(near, key=len)}" if near else "sdg weights"


def named_by(sha256: str) -> PublicFile | None:
    """The card of the file with this hash; None if its hash is not published."""
    return next((card for card in CATALOGUE if card.sha256 and sha256.startswith(card.sha256)), None)
