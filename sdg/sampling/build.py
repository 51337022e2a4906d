"""From settings to a :class:`Method`: what is asked, around networks that are loaded or kept from before."""

from collections.abc import Mapping
from inspect import signature
from typing import Any, Literal

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from sdg.baselines.clip_loss import CLIPLoss
from sdg.baselines.latent import LatentSearch
from sdg.baselines.latent_space import LatentSpace
from sdg.config import build
from sdg.diffusion.reuse import reuse
from sdg.diffusion.sampler import Sampler
from sdg.diffusion.schedule import Schedule
from sdg.diffusion.spacing import Spacing
from sdg.diffusion.timeline import Timeline
from sdg.errors import SDGError
from sdg.estimators.estimator import Estimator
from sdg.guidance.eyes import Eyes
from sdg.guidance.guidance import Guidance
from sdg.networks.fast import quickest
from sdg.sampling.aims import Aims
from sdg.sampling.chains import GuidedSampling
from sdg.sampling.constraints import Constraints
from sdg.sampling.method import Method
from sdg.sampling.networks import Compute, Networks, Settings
from sdg.sampling.search import LatentSampling
from sdg.sampling.sight import read_words

GROUP = 4
"""Samples drawn together, where at least as many are asked for: more cost no less each on a few cores."""


def build_method(config: DictConfig, networks: Networks | None = None, samples: int = GROUP) -> Method:
    """The method of a configuration of ``sample.py``: the one way from settings to what draws.

    A method whose constructor has an argument ``networks`` is given what is loaded.

    Args:
        config: of its ``group``, ``side_by_side``, ``channels_last`` and ``dtype``, what is null is set.
        networks: where networks are kept; by default they are loaded for this method alone.
        samples: how many are asked for. Fewer than :data:`GROUP` do not pay for a whole group.

    Raises:
        SDGError: weights that cannot be found or do not fit, or invalid settings.
    """
    keeps = "networks" in signature(get_object(config.method["_target_"])).parameters
    networks = networks or Networks()
    if "group" in config and config.group is None:  # what a picture says of itself has it in the method
        each = (config.get("population") or {}).get("particles", 1)
        config.group = each * min(GROUP, 1 << max(samples - 1, 0).bit_length())
    _set_quickest(config, networks)
    method: Method = build(config.method, **({"networks": networks} if keeps else {}))
    if "side_by_side" in config and config.side_by_side is None:
        config.side_by_side = method.side_by_side
    return method.to(networks.device)


def _set_quickest(config: DictConfig, networks: Networks) -> None:
    """Choose how networks compute where that is left open, and say so: it changes the last bits or more."""
    side = OmegaConf.select(config, "prior.denoiser.image_size") or 0
    found = quickest(networks.device, side)._asdict()
    chosen = {name: value for name, value in found.items() if name in config and config[name] is None}
    config.update(chosen)
    if chosen:
        words = " ".join(f"{name}={str(value).lower()}" for name, value in chosen.items())
        print(f"note: {words}, which was measured to be fastest on such a device (docs/performance.md)")


def guided_sampling(
    prior: Settings,
    encoder: Settings,
    compute: Mapping[str, Any],
    guidance: Settings,
    sampler: Settings,
    constraint: Settings | None,
    start: Settings,
    estimator: Settings,
    population: Settings | None = None,
    *,
    guide: Literal["encoder", "clip"] | None = None,
    references: Mapping[str, Any],
    drawing: Mapping[str, Any],
    networks: Networks,
) -> GuidedSampling:
    """Chains of a prior (conf/method/sdg.yaml), with only the networks that they need.

    Args:
        compute: see :class:`Compute`.
        guide: ``encoder``, the time-dependent one, or ``clip``, the plain one, which reads clean pictures
            only; None: plain CLIP for estimators that read those, the time-dependent encoder for others.
        references: ``reference_noise`` and ``share_reference`` of :class:`Aims`.
        drawing: keyword arguments of :class:`GuidedSampling`.
        networks: where prior, CLIP and encoder are kept, or will be.

    Raises:
        SDGError: weights that cannot be found or do not fit, or invalid settings.
    """
    how, begin = Compute(**compute), build(start)
    steering: Estimator = build(estimator)
    clean = steering.reads == "clean"
    plain = _plain(guide, steering)
    files = ["clip_checkpoint", *([] if plain else ["checkpoint"])] if guidance["terms"] else []
    networks.find(prior, encoder, files)
    denoiser = networks.denoiser(prior, how)
    rule: Sampler = build(sampler["rule"])
    timeline = _timeline(denoiser.schedule, sampler, rule, begin.strength)
    aims = None
    if guidance["terms"]:
        texts, tower = networks.texts(encoder), networks.tower(encoder, how, plain)
        eyes = Eyes(tower, denoiser.codec, denoiser.image_size, denoiser.channels, clean)
        noise = {} if plain else {"schedule": encoder["schedule"] if networks.noise(encoder) else None}
        wanted: Guidance = build({**guidance, **noise}, encoder=eyes)
        if not clean:
            _tell_unseen(wanted, timeline)
        texts, sight = read_words(wanted, texts, encoder, clean)
        aims = Aims(
            wanted, texts, denoiser.picture_size, **references, sight=sight, clean=clean, codec=denoiser.codec
        )
    if constraint and "image_size" in constraint:  # of the states that are held, which settings need not know
        constraint = {**constraint, "image_size": denoiser.image_size}
    constraints = Constraints(begin, None if constraint is None else build(constraint))
    crowd = None if population is None else build(population)
    # A picture of before there was such a setting does not have it among its own.
    again = reuse(sampler.get("reuse"), sampler.get("reuse_blocks", 1))
    if again and how.compile:
        raise SDGError("compile=true compiles the prior whole: use sampler.reuse=none, or compile=false")
    return GuidedSampling(
        denoiser, rule, timeline, aims, begin, constraints, steering, crowd, **drawing, reuse=again
    )


