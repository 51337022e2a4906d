"""The catalogue says what the configuration says, and the checklist what is missing and what to type."""

import shlex
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch

from sdg.checkpoints import checklist as checklists
from sdg.checkpoints import locate
from sdg.checkpoints.__main__ import main
from sdg.checkpoints.catalogue import CATALOGUE, card_of, named_by, public_file
from sdg.checkpoints.checklist import get, needs
from sdg.checkpoints.clip import clip_words
from sdg.errors import SDGError
from tests.tiny import configure

PRIORS = ("ffhq", "lsun_bedroom", "lsun_cat", "lsun_horse", "lsun_horse_nodropout")


@pytest.fixture(autouse=True)
def _empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is here but what a test puts here."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SDG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "torch"))


def put(name: str) -> Path:
    place = public_file(name).place
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"weights")
    return place


class TestCards:
    @pytest.mark.parametrize("group", PRIORS)
    def test_priors_are_those_of_the_configuration(self, group: str) -> None:
        prior, card = configure("sample", [f"prior={group}"]).prior, public_file(group)
        assert (card.url, card.sha256) == (prior.url, prior.sha256)
        assert card.words == f"prior={group} prior.checkpoint=FILE"

    @pytest.mark.parametrize("group", ["rn50x16", "rn50", "vit_b_32", "vit_b_16"])
    def test_clips_are_those_of_the_configuration(self, group: str) -> None:
        encoder = configure("sample", [f"encoder={group}"]).encoder
        card = card_of(encoder.clip_checkpoint)
        assert card is not None
        assert card.words == f"encoder={group} encoder.clip_checkpoint=FILE"

    @pytest.mark.parametrize(
        "card", [x for x in CATALOGUE if x.name.startswith("clip_")], ids=lambda x: x.name
    )
    def test_clips_are_those_that_open_clip_fetches(self, card: Any) -> None:
        model = card.file.removesuffix(".pt").removesuffix("px")
        assert card.url == open_clip.get_pretrained_url(model, "openai")
        assert card.sha256 == card.url.split("/")[-2]
        assert card.words == clip_words(f"{model}-quickgelu")

    def test_features_are_where_their_libraries_look(self) -> None:
        fidelity = pytest.importorskip(
            "torch_fidelity.feature_extractor_inceptionv3",
            reason="there is no torch-fidelity: '.[dev]' brings it",
        )
        from torchvision.models import AlexNet_Weights

        from sdg.metrics.lpips import ALEXNET

        inception, alexnet = public_file("inception"), public_file("alexnet")
        assert inception.url == fidelity.URL_INCEPTION_V3
        assert alexnet.url == AlexNet_Weights.IMAGENET1K_V1.url
        assert alexnet.file == ALEXNET
        for card in (inception, alexnet):
            assert card.place == Path(torch.hub.get_dir()) / "checkpoints" / card.file
            assert f"-{card.sha256}." in card.file

    def test_every_card_is_whole(self) -> None:
        assert len({card.name for card in CATALOGUE}) == len(CATALOGUE)
        for card in CATALOGUE:
            assert card.licence
            assert card.size > 0
            assert "FILE" in card.words
            assert card.origin.startswith("https://")
            end = f"/{card.file}/resolve/main" if card.parts else f"/{card.file}"
            assert card.url is None or card.url.endswith(end)
            assert card.sha256 is None or set(card.sha256) <= set("0123456789abcdef")

    @pytest.mark.parametrize("prior", ["ffhq", "lsun_bedroom", "lsun_cat", "lsun_horse"])
    def test_each_prior_has_the_encoder_that_its_authors_released(self, prior: str) -> None:
        card = public_file(f"time_clip_{prior}")
        assert card.url is None
        assert card.origin.startswith("https://hkuhk-my.sharepoint.com/")
        assert f"+experiment={prior}_clip" in card.note
        assert card.size == round(4 * 260_983_056 / 1e6)

    def test_files_are_known_by_their_hash(self) -> None:
        for card in CATALOGUE:
            if card.sha256:
                assert named_by(card.sha256.ljust(64, "0")) is card
        assert named_by("0" * 64) is None


