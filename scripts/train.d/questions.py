"""The collections: texts, questions, and how good a text is as the answer to each."""

import json
import random
import re
import unicodedata

# Questions of one collection, so that no large one decides alone.
MOST = 500
SEED = 7


class Question:
    """A question, and `quality`: a function from a text and its path to 0..1, 1 being a complete answer."""

    def __init__(self, name, text, quality=None, without=None, within=None):
        self.name, self.text, self.quality = str(name), text, quality
        self.filter = f"not path:{without}" if without else f"path:{within}" if within else None

    @property
    def has_answer(self):
        return self.quality is not None

    def asked(self):
        return {"id": self.name, "question": self.text, "filter": self.filter}


class Collection:
    """Questions about the texts of an index. `weight` is that of all its questions together."""

    def __init__(self, name, index, source, asked, weight):
        self.name, self.index, self.source, self.questions, self.weight = name, index, source, asked, weight

    def texts(self, folder):
        """The folder of the texts, made where the collection is one file."""
        if not isinstance(self.source, list):
            return self.source
        texts = folder / "texts" / self.index
        texts.mkdir(parents=True, exist_ok=True)
        for path, text in self.source:
            (texts / path).write_text(text, encoding="utf-8")
        return texts


def lines(path):
    return [json.loads(line) for line in open(path, encoding="utf-8")]


def words(text):
    return re.findall(r"\w+", text.lower())


def plain(text):
    """Text without the markup that patterns do not have."""
    text = unicodedata.normalize("NFKC", text).translate(str.maketrans("“”‘’–—−", "\"\"''---", "\u00ad"))
    text = re.sub(r":[\w:]+:(?=`)|[`*]", "", text)
    return re.sub(r"\s+", " ", text)


def by_patterns(gold):
    """A pattern of each element must be found, and none that is forbidden."""

    def found(patterns, text):
        return any(re.search(pattern, text, re.I | re.S) for pattern in patterns)

    def quality(text, _):
        text = plain(text)
        if found(gold.get("forbid", []), text):
            return 0.0
        share = sum(found(element, text) for element in gold["answer"]) / len(gold["answer"])
        return 1.0 if share == 1.0 else 0.25 * share

    return quality if gold["answer"] else None


def by_sentences(gold):
    """The words of the sentences that people selected: the square of F1 with the nearest annotator."""
    selected = [words(" ".join(answer["sentences"] or [answer["text"] or ""])) for answer in gold.get("answers", [])]

    def quality(text, path):
        said, best = words(text), 0.0
        for wanted in selected if path.startswith(gold["passage"]) else []:
            recall = sum(word in said for word in wanted) / max(len(wanted), 1)
            precision = sum(word in wanted for word in said) / max(len(said), 1)
            best = max(best, 2 * recall * precision / (recall + precision) if recall else 0.0)
        return best**2

    return quality if gold["answerable"] else None


def by_span(spans, path):
    """A span of the text, its letters alone compared."""
    letters = ["".join(filter(str.isalnum, span.lower())) for span in spans]

    def quality(text, other):
        text = "".join(filter(str.isalnum, text.lower()))
        return float(other == path and any(span in text for span in letters if span))

    return quality


def by_excerpts(excerpts, path):
    """The share of the excerpts that have nine tenths of their words in the text."""
    excerpts = [words(excerpt) for excerpt in excerpts]

    def quality(text, other):
        said = set(words(text))
        have = [sum(word in said for word in excerpt) >= 0.9 * len(excerpt) for excerpt in excerpts]
        return sum(have) / len(have) if other == path else 0.0

    return quality


def spans_of(folder):
    documents = json.load(open(folder / "answers.json", encoding="utf-8"))["data"]
    asked = [qa for document in documents for paragraph in document["paragraphs"] for qa in paragraph["qas"]]
    return {qa["id"]: [answer["text"] for answer in qa["answers"]] for qa in asked}


def xquad(data, name, most, chance):
    """Questions about paragraphs; a third of them without the paragraph that answers."""
    folder = data / name
    source = [(f"{doc['_id']}.md", doc["text"] + "\n") for doc in lines(folder / "corpus.jsonl")]
    relevant = dict(line.split("\t")[:2] for line in open(folder / "qrels" / "test.tsv") if "\t" in line)
    spans, asked = spans_of(folder), lines(folder / "queries.jsonl")
    chance.shuffle(asked)
    found = []
    for n, question in enumerate(asked[:most]):
        name_, path = question["_id"], f"{relevant[question['_id']]}.md"
        if n % 3 == 2:
            found.append(Question(name_, question["text"], without=path))
        else:
            found.append(Question(name_, question["text"], by_span(spans[name_], path)))
    return Collection(name, name, source, found, 0.5 if most < MOST else 1.0)