def _timeline(own: Schedule, sampler: Settings, rule: Sampler, strength: float) -> Timeline:
    """The steps of a chain, on the prior's ``own`` schedule or, as far as that reaches, on another."""
    chain: Schedule | None = None if sampler.get("schedule") is None else build(sampler["schedule"])
    spacing: Spacing | None = None if sampler.get("spacing") is None else build(sampler["spacing"])
    schedule = own if chain is None else chain.within(own)
    return Timeline(schedule, sampler["steps"], strength, spacing, correct=rule.correct)


def _tell_unseen(guidance: Guidance, timeline: Timeline) -> None:
    """Tell of steps at noise levels that the encoder has never seen."""
    unseen = sum(guidance.clamps(step.level) for step in timeline)
    if unseen and guidance.rescaled:
        known = guidance.rescaled.schedule
        levels = timeline.start, timeline.steps[0].level, known.noisiest, known.clearest
        first, last, low, high = (f"{level.log_snr:.2f}" for level in levels)
        print(
            f"note: the chain goes from λ = {first} to {last}, and the encoder knows {low} to {high}: "
            f"at {unseen} of {len(timeline)} steps it is shown the nearest that it knows"
        )


def _plain(guide: str | None, estimator: Estimator) -> bool:
    """Whether plain CLIP guides.

    Raises:
        SDGError: it would read noisy pictures, or the guide is unknown.
    """
    if guide not in (None, "encoder", "clip"):
        raise SDGError(f"method.guide={guide} is unknown: use encoder, clip or null")
    if guide == "clip" and estimator.reads == "noisy":
        raise SDGError(
            f"{type(estimator).__name__} reads noisy pictures, and plain CLIP has learned clean ones only: "
            "use method.guide=encoder, or an estimator that reads clean ones, such as estimator=dps"
        )
    return estimator.reads == "clean" if guide is None else guide == "clip"


def latent_sampling(
    generator: Settings,
    encoder: Settings,
    search: Settings,
    start: Settings,
    constraint: Settings | None,
    *,
    drawing: Mapping[str, Any],
    networks: Networks,
) -> LatentSampling:
    """StyleGAN+CLIP (conf/method/stylegan_clip.yaml).

    Args:
        search: a :class:`LatentSearch` whose space lacks its generator, and whose loss its CLIP.
        start, constraint: refused if they are given, as a latent has no states to constrain.
        drawing: keyword arguments of :class:`LatentSampling`.
        networks: where generator and CLIP are kept, or will be.

    Raises:
        SDGError: weights that cannot be found or do not fit, or invalid settings.
    """
    if build(start).image is not None or constraint is not None:
        raise SDGError(
            "StyleGAN+CLIP takes no start.image and no constraint: choose method=sdg, or leave them out"
        )
    networks.find(generator, encoder, ["clip_checkpoint"], setting="generator.checkpoint")
    space: LatentSpace = build(search["space"], generator=networks.generator(generator))
    loss: CLIPLoss = build(search["loss"], clip=networks.texts(encoder).clip)
    # Not built together: what Hydra builds from may not hold modules below its top.
    rest = {key: value for key, value in search.items() if key not in ("space", "loss")}
    found: LatentSearch = build(rest, space=space, loss=loss)
    return LatentSampling(found, **drawing)
