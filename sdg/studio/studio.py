"""The studio: networks in memory, and pictures drawn with any other settings at once."""

import difflib
import itertools
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from inspect import signature
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from PIL import Image
from torch import nn

from sdg.checkpoints.custom import custom_prior
from sdg.composition import ROOT, conf_folders
from sdg.config import one_line
from sdg.data.picture import read_picture
from sdg.diffusion.denoiser import Denoiser
from sdg.errors import SDGError
from sdg.pixels import to_bytes
from sdg.sampling.build import build_method
from sdg.sampling.method import Method, Sample, View
from sdg.sampling.networks import Compute, Networks
from sdg.sampling.plan import SamplePlan
from sdg.sampling.provenance import describer, named_files, read_origin, reference_file_hash
from sdg.studio.picture import Picture, Pictures, Step, step
from sdg.studio.request import Request, request


class Studio:
    """Draws pictures; networks are loaded when first needed, and kept.

    One drawing at a time: another thread that asks meanwhile waits.

    Args:
        words: settings of ``sample.py`` that hold for every call.
        device: ``cpu``, ``cuda``, ``mps`` …; None: a GPU if there is one.
        prior: drawn with instead of the one that the settings name.

    Raises:
        SDGError: here and everywhere: what was asked cannot be done, in one line that names the remedy.
    """

    def __init__(self, *words: str, device: str | torch.device | None = None, prior: Denoiser | None = None):
        self.networks = Networks(_device(device), prior)
        self._turn, self._owner, self._closed = threading.Lock(), 0, False
        with _one_line():
            self.base = request(Request(), words)
            self.base.config()

    @torch.inference_mode(False)  # guidance needs gradients, wherever it is called from
    def draw(
        self,
        *given: str,
        prompt: str | tuple[str, float] | Sequence[str] | None = None,
        content: Any = None,
        structure: Any = None,
        style: Any = None,
        n: int = 1,
        seed: int = 0,
        unguided: bool = False,
        **settings: Any,
    ) -> Pictures:
        """Draw pictures, as ``sample.py`` does with the same settings: bit for bit, on the same machine.

        Args:
            given: sentences, and settings as on the command line: ``studio.draw("a face", "sampler=fast")``.
            prompt: sentences, or one and its weight.
            content, structure, style: path of a picture to follow in this respect, or ``(path, weight)``,
                whose weight is relative to the term's usual one.
            n: pictures for each prompt and reference.
            unguided: also draw the same noise without guidance, before the others.
            settings: any others, by the names of the configuration, or short ones: ``scale``, ``steps``,
                ``sampler``, ``method``, ``start``, ``strength``, ``mask``, ``references`` …; a dotted name
                as ``**{"guidance.terms.text.weight": 0.5}``.

        Raises:
            SDGError: as the class says; also if a picture became NaN.
        """
        pictures = {"content": content, "structure": structure, "style": style}
        with self._drawing():
            asked = self._asked(given, prompt, pictures, n, seed, unguided, settings)
            config, method, plan = self._prepare(asked)
            samples = method.draw(list(plan))
            return self._pictures(asked, config, method, samples)

    def steps(
        self,
        *given: str,
        prompt: str | tuple[str, float] | Sequence[str] | None = None,
        content: Any = None,
        structure: Any = None,
        style: Any = None,
        n: int = 1,
        seed: int = 0,
        unguided: bool = False,
        **settings: Any,
    ) -> Iterator[Step]:
        """The same pictures in the making: what they are expected to become, after every step.

        The last step shows the finished pictures, and has them (:attr:`Step.pictures`). Closing the iterator
        ends the chain within one step.
        """
        pictures = {"content": content, "structure": structure, "style": style}
        return self._steps(lambda: self._asked(given, prompt, pictures, n, seed, unguided, settings))

    def request(
        self,
        *given: str,
        prompt: str | tuple[str, float] | Sequence[str] | None = None,
        content: Any = None,
        structure: Any = None,
        style: Any = None,
        n: int = 1,
        seed: int = 0,
        unguided: bool = False,
        **settings: Any,
    ) -> Request:
        """What :meth:`draw` with these arguments is asked for: its words, and the command that draws it."""
        pictures = {"content": content, "structure": structure, "style": style}
        with _one_line():
            asked = self._asked(given, prompt, pictures, n, seed, unguided, settings)
            asked.config()
            return asked

    def unknown_words(self, prompt: str, **settings: Any) -> list[str]:
        """Words of a prompt that the encoder does not know; told at once, also while another thread draws."""
        with _one_line():
            config = request(self.base, [prompt], settings=settings).config()
            return build_method(config, self.networks).unknown_words(prompt)

    def square(self, path: str | Path) -> Image.Image:
        """What the networks see of the picture in a file: the square in its centre, at the prior's size.

        Raises:
            SDGError: the file is no picture, or not one that can be safely opened.
        """
        with _one_line():
            prior = self.base.config().prior
            # Where a folder or the network itself says it, it is loaded, as for drawing.
            size = OmegaConf.select(prior, "denoiser.image_size") or self._prior().picture_size
        return Image.fromarray(to_bytes(read_picture(path, size)).permute(1, 2, 0).contiguous().numpy())

    def _prior(self) -> Denoiser:
        settings: Any = OmegaConf.to_container(self.base.config().prior, resolve=True)
        return self.networks.denoiser(settings, Compute())

    def options(self, group: str) -> list[str]:
        """The choices that a group of settings has, such as those of ``sampler``: ours and the user's own."""
        return sorted({file.stem for folder in conf_folders() for file in (folder / group).glob("*.yaml")})

    def close(self) -> None:
        """Let go of the networks; the studio draws no more."""
        self._closed = True
        self.networks.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _asked(
        self,
        given: Sequence[str],
        prompt: str | tuple[str, float] | Sequence[str] | None,
        pictures: Mapping[str, Any],
        n: int,
        seed: int,
        unguided: bool,
        settings: Mapping[str, Any],
    ) -> Request:
        usual = {"n": n, "seed": seed, "unguided": unguided}
        return request(self.base, given, prompt, pictures, {**usual, **settings})

    def _prepare(self, asked: Request) -> tuple[DictConfig, Method, SamplePlan]:
        """Everything that can fail, and what comes of it."""
        config = asked.config()
        prompts, references = list(config.prompts), list(config.references)
        make = partial(
            SamplePlan, prompts, references, config.samples_per_prompt, config.seed, unguided=config.unguided
        )
        method = build_method(config, self.networks, len(make(0.0)))
        plan = make(method.scale)
        method.check(prompts, references)
        return config, method, plan

    @torch.inference_mode(False)  # between steps, what the caller has chosen holds
    def _steps(self, asked: Callable[[], Request]) -> Iterator[Step]:
        with self._drawing():
            what = asked()
            config, method, plan = self._prepare(what)
            groups = [list(plan)[i : i + method.group] for i in range(0, len(plan), method.group)]
            chains = [method.chain(method.padded(group)) for group in groups]
            for number in range(1, method.steps + 1):
                views = [next(chain) for chain in chains]
                drawn = None
                if number == method.steps:
                    samples = [_drawn(chain)[: len(g)] for chain, g in zip(chains, groups, strict=True)]
                    drawn = self._pictures(what, config, method, list(itertools.chain(*samples)))
                yield step(views, groups, method.steps, drawn)

    def _pictures(
        self, asked: Request, config: DictConfig, method: Method, samples: Sequence[Sample]
    ) -> Pictures:
        lost = [sample.lost for sample in samples if sample.lost is not None]
        if lost:
            raise SDGError(
                f"{len(lost)} of {len(samples)} samples became NaN, the first at step {min(lost)} of "
                f"{method.steps}: lower guidance.scale ({method.scale}), or limit the gradient with "
                "guidance.clamp"
            )
        origin = describer(config, self.networks.prior is not None)
        return Pictures(Picture(sample, origin(sample.entry), asked.command) for sample in samples)

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        """This thread's turn to draw."""
        if self._closed:
            raise SDGError("this studio is closed: load another with sdg.load()")
        if self._turn.locked() and self._owner == threading.get_ident():
            raise SDGError("these steps are not at their end: finish or close() them before drawing others")
        with self._turn, _one_line():
            self._owner = threading.get_ident()
            try:
                yield
            finally:
                self._owner = 0


