"""``logger=trackio``: a tracker without an account, whose dashboard runs on this machine."""

import io
import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from PIL import Image
from pytorch_lightning.loggers import Logger
from pytorch_lightning.loggers.logger import rank_zero_experiment
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from sdg.extras import need
from sdg.report.run_id import kept_id

_FOLDER = "TRACKIO_DIR"


class TrackioLogger(Logger):
    """Curves, pictures and tables in trackio's database, one for all runs, which a dashboard compares.

    A resumed training continues its run. Settings must be told before the first number.

    Args:
        project: what runs are compared within.
        save_dir: folder of the run, which names it; an id kept there tells runs of one name apart.
        folder: of the database, unless ``TRACKIO_DIR`` names one. A process has one alone: its first.
        settings: further arguments of ``trackio.init``: group, auto_log_gpu, …

    Raises:
        SDGError: trackio is not installed.
    """

    def __init__(self, project: str, save_dir: str, folder: str, **settings: Any):
        super().__init__()
        os.environ.setdefault(_FOLDER, str(Path(folder).resolve()))  # trackio reads it when it is imported
        self._trackio = need("trackio")
        self._project, self._save_dir, self._settings = project, Path(save_dir), settings
        self._run: Any = None

    @property
    def name(self) -> str:
        return self._project

    @property
    def version(self) -> str:
        return f"{self._save_dir.resolve().name}-{kept_id(self._save_dir / 'trackio')}"

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The run, begun when it is first asked for."""
        if self._run is None:
            told = {"embed": False, "resume": "allow", **self._settings}
            with redirect_stdout(io.StringIO()):  # it would name a command that looks in another folder
                self._run = self._trackio.init(project=self._project, name=self.version, **told)
            print(f"see it:  {_FOLDER}={os.environ[_FOLDER]} trackio show --project {self._project}")
        return self._run

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        self.experiment.config.update(params if isinstance(params, Mapping) else vars(params))

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.experiment.log(dict(metrics), step=step)

    @rank_zero_only
    def log_image(
        self, key: str, images: Sequence[Image.Image], caption: Sequence[str], step: int | None = None
    ) -> None:
        """Pictures under ``key``, or ``key/0``, ``key/1``, … where there are several."""
        names = [key] if len(images) == 1 else [f"{key}/{i}" for i in range(len(images))]
        shown = map(self._trackio.Image, images, caption)
        self.experiment.log(dict(zip(names, shown, strict=True)), step=step)

    @rank_zero_only
    def log_table(self, key: str, columns: Sequence[str], data: Sequence[Sequence[Any]]) -> None:
        """Rows, whose cells may be trackio's pictures."""
        self.experiment.log({key: self._trackio.Table(columns=list(columns), data=[*map(list, data)])})

    @rank_zero_only
    def finish(self) -> None:
        """End the run: all that it was told is written now."""
        if self._run is not None:
            self._trackio.finish()
            self._run = None
