"""What is read from presentations: every text of a slide, whatever holds it."""

from pathlib import Path

from tests.ingestion import samples
from tests.ingestion.test_parsing import read

A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
C = 'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"'


def shape(text: str, placeholder: str = "") -> str:
    return (
        f"<p:sp><p:nvSpPr><p:nvPr>{placeholder}</p:nvPr></p:nvSpPr>"
        f"<p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
    )


def slide(shapes: str) -> str:
    return f"<p:sld {P} {A} {R}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"


def graphic(content: str) -> str:
    return f"<p:graphicFrame><a:graphic><a:graphicData>{content}</a:graphicData></a:graphic></p:graphicFrame>"


def rich(text: str) -> str:
    return f"<c:title><c:tx><c:rich><a:p><a:r><a:t>{text}</a:t></a:r></a:p></c:rich></c:tx></c:title>"


def cache(name: str, values: list[str]) -> str:
    points = "".join(f'<c:pt idx="{place}"><c:v>{value}</c:v></c:pt>' for place, value in enumerate(values))
    return f"<c:{name}><c:strRef><c:f>Sheet1!A1</c:f><c:strCache>{points}</c:strCache></c:strRef></c:{name}>"


CHART = (
    f"<c:chartSpace {C} {A}><c:chart>{rich('Catches')}<c:plotArea><c:barChart>"
    f"<c:ser>{cache('tx', ['Mice'])}{cache('cat', ['Spring', 'Autumn'])}{cache('val', ['1.5', '2'])}</c:ser>"
    f"<c:ser>{cache('tx', ['Voles'])}{cache('cat', ['Spring', 'Autumn'])}{cache('val', ['3', '4.25'])}</c:ser>"
    f"</c:barChart><c:valAx>{rich('per night')}</c:valAx></c:plotArea></c:chart></c:chartSpace>"
)
DIAGRAM = (
    f'<dgm:dataModel xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram" {A}><dgm:ptLst>'
    "<dgm:pt><dgm:t><a:p><a:r><a:t>Egg</a:t></a:r></a:p></dgm:t></dgm:pt><dgm:pt/>"
    "<dgm:pt><dgm:t><a:p><a:r><a:t>Chick</a:t></a:r></a:p></dgm:t></dgm:pt></dgm:ptLst></dgm:dataModel>"
)


async def test_all_texts_of_slides(tmp_path: Path) -> None:
    cell = "<a:tc><a:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:txBody></a:tc>"
    table = f"<a:tbl><a:tr>{cell.format('Owl')}{cell.format('Weight')}</a:tr></a:tbl>"
    dgm = 'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
    shapes = (
        shape("A title", '<p:ph type="title"/>')
        + f"<p:grpSp>{shape('In a group')}<p:grpSp>{shape('and deeper')}</p:grpSp></p:grpSp>"
        + graphic(table)
        + graphic(f"<c:chart {C} r:id='c'/>")
        + graphic(f"<dgm:relIds {dgm} r:dm='d'/>")
        + '<p:pic><p:nvPicPr><p:cNvPr id="9" name="x" descr="An owl in flight"/></p:nvPicPr></p:pic>'
        + "<p:sp><p:txBody><a:p><a:r><a:t>one</a:t></a:r><a:br/><a:fld><a:t>two</a:t></a:fld></a:p></p:txBody></p:sp>"
    )
    data = samples.pptx(["x", "Second."])
    notes = shape("Speak up.", '<p:ph type="body"/>') + shape("7", '<p:ph type="sldNum"/>')
    links = samples.links(
        {
            "c": ("chart", "../charts/chart1.xml"),
            "d": ("diagramData", "../diagrams/data1.xml"),
            "n": ("notesSlide", "../notesSlides/n.xml"),
            "k": ("comments", "../comments/c.xml"),
        }
    )
    for name, part in {
        "ppt/slides/slide1.xml": slide(shapes),
        "ppt/slides/_rels/slide1.xml.rels": links,
        "ppt/charts/chart1.xml": CHART,
        "ppt/diagrams/data1.xml": DIAGRAM,
        "ppt/notesSlides/n.xml": slide(notes).replace("p:sld", "p:notes"),
        "ppt/comments/c.xml": f"<p:cmLst {P}><p:cm><p:text>Really?</p:text></p:cm></p:cmLst>",
    }.items():
        data = samples.with_part(data, name, part)
    parsed = await read(tmp_path, "a.pptx", data)
    first = parsed.text[: parsed.page_starts[1]].strip()
    assert first.split("\n\n") == [
        *("A title", "In a group", "and deeper", "| Owl | Weight |\n| --- | --- |"),
        "Catches\nper night\n|  | Spring | Autumn |\n| --- | --- | --- |\n| Mice | 1.5 | 2 |\n| Voles | 3 | 4.25 |",
        *("Egg\nChick", "[An owl in flight]", "one\ntwo", "Notes: Speak up.", "[Comment: Really?]"),
    ]
    assert parsed.text[parsed.page_starts[1] :] == "Second."
