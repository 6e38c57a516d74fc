"""What code shows, by whatever way: each figure is one image, once."""

import io
import struct

import pytest

from tests.sandbox.hosts import run
from workers.sandbox import SandboxSession

_PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\n"
_AGG = 'import matplotlib\nmatplotlib.use("Agg")\n'
_TWO = "import matplotlib.pyplot as plt\nfor n in (1, 2):\n    figure, axes = plt.subplots()\n    axes.plot([n, 3])\n"
_FIGURE = """
from matplotlib.figure import Figure
import matplotlib.pyplot
figure = Figure()
figure.subplots().plot([1, 2])
figure
"""
_ANIMATED = """
from matplotlib.animation import FuncAnimation
made = FuncAnimation(plt.gcf(), lambda frame: [], frames=2, cache_frame_data=False)
made.save('a.gif', writer='pillow')
"""
_PNG = ("image/png", b"\x89PNG")

#: Code that sees Matplotlib for the first time, and how many images it shows.
_FIRST = {
    "agg-show": (_AGG + _PLOT + "plt.show()", 1),
    "agg-open": (_AGG + _PLOT, 1),
    "a-window": ('import matplotlib\nmatplotlib.use("TkAgg")\n' + _PLOT + "plt.show()", 1),
    "svg-backend": ('import matplotlib\nmatplotlib.use("svg")\n' + _PLOT + "plt.show()", 1),
    "magic": ("%matplotlib notebook\n" + _PLOT + "plt.show()", 1),
    "figure-without-pyplot": (_FIGURE, 1),
}
#: Code that may come at any time.
_CASES = {
    "show": (_PLOT + "plt.show()", 1),
    "show-block": (_PLOT + "plt.show(block=False)", 1),
    "open-at-the-end": (_PLOT, 1),
    "switched": (_PLOT + "plt.switch_backend('agg')\nplt.plot([1, 2])\nplt.show()", 1),
    "magic-widget": ("%matplotlib widget\n" + _PLOT, 1),
    "ioff": (_PLOT + "plt.ioff()\nplt.figure()\nplt.plot([1, 2])", 2),
    "figure-show": (_PLOT + "plt.gcf().show()", 1),
    "figure-show-show": (_PLOT + "figure = plt.gcf()\nfigure.show()\nplt.show()", 1),
    "figure-show-close": (_PLOT + "figure = plt.gcf()\nfigure.show()\nplt.close(figure)", 1),
    "figure-show-changed": (_PLOT + "plt.gcf().show()\nplt.title('changed')", 2),
    "saved-and-closed": (_PLOT + "plt.savefig('a.png')\nplt.close()", 0),
    "agg-saved-and-closed": (_AGG + _PLOT + "plt.savefig('a.png')\nplt.close('all')", 0),
    "saved": (_PLOT + "plt.savefig('a.png')", 1),
    "two": (_TWO + "plt.show()", 2),
    "two-one-by-one": (_TWO + "    plt.show()", 2),
    "agg-two": (_AGG + _TWO, 2),
    "error-after": (_PLOT + "1 / 0", 1),
    "pandas": ("import pandas\npandas.Series([1, 3, 2]).plot()", 1),
    "seaborn": ("import seaborn\nseaborn.lineplot(x=[1, 2], y=[3, 1])", 1),
    "sympy": ("import sympy\nx = sympy.Symbol('x')\nsympy.plot(x**2)", 1),
    "animation": (_PLOT + _ANIMATED, 1),
    "pillow-last-line": ("from PIL import Image\nImage.new('RGB', (9, 9), 'red')", 1),
    "pillow-two": ("from PIL import Image\ndisplay(Image.new('L', (9, 9)), Image.new('1', (9, 9)))", 2),
    "pillow-show": ("from PIL import Image\nImage.new('RGB', (9, 9), 'red').show()", 1),
}


@pytest.mark.parametrize("case", _FIRST)
async def test_figures_are_shown_whatever_the_backend(session: SandboxSession, case: str) -> None:
    code, images = _FIRST[case]
    ran = await run(session, code)
    assert [(image.media_type, image.data[:4]) for image in ran.images] == [_PNG] * images
    assert ran.text("stderr") == ""
    # Not again with what comes next.
    assert (await run(session, "print('next')")).images == []


async def test_each_figure_is_shown_once(session: SandboxSession) -> None:
    shown, said = {}, {}
    for case, (code, _) in _CASES.items():
        ran = await run(session, code)
        shown[case] = [(image.media_type, image.data[:4]) for image in ran.images]
        said[case] = ran.text("stderr")
        assert (await run(session, "plt.ion() if 'plt' in globals() else None")).images == [], case
    assert shown == {case: [_PNG] * images for case, (_, images) in _CASES.items()}
    assert said == dict.fromkeys(_CASES, "")


