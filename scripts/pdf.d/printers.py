"""Programs that print a document as PDF."""

import html
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile


class Printer:
    """A program with its name, and a function from a document to its source."""

    name = ""

    def prints(self, document, path):
        """Writes the PDF; false when the program fails."""
        raise NotImplementedError


def run(*command, folder):
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    if done.returncode:
        print(done.stdout.decode("utf-8", "replace")[-800:], file=sys.stderr)
    return done.returncode == 0


def inner_rows(block):
    width = max(len(row) for row in block.rows)
    return width, [row + ("",) * (width - len(row)) for row in block.rows]


class LibreOffice(Printer):
    name = "libreoffice"

    def prints(self, document, path):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "a.fodt").write_text(self.source(document), encoding="utf-8")
            user = f"-env:UserInstallation=file://{folder}/user"
            done = run("soffice", user, "--headless", "--convert-to", "pdf", "a.fodt", folder=folder)
            made = pathlib.Path(folder, "a.pdf")
            if made.exists():
                shutil.move(made, path)
            return done and path.exists()

    def source(self, document):
        body, n_notes, n_tables = [], 0, 0
        for block in document.content:
            text = html.escape(block.text)
            if block.note:
                n_notes += 1
                text += (
                    f'<text:note text:note-class="footnote"><text:note-citation>{n_notes}</text:note-citation>'
                    f'<text:note-body><text:p text:style-name="Note">{html.escape(block.note)}</text:p></text:note-body></text:note>'
                )
            if block.kind == "heading":
                body.append(f'<text:h text:style-name="Head" text:outline-level="1">{text}</text:h>')
            elif block.kind == "item":
                body.append(f"<text:list><text:list-item><text:p text:style-name=\"Body\">{text}</text:p></text:list-item></text:list>")
            elif block.kind == "table":
                n_tables += 1
                width, rows = inner_rows(block)
                cells = "".join(
                    "<table:table-row>"
                    + "".join(f'<table:table-cell table:style-name="Cell"><text:p text:style-name="Body">{html.escape(cell)}</text:p></table:table-cell>' for cell in row)
                    + "</table:table-row>"
                    for row in rows
                )
                body.append(f'<table:table table:name="T{n_tables}"><table:table-column table:number-columns-repeated="{width}"/>{cells}</table:table>')
            else:
                style = "Code" if block.kind == "code" else "Body"
                body.append(f'<text:p text:style-name="{style}">{text}</text:p>')
        head = f"<style:header><text:p>{html.escape(document.head)}</text:p></style:header>" if document.head else ""
        return FODT.format(
            body="".join(body),
            head=head,
            columns=document.columns,
            language=document.language,
            hyphens="true" if document.columns > 1 else "false",
        )


FODT = """<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0"
 office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.text">
<office:styles>
<style:style style:name="Body" style:family="paragraph"><style:paragraph-properties fo:text-align="justify" fo:margin-bottom="0.2cm"/>
<style:text-properties fo:font-size="11pt" fo:language="{language}" fo:country="{language}" fo:hyphenate="{hyphens}"/></style:style>
<style:style style:name="Note" style:family="paragraph"><style:text-properties fo:font-size="9pt"/></style:style>
<style:style style:name="Head" style:family="paragraph"><style:paragraph-properties fo:margin-top="0.4cm" fo:margin-bottom="0.2cm"/>
<style:text-properties fo:font-size="15pt" fo:font-weight="bold"/></style:style>
<style:style style:name="Code" style:family="paragraph"><style:text-properties fo:font-size="9pt" style:font-name="Liberation Mono"/></style:style>
</office:styles>
<office:automatic-styles>
<style:style style:name="Cell" style:family="table-cell"><style:table-cell-properties fo:border="0.5pt solid #000000" fo:padding="0.1cm"/></style:style>
<style:page-layout style:name="Page"><style:page-layout-properties fo:page-width="21cm" fo:page-height="29.7cm" fo:margin="2cm">
<style:columns fo:column-count="{columns}" fo:column-gap="0.8cm"/></style:page-layout-properties>
<style:header-style/><style:footer-style/></style:page-layout>
</office:automatic-styles>
<office:master-styles><style:master-page style:name="Standard" style:page-layout-name="Page">{head}
<style:footer><text:p>Page <text:page-number/></text:p></style:footer></style:master-page></office:master-styles>
<office:body><office:text>{body}</office:text></office:body></office:document>
"""


