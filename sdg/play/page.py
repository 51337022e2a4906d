"""The page: what happens when something is typed, chosen or pressed."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from sdg.errors import SDGError
from sdg.pages import template
from sdg.play import view
from sdg.play.folder import Folder, to_brush
from sdg.play.line import Drawing, Line
from sdg.play.strength import ticks
from sdg.play.widgets import lay_out
from sdg.play.wish import as_python, from_widgets
from sdg.studio import Step

Changes = dict[Any, Any]
"""By widget, its new value."""
_BUSY = "still drawing: wait for it, or press Stop first"
_LOOK = """() => document.querySelector("#view").scrollIntoView({block: "nearest"})"""
"""On a narrow screen, the pictures are below the controls."""
_PACE = 0.5
"""Seconds between curves: a browser that drew them at every step would fall behind the pictures, and Stop."""
_REMEMBERED = 12
"""Drawings of a visit; all of their steps are in memory."""


@dataclass
class Visit:
    """What the page knows of one open tab."""

    drawing: Drawing | None = None
    """Drawn now, or shown."""
    history: list[Drawing] = field(default_factory=list)
    """The newest first."""
    pins: list[Drawing] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        """Whether it waits for a drawing."""
        return self.drawing is not None and not self.drawing.ended


class Page:
    """All visits, and what they can do; a visit's events come from threads of Gradio.

    Args:
        prompt: what the page begins with.
    """

    def __init__(self, line: Line, folder: Folder, prompt: str):
        self.line, self.folder = line, folder
        self.visits: dict[str | None, Visit] = {}
        with gr.Blocks(title="sdg play", analytics_enabled=False) as self.blocks:
            self.widgets = lay_out(line.studio, prompt)
            self._wire()

    def _wire(self) -> None:
        w, c = self.widgets, self.widgets.controls
        inputs: list[Any] = list(c)
        drawn = [w.told, w.view, w.scrub, w.stop, *w.plots.values(), w.command, w.python, w.files, w.history]
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        latest = quick | {"trigger_mode": "always_last"}
        slow = quick | {"queue": True, "concurrency_limit": 32, "trigger_mode": "multiple"}
        gr.on([w.draw.click, c.prompt.submit], self.draw, inputs, drawn, **slow)
        gr.on([w.draw.click, w.again.click, c.prompt.submit], None, js=_LOOK, **quick)
        die = w.again.click(lambda: random.randrange(2**31), None, [c.seed], **quick)
        die.then(self.draw, inputs, drawn, **slow)
        w.stop.click(self.stop, None, None, **quick)
        c.prompt.change(self.read, [c.prompt], [w.words], **latest)
        c.push.change(self.mark, [c.push], [w.ticks], **latest)
        w.scrub.input(self.scrub, [w.scrub], [w.view], **latest)
        w.upload.input(self.take, [w.upload], [c.picture, c.mask, w.upload, w.told], **quick)
        w.upload.clear(lambda: (None, None), None, [c.picture, c.mask], **quick)
        w.history.select(self.restore, None, [*inputs, w.upload, *drawn], **quick)
        w.pin.click(self.pin, None, [w.pins, w.told], **quick)
        self.blocks.unload(self.leave)

    def draw(self, request: gr.Request, *values: Any) -> Iterator[Changes]:
        """Draw what the widgets say, showing every step."""
        w, visit = self.widgets, self._visit(request)
        if visit.busy:
            yield {w.told: _line(_BUSY)}
            return
        drawing, due = None, 0.0
        try:
            drawing = visit.drawing = self.line.ask(from_widgets(values, self.folder))
            yield {w.told: "", w.stop: gr.update(interactive=True)}
            for number in drawing.watch():
                ahead = self.line.ahead(drawing)
                others = "1 drawing comes" if ahead == 1 else f"{ahead} drawings come"
                said = "" if number else f"{others} before yours" if ahead else "it begins"
                shown = {w.view: view.pairs(drawing, number or None, said)}
                if number and time.monotonic() > due:
                    shown |= self._curves(drawing.steps[:number])
                    due = time.monotonic() + _PACE
                yield shown
            if drawing.error is not None:
                raise SDGError(drawing.error)
        except SDGError as error:
            yield {w.told: _line(error), w.stop: gr.update(interactive=False)}
            return
        finally:
            if drawing is not None:
                drawing.stop()  # nobody looks any more
        if drawing.steps:
            visit.history[:] = [drawing, *visit.history][:_REMEMBERED]
        yield self._shown(visit, drawing)

    def _shown(self, visit: Visit, drawing: Drawing) -> Changes:
        """A drawing that has ended, and what can be had of it."""
        w, steps = self.widgets, drawing.steps
        told, files = "", None
        if drawing.done and steps[-1].pictures is not None:
            try:
                files = self.folder.keep_drawing(steps[-1].pictures, steps)
            except SDGError as error:
                told = _line(error)
        said = "" if drawing.done else f"stopped after {len(steps)} steps"
        return {
            w.told: told,
            w.view: view.pairs(drawing, said=said),
            w.scrub: gr.update(maximum=max(2, len(steps)), value=len(steps), interactive=len(steps) > 1),
            w.stop: gr.update(interactive=False),
            **self._curves(steps),
            w.command: drawing.asked.command,
            w.python: as_python(self.line.studio.base.words, drawing.words),
            w.files: files,
            w.history: [
                (view.guided(each)[0], f"{each.wish.prompt or 'a picture'}, seed {each.wish.seed}")
                for each in visit.history
            ],
        }

    def _curves(self, steps: Sequence[Step]) -> Changes:
        """How a drawing came about, on axes that stay as they are while it grows."""
        points, noisiest = view.curves(steps), max((step.t for step in steps), default=1)
        return {
            plot: gr.update(
                value=pd.DataFrame(points[kind], columns=["t", plot.y, "of"]),
                color_map=view.colours(points[kind]),  # else a line that the last drawing lacked is left out
                x_lim=[0, noisiest],
            )
            for kind, plot in self.widgets.plots.items()
        }

    def stop(self, request: gr.Request) -> None:
        """Let the drawing of this visit take no further step."""
        if (drawing := self._visit(request).drawing) is not None:
            drawing.stop()

    def scrub(self, number: float, request: gr.Request) -> Any:
        """Show an earlier step."""
        drawing = self._visit(request).drawing
        return gr.skip() if drawing is None else view.pairs(drawing, int(number))

    def restore(self, event: gr.SelectData, request: gr.Request) -> Changes:
        """Bring back a drawing of this visit, with all its settings."""
        visit = self._visit(request)
        if visit.busy or not 0 <= event.index < len(visit.history):
            return {self.widgets.told: _line(_BUSY)}
        drawing = visit.drawing = visit.history[event.index]
        w, wish = self.widgets, drawing.wish
        controls: Changes = dict(zip(w.controls, astuple(wish), strict=True))
        controls[w.controls.uses] = list(wish.uses)
        controls[w.controls.mask] = to_brush(wish.picture, wish.mask)
        return {**controls, w.upload: wish.picture, **self._shown(visit, drawing)}

    def pin(self, request: gr.Request) -> Changes:
        """Keep the drawing that is shown beside the one that was pinned before."""
        visit = self._visit(request)
        if visit.drawing is None or not visit.drawing.steps:
            return {self.widgets.told: _line("there is nothing to pin yet: draw something")}
        visit.pins[:] = [*visit.pins, visit.drawing][-2:]
        return {self.widgets.pins: view.pinned(visit.pins)}

    def read(self, prompt: str) -> str:
        """What is to be said of a prompt."""
        try:
            unknown = self.line.studio.unknown_words(prompt) if prompt.strip() else []
        except SDGError as error:
            return _line(error)
        return _line(f"the encoder does not know: {', '.join(unknown)}") if unknown else ""

    def mark(self, push: float) -> str:
        """What the slider of the scale means."""
        return ticks(self.line.studio, push)

    def take(self, path: str | None) -> Changes:
        """Keep an uploaded picture, as the networks see it."""
        w = self.widgets
        try:
            if path is None:
                return {w.controls.picture: None}
            square = self.line.studio.square(path)
            kept = self.folder.keep_picture(square, Path(path).name)
        except SDGError as error:
            said = str(error).replace(str(path), Path(str(path)).name)
            return {w.controls.picture: None, w.controls.mask: None, w.upload: None, w.told: _line(said)}
        return {w.controls.picture: kept, w.controls.mask: to_brush(kept), w.told: ""}

    def leave(self, request: gr.Request) -> None:
        """A tab was closed: nobody waits for its drawing."""
        visit = self.visits.pop(request.session_hash, None)
        if visit is not None and visit.drawing is not None:
            visit.drawing.stop()

    def _visit(self, request: gr.Request) -> Visit:
        return self.visits.setdefault(request.session_hash, Visit())


def _line(text: object) -> str:
    return template("sdg.play", "line.html").render(text=str(text))
