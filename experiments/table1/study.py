"""The table from end to end: what is drawn for each row, and how it is merged into a measured run."""

import argparse
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from tqdm import tqdm

from experiments.baselines.contenders import PROMPTS, REFERENCES
from experiments.parts import aim, arrange, gathered, merge, swapped
from experiments.references import write
from experiments.results import save_page
from experiments.running import named, seconds_per_image, some
from experiments.table1 import pages
from experiments.table1.claims import CLAIMS, Verdict, judge
from experiments.table1.document import document
from experiments.table1.jobs import Job, draw_all
from experiments.table1.measuring import Pool, Result, measure
from experiments.table1.rows import BY_PICTURE, SHUFFLED, UNGUIDED, Row, Size
from experiments.table1.table import as_csv, latex
from experiments.table1.worlds import World
from sdg.data.listing import list_pictures
from sdg.data.prompts import read_prompts
from sdg.errors import SDGError
from sdg.files import write_whole
from sdg.metrics.mentions import Mentions


class Study:
    """One table.

    Args:
        options: of the command line.
        rows: those that can be drawn, including the unguided one.

    Raises:
        SDGError: too few targets, or a number that does not divide evenly into parts.
    """

    def __init__(self, options: argparse.Namespace, size: Size, rows: dict[str, Row], world: World):
        self.options, self.size, self.rows, self.world = options, size, rows, world
        self.prompts = some(options.prompts_file, size.prompts)
        if len(self.prompts) < size.prompts:
            raise SDGError(f"{options.prompts_file} has {len(self.prompts)} prompts: use a lower --prompts")
        for count in (size.prompts, size.references):
            if count % size.parts:
                raise SDGError(
                    f"{count} targets cannot be dealt to {size.parts} parts evenly: change --parts"
                )
        options.output.mkdir(parents=True, exist_ok=True)
        self.log = options.output / "log.txt"

    @cached_property
    def references(self) -> list[str]:
        """Paths of the pictures to aim at."""
        options, count = self.options, self.size.references
        if options.data == "toyfaces":
            return write(options.output, options.sample, count)[0]
        found = [str(path) for path in list_pictures(options.references_folder)]
        if len(found) < count:
            raise SDGError(f"{options.references_folder} has {len(found)} pictures: use a lower --references")
        return found[:: len(found) // count][:count]

    @property
    def evaluation(self) -> list[str]:
        """Settings of ``evaluate.py`` for every row."""
        given = [f"cache='{self.options.output / 'statistics'}'"]
        if self.options.against is not None:
            given.append(f"reference='{self.options.against}'")
        if not self.world.judged:
            given.append("preparation=adm")
        # The guide is the same encoder as in sampling.
        encoder = [
            w for w in self.options.sample if w.startswith("encoder") and w not in self.options.evaluate
        ]
        return [*given, *encoder, *self.options.evaluate]

    @property
    def lines(self) -> int:
        """Lines in the table: some pictures are measured twice."""
        return len(self.rows) + sum(row.paired or name == "sdg_text" for name, row in self.rows.items())

    def jobs(self) -> list[Job]:
        """All runs of ``sample.py``, row by row, with targets divided among parts of different seeds."""
        return [job for name in self.rows for job in self._jobs(name)]

    def draw(self, jobs: Sequence[Job], processes: int, bar: tqdm) -> None:
        """Draw what is left of the jobs."""
        draw_all(jobs, processes, self.options.sample, bar, self.log)

    def measure(self, metrics: Sequence[str], tick: Callable[[], object]) -> list[Result]:
        """Measure every row, paired ones also by picture, and SDG by words again with shuffled prompts."""
        output = self.options.output
        partners = {name: self._partners(name) for name, row in self.rows.items() if row.alone}
        results = []
        for name, row in self.rows.items():
            folder, parts = output / name, self._parts(name)
            if row.alone:
                aim(folder, merge(folder, parts, row.title), self.prompts, self.size.samples)
            else:
                beside = [one for one in partners[row.beside] if one["index"] < self._each(row)]
                merge(folder, parts, row.title, beside)
            seconds = mean_seconds(parts)
            results.append(self._measured(row, folder, metrics, seconds))
            tick()
            if row.paired:
                results.append(self._by_picture(row, parts, metrics))
                tick()
            if name == "sdg_text":
                results.append(self._shuffled(row, partners[UNGUIDED], metrics))
                tick()
        # The control comes last.
        return sorted(results, key=lambda result: result.folder.name == SHUFFLED)

    def show(self, results: Sequence[Result]) -> Path:
        """Write the table in all its forms; returns the page to look at."""
        options, found, pool = self.options, self.judge(results), self._pool()
        options.report.mkdir(parents=True, exist_ok=True)
        name = f"{options.data}_{options.size}"
        save_page(
            options.report / f"{name}.md",
            document(options, self.size, pool, self.world, results, found),
            __package__,
        )
        write_whole(options.report / f"{name}.csv", as_csv(results, self.world))
        write_whole(options.report / f"{name}.tex", latex(results, self.world))
        return pages.write(
            options.output, results, self.world, found, f"Table 1, {options.data}, {options.size}"
        )

    def judge(self, results: Sequence[Result]) -> list[Verdict]:
        """The paper's claims, checked against the rows."""
        values = {result.folder.name: result.values for result in results}
        aimed = {result.folder.name: result.row for result in results}
        claims = []
        for claim in CLAIMS:
            row = aimed.get(claim.better)
            pool = self._pool()
            texts = row is None or row.kind == PROMPTS
            claims.append((claim, 1 / (pool.texts if texts else pool.references)))
        return judge(claims, values)

    def _jobs(self, name: str) -> list[Job]:
        row, each = self.rows[name], self._each(self.rows[name])
        jobs = []
        for part, folder in enumerate(self._parts(name)):
            own = self._dealt(row.kind, part)
            aims, samples, pictures = [named(row.kind, own)], each, each * len(own)
            if row.paired:
                beside = self._dealt(REFERENCES, part)
                aims, pictures = [*aims, named(REFERENCES, beside)], pictures * len(beside)
            elif row.alone:
                aims, samples = [], pictures
            seed, cost = self.options.seed + part, row.steps * row.seconds
            jobs.append(Job(folder, (*row.settings, *aims), seed, row.steps, samples, pictures, cost))
        return jobs

    def _dealt(self, kind: str, part: int) -> list[str]:
        """The targets of a part."""
        targets = self.prompts if kind == PROMPTS else self.references
        each = len(targets) // self.size.parts
        return targets[part * each : (part + 1) * each]

    def _each(self, row: Row) -> int:
        """Samples per target, or per prompt and reference."""
        if not row.paired:
            return self.size.samples
        return max(1, self.size.samples // len(self._dealt(REFERENCES, 0)))

    def _parts(self, name: str) -> list[Path]:
        return [self.options.output / "parts" / f"{name}_{part:03d}" for part in range(self.size.parts)]

    def _partners(self, name: str) -> list[dict]:
        """Records of a row that aims at nothing, restricted to the noises of other rows."""
        records = [one for one in gathered(self._parts(name)) if one["index"] < self.size.samples]
        return [one | {"prompt": None, "scale": 0.0} for one in records]

    def _by_picture(self, row: Row, parts: Sequence[Path], metrics: Sequence[str]) -> Result:
        """The same pictures, measured against the references they aimed at."""
        folder = self.options.output / BY_PICTURE
        row = row._replace(kind=REFERENCES, title="the same, looked for by the picture")
        merge(folder, parts, row.title)
        return self._measured(row, folder, metrics)

    def _shuffled(self, row: Row, partners: Sequence[dict], metrics: Sequence[str]) -> Result:
        folder, parts = self.options.output / SHUFFLED, self._parts("sdg_text")
        row = row._replace(title="control: SDG, text, with shuffled prompts", paper={})
        wrong = swapped(gathered(parts), self.prompts)
        arrange(folder, [*partners, *wrong], row.title, parts[0] / "config.yaml")
        return self._measured(row, folder, metrics)

    def _measured(
        self, row: Row, folder: Path, metrics: Sequence[str], seconds: float | None = None
    ) -> Result:
        return measure(row, folder, self.world, metrics, self._pool(), self.evaluation, seconds)

    def _pool(self) -> Pool:
        """The pool for retrieval; its references are those that were aimed at."""
        path = self.options.prompts_file
        prompts = list(dict.fromkeys(read_prompts(path)))
        # To the judge, phrasings of the same mentions are one text.
        texts = len(Mentions(path)(prompts).unique(dim=0)) if self.world.judged else len(prompts)
        return Pool(path, texts, len(set(self.references)))


def mean_seconds(parts: Sequence[Path]) -> float | None:
    """Seconds per image of a row: the mean of its parts, which have equally many images."""
    times = [seconds_per_image(part, "wall") for part in parts]
    known = [time for time in times if time is not None]
    return sum(known) / len(known) if known else None
