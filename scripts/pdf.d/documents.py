"""Documents with a known text, made of the pages of data/corpus and of paragraphs in other languages."""

import dataclasses
import pathlib
import re

CORPUS = pathlib.Path(__file__).resolve().parents[2] / "data" / "corpus"


@dataclasses.dataclass
class Block:
    """A heading, paragraph, item, row of a table or line of code, with the note that belongs to it."""

    kind: str
    text: str = ""
    note: str = ""
    rows: tuple = ()

    def texts(self):
        parts = [" ".join(row) for row in self.rows] if self.rows else [self.text]
        return [*parts, self.note] if self.note else parts


@dataclasses.dataclass
class Document:
    name: str
    content: list
    columns: int = 1
    head: str = ""
    language: str = "en"

    def blocks(self):
        return [text for block in self.content for text in block.texts()]

    def furniture(self):
        return [self.head] if self.head else []


def plain(text):
    """A piece of Markdown without marks."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(text.split()))
    return re.sub(r"[`*]|(?<!\w)_|_(?!\w)", "", text).replace("\\|", "|")


def page(name):
    """The blocks of a page, without its fences of code."""
    blocks, lines = [], []
    fence = False

    def end():
        if lines:
            first = lines[0].lstrip()
            item = re.match(r"(- |\d+\. )", first)
            kind = "item" if item else "paragraph"
            blocks.append(Block(kind, plain(" ".join(lines)[len(lines[0]) - len(first) + (item.end() if item else 0):])))
            lines.clear()

    for line in (CORPUS / name).read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            end()
            fence = not fence
        elif fence:
            # Drawings of trees are no words.
            if line.strip() and line.isascii():
                blocks.append(Block("code", line.strip()))
        elif line.startswith("#"):
            end()
            blocks.append(Block("heading", plain(line.lstrip("#"))))
        elif line.startswith("|"):
            end()
            cells = tuple(plain(cell) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|")))
            if not re.fullmatch(r"[-: |]+", line):
                if blocks and blocks[-1].kind == "table":
                    blocks[-1].rows += (cells,)
                else:
                    blocks.append(Block("table", rows=(cells,)))
        elif not line.strip():
            end()
        else:
            if re.match(r"\s*(- |\d+\. )", line):
                end()
            lines.append(line)
    end()
    return blocks


def with_notes(blocks):
    """Every third longer paragraph gives its last sentence to a note."""
    n = 0
    for block in blocks:
        head, stop, last = block.text.rpartition(". ")
        if block.kind == "paragraph" and stop and len(last) > 40:
            n += 1
            if n % 3 == 0:
                block.text, block.note = head + ".", last
    return blocks


def prose(*texts):
    return [Block("heading" if len(text) < 60 else "paragraph", " ".join(text.split())) for text in texts]


GERMAN = prose(
    "Die Pumpe im Hafen",
    """Die große Pumpe am Südkai wurde im Frühjahr überholt, nachdem die Prüfung der Lager ungewöhnliche Geräusche ergeben
    hatte. Für die Instandsetzung waren zwölf Arbeitstage vorgesehen; tatsächlich dauerte sie, weil Ersatzteile fehlten,
    beinahe fünf Wochen. Die Hafenverwaltung veröffentlichte währenddessen täglich die Wasserstände und die
    Geschwindigkeitsbegrenzungen für einlaufende Schiffe.""",
    """Außerdem mussten die Dichtungsringe der Schieber ausgetauscht werden, deren Oberflächenbeschaffenheit den
    Anforderungen der Wasserwirtschaftsverwaltung nicht mehr genügte. Die Kosten beliefen sich auf 48.350 €, wovon die
    Versicherung etwa zwei Drittel übernahm.""",
    "Die Abnahme",
    """Bei der Abnahme am 3. Mai prüften die Sachverständigen sämtliche Sicherheitseinrichtungen, insbesondere die
    Überdruckventile, die Temperaturüberwachung und die Notabschaltung. Übereinstimmend bescheinigten sie der Anlage einen
    einwandfreien Zustand, empfahlen jedoch regelmäßige Kontrolluntersuchungen in halbjährlichen Abständen.""",
)
FRENCH = prose(
    "Le phare de l’île",
    """Le phare fut allumé pour la première fois à l’automne, lorsque les équipages réclamaient déjà depuis des années un
    feu visible à plus de vingt milles. L’éclairage fonctionnait à l’huile; plus tard, on installa l’électricité et une
    lentille fabriquée à Paris. Les gardiens notaient chaque soir l’heure d’allumage, la force du vent et le nombre de
    navires aperçus au large.""",
    """Où qu’ils fussent, les pêcheurs reconnaissaient aussitôt le rythme des éclats: deux brefs, puis un long. Cette
    régularité, garantie par un mécanisme d’horlogerie remonté toutes les quatre heures, sauva sans doute plusieurs
    dizaines de bateaux pendant les tempêtes de l’hiver suivant.""",
)
SPANISH = prose(
    "El molino del río",
    """El molino siguió funcionando durante más de un siglo, aunque las crecidas del río dañaron dos veces la rueda y el
    canal de desagüe. Los vecinos pagaban una pequeña cantidad de harina por cada saco de trigo, según una costumbre que
    nadie recordaba haber escrito. ¿Quién habría imaginado que aquellas piedras, traídas desde tan lejos, terminarían
    convertidas en un banco de la plaza?""",
    """Cuando el ayuntamiento decidió restaurar el edificio, encontró bajo el suelo una colección de herramientas
    antiguas, perfectamente conservadas gracias a la humedad constante de la arcilla.""",
)


def all():
    """Six documents of different layout."""
    other = GERMAN + FRENCH + SPANISH
    return [
        Document("plain", page("overview.md") + page("models.md")),
        Document("columns", [block for block in page("searching.md") + page("conversations.md") if block.kind != "table"], columns=2),
        Document("heads", page("language-models.md"), head="Manual of the index"),
        Document("notes", with_notes(page("indexes.md") + page("on-disk.md")), head="Indexes and files"),
        Document("tables", page("ingesting.md") + page("troubleshooting.md")),
        Document("languages", other, columns=2, head="Pumpen und Phares", language="de"),
    ]
