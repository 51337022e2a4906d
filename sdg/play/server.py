"""The page's server: for this machine alone unless told otherwise; it fetches nothing from elsewhere."""

import time
from pathlib import Path

import gradio as gr

from sdg.play.folder import Folder
from sdg.play.line import Line
from sdg.play.page import Page
from sdg.studio import Studio

_LARGEST = "10mb"
"""Of an upload; Gradio refuses what is larger in a line on the page."""
_FONTS = ("sans-serif", "monospace")
_THEME = gr.themes.Soft(primary_hue="orange", font=[_FONTS[0]], font_mono=[_FONTS[1]])


def serve(studio: Studio, folder: Folder, prompt: str, host: str, port: int, browser: bool) -> None:
    """Serve until this process is told to end.

    Args:
        prompt: what the page begins with.
        browser: whether to open it in one.
    """
    page = Page(Line(studio), folder, prompt)
    try:
        _, address, _ = page.blocks.queue(default_concurrency_limit=4).launch(
            server_name=host,
            server_port=port,
            inbrowser=browser,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
            footer_links=[],
            max_file_size=_LARGEST,
            allowed_paths=[str(folder.root.resolve())],
            state_session_capacity=64,
            theme=_THEME,
            css_paths=Path(__file__).with_name("page.css"),
        )
        print(f"open {address}  (Ctrl-C ends it)", flush=True)
        while True:
            time.sleep(3600)
    finally:
        page.blocks.close(verbose=False)
        folder.forget()
