"""Recall and precision, in characters, of the passages that `rag search` returns.

Every question has the character spans of one document that answer it. The reference is windows of a fixed number of
tokens, split between words: each window is a separate file, and counts as returned when any passage of it is returned, so
that the window of the model does not shorten it.
"""

import bisect
import json
import pathlib
import re
import statistics
import typing


class Question:
    def __init__(self, row):
        self.text, self.document = row["text"], row["doc"]
        self.gold = union((ref["start_index"], ref["end_index"]) for ref in row["refs"])


class Document:
    """A text, addressed by characters (in questions) and by bytes (in passages)."""

    def __init__(self, path):
        self.name, self.data = path.name, path.read_bytes()
        self.text = self.data.decode()
        self.byte_of = [0]
        for c in self.text:
            self.byte_of.append(self.byte_of[-1] + len(c.encode()))

    def characters(self, start, end):
        return bisect.bisect_left(self.byte_of, start), bisect.bisect_left(self.byte_of, end)

    def windows(self, n_tokens, tokens):
        """Spans of whole words with at most `n_tokens` tokens each."""
        spans, room = [], 0
        for word in re.finditer(r"\S+", self.text):
            cost = tokens[word.group()]
            if cost > room or not spans:
                spans.append([word.start(), word.end()])
                room = n_tokens
            spans[-1][1] = word.end()
            room -= cost
        return [tuple(span) for span in spans]


def load(folder):
    documents = {path.name: Document(path) for path in sorted((folder / "docs").iterdir())}
    lines = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return documents, [Question(json.loads(line)) for line in lines if line.strip()]


def words(documents):
    return sorted({word for document in documents.values() for word in re.findall(r"\S+", document.text)})


def write_windows(documents, n_tokens, tokens, target):
    """One file for each window; yields path -> (document, start, end)."""
    places = {}
    for document in documents.values():
        for n, (start, end) in enumerate(document.windows(n_tokens, tokens)):
            path = f"{pathlib.Path(document.name).stem}/{n:05}.txt"
            places[path] = (document.name, start, end)
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes(document.text[start:end].encode())
    return places


def union(spans):
    merged = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return merged


def common(a, b):
    return sum(max(0, min(x[1], y[1]) - max(x[0], y[0])) for x in a for y in b)


class Figures(typing.NamedTuple):
    recall: float
    precision: float
    tokens: float


class Measure:
    def __init__(self, questions, documents, tokens):
        self.questions, self.documents, self.tokens = questions, documents, tokens

    def __call__(self, rankings):
        """Means over all questions of the scores of their places."""
        return Figures(*map(statistics.mean, zip(*map(self.score, self.questions, rankings))))

    def score(self, question, places):
        """Recall, precision and tokens of one question. Text returned twice counts twice for precision, once for recall."""
        found = common(question.gold, union((start, end) for name, start, end in places if name == question.document))
        n_gold = sum(end - start for start, end in question.gold)
        n_returned = sum(end - start for _, start, end in places)
        return found / n_gold, found / max(1, n_returned), self.size(places)

    def size(self, places):
        """The sum of the tokens of the words; the tokens of a partial word are estimated from its length."""
        words = (word for name, start, end in places for word in re.findall(r"\S+", self.documents[name].text[start:end]))
        return sum(self.tokens.get(word, 1 + len(word) // 4) for word in words)

    def fitting(self, places, n_tokens):
        """The longest prefix of the places with at most `n_tokens` tokens."""
        n = 0
        while n < len(places) and self.size(places[: n + 1]) <= n_tokens:
            n += 1
        return places[:n]
