"""Writes corpus/: one small text in every format, by the programs and libraries that people use, each beside the words
that a reader of it would see.

    python3 -m venv VENV
    VENV/bin/pip install python-docx python-pptx openpyxl EbookLib nbformat pypdf cryptography
    VENV/bin/python make.py            # also needs soffice (LibreOffice)

What is written holds times and identifiers, so it differs from run to run; run it when the text changes.
"""

import datetime
import email.message
import email.policy
import mailbox
import pathlib
import shutil
import subprocess
import tempfile

import docx
import nbformat
import openpyxl
import pptx
import pypdf
from ebooklib import epub

HERE = pathlib.Path(__file__).resolve().parent / "corpus"

TITLE = "Handbook of the Lighthouse"
SECTIONS = [
    ("The Lamp", [
        "The lamp is lit at dusk and burns until sunrise. Its lens was ground in Saint-Gobain and weighs four tonnes; "
        "the keeper polishes it with rouge and a chamois every third day.",
        "Trim the wick before the oil is warm. An uneven flame blackens the chimney, and the offing sees a flicker "
        "where the chart promises a steady light.",
    ]),
    ("Wörter mit Umlauten", [
        "Der Wärter prüft täglich die Öllampe, säubert die Gläser und trägt das Wetter in das Buch ein. Bei Nebel läutet "
        "er die Glocke fünfmal je Minute.",
        "Ο φάρος φωτίζει το λιμάνι όλη τη νύχτα. Маяк виден за двадцать миль. 灯塔照亮了整个港口。",
    ]),
    ("Fog Signals", [
        "Three efficient officers affirmed that the siren baffles offshore traffic if it is offset by a full minute. "
        "The first blast follows the bell within six seconds.",
        "Report every failure of the diaphone to the harbour office in Kilmarnock before noon.",
    ]),
]
ITEMS = ["Rouge for the lens", "Two gallons of colza oil", "Spare mantles, wrapped in felt"]
TABLE = [["Station", "Range", "Character"], ["Ardmore", "18", "Flash"], ["Gull Rock", "24", "Occulting"], ["Skerrymore", "11", "Fixed"]]


def all_text():
    parts = [TITLE]
    for heading, paragraphs in SECTIONS:
        parts += [heading, *paragraphs]
    parts += ITEMS
    parts += [" ".join(row) for row in TABLE]
    return "\n".join(parts)