def one_paragraph(whole, chance):
    """The same with one passage of evidence: the right one, or another."""
    asked = [question for question in whole.questions if question.has_answer]
    paths = [path for path, _ in whole.source]
    found = []
    for n, question in enumerate(asked[:240]):
        right = next(path for path, text in whole.source if question.quality(text, path) == 1.0)
        path = chance.choice(paths) if n % 2 else right
        quality = question.quality if path == right else None
        found.append(Question(f"{question.name}-1", question.text, quality, within=path))
    return Collection("xquad_en, one paragraph", whole.index, whole.source, found, 1.0)


def clapnq(data):
    folder = data / "clapnq_a"
    tidy = lambda text: re.sub(r" ([.,;:?!)])", r"\1", text.replace("`` ", '"').replace(" ''", '"'))
    source = [(f"{d['_id']}.md", f"# {d['title']}\n\n{tidy(d['text'])}\n") for d in lines(folder / "corpus.jsonl")]
    asked = [Question(q["_id"], q["text"], by_sentences(q)) for q in lines(folder / "questions.jsonl")]
    return Collection("clapnq", "clapnq", source, asked, 2.0)


def covidqa(data, chance):
    """Expert questions that make sense within their paper."""
    folder = data / "covidqa_a"
    source = [(f"{d['_id']}.txt", d["text"]) for d in lines(folder / "corpus.jsonl")]
    asked = lines(folder / "questions.jsonl")
    chance.shuffle(asked)
    path = lambda q: f"{q['doc']}.txt"
    found = [Question(q["_id"], q["question"], by_span([q["answer"]], path(q)), within=path(q)) for q in asked[:300]]
    return Collection("covidqa", "covidqa", source, found, 0.7)


def chroma(data, chance):
    folder = data / "chroma_chunking"
    asked = lines(folder / "questions.jsonl")
    chance.shuffle(asked)
    excerpts = lambda q: by_excerpts([ref["content"] for ref in q["refs"]], q["doc"])
    found = [Question(n, q["text"], excerpts(q)) for n, q in enumerate(asked[:300])]
    return Collection("chroma", "chroma", folder / "docs", found, 0.6)


def collections(data, root):
    """All of them; the last ones ask about other texts, so nothing answers."""
    chance = random.Random(SEED)
    folders = {"rustbook_en": data / "rustbook_en", "python_peps": data / "python_peps", "docs": root / "data" / "corpus"}
    all_ = []
    for name, folder in folders.items():
        asked = [Question(g["id"], g["question"], by_patterns(g)) for g in lines(data / "answers" / f"{name}.jsonl")]
        all_.append(Collection(name, name, folder, asked, 3.0))
    all_ += [clapnq(data), xquad(data, "xquad_en", MOST, chance), xquad(data, "xquad_zh", 200, chance)]
    all_ += [covidqa(data, chance), chroma(data, chance)]
    all_.append(one_paragraph(next(c for c in all_ if c.name == "xquad_en"), chance))
    by_name = {collection.name: collection for collection in all_}
    sources = {collection.index: collection.source for collection in all_} | {"rustbook_zh": data / "rustbook_zh"}

    def foreign(index, weight=1.0, **counts):
        asked = []
        for name, n in counts.items():
            candidates = [q for q in by_name[name].questions if q.filter is None]
            asked += [Question(f"{name}-{q.name}", q.text) for q in chance.sample(candidates, n)]
        all_.append(Collection(f"{index}, foreign questions", index, sources[index], asked, weight))

    foreign("rustbook_en", xquad_en=60, clapnq=60, xquad_zh=40, python_peps=20)
    foreign("python_peps", clapnq=60, xquad_en=40)
    foreign("xquad_en", rustbook_en=40, clapnq=60)
    foreign("docs", clapnq=40, python_peps=30, rustbook_en=30)
    foreign("rustbook_zh", 0.5, xquad_zh=80, xquad_en=20)
    return all_
