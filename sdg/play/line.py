"""Drawings of all visitors, one after the other, by one thread; pages watch them from others."""

import queue
import threading
import traceback
from collections.abc import Iterator
from functools import partial
from typing import Any

from sdg.errors import SDGError
from sdg.play.wish import Wish
from sdg.studio import Request, Step, Studio

_PATIENCE = 0.5
"""Seconds after which a watcher looks at the line again, though nothing was drawn."""


class Drawing:
    """What one visitor asked for once, and what has been drawn of it.

    Args:
        words: of :meth:`Studio.steps`.
    """

    def __init__(self, wish: Wish, words: dict[str, Any], asked: Request):
        self.wish, self.words, self.asked = wish, words, asked
        self.steps: list[Step] = []
        self.error: str | None = None
        self.stopped = self.ended = False
        self._news = threading.Condition()

    @property
    def done(self) -> bool:
        """Whether all steps were taken."""
        return bool(self.steps) and self.steps[-1].pictures is not None

    def stop(self) -> None:
        """Take no further step."""
        self.stopped = True

    def watch(self) -> Iterator[int]:
        """The numbers of the steps, from 1, each when it is taken; while there is none, 0 now and then."""
        shown = 0
        while not self.ended or shown < len(self.steps):
            with self._news:
                self._news.wait_for(partial(self._beyond, shown), _PATIENCE)
            new = len(self.steps) > shown
            shown += new
            if new or not shown:
                yield shown

    def run(self, studio: Studio) -> None:
        """Draw, unless it was stopped while it waited."""
        try:
            if not self.stopped:
                steps = studio.steps(**self.words)
                for step in steps:
                    self._tell(step)
                    if self.stopped:
                        steps.close()
                        break
        except SDGError as error:
            self.error = str(error)
        except Exception as error:  # a fault of ours or of the device must not end the line
            traceback.print_exc()
            self.error = f"{type(error).__name__}: {error}, which is a fault in sdg: see the terminal"
        finally:
            self._tell(None)

    def _beyond(self, shown: int) -> bool:
        return self.ended or len(self.steps) > shown

    def _tell(self, step: Step | None) -> None:
        with self._news:
            if step is None:
                self.ended = True
            else:
                self.steps.append(step)
            self._news.notify_all()


class Line:
    """Drawings in the order in which they were asked for.

    Args:
        longest: how many may wait.
    """

    def __init__(self, studio: Studio, longest: int = 24):
        self.studio = studio
        self._waiting: queue.Queue[Drawing] = queue.Queue(longest)
        self._order: list[Drawing] = []
        threading.Thread(target=self._work, name="sdg draws", daemon=True).start()

    def ask(self, wish: Wish) -> Drawing:
        """Stand in line; returns at once.

        Raises:
            SDGError: the wish cannot be fulfilled, or too many others wait.
        """
        words = wish.keywords(self.studio)
        drawing = Drawing(wish, words, self.studio.request(**words))
        self._order.append(drawing)
        try:
            self._waiting.put_nowait(drawing)
        except queue.Full:
            self._order.remove(drawing)
            raise SDGError(f"{self._waiting.maxsize} drawings wait already: try again in a minute") from None
        return drawing

    def ahead(self, drawing: Drawing) -> int:
        """How many drawings come before this one."""
        return next((i for i, other in enumerate(self._order) if other is drawing), 0)

    def _work(self) -> None:
        while True:
            drawing = self._waiting.get()
            drawing.run(self.studio)
            self._order.remove(drawing)
