"""The id of a run in a tracker, kept in the run's folder, so that a resumed run is the same there."""

import uuid
from pathlib import Path

from sdg.files import write_whole


def kept_id(folder: Path, chosen: str | None = None) -> str:
    """The id in ``folder/run_id``, which is made if there is none.

    Args:
        chosen: takes the place of what is there.
    """
    path = folder / "run_id"
    folder.mkdir(parents=True, exist_ok=True)
    known = path.read_text(encoding="utf-8").strip() if path.exists() else uuid.uuid4().hex[:8]
    run_id = chosen or known
    write_whole(path, run_id)
    return run_id
