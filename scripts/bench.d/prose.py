"""English-like text, the same on every machine: sentences of varied shape and length from lists of common words."""

import random

NOUNS = """account answer apple archive army article artist author balance bank basket battery beach bell bicycle bird
boat body book border bottle branch bridge brother budget building camera candle canvas capital captain carpet castle
cause century chain chair chapter child church circle citizen city clerk climate clock cloud coast coffee college colony
colour company concert copper corner cottage council country courage court crowd culture custom dance danger daughter
debate decade defence desert design dinner discovery disease distance doctor door dream driver dust duty earth economy
edge editor effort election empire energy engine evening event evidence example expert factory failure family farmer
father fashion feather festival field figure finger fire fish flag flight floor flower forest fortune fountain friend
frontier fruit future garden gate gift glass gold government grain grass grief group guard guest harbour harvest hat
health heart height hill history holiday honour horse hospital hotel hour house hunger hunter husband idea illness image
income industry insect island journal journey judge justice kitchen knight labour ladder lake lamp language law lawyer
leader leaf lecture lesson letter library limit liquid lock luck machine market marriage master meadow measure medicine
meeting memory merchant message metal method milk mine minister mirror money monument moon morning mother motion mountain
museum music nation nature neighbour network newspaper night north novel number ocean office officer opinion orchard
order origin owner palace paper parent park party passage patient peace people pepper phrase piano picture pilot planet
plant plate poem police policy port power prayer price priest prison problem profit promise proof purpose quarter queen
question railway rain reader reason record reform region report result reward rice river road rock roof room root route
ruler salt school science season secret servant shadow shape sheep ship shore silence silver sister smoke soil soldier
song source south speech spring square stage star station statue steam step stone storm story stranger street student
subject sugar summer surface surgeon surprise system table talent teacher temple tension theatre theory thief thread
throne ticket timber tower town trade tradition train travel treasure treaty tree trial tribe truth tunnel valley value
vessel victory view village violin visitor voice voyage wall water wave wealth weapon weather wheel wheat widow wife wind
window wine winter wisdom witness wood word worker world writer year youth""".split()
VERBS = """abandoned accepted admired adopted announced approached arranged attacked avoided bought broke brought built
carried caught changed chose claimed collected compared completed composed concealed considered controlled copied
covered crossed damaged declared defended described designed destroyed discovered divided drew earned encouraged entered
examined exchanged explained explored feared filled finished followed forgot found founded gathered guarded guided heard
helped hid identified ignored imagined improved influenced inherited inspected introduced invented joined kept knew
lifted limited loaded lost loved managed mapped measured mentioned met missed moved needed noticed observed occupied
offered opened ordered organised overlooked owned painted passed planned planted praised prepared preserved prevented
produced protected proved published pulled questioned reached recalled received recorded reduced refused regretted
rejected remembered removed repaired replaced reported rescued restored returned revealed ruled sailed saved searched
selected sent served settled shaped shared showed sold solved started stole studied supplied supported surrounded taught
tested threatened traced traded trained translated trusted understood united used valued visited watched welcomed won
wrote""".split()
ADJECTIVES = """ancient angry bitter blue brave brief bright broad broken calm careful cheap clean clear clever cold
common complete complex cruel curious dark deep different difficult distant dry eager early eastern empty enormous
famous fertile final fine foreign formal fragile free fresh friendly full gentle golden grand grateful great green
hidden honest hostile huge humble hungry idle important innocent large lonely long loyal mild modern modest narrow
native natural new noble northern old ordinary patient peaceful perfect plain poor popular powerful precious private
proud public pure quiet rapid rare red rich rough royal sacred sad secret serious severe sharp short silent simple
slow small smooth solid southern steady steep strange strict strong sudden sweet tall thick thin tired tiny tough
true useful vast violent warm weak wealthy western white wide wild wise wooden young""".split()
ADVERBS = """again almost already always carefully clearly early easily eventually finally gladly gradually hardly
later nearly never often once openly partly perhaps quickly quietly rarely secretly seldom slowly sometimes soon
suddenly together usually well willingly""".split()
PLACES = """above across after against along among around before behind below beside between beyond during inside near
outside over through towards under within without""".split()

