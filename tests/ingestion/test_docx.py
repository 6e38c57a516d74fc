"""What is read from Word documents: all that Word shows, words kept apart as it shows them, and nothing else."""

from pathlib import Path

import pytest

from tests.ingestion import samples
from tests.ingestion.test_parsing import read

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'


def run(content: str) -> str:
    return f"<w:r>{content}</w:r>"


def t(text: str) -> str:
    return run(f'<w:t xml:space="preserve">{text}</w:t>')


def p(content: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{content}</w:p>"


def complex_field(instruction: str, result: str) -> str:
    marks = [run(f'<w:fldChar w:fldCharType="{type_}"/>') for type_ in ("begin", "separate", "end")]
    return f"{marks[0]}{run(f'<w:instrText>{instruction}</w:instrText>')}{marks[1]}{result}{marks[2]}"


async def text_of(tmp_path: Path, body: str, parts: dict[str, str] | None = None, **links: tuple[str, str]) -> str:
    data = samples.docx_file(body, parts, links_=samples.links(links))
    return (await read(tmp_path, "a.docx", data)).text


DELETED = "<w:del w:id='2'><w:r><w:delText>old</w:delText></w:r></w:del>"
TICKED = (
    '<w:fldChar w:fldCharType="begin"><w:ffData><w:checkBox><w:default w:val="0"/><w:checked/></w:checkBox></w:ffData>'
    "</w:fldChar>"
)
RUBY = (
    "<w:r><w:ruby><w:rubyPr/><w:rt><w:r><w:t>きょう</w:t></w:r></w:rt>"
    "<w:rubyBase><w:r><w:t>今日</w:t></w:r></w:rubyBase></w:ruby></w:r>"
)
FRACTION = (
    '<m:oMath xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"><m:f><m:num><m:r><m:t>a</m:t></m:r>'
    "</m:num><m:den><m:r><m:t>b</m:t></m:r></m:den></m:f></m:oMath>"
)
PTAB = '<w:ptab w:relativeTo="margin" w:alignment="right" w:leader="none"/>'
PAGES = t(" of ") + f"<w:fldSimple w:instr='NUMPAGES'>{t('9')}</w:fldSimple>"

INLINE = {
    "tab": (t("left") + run("<w:tab/>") + t("right"), "left\tright"),
    "line": (t("one") + run("<w:br/>") + t("two"), "one\ntwo"),
    "page": (t("one") + run('<w:br w:type="page"/>') + t("two"), "one\ntwo"),
    "column": (t("one") + run('<w:br w:type="column"/>') + t("two"), "one\ntwo"),
    "cr": (t("one") + run("<w:cr/>") + t("two"), "one\ntwo"),
    "ptab": (t("left") + run(PTAB) + t("right"), "left\tright"),
    "hard hyphen": (t("ten") + run("<w:noBreakHyphen/>") + t("year"), "ten-year"),
    "soft hyphen": (t("un") + run("<w:softHyphen/>") + t("able"), "unable"),
    "page seen": (t("half a ") + run("<w:lastRenderedPageBreak/>") + t("page"), "half a page"),
    "symbol": (t("2 ") + run('<w:sym w:font="Symbol" w:char="F062"/>'), "2 β"),
    "tick": (t("done ") + run('<w:sym w:font="Wingdings" w:char="F0FC"/>'), "done ✓"),
    "tracked": (t("kept ") + f"<w:ins w:id='1' w:author='A'>{t('new ')}</w:ins>{DELETED}", "kept new"),
    "moved": (f"<w:moveFrom>{t('there')}</w:moveFrom><w:moveTo>{t('here')}</w:moveTo>", "here"),
    "link": (f"<w:hyperlink r:id='h'>{t('our owls')}</w:hyperlink>", "our owls (https://owls.example/)"),
    "link within": (f"<w:hyperlink w:anchor='x'>{t('below')}</w:hyperlink>", "below"),
    "link by field": (
        complex_field('HYPERLINK "https://mice.example"', t("mice")),
        "mice (https://mice.example)",
    ),
    "fields": (t("Page ") + complex_field("PAGE", t("7")) + PAGES, "Page 7 of 9"),
    "field in a field": (complex_field(f"IF {complex_field('MERGEFIELD x', t('inner'))} = 1", t("outer")), "outer"),
    "form": (
        run(TICKED) + run("<w:instrText>FORMCHECKBOX</w:instrText><w:fldChar w:fldCharType='end'/>") + t(" yes"),
        "[x] yes",
    ),
    "wrapped": (
        f"<w:smartTag>{t('Oslo')}</w:smartTag><w:sdt><w:sdtPr/><w:sdtContent>{t(' city')}</w:sdtContent></w:sdt>",
        "Oslo city",
    ),
    "ruby": (RUBY, "今日(きょう)"),
    "fraction": (FRACTION, "a/b"),
}


@pytest.mark.parametrize(("content", "text"), INLINE.values(), ids=INLINE.keys())
async def test_what_stands_in_a_paragraph(tmp_path: Path, content: str, text: str) -> None:
    assert await text_of(tmp_path, p(content), h=("hyperlink", "https://owls.example/")) == text


NOTE_PARTS = {
    "header1.xml": f"<w:hdr {W}>{p(t('Secret of Owl Ltd'))}</w:hdr>",
    "footer1.xml": f"<w:ftr {W}>{p(t('Page 1'))}</w:ftr>",
    "footnotes.xml": f'<w:footnotes {W}><w:footnote w:id="2">{p(t("Seen in 1999."))}</w:footnote></w:footnotes>',
    "endnotes.xml": f'<w:endnotes {W}><w:endnote w:id="3">{p(t("Told by Eva."))}</w:endnote></w:endnotes>',
    "comments.xml": f'<w:comments {W}><w:comment w:id="4" w:author="Ada">{p(t("Really?"))}</w:comment></w:comments>',
}


async def test_headers_footers_notes_and_comments(tmp_path: Path) -> None:
    body = (
        p(
            t("Owls")
            + run('<w:footnoteReference w:id="2"/>')
            + t(" fly")
            + run('<w:endnoteReference w:id="3"/>')
            + t(".")
            + run('<w:commentReference w:id="4"/>')
        )
        + p(t("Next."))
        + '<w:sectPr><w:headerReference w:type="default" r:id="h"/><w:footerReference r:id="f"/></w:sectPr>'
    )
    text = await text_of(
        tmp_path,
        body,
        NOTE_PARTS,
        h=("header", "header1.xml"),
        f=("footer", "footer1.xml"),
        n=("footnotes", "footnotes.xml"),
        e=("endnotes", "endnotes.xml"),
        c=("comments", "/word/comments.xml"),
    )
    assert text == (
        "Secret of Owl Ltd\n\nOwls[^2] fly[^e3].\n\n[^2]: Seen in 1999.\n\n[^e3]: Told by Eva.\n\n"
        "[Comment by Ada: Really?]\n\nNext.\n\nPage 1"
    )


async def test_text_boxes_are_read_once(tmp_path: Path) -> None:
    box = f"<w:txbxContent>{p(t('In the box.'))}</w:txbxContent>"
    both = (
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        '<mc:Choice Requires="wps"><w:drawing><wp:inline xmlns:wp="urn:wp"><wp:docPr id="1" descr="An owl at night"/>'
        f'<wps:txbx xmlns:wps="urn:wps">{box}</wps:txbx></wp:inline></w:drawing></mc:Choice>'
        f'<mc:Fallback><w:pict><v:textbox xmlns:v="urn:vml">{box}</v:textbox></w:pict></mc:Fallback>'
        "</mc:AlternateContent>"
    )
    assert await text_of(tmp_path, p(t("Beside") + run(both))) == "Beside [An owl at night]\n\nIn the box."


def numbered(text: str, level: int = 0, number: str = "1") -> str:
    return p(t(text), f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


async def test_lists_and_headings_have_their_numbers(tmp_path: Path) -> None:
    levels = "".join(
        f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{format_}"/><w:lvlText w:val="{text}"/></w:lvl>'
        for level, (format_, text) in enumerate([("decimal", "%1."), ("decimal", "%1.%2"), ("lowerLetter", "(%3)")])
    )
    bullets = '<w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="&#xF0B7;"/></w:lvl>'
    parts = {
        "numbering.xml": f'<w:numbering {W}><w:abstractNum w:abstractNumId="0">{levels}</w:abstractNum>'
        f'<w:abstractNum w:abstractNumId="1">{bullets}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>'
        '<w:num w:numId="3"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/>'
        "</w:lvlOverride></w:num></w:numbering>",
        "styles.xml": f'<w:styles {W}><w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
        '<w:style w:styleId="own"><w:name w:val="Own"/><w:basedOn w:val="berschrift1"/></w:style></w:styles>',
    }
    body = (
        p(t("Owls"), '<w:pStyle w:val="own"/>')
        + numbered("one")
        + numbered("two")
        + numbered("inner", 1)
        + numbered("deep", 2)
        + numbered("deep again", 2)
        + numbered("inner again", 1)
        + numbered("three")
        + numbered("a point", 0, "2")
        + numbered("elsewhere", 0, "3")
    )
    text = await text_of(tmp_path, body, parts, n=("numbering", "numbering.xml"), s=("styles", "styles.xml"))
    assert [line for line in text.split("\n") if line] == [
        *("# Owls", "1. one", "2. two", "  2.1 inner", "    (a) deep", "    (b) deep again", "  2.2 inner again"),
        *("3. three", "- a point", "5. elsewhere"),
    ]


async def test_tables_within_tables(tmp_path: Path) -> None:
    inner = f"<w:tbl><w:tr><w:tc>{p(t('in'))}</w:tc><w:tc>{p(t('side'))}</w:tc></w:tr></w:tbl>"
    gone = f"<w:tr><w:trPr><w:del/></w:trPr><w:tc>{p(t('deleted'))}</w:tc></w:tr>"
    rows = (
        f"<w:tr><w:tc>{p(t('Owl'))}{p(t('(bird)'))}</w:tc><w:tc>{p(t('Weight'))}</w:tc></w:tr>{gone}"
        f"<w:sdt><w:sdtContent><w:tr><w:tc>{inner}</w:tc><w:tc>{p(t('500'))}</w:tc></w:tr></w:sdtContent></w:sdt>"
    )
    text = await text_of(tmp_path, f"<w:tbl>{rows}</w:tbl>")
    lines = text.split("\n")
    assert lines[0] == "| Owl (bird) | Weight |"
    assert all(word in text for word in ("in", "side", "500"))
    assert "deleted" not in text


async def test_a_page_of_html_within_a_document(tmp_path: Path) -> None:
    data = samples.docx_file(
        p(t("Before.")) + '<w:altChunk r:id="c"/>' + p(t("After.")),
        links_=samples.links({"c": ("aFChunk", "afchunk.htm")}),
    )
    data = samples.with_part(data, "word/afchunk.htm", "<html><body><p>Größe")
    assert (await read(tmp_path, "a.docx", data)).text == "Before.\n\nGröße\n\nAfter."


async def test_what_the_strict_form_calls_otherwise_is_read(tmp_path: Path) -> None:
    data = samples.renamed(
        samples.docx(["Strictly owls."]), "http://schemas.openxmlformats.org", "http://purl.oclc.org/ooxml"
    )
    assert (await read(tmp_path, "a.docx", data)).text == "Strictly owls."