class Latex(Printer):
    name = "latex"

    def prints(self, document, path):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "a.tex").write_text(self.source(document), encoding="utf-8")
            command = ("pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex")
            done = run(*command, folder=folder) and run(*command, folder=folder)
            if done:
                shutil.move(pathlib.Path(folder, "a.pdf"), path)
            return done

    def escaped(self, text):
        marks = {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "€": "\\texteuro{}", "`": "{`}",
                 "›": "\\guilsinglright{}", "→": "$\\rightarrow$", "≥": "$\\geq$", "×": "$\\times$", "’": "'", "…": "\\ldots{}",
                 "“": "``", "”": "''", "–": "--", "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}", '"': "\\textquotedbl{}"}
        special = {c: "\\" + c for c in "&%$#_{}"}
        return "".join(marks.get(c) or special.get(c) or c for c in text.replace("--", "-{}-"))

    def source(self, document):
        body = []
        for block in document.content:
            text = self.escaped(block.text)
            if block.note:
                text += f"\\footnote{{{self.escaped(block.note)}}}"
            if block.kind == "heading":
                body.append(f"\\section*{{{text}}}")
            elif block.kind == "item":
                body.append(f"\\begin{{itemize}}\\item {text}\\end{{itemize}}")
            elif block.kind == "code":
                body.append(f"{{\\small\\texttt{{{text}}}}}")
            elif block.kind == "table":
                width, rows = inner_rows(block)
                lines = " \\\\ \\hline\n".join(" & ".join(map(self.escaped, row)) for row in rows)
                columns = f"p{{{0.9 / width:.2f}\\textwidth}}|" * width
                body.append(f"\\begin{{longtable}}{{|{columns}}}\\hline\n{lines} \\\\ \\hline\\end{{longtable}}")
            else:
                body.append(text)
        head = f"\\usepackage{{fancyhdr}}\\pagestyle{{fancy}}\\fancyhf{{}}\\lhead{{{self.escaped(document.head)}}}\\cfoot{{\\thepage}}" if document.head else ""
        kind = "twocolumn" if document.columns > 1 else "a4paper"
        return (
            f"\\documentclass[{kind}]{{article}}\\usepackage[utf8]{{inputenc}}\\usepackage[T1]{{fontenc}}\\usepackage{{cmap,textcomp,longtable}}\n"
            f"\\IfFileExists{{lmodern.sty}}{{\\usepackage{{lmodern}}}}{{\\renewcommand{{\\rmdefault}}{{ptm}}\\renewcommand{{\\ttdefault}}{{pcr}}\\renewcommand{{\\sfdefault}}{{phv}}}}\n{head}\n"
            "\\sloppy\\begin{document}\n" + "\n\n".join(body) + "\n\\end{document}\n"
        )


class Typst(Printer):
    name = "typst"

    def prints(self, document, path):
        import typst

        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder, "a.typ")
            source.write_text(self.source(document), encoding="utf-8")
            typst.compile(str(source), output=str(path))
        return True

    def escaped(self, text):
        return "".join("\\" + c if c in "\\*_`$#@<>[]~=-+/\"'" else c for c in text)

    def source(self, document):
        body = []
        for block in document.content:
            text = self.escaped(block.text)
            if block.note:
                text += f"#footnote[{self.escaped(block.note)}]"
            if block.kind == "heading":
                body.append(f"= {text}")
            elif block.kind == "item":
                body.append(f"- {text}")
            elif block.kind == "code":
                body.append(f"#text(font: \"DejaVu Sans Mono\", size: 8pt)[{text}]")
            elif block.kind == "table":
                width, rows = inner_rows(block)
                cells = ", ".join(f"[{self.escaped(cell)}]" for row in rows for cell in row)
                body.append(f"#table(columns: ({'1fr, ' * width}), {cells})")
            else:
                body.append(text)
        head = f"header: [{self.escaped(document.head)}], " if document.head else ""
        return (
            f"#set page(paper: \"a4\", {head}columns: {document.columns}, numbering: \"1\")\n"
            f"#set text(lang: \"{document.language}\", size: 10pt, hyphenate: true)\n#set par(justify: true)\n\n" + "\n\n".join(body) + "\n"
        )


