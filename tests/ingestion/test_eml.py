"""What is read from stored e-mails."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.ingestion import samples
from tests.ingestion.test_parsing import read, refusal


def message(body: str | None = None, *, subject: str = "Eulen und Mäuse") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Größe <owl@barn.example>", "mice@field.example", subject
    if body is not None:
        made.set_content(body, cte="base64")
    return made


HEAD = "From: Größe <owl@barn.example>\nTo: mice@field.example\nSubject: Eulen und Mäuse\n\n"


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "cp1252"])
async def test_a_body_is_decoded(tmp_path: Path, charset: str) -> None:
    made = message()
    made.set_content("Schöne Grüße\n", charset=charset, cte="base64")
    assert (await read(tmp_path, "a.eml", bytes(made))).text == f"{HEAD}Schöne Grüße"


async def test_of_alternatives_the_plain_text_is_read_and_else_the_page(tmp_path: Path) -> None:
    made = message("They hear mice.\n")
    made.add_alternative("<p>They hear <b>mice</b>.</p>", subtype="html")
    assert (await read(tmp_path, "a.eml", bytes(made))).text == f"{HEAD}They hear mice."
    made = message(" \n")
    made.add_alternative("<p>They hear <b>mice</b>.</p>", subtype="html")
    assert (await read(tmp_path, "a.eml", bytes(made))).text == f"{HEAD}They hear mice."
    made = message()
    made.set_content("<p>Größe</p>", subtype="html", charset="iso-8859-1")
    assert (await read(tmp_path, "a.eml", bytes(made))).text == f"{HEAD}Größe"


async def test_attachments_are_read_where_they_can_be_and_named_where_not(tmp_path: Path) -> None:
    made = message("See below.\n")
    made.add_attachment(
        samples.docx(["An owl."]), maintype="application", subtype="octet-stream", filename="Größe.docx"
    )
    made.add_attachment(samples.PNG, maintype="image", subtype="png", filename="owl.png")
    made.add_attachment("a,b\n", subtype="csv", filename="rows.csv")
    text = (await read(tmp_path, "a.eml", bytes(made))).text
    assert text == (
        f"{HEAD}See below.\n\n[Attachment: Größe.docx]\n\nAn owl.\n\n[Attachment: owl.png]\n\n"
        "[Attachment: rows.csv]\n\na,b"
    )


async def test_a_message_within_a_message(tmp_path: Path) -> None:
    made = message("Forwarded.\n")
    made.add_attachment(message("The first one.\n", subject="Before"))
    text = (await read(tmp_path, "a.eml", bytes(made))).text
    assert text.startswith(f"{HEAD}Forwarded.")
    assert text.endswith("Subject: Before\n\nThe first one.")


async def test_what_is_no_message_is_a_text_or_refused(tmp_path: Path) -> None:
    assert (await read(tmp_path, "a.eml", b"Only words.\n")).text == "Only words.\n"
    speaking = bytes(message("", subject="It begins with %PDF-1.7"))
    assert "%PDF-1.7" in (await read(tmp_path, "a.eml", speaking)).text
    assert (await refusal(tmp_path, "a.eml", samples.pdf(["x"]))).code == "invalid_file"
    assert (await refusal(tmp_path, "a.eml", samples.PNG)).code == "invalid_file"