@pytest.mark.parametrize(
    "setting",
    [
        "%config InlineBackend.figure_formats = ['svg']",
        "%config InlineBackend.figure_format = 'svg'",
        "from matplotlib_inline.backend_inline import set_matplotlib_formats\nset_matplotlib_formats('svg')",
        "%config InlineBackend.figure_formats = ['pdf']",
        "%config InlineBackend.figure_formats = ['retina']",
    ],
)
async def test_figures_of_other_formats_are_images_too(session: SandboxSession, setting: str) -> None:
    for code in (f"import matplotlib.pyplot\n{setting}\n{_PLOT}", _PLOT + "plt.show()"):
        (image,) = (await run(session, code)).images
        assert (image.media_type, image.data[:4]) == ("image/png", b"\x89PNG")


async def test_jpeg_figures_stay_jpeg(session: SandboxSession) -> None:
    (image,) = (await run(session, f"%config InlineBackend.figure_formats = ['jpeg']\n{_PLOT}")).images
    assert (image.media_type, image.data[:3]) == ("image/jpeg", b"\xff\xd8\xff")


async def test_an_svg_is_drawn(session: SandboxSession) -> None:
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20" fill="red"/></svg>'
    )
    (image,) = (await run(session, f"from IPython.display import SVG\nSVG({svg!r})")).images
    assert struct.unpack(">II", image.data[16:24]) == (40, 20)
    # What cannot be drawn stays what it is.
    broken = '<svg xmlns="http://www.w3.org/2000/svg"><rect></svg>'
    (kept,) = (await run(session, f"display({{'image/svg+xml': {broken!r}}}, raw=True)")).images
    assert (kept.media_type, kept.data.decode()) == ("image/svg+xml", broken)


async def test_gif_and_webp_are_images(session: SandboxSession) -> None:
    code = """
from PIL import Image
from IPython import display as show
for kind in ("gif", "webp"):
    Image.new("RGB", (9, 9)).save(f"a.{kind}")
    show.display(show.Image(filename=f"a.{kind}"))
"""
    ran = await run(session, code)
    assert [image.media_type for image in ran.images] == ["image/gif", "image/webp"]


async def test_a_plotly_figure_is_a_page(session: SandboxSession) -> None:
    code = "import plotly.express as px\nfigure = px.line(x=[1, 2], y=[3, 1])\nfigure.show()\nfigure"
    ran = await run(session, code)
    assert ran.errors == []
    assert ran.stdout.count("The interactive figure was written to /mnt/data/figure-") == 2
    assert {file.path for file in await session.files()} == {"figure-1.html", "figure-2.html"}
    page = b"".join([piece async for piece in session.get("figure-1.html")])
    assert b"<html>" in page
    # It wants no network.
    assert b"plotly.js v" in page
    assert b'src="https://' not in page


_TEXTS = {
    "Japanese": "日本語",
    "Chinese": "简体中文繁體",
    "Korean": "한국어",
    "Hindi": "हिन्दी",
    "Arabic": "العربية",
    "Hebrew": "עברית",
    "Thai": "ภาษาไทย",
    "Tamil": "தமிழ்",
    "emoji": "🎉📈😀🚀",
    "symbols": "→≈∑√✓★",
}


async def test_titles_have_characters_and_no_boxes(session: SandboxSession) -> None:
    code = f"""
import warnings
import matplotlib.pyplot as plt
import seaborn
settings = [
    lambda: None,
    lambda: plt.rcParams.update({{"font.family": "serif"}}),
    lambda: plt.rcParams.update({{"font.sans-serif": ["SimHei"]}}),
    lambda: plt.style.use("ggplot"),
    seaborn.set_theme,
]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for setting in settings:
        plt.rcdefaults()
        setting()
        plt.figure(figsize=(2, 2))
        for place, text in enumerate({list(_TEXTS.values())!r}):
            plt.figtext(0, place / 10, text)
        plt.savefig("title.png")
        plt.close()
print([str(warning.message) for warning in caught if "missing" in str(warning.message)])
"""
    ran = await run(session, code)
    assert (ran.stdout, ran.errors) == ("[]\n", [])


async def test_font_files_can_be_found(session: SandboxSession) -> None:
    code = """
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont
font = ImageFont.truetype(font_manager.findfont("Noto Sans CJK JP"), 40)
image = Image.new("RGB", (200, 60), "white")
ImageDraw.Draw(image).text((0, 0), "日本語", "black", font)
image
"""
    ran = await run(session, code)
    (image,) = ran.images
    assert io.BytesIO(image.data).read(4) == b"\x89PNG"
    assert ran.text("stderr") == ""
