"""Semantic Diffusion Guidance (arXiv 2112.05744): steer a pretrained unconditional diffusion model.

``sdg.load()`` gives a :class:`~sdg.studio.Studio`, which draws guided pictures. Nothing heavy is imported
before it is asked for.
"""

from typing import TYPE_CHECKING, Any

from sdg.errors import SDGError

if TYPE_CHECKING:
    from sdg.studio import Picture, Pictures, Step, Studio, again, from_diffusers, load

__version__ = "0.2.0"

__all__ = ["Picture", "Pictures", "SDGError", "Step", "Studio", "again", "from_diffusers", "load"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        import sdg.studio

        return getattr(sdg.studio, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
