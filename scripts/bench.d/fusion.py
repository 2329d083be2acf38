"""Chooses the constants of the fusion (src/rank/fuse.rs) over several collections, and shows what each rule gains.

Every question is searched once with `--explain`; its hits are then ranked again with other constants.
"""

import json
import math
import random

K = 10
# As built.
WEIGHT, SURE = 0.6, 0.7
WEIGHTS = [0.4, 0.5, 0.55, 0.6, 0.65, 0.7]
SCALES = [0.5, 0.6, 0.7, 0.8]
SAMPLES = 1000


class Question:
    """The hits of a question with what fusion made of them."""

    def __init__(self, hits, grades, ideal):
        """`grades` has one for each hit, of which a later one of the same document counts 0."""
        self.grades, self.ideal = grades, ideal
        parts = [(hit["explain"]["lexical"], hit["explain"]["dense"]) for hit in hits]
        self.lexical = [lexical["normalized"] if lexical else 0.0 for lexical, _ in parts]
        self.dense = [dense["normalized"] if dense else 0.0 for _, dense in parts]
        lexical_weight = next((lexical["weight"] for lexical, _ in parts if lexical), 0.0)
        dense_weight = next((dense["weight"] for _, dense in parts if dense), 0.0)
        self.known, self.trust = lexical_weight / (1 - WEIGHT), dense_weight / WEIGHT

    def measure(self, weight=WEIGHT, sure=SURE, known=None, trust=None):
        """nDCG@10 with these constants, and with the weights of both retrievers where they are given."""
        lexical = (1 - weight) * (self.known if known is None else known)
        dense = weight * (self.trust if trust is None else trust) * SURE / sure
        score = [lexical * l + dense * d for l, d in zip(self.lexical, self.dense)]
        order = sorted(range(len(score)), key=lambda i: -score[i])
        grades, seen = [], set()
        for i in order:
            document, grade = self.grades[i]
            if document not in seen:
                seen.add(document)
                grades.append(grade)
            if len(grades) == K:
                break
        return gain(grades) / gain(self.ideal)


def gain(grades):
    return sum(grade / math.log2(rank + 2) for rank, grade in enumerate(grades[:K]))


def question(hits, relevant):
    """A question whose relevant documents are known: path to grade."""
    grades = [(hit["path"], relevant.get(hit["path"], 0)) for hit in hits]
    return Question(hits, grades, sorted(relevant.values(), reverse=True))


RULES = {
    "as built": {},
    "without trust": {"trust": 1},
    "without known words": {"known": 1},
    "lexical alone": {"trust": 0, "known": 1},
    "dense alone": {"trust": 1, "known": 0},
}


def interval(values):
    """The mean, and the bounds of 95 of 100 means of as many values drawn from these."""
    draw = random.Random(1)
    means = sorted(sum(draw.choices(values, k=len(values))) / len(values) for _ in range(SAMPLES))
    return sum(values) / len(values), means[SAMPLES // 40], means[-SAMPLES // 40]


def report(collections, line):
    """`collections` maps names to questions."""
    for name, questions in collections.items():
        built = [question.measure() for question in questions]
        line("fusion", f"{name}, nDCG@10", f"{sum(built) / len(built):.4f}")
        for rule, constants in list(RULES.items())[1:]:
            lost = [a - b.measure(**constants) for a, b in zip(built, questions)]
            mean, low, high = interval(lost)
            line("", rule, f"{-mean:+.4f} (95 of 100: {-high:+.4f} to {-low:+.4f})")
    grid = {}
    for weight in WEIGHTS:
        for sure in SCALES:
            grid[weight, sure] = {
                name: sum(question.measure(weight, sure) for question in questions) / len(questions)
                for name, questions in collections.items()
            }
    best = lambda names: max(grid, key=lambda at: sum(grid[at][name] for name in names))
    line("", "weight and scale chosen over all", json.dumps(best(collections)))
    # One collection alone leaves none to choose with.
    for left_out in collections if len(collections) > 1 else ():
        chosen = best([name for name in collections if name != left_out])
        line("", f"without {left_out}", f"{chosen}, there {grid[chosen][left_out]:.4f}")
