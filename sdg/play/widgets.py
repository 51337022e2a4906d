"""The widgets of the page: controls in the order of a wish's fields, and what shows the result."""

from typing import Any, NamedTuple

import gradio as gr
from gradio.components.image_editor import ImageEditor
from gradio.data_classes import ImageData

from sdg.pages import template
from sdg.play.folder import BRUSH
from sdg.play.strength import HIGHEST, LOWEST, ticks
from sdg.play.wish import OWN, PRESETS, START, TERMS, Wish
from sdg.studio import Studio

EXAMPLES = (
    "a smiling face with red hair",
    "a face with glasses and a hat",
    "a bearded person on a yellow background",
    "a frowning person with long black hair",
)
_USUAL = Wish()


class Controls(NamedTuple):
    """One for each field of :class:`Wish`."""

    prompt: gr.Textbox
    picture: gr.State
    uses: gr.CheckboxGroup
    text: gr.Slider
    content: gr.Slider
    structure: gr.Slider
    style: gr.Slider
    strength: gr.Slider
    mask: ImageEditor
    push: gr.Slider
    steps: gr.Radio
    sampler: gr.Dropdown
    estimator: gr.Dropdown
    seed: gr.Number
    pictures: gr.Radio


class Widgets(NamedTuple):
    """All that events read or change."""

    controls: Controls
    words: gr.HTML
    """What is said of a prompt as it is typed."""
    upload: gr.Image
    ticks: gr.HTML
    draw: gr.Button
    stop: gr.Button
    again: gr.Button
    told: gr.HTML
    """What went wrong, in a line."""
    view: gr.HTML
    scrub: gr.Slider
    plots: dict[str, gr.LinePlot]
    command: gr.Code
    python: gr.Code
    files: gr.File
    history: gr.Gallery
    pin: gr.Button
    pins: gr.HTML


def lay_out(studio: Studio, prompt: str) -> Widgets:
    """Create everything, in the block that is open.

    Args:
        prompt: what the page begins with.
    """
    gr.Markdown(
        "# Guidance, by hand\n"
        "A diffusion model that knows no words draws from noise; an encoder that sees through noise steers "
        "it. Say what to draw, press **Draw**, and watch both, from the same noise."
    )
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            left = _controls(studio, prompt)
        with gr.Column(scale=3, min_width=320):
            right = _result()
    return Widgets(**left, **right)


def _controls(studio: Studio, prompt: str) -> dict[str, Any]:
    made = _sentence(studio, prompt) | _numbers(studio) | _picture() | _ways(studio)
    controls = Controls(**{name: made.pop(name) for name in Controls._fields})
    return {"controls": controls, **made}


def _sentence(studio: Studio, prompt: str) -> dict[str, Any]:
    sentence = gr.Textbox(prompt, label="A sentence", max_length=400, elem_id="prompt")
    words = gr.HTML(elem_id="words")
    if not studio.unknown_words(" ".join(EXAMPLES)):
        gr.Examples([[each] for each in EXAMPLES], [sentence], label="for example", elem_id="examples")
    with gr.Row():
        draw = gr.Button("Draw", variant="primary", size="md", min_width=80, elem_id="draw")
        stop = gr.Button("Stop", interactive=False, size="md", min_width=80, elem_id="stop")
        again = gr.Button("New seed", size="md", min_width=80, elem_id="again")
    told = gr.HTML(elem_id="told")
    return {"prompt": sentence, "words": words, "draw": draw, "stop": stop, "again": again, "told": told}


def _numbers(studio: Studio) -> dict[str, Any]:
    push = gr.Slider(
        LOWEST, HIGHEST, _USUAL.push, step=0.25, label="Strength, as a power of 2", elem_id="push"
    )
    marks = gr.HTML(ticks(studio), elem_id="ticks")
    with gr.Row():
        steps = gr.Radio(PRESETS, value=_USUAL.steps, label="Steps", min_width=200, elem_id="steps")
        pictures = gr.Radio(
            [1, 2, 3, 4], value=_USUAL.pictures, label="Pictures", min_width=160, elem_id="pictures"
        )
        seed = gr.Number(_USUAL.seed, label="Seed", precision=0, minimum=0, min_width=90, elem_id="seed")
    return {"push": push, "ticks": marks, "steps": steps, "pictures": pictures, "seed": seed}