def load(
    name: str | None = None,
    *words: str,
    device: str | torch.device | None = None,
    prior: nn.Module | None = None,
    **custom: Any,
) -> Studio:
    """A studio of the shipped toy faces, or of another prior.

    Args:
        name: an experiment or a prior of conf/, such as ``ffhq``; None: toyfaces. It may be a setting, too.
        words: settings for all calls, as on the command line of ``sample.py``.
        device, prior: see :class:`Studio`; the prior may also be anyone's network, of states and times.
        custom: what that network means, by the names of conf/prior/custom.yaml, as ``size=28, channels=1``.

    Raises:
        SDGError: there is nothing of this name, or a setting is wrong.
    """
    return Studio(*_named(name), *words, device=device, prior=_denoiser(prior, custom))


def _denoiser(prior: nn.Module | None, custom: Mapping[str, Any]) -> Denoiser | None:
    """A prior in memory, of anyone's network if it is none of ours."""
    known = list(signature(custom_prior).parameters)[1:]
    if strange := [name for name in custom if name not in known]:
        close = difflib.get_close_matches(strange[0], ["name", "device", "prior", *known], n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise SDGError(f"sdg.load has no {strange[0]}{hint}: of a prior=network it takes {', '.join(known)}")
    if prior is None or isinstance(prior, Denoiser):
        if custom:
            raise SDGError(f"{next(iter(custom))} is said of a network in memory: give prior=network as well")
        return prior
    return custom_prior(prior, **custom)


def again(picture: str | Path, device: str | torch.device | None = None) -> Picture:
    """Draw the picture in a PNG file again, from what it says of itself.

    Raises:
        SDGError: the file says nothing, or the files it was made with are gone or have changed.
    """
    origin = read_origin(picture)
    with _one_line():
        config = origin.config(ROOT)
        files = named_files(config) | reference_file_hash(origin.entry)
        if changed := sorted(name for name, digest in origin.contents.items() if files.get(name) != digest):
            raise SDGError(
                f"{picture} was drawn with a {changed[0]} that is not what stands here now: "
                "bring it back, or draw another picture"
            )
        method = build_method(config, Networks(_device(device)))
        method.check(*([part] if part else [] for part in (origin.entry.prompt, origin.entry.reference)))
        (sample,) = method.draw([origin.entry])
    return Picture(sample, origin, f"sdg again {picture}")


def _drawn(chain: Generator[View, None, list[Sample]]) -> list[Sample]:
    """The samples of a chain that has taken its last step."""
    try:
        next(chain)
    except StopIteration as end:
        return end.value
    raise AssertionError("a chain went on after its last step")


def _named(name: str | None) -> list[str]:
    """The settings that a name stands for."""
    if name is None or "=" in name:
        return [name] if name else []
    folders = conf_folders()

    def there(group: str, option: str) -> bool:
        return any((folder / group / f"{option}.yaml").is_file() for folder in folders)

    for experiment in (name, f"{name}_text"):
        if there("experiment", experiment):
            return [f"+experiment={experiment}"]
    if there("prior", name):
        return [f"prior={name}"]
    priors = sorted({file.stem for folder in folders for file in (folder / "prior").glob("*.yaml")})
    raise SDGError(
        f"there is no experiment or prior {name}: choose {', '.join(priors)}, or an experiment of sample.py"
    )


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return accelerator or torch.device("cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise SDGError(f"there is no device {device} here: use device='cpu', or leave it out") from error
    return chosen


@contextmanager
def _one_line() -> Iterator[None]:
    """Errors of the configuration as ours."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise SDGError(one_line(error)) from error
