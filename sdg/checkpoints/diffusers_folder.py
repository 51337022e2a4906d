"""A folder that diffusers saved: where its parts are, and whether its pipeline draws without conditions."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sdg.checkpoints.diffusers_others import read_process
from sdg.checkpoints.places import chosen, model_folder
from sdg.errors import SDGError

_PIPELINES = (
    *("DDPMPipeline", "DDIMPipeline", "PNDMPipeline", "RePaintPipeline"),
    *("ScoreSdeVePipeline", "LDMPipeline"),
)
_AUTOENCODERS = ("vqvae", "vae")
"""Folders of what lies between pictures and the states that a UNet draws."""
_CONDITIONS = ("movq", "text_encoder", "image_encoder", "controlnet", "prior")
"""Folders of pipelines whose UNet does not draw on its own."""


class DiffusersFolder:
    """What a folder says of the model in it.

    Args:
        scheduler: settings of its scheduler, where the folder has none: ``_class_name`` and what differs.

    Raises:
        SDGError: no such folder, or one whose model is not unconditional, or of an unknown process.
    """

    def __init__(self, folder: str | None, scheduler: Mapping[str, Any] | None = None) -> None:
        path = chosen(folder)[0]
        if not path or os.path.isfile(os.path.expanduser(path)):
            raise SDGError(
                f"prior.checkpoint={folder} is no folder that diffusers saved: give one, or prior=adm for "
                f"a file"
            )
        self.model = model_folder(str(folder))
        root = Path(path).expanduser()
        # Someone may name the UNet's own folder in a pipeline's.
        self.roots = [root, root.parent] if root.name in ("unet", "unet_ema") else [root]
        self._check()
        self.process = read_process(self._scheduler() or scheduler, str(self.roots[0]))

    @property
    def autoencoder(self) -> Path | None:
        """The folder of the autoencoder whose codes the model draws; None if it draws pixels."""
        places = [root / name for root in self.roots for name in _AUTOENCODERS]
        return next((place for place in places if place.is_dir()), None)

    def _scheduler(self) -> dict[str, Any] | None:
        for root in self.roots:
            for place in (root / "scheduler_config.json", root / "scheduler" / "scheduler_config.json"):
                if place.is_file():
                    return read_json(place)
        return None

    def _check(self) -> None:
        for root in self.roots:
            index = root / "model_index.json"
            kind = read_json(index).get("_class_name") if index.is_file() else None
            inside = [name for name in _CONDITIONS if (root / name).is_dir()]
            if inside or kind not in (None, *_PIPELINES):
                what = f"_class_name={kind} in {index}" if kind else f"{root} has a {inside[0]}"
                raise SDGError(
                    f"{what}: sdg steers pipelines without conditions ({', '.join(_PIPELINES)}), choose one"
                )


def read_json(path: Path) -> dict[str, Any]:
    """A file of settings.

    Raises:
        SDGError: it is not there, or not JSON.
    """
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SDGError(f"there is no {path}: give the path of a folder that diffusers saved") from error
    except (OSError, ValueError) as error:
        raise SDGError(f"{path} is not the JSON that diffusers writes: fetch it again") from error
    if not isinstance(settings, dict):
        raise SDGError(f"{path} is not the JSON that diffusers writes: fetch it again")
    return settings
