"""What code shows becomes an image or a file that the host can pass on. Runs inside, in the kernel.

- Matplotlib: whatever backend code asks for, figures are shown by the inline one, and those that are still open at the
  end of an execution are shown too. There is no window here that another backend could open.
- SVG images get a PNG beside them: the images of an execution are seen by people and models, who may not read SVG.
- Plotly's figures are pages, and become files in the folder that code works in. Their images would need a browser.
- Pillow's `Image.show` shows here, and starts no program.
- Fonts for characters that a chosen font lacks are tried after it.
"""

import functools
import itertools
import sys
import weakref
from pathlib import Path
from typing import Any

import glyphs
import imports

_RASTER = {"image/png", "image/jpeg", "image/gif", "image/webp"}
_RASTER_FORMATS = {"png", "png2x", "retina", "jpg", "jpeg"}
_INLINE = "inline"

#: Figures that `Figure.show` has shown; they are not shown again unless they have changed.
_shown: "weakref.WeakSet[Any]" = weakref.WeakSet()


def set_up(shell: Any) -> None:
    """Sees to all of it in the shell, for what it will import."""
    changes: dict[str, imports.Change] = {
        "matplotlib.pyplot": functools.partial(_one_backend, shell),
        "matplotlib.backend_bases": _show_single_figures,
        "matplotlib.font_manager": glyphs.add_fonts,
        "matplotlib_inline.backend_inline": _show_once,
        "IPython.core.pylabtools": _always_raster,
        "PIL.ImageShow": _show_here,
        "plotly.io._renderers": _pages_become_files,
    }
    imports.change(changes)
    shell.events.register("post_execute", functools.partial(_show_open_figures, shell))
    enable = shell.enable_matplotlib
    shell.enable_matplotlib = lambda _gui=None: enable(_INLINE)
    formatter = shell.display_formatter
    # Also where pyplot, which sees to that, was never asked for a figure.
    formatter.formatters["image/png"].for_type_by_name("matplotlib.figure", "Figure", _png)
    form = formatter.format
    formatter.format = lambda *args, **kwargs: _with_raster(*form(*args, **kwargs))


def _one_backend(shell: Any, pyplot: Any) -> None:
    switch = pyplot.switch_backend

    @functools.wraps(switch)
    def switch_backend(newbackend: Any) -> None:
        if str(newbackend).startswith("module://") and "inline" not in newbackend:
            switch(newbackend)
        else:
            switch(_INLINE)
            # It does that by itself only where it was asked for before it was loaded.
            sys.modules["matplotlib_inline.backend_inline"].configure_inline_support(shell, _INLINE)

    pyplot.switch_backend = switch_backend


def _png(figure: Any) -> Any:
    from IPython.core.pylabtools import print_figure  # noqa: PLC0415 - slow

    return print_figure(figure, fmt="png", base64=True, bbox_inches="tight")


def _show_single_figures(backend_bases: Any) -> None:
    def show(self: Any) -> None:
        from IPython.display import display  # noqa: PLC0415 - slow

        figure = self.canvas.figure
        display(figure)
        figure.stale = False
        _shown.add(figure)

    backend_bases.FigureManagerBase.show = show


def _show_once(backend_inline: Any) -> None:
    show_all = backend_inline.show

    @functools.wraps(show_all)
    def show(close: bool | None = None, block: bool | None = None) -> None:
        closing = backend_inline.InlineBackend.instance().close_figures if close is None else close
        for manager in backend_inline.Gcf.get_all_fig_managers() if closing else ():
            figure = manager.canvas.figure
            if figure in _shown and not figure.stale:
                backend_inline.Gcf.destroy(manager)
        show_all(close, block)

    backend_inline.show = show


def _show_open_figures(shell: Any) -> None:
    """Also those that were made in a mode that shows nothing by itself (`plt.ioff()`)."""
    backend = sys.modules.get("matplotlib_inline.backend_inline")
    if backend is None or not backend.InlineBackend.instance().close_figures:
        return
    try:
        backend.show(close=True)
    except Exception:  # noqa: BLE001 - of the code's own making, and told as its errors are
        shell.showtraceback()


def _always_raster(pylabtools: Any) -> None:
    select = pylabtools.select_figure_formats

    @functools.wraps(select)
    def select_figure_formats(shell: Any, formats: Any, **kwargs: Any) -> None:
        wanted = {formats} if isinstance(formats, str) else set(formats)
        select(shell, wanted if wanted & _RASTER_FORMATS else {*wanted, "png"}, **kwargs)

    pylabtools.select_figure_formats = select_figure_formats


def _with_raster(data: Any, metadata: Any) -> tuple[Any, Any]:
    svg = data.get("image/svg+xml") if isinstance(data, dict) else None
    if isinstance(svg, str) and not _RASTER & data.keys() and (png := _drawn(svg)):
        data["image/png"] = png
    return data, metadata


def _drawn(svg: str) -> bytes | None:
    """The SVG as a PNG; None where it cannot be drawn: then it is shown as it is."""
    try:
        import resvg_py  # noqa: PLC0415 - seldom wanted

        fonts = [str(Path(sys.prefix, "share", "locum", "fonts"))]
        return bytes(resvg_py.svg_to_bytes(svg_string=svg, background="white", font_dirs=fonts))
    except (ImportError, ValueError):
        return None


def _show_here(image_show: Any) -> None:
    class HereViewer(image_show.Viewer):
        """Shows an image among the outputs."""

        def show_image(self, image: Any, **_options: Any) -> int:
            from IPython.display import display  # noqa: PLC0415 - slow

            display(image)
            return 1

    image_show.register(HereViewer, 0)


def _pages_become_files(renderers: Any) -> None:
    class FileRenderer(renderers.ExternalRenderer):
        """Writes a figure to a page of its own, with all that it needs."""

        def render(self, fig_dict: Any) -> None:
            import plotly.io  # noqa: PLC0415 - it imports us

            path = next(path for path in map(_page, itertools.count(1)) if not path.exists())
            plotly.io.write_html(fig_dict, path, include_plotlyjs=True, auto_open=False, validate=False)
            print(f"The interactive figure was written to {path}")  # noqa: T201 - told as the code's output

    renderers.renderers["file"] = FileRenderer()
    renderers.renderers.default = "file"


def _page(number: int) -> Path:
    return Path.cwd() / f"figure-{number}.html"
