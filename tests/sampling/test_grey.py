"""A prior of grey, padded pictures by strangers, through everything that sample.py does with a colour one."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from sdg.data.toyfaces.references import write_references
from sdg.sampling.run import sample
from tests.tiny import configure, make_weights


class Net(nn.Module):
    """Predicts the noise in grey pictures of 34 px, whose border is never shown."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        assert x.shape[1:] == (1, 34, 34)
        return self.conv(x)


@pytest.mark.parametrize(
    "words",
    [
        ["guidance=content", "constraint=ilvr", "constraint.factor=2"],
        ["prompts=[a face]", "references=[]", "start.image=FACE", "start.mask=MASK", "snapshots=1"],
    ],
    ids=["references", "edits"],
)
def test_grey_pictures_are_drawn_guided_and_kept(tmp_path: Path, words: list[str]) -> None:
    write_references(tmp_path, 1, size=40)
    face, mask = tmp_path / "face_000.png", tmp_path / "mask.png"
    Image.fromarray(np.pad(np.full((40, 20), 255, np.uint8), ((0, 0), (0, 20)))).save(mask)
    torch.manual_seed(0)
    torch.save(Net().state_dict(), tmp_path / "net.pt")
    theirs = [f"prior.network={__name__}.Net", f"prior.checkpoint={tmp_path / 'net.pt'}", "prior.size=32"]
    tiny = [word for word in make_weights(tmp_path) if not word.startswith("prior.")]
    run = [
        "samples_per_prompt=1",
        "sampler.steps=2",
        f"output_dir={tmp_path / 'run'}",
        "trainer.accelerator=cpu",
        "guidance.normalise=true",
        "guidance.scale=3",
    ]
    words = [word.replace("FACE", str(face)).replace("MASK", str(mask)) for word in words]
    own = ["prior=custom", *theirs, "prior.channels=1", "prior.padding=1", f"references=[{face}]"]
    page = sample(configure("sample", [*own, *tiny, *run, *words]))
    drawn = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "run" / "samples").iterdir())]
    assert page.is_file()
    assert [picture.shape for picture in drawn] == [(32, 32, 3)] * 2
    assert all((picture == picture[..., :1]).all() for picture in drawn)
    assert not (drawn[0] == drawn[1]).all()  # unguided, guided
    if "snapshots=1" in words:
        kept = np.asarray(Image.open(face).convert("L").resize((32, 32), Image.Resampling.BICUBIC)).astype(
            int
        )
        assert np.abs(drawn[1][:, 20:, 0] - kept[:, 20:]).max() <= 2  # black in the mask
    records = [json.loads(line) for line in (tmp_path / "run" / "manifest.jsonl").read_text().splitlines()]
    assert records[1]["scores"]