# N noun, V verb, A adjective, D adverb, P preposition, Y year, M number.
SHAPES = [
    "The A N V the N P the N.",
    "D the N V a A N, and the N V it P the A N.",
    "In Y the N V M A Ns P the N of the N.",
    "A N that V the N is D as A as the N.",
    "The N of the A N V the N because the N V the N D.",
    "P the N, a A N and a N V the A N.",
    "When the N V the N, the A N D V its N.",
    "Nobody V the N P the N, although the A N V it in Y.",
    "It was the N, not the N, that V the A N P the N.",
    "The N V.",
    "Every N P the A N V a N, a N or a A N.",
    "About M Ns V the N before the N V the A Ns of the N.",
    "The A N, which the N V in Y, D V the N of the N and the N.",
    "There were M Ns P the N, and the N V none of them.",
    "To the N, the A N was a N; to the N, it was only a A N.",
]
LISTS = {"N": NOUNS, "V": VERBS, "A": ADJECTIVES, "D": ADVERBS, "P": PLACES}


class Prose:
    """A stream of sentences. Of a seeded generator, only `random` is stable between Python versions."""

    def __init__(self, seed):
        self.random = random.Random(seed).random

    def pick(self, items):
        return items[int(self.random() * len(items))]

    def sentence(self):
        words = []
        for part in self.pick(SHAPES).split():
            kind, rest = part[0], part[1:]
            if part[:2] == "Ns":
                words.append(self.pick(NOUNS) + "s" + part[2:])
            elif kind in LISTS and not rest.isalpha():
                words.append(self.pick(LISTS[kind]) + rest)
            elif kind == "Y" and not rest.isalpha():
                words.append(str(1000 + int(self.random() * 1000)) + rest)
            elif kind == "M" and not rest.isalpha():
                words.append(str(2 + int(self.random() * 998)) + rest)
            else:
                words.append(part)
        text = " ".join(words)
        return text[0].upper() + text[1:]

    def paragraph(self, n_words):
        sentences, n = [], 0
        while n < n_words:
            sentences.append(self.sentence())
            n += sentences[-1].count(" ") + 1
        return " ".join(sentences)

    def title(self):
        return f"The {self.pick(ADJECTIVES)} {self.pick(NOUNS)} and the {self.pick(NOUNS)}"

    def question(self):
        return f"Who {self.pick(VERBS)} the {self.pick(ADJECTIVES)} {self.pick(NOUNS)} {self.pick(PLACES)} the {self.pick(NOUNS)}?"


def write_book(folder, n_bytes):
    """Writes chapters in Markdown, about `n_bytes` in total."""
    prose, written, n = Prose(1), 0, 0
    while written < n_bytes:
        n += 1
        parts = [f"# {prose.title()}\n"]
        for _ in range(6):
            parts.append(f"\n## {prose.title()}\n")
            parts += [f"\n{prose.paragraph(40 + int(prose.random() * 120))}\n" for _ in range(5)]
        text = "".join(parts)
        (folder / f"chapter-{n:04}.md").write_text(text, encoding="utf-8")
        written += len(text)
    return written


def write_notes(folder, n_files):
    """Writes small files in a hundred folders, 60 to 120 words each."""
    prose = Prose(2)
    for n in range(n_files):
        path = folder / f"{n % 100:02}" / f"note-{n:05}.md"
        path.parent.mkdir(exist_ok=True)
        text = f"# {prose.title()}\n\n{prose.paragraph(55 + int(prose.random() * 50))}\n"
        path.write_text(text, encoding="utf-8")


def write_passages(folder, n_passages):
    """Writes files of ten sections. Each section becomes one passage: it is longer than half of the largest passage, and
    shorter than a whole one."""
    prose = Prose(6)
    for first in range(0, n_passages, 10):
        path = folder / f"{first // 1000:03}" / f"part-{first:06}.md"
        path.parent.mkdir(exist_ok=True)
        sections = (f"## Passage {n}: {prose.title()}\n\n{prose.paragraph(115)}\n" for n in range(first, min(first + 10, n_passages)))
        path.write_text(f"# {prose.title()}\n\n" + "\n".join(sections), encoding="utf-8")