def checklist(name: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    main([name])
    return capsys.readouterr().out.splitlines()


def test_a_checklist_names_what_is_missing_and_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    lines = checklist("ffhq", capsys)
    assert [line.split(":")[0] for line in lines if line.startswith("  [")] == [
        "  [ ] prior.checkpoint",
        "  [ ] encoder.clip_checkpoint",
        "  [ ] encoder.checkpoint",
    ]
    text = "\n".join(lines)
    for word in ("sdg weights get ffhq ", "sdg weights get clip_rn50x16 ", "no hash is published", "374 MB"):
        assert word in text
    assert public_file("time_clip_ffhq").origin in text
    place = public_file("time_clip_ffhq").place
    assert lines[-1] == f"then type: sdg draw +experiment=ffhq_text encoder.checkpoint={place}"


def test_a_checklist_sees_what_is_here_and_its_words_work(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("ffhq", "clip_rn50x16", "time_clip_ffhq"):
        put(name)
    lines = checklist("ffhq_text", capsys)
    assert lines[-1].startswith("all is here, type: sdg draw ")
    words = shlex.split(lines[-1].removeprefix("all is here, type: sdg draw "))
    config = configure("sample", words)
    assert locate(config.encoder.checkpoint, setting="encoder.checkpoint").read_bytes() == b"weights"
    assert locate(config.prior.checkpoint, config.prior.url) == public_file("ffhq").place
    assert locate(config.encoder.clip_checkpoint) == public_file("clip_rn50x16").place
    assert [line[:5] for line in lines if line.startswith("  [")] == ["  [x]"] * 3


@pytest.mark.parametrize(
    "name, expected, command",
    [
        ("lsun_cat", ["prior", "clip", "time_clip"], "sdg draw +experiment=lsun_cat_text "),
        (
            "lsun_cat_mix",
            ["prior", "clip", "time_clip"],
            "sdg draw +experiment=lsun_cat_mix 'references=[PICTURE]' ",
        ),
        ("ffhq_clip", ["clip"], "sdg train +experiment=ffhq_clip data.root=FOLDER"),
        (
            "lsun_horse_nodropout",
            ["prior", "clip", "time_clip"],
            'sdg draw "a sentence" prior=lsun_horse_nodropout',
        ),
        (
            "stylegan2_256",
            ["generator", "clip"],
            'sdg draw "a sentence" method=stylegan_clip encoder=vit_b_32 ',
        ),
        ("toyfaces", ["prior", "clip", "time_clip"], 'sdg draw "a sentence" prior=toyfaces'),
    ],
)
def test_checklists(name: str, expected: list[str], command: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {
        "prior": "prior.checkpoint",
        "clip": "encoder.clip_checkpoint",
        "time_clip": "encoder.checkpoint",
        "generator": "generator.checkpoint",
    }
    lines = checklist(name, capsys)
    assert [line[6:].split(":")[0] for line in lines if line.startswith("  [")] == [
        settings[x] for x in expected
    ]
    assert lines[-1].partition(": ")[2].startswith(command)
    assert lines[-1].startswith("all is here" if name == "toyfaces" else "then type")


@pytest.mark.parametrize(
    "method, guidance, count", [("clip_x0", "text", 2), ("unguided", "none", 1), ("sdg", "text", 3)]
)
def test_a_method_needs_what_it_reads(method: str, guidance: str, count: int) -> None:
    config = configure("sample", [f"method={method}", f"guidance={guidance}"])
    plain = {"method": {"_target_": "x"}, "estimator": dict(config.estimator)}
    plain |= {"guidance": {"terms": dict(config.guidance.terms)}}
    assert len(needs(plain)) == count


def test_an_unknown_name_is_answered_with_near_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="no experiment or command 'lsun_bedrom': choose lsun_bedroom"):
        main(["lsun_bedrom"])
    with pytest.raises(SystemExit, match="catalogue has no 'nothing': choose ffhq, "):
        main(["get", "nothing"])


def test_the_list_says_what_is_here(capsys: pytest.CaptureFixture[str]) -> None:
    put("lsun_cat")
    main([])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CATALOGUE) + 1
    assert [line.split()[1] for line in lines if line.startswith("[x]") and "MB" in line] == ["lsun_cat"]


def test_a_card_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    main(["show", "lsun_bedroom"])
    printed = capsys.readouterr().out
    for word in (
        "jul-2021/lsun_bedroom.pt",
        "none published",
        "MIT",
        "prior=lsun_bedroom",
        "not here",
        "2,211 MB",
    ):
        assert word in printed


def test_get_fetches_to_where_it_is_looked_for(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    asked = []

    def fetch(url: str, target: Path, sha256: str | None) -> Path:
        asked.append((url, target, sha256))
        target.parent.mkdir(parents=True)
        target.write_bytes(b"weights")
        return target

    monkeypatch.setattr(checklists, "fetch", fetch)
    main(["get", "clip_rn50"])
    card = public_file("clip_rn50")
    assert asked == [(card.url, Path.home() / ".cache" / "clip" / "RN50.pt", card.sha256)]
    assert f"is fetched: encoder=rn50 encoder.clip_checkpoint={card.place}" in capsys.readouterr().out
    main(["get", "clip_rn50"])
    assert len(asked) == 1
    assert "was here already" in capsys.readouterr().out
    assert locate("open_clip:RN50/openai") == card.place


def test_what_a_program_may_not_fetch_is_said_by_hand() -> None:
    with pytest.raises(
        SDGError, match=r"open https://hkuhk-my\S+ in a browser, and save it as \S+clip_cat\.pt"
    ):
        get(public_file("time_clip_lsun_cat"))


@pytest.mark.parametrize(
    "path, url, setting, reason",
    [
        ("nowhere/ffhq_10m.pt", "https://x.org/w.pt", "prior.checkpoint", r"\(sdg weights ffhq lists what"),
        ("outputs/lsun_cat_clip.safetensors", None, "encoder.checkpoint", r"\(sdg weights lsun_cat lists"),
        ("w.pt", None, "encoder.checkpoint", r"\(sdg weights lists"),
        (
            "open_clip:RN50x16/openai",
            None,
            "encoder.clip_checkpoint",
            "sdg weights get clip_rn50x16 to fetch",
        ),
    ],
)
def test_a_missing_files_error_names_the_checklist(
    path: str, url: str | None, setting: str, reason: str
) -> None:
    with pytest.raises(SDGError, match=reason):
        locate(path, url, setting=setting)