def html():
    body = [f"<h1>{TITLE}</h1>"]
    for heading, paragraphs in SECTIONS:
        body += [f"<h2>{heading}</h2>", *(f"<p>{paragraph}</p>" for paragraph in paragraphs)]
    body.append("<ul>" + "".join(f"<li>{item}</li>" for item in ITEMS) + "</ul>")
    body.append("<table>" + "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in TABLE) + "</table>")
    return f"<!DOCTYPE html><html><head><meta charset='utf-8'><title>{TITLE}</title></head><body>{''.join(body)}</body></html>"


def keep(name, text):
    (HERE / f"{name}.words").write_text(text, encoding="utf-8")


def office(source, kind, target, infilter=None):
    with tempfile.TemporaryDirectory() as work:
        command = ["soffice", f"-env:UserInstallation=file://{work}/profile", "--headless", "--convert-to", kind, "--outdir", work]
        command += [f"--infilter={infilter}"] if infilter else []
        subprocess.run([*command, str(source)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.copyfile(pathlib.Path(work) / f"{pathlib.Path(source).stem}.{kind.split(':')[0]}", target)


def write_docx():
    document = docx.Document()
    document.core_properties.title = TITLE
    document.add_heading(TITLE, 0)
    for heading, paragraphs in SECTIONS:
        document.add_heading(heading, 1)
        for paragraph in paragraphs:
            # Words change their style in the middle.
            at = len(paragraph) // 2
            added = document.add_paragraph(paragraph[:at])
            added.add_run(paragraph[at:]).bold = True
    for item in ITEMS:
        document.add_paragraph(item, style="List Bullet")
    table = document.add_table(len(TABLE), len(TABLE[0]))
    for i, row in enumerate(TABLE):
        for j, cell in enumerate(row):
            table.cell(i, j).text = cell
    document.save(HERE / "word.docx")
    keep("word.docx", all_text())
    for kind in ["odt", "rtf", "pdf"]:
        office(HERE / "word.docx", kind, HERE / f"writer.{kind}")
        keep(f"writer.{kind}", all_text())
    office(HERE / "writer.odt", "docx", HERE / "writer.docx")
    keep("writer.docx", all_text())


def write_slides():
    deck = pptx.Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[0])
    first.shapes.title.text = TITLE
    first.placeholders[1].text = "For keepers"
    for heading, paragraphs in SECTIONS:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = heading
        slide.placeholders[1].text = "\n".join(paragraphs)
        slide.notes_slide.notes_text_frame.text = f"Speak slowly about {heading}"
    last = deck.slides.add_slide(deck.slide_layouts[5])
    last.shapes.title.text = "Stations"
    shape = last.shapes.add_table(len(TABLE), len(TABLE[0]), 0, 2_000_000, 9_000_000, 2_000_000)
    for i, row in enumerate(TABLE):
        for j, cell in enumerate(row):
            shape.table.cell(i, j).text = cell
    deck.save(HERE / "slides.pptx")
    parts = [TITLE, "For keepers"]
    for heading, paragraphs in SECTIONS:
        parts += [heading, *paragraphs, f"Speak slowly about {heading}"]
    parts += ["Stations", *(" ".join(row) for row in TABLE)]
    keep("slides.pptx", "\n".join(parts))
    office(HERE / "slides.pptx", "odp", HERE / "impress.odp")
    keep("impress.odp", "\n".join(parts))


def write_sheets():
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Stations"
    for row in TABLE:
        sheet.append([int(cell) if cell.isdigit() else cell for cell in row])
    costs = book.create_sheet("Costs 1897")
    costs["B3"], costs["C3"], costs["D3"], costs["E3"] = "Item", "Date", "Amount", "Share"
    rows = [("Colza oil", datetime.date(1997, 3, 1), 1234.5, 0.25), ("Mantles", datetime.date(2004, 2, 29), 0.1 + 0.2, 0.5)]
    for i, (item, day, amount, share) in enumerate(rows, 4):
        costs.cell(i, 2, item)
        costs.cell(i, 3, day).number_format = "yyyy-mm-dd"
        costs.cell(i, 4, amount)
        costs.cell(i, 5, share).number_format = "0%"
    book.save(HERE / "sheets.xlsx")
    text = "\n".join(["Stations", *(" ".join(row) for row in TABLE), "Costs 1897", "Item Date Amount Share",
                      "Colza oil 1997-03-01 1234.5 25%", "Mantles 2004-02-29 0.3 50%"])
    keep("sheets.xlsx", text)
    office(HERE / "sheets.xlsx", "ods", HERE / "calc.ods")
    keep("calc.ods", text)
    office(HERE / "calc.ods", "xlsx", HERE / "calc.xlsx")
    keep("calc.xlsx", text)


def write_book():
    book = epub.EpubBook()
    book.set_identifier("lighthouse")
    book.set_title(TITLE)
    book.set_language("en")
    chapters = []
    for n, (heading, paragraphs) in enumerate(SECTIONS):
        chapter = epub.EpubHtml(title=heading, file_name=f"chapter {n}.xhtml")
        chapter.content = f"<h1>{heading}</h1>" + "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
        book.add_item(chapter)
        chapters.append(chapter)
    book.toc = chapters
    book.add_item(epub.EpubNcx())
    book.add_item(epub.EpubNav())
    book.spine = ["nav", *chapters]
    epub.write_epub(HERE / "book.epub", book)
    keep("book.epub", "\n".join(text for heading, paragraphs in SECTIONS for text in [heading, *paragraphs]))


def write_notebook():
    cells = [nbformat.v4.new_markdown_cell(f"# {TITLE}")]
    words = [TITLE]
    for heading, paragraphs in SECTIONS:
        cells.append(nbformat.v4.new_markdown_cell(f"## {heading}\n\n" + "\n\n".join(paragraphs)))
        words += [heading, *paragraphs]
    code = nbformat.v4.new_code_cell("ranges = {'Ardmore': 18, 'Gull Rock': 24}\nprint(max(ranges.values()))")
    code.outputs = [nbformat.v4.new_output("stream", text="24\n")]
    cells.append(code)
    words.append(code.source + "\n24")
    nbformat.write(nbformat.v4.new_notebook(cells=cells), HERE / "notes.ipynb")
    keep("notes.ipynb", "\n".join(words))


def message(n, charset):
    heading, paragraphs = SECTIONS[n]
    mail = email.message.EmailMessage()
    mail["Subject"] = f"Re: {heading}"
    mail["From"] = "Mairi Mac Gille <mairi@example.org>"
    mail["To"] = "keeper@example.org"
    mail["Date"] = datetime.datetime(2024, 5, 17, 9, 30, tzinfo=datetime.timezone.utc)
    body = [p for p in paragraphs if charset == "utf-8" or p.isascii() or n == 1 and "φ" not in p]
    mail.set_content("\n\n".join(body) + "\n\nFrom the tower you see it all.\n", charset=charset)
    words = "\n".join([mail["Subject"], "Mairi Mac Gille mairi@example.org keeper@example.org", *body, "From the tower you see it all."])
    return mail, words


def write_mail():
    mail, words = message(1, "iso-8859-1")
    mail.add_alternative(f"<html><body><p>{SECTIONS[1][1][0]}</p></body></html>", subtype="html")
    mail.add_attachment(b"\x00\x01", maintype="application", subtype="octet-stream", filename="plan of the tower.dwg")
    (HERE / "letter.eml").write_bytes(mail.as_bytes())
    keep("letter.eml", words + "\nplan of the tower.dwg")
    only, words = message(0, "utf-8")
    only.set_content(html(), subtype="html")
    (HERE / "page.eml").write_bytes(only.as_bytes())
    keep("page.eml", "Re: The Lamp\n" + all_text())
    path = HERE / "letters.mbox"
    path.unlink(missing_ok=True)
    box = mailbox.mbox(path)
    texts = []
    for n in range(3):
        mail, words = message(n, "utf-8")
        box.add(mailbox.mboxMessage(mail))
        texts.append(words)
    box.flush()
    box.close()
    keep("letters.mbox", "\n".join(texts))


def write_encrypted():
    for name, user in [("empty-password.pdf", ""), ("password.pdf", "open sesame")]:
        writer = pypdf.PdfWriter(clone_from=HERE / "writer.pdf")
        writer.encrypt(user, "owner", algorithm="AES-256")
        writer.write(HERE / name)
    keep("empty-password.pdf", all_text())


HERE.mkdir(exist_ok=True)
for old in HERE.iterdir():
    old.unlink()
write_docx()
write_slides()
write_sheets()
write_book()
write_notebook()
write_mail()
write_encrypted()