class WeasyPrint(Printer):
    name = "weasyprint"

    def prints(self, document, path):
        import weasyprint

        weasyprint.HTML(string=self.source(document)).write_pdf(str(path))
        return True

    def source(self, document):
        body = []
        for block in document.content:
            text = html.escape(block.text)
            if block.note:
                text += f'<span class="note">{html.escape(block.note)}</span>'
            if block.kind == "table":
                rows = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in block.rows)
                body.append(f"<table>{rows}</table>")
                continue
            tag = {"heading": "h2", "item": "li", "code": "pre"}.get(block.kind, "p")
            text = f"<{tag}>{text}</{tag}>"
            body.append(f"<ul>{text}</ul>" if tag == "li" else text)
        head = f'@top-left {{ content: "{document.head}" }}' if document.head else ""
        style = (
            f"@page {{ size: A4; margin: 2.2cm; {head} @bottom-center {{ content: counter(page) }} }}"
            f"body {{ font: 10pt serif; columns: {document.columns}; text-align: justify; hyphens: auto }}"
            "pre { font-size: 8pt; white-space: pre-wrap } table { border-collapse: collapse } td { border: 0.5pt solid; padding: 3pt }"
            ".note { float: footnote; font-size: 8pt }"
        )
        return f'<html lang="{document.language}"><style>{style}</style><body>{"".join(body)}</body></html>'


class ReportLab(Printer):
    name = "reportlab"

    def prints(self, document, path):
        from reportlab.lib import colors
        from reportlab.lib.pagesizes import A4
        from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
        from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph, Table, TableStyle

        styles = getSampleStyleSheet()
        font = self.font()
        body = ParagraphStyle("own", parent=styles["BodyText"], fontName=font, alignment=4)
        cell = ParagraphStyle("cell", parent=body, alignment=0)
        code = ParagraphStyle("code", parent=styles["BodyText"], fontName="Courier", fontSize=8)
        heading = ParagraphStyle("heading", parent=styles["Heading2"], fontName=font)
        story = []
        for block in document.content:
            if block.kind == "table":
                width, rows = inner_rows(block)
                table = [[Paragraph(html.escape(text), cell) for text in row] for row in rows]
                grid = TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black), ("VALIGN", (0, 0), (-1, -1), "TOP")])
                story.append(Table(table, colWidths=[480 / width] * width, style=grid))
                continue
            style = {"heading": heading, "code": code}.get(block.kind, body)
            bullet = "•" if block.kind == "item" else None
            story.append(Paragraph(html.escape(block.text), style, bulletText=bullet))
            # It has no notes at the foot of the page.
            if block.note:
                story.append(Paragraph(html.escape(block.note), ParagraphStyle("note", parent=body, fontSize=8)))

        def furniture(canvas, page):
            canvas.setFont(font, 9)
            canvas.drawString(56, A4[1] - 36, document.head)
            canvas.drawCentredString(A4[0] / 2, 30, f"Page {page.page}")

        n = document.columns
        width = (A4[0] - 112 - 20 * (n - 1)) / n
        frames = [Frame(56 + i * (width + 20), 50, width, A4[1] - 110, leftPadding=0, rightPadding=0) for i in range(n)]
        template = BaseDocTemplate(str(path), pagesize=A4)
        template.addPageTemplates([PageTemplate(frames=frames, onPage=furniture)])
        template.build(story)
        return True

    def font(self):
        """A font with all characters of the documents, if the machine has one."""
        from reportlab.pdfbase import pdfmetrics, ttfonts

        path = "/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf"
        if not os.path.exists(path):
            return "Times-Roman"
        if "Own" not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(ttfonts.TTFont("Own", path))
        return "Own"


def has_command(command, *packages):
    """Whether a program is there; as root on Debian, it is installed."""
    if not shutil.which(command) and shutil.which("apt-get") and os.geteuid() == 0:
        print(f"installing {' '.join(packages)} with apt-get", file=sys.stderr)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], stdout=subprocess.DEVNULL)
    return shutil.which(command) is not None


def has_module(name):
    """Whether a package of Python is there; if not, it is installed for this Python."""
    if importlib.util.find_spec(name) is None:
        print(f"installing {name} with pip", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", name], stdout=subprocess.DEVNULL)
        importlib.invalidate_caches()
    return importlib.util.find_spec(name) is not None


def available(only=()):
    """The programs that are installed, all or those of these names; others are named."""
    programs = [
        (LibreOffice(), lambda: has_command("soffice", "libreoffice-writer")),
        (Latex(), lambda: has_command("pdflatex", "texlive-latex-recommended", "texlive-fonts-recommended")),
        (Typst(), lambda: has_module("typst")),
        (WeasyPrint(), lambda: has_module("weasyprint")),
        (ReportLab(), lambda: has_module("reportlab")),
    ]
    for printer, is_there in programs:
        if only and printer.name not in only:
            continue
        if is_there():
            yield printer
        else:
            print(f"skipped: {printer.name} is not installed")