def _picture() -> dict[str, Any]:
    with gr.Accordion("A picture", open=False, elem_id="picture-part"):
        upload = gr.Image(
            sources=["upload", "clipboard", "webcam"],
            type="filepath",
            height=220,
            label="upload, paste, or take one",
            elem_id="picture",
        )
        upload.preprocess = _path  # a subclass would write files beside this one
        uses = gr.CheckboxGroup([*TERMS, START], label="Use it as", elem_id="uses")
        strength = gr.Slider(
            0.05, 1, _USUAL.strength, step=0.05, label="start: share redrawn", elem_id="strength"
        )
        with gr.Accordion("start: only where you brush", open=False):
            brush = ImageEditor(
                type="pil",
                sources=(),
                transforms=(),
                brush=gr.Brush(24, [BRUSH], color_mode="fixed"),
                layers=False,
                height=340,
                label="redraw only this",
                elem_id="brush",
            )
    return {"picture": gr.State(), "upload": upload, "uses": uses, "strength": strength, "mask": brush}


def _ways(studio: Studio) -> dict[str, Any]:
    samplers = [OWN, *(name for name in studio.options("sampler") if name not in PRESETS)]
    with gr.Accordion("Weights, sampler, estimator", open=False, elem_id="more"):
        weights = {
            name: gr.Slider(0, 3, 1, step=0.05, label=f"weight of {name}", elem_id=f"weight-{name}")
            for name in ("text", *TERMS)
        }
        sampler = gr.Dropdown(samplers, value=OWN, label="Sampler", elem_id="sampler")
        estimator = gr.Dropdown(
            studio.options("estimator"), value=_USUAL.estimator, label="Estimator", elem_id="estimator"
        )
    return {**weights, "sampler": sampler, "estimator": estimator}


def _result() -> dict[str, Any]:
    nothing = template("sdg.play", "pairs.html").render(pairs=[], said="", shown=None, of=0)
    view = gr.HTML(nothing, elem_id="view")
    scrub = gr.Slider(1, 2, 2, step=1, label="Back through the steps", interactive=False, elem_id="scrub")
    with gr.Accordion("Curves over the steps", open=False, elem_id="curves"), gr.Row():
        names = {"score": "score of each term", "gradient": "rms of the gradient", "clipped": "share clipped"}
        plots = {
            kind: gr.LinePlot(
                x="t",
                y=title,
                color="of",
                color_title=" ",
                x_title="t (noise on the right)",
                y_title=title,
                height=220,
                min_width=190,
                elem_id=f"curve-{kind}",
            )
            for kind, title in names.items()
        }
    with gr.Accordion("Draw it again elsewhere", open=False, elem_id="export"):
        code: dict[str, Any] = {"lines": 1, "max_lines": 20, "wrap_lines": True}
        command = gr.Code(language="shell", label="in a shell", elem_id="command", **code)
        python = gr.Code(language="python", label="in Python", elem_id="python", **code)
        files = gr.File(
            file_count="multiple", label="pictures with their settings inside, and the chain", elem_id="files"
        )
    gr.Markdown("**This visit**: choose a drawing to bring back its settings.")
    history = gr.Gallery(
        show_label=False,
        columns=6,
        fit_columns=False,
        height=150,
        object_fit="contain",
        allow_preview=False,
        format="png",
        buttons=[],
        elem_id="history",
    )
    pin = gr.Button("Pin this drawing to compare it", size="sm", elem_id="pin")
    pins = gr.HTML(elem_id="pins")
    return {
        "view": view,
        "scrub": scrub,
        "plots": plots,
        "command": command,
        "python": python,
        "files": files,
        "history": history,
        "pin": pin,
        "pins": pins,
    }


def _path(payload: ImageData | None) -> str | None:
    """The path of an upload, which Gradio does not open: sdg's own reader does."""
    return payload.path if payload else None
