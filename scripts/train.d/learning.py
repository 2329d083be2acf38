"""The two models: which window answers, and whether the evidence supports an answer."""

import json
import multiprocessing
import os

import lightgbm
import numpy as np
from questions import words

# Boosted trees of four leaves: larger ones fit the collections better and other collections worse. One thread and
# fixed seeds, so that the same data give the same file.
COMMON = dict(
    num_leaves=4, feature_fraction=0.5, bagging_fraction=0.7, bagging_freq=1, lambda_l2=5.0, verbosity=-1,
    num_threads=1, deterministic=True, force_row_wise=True, seed=1,
)
CHOICE = dict(COMMON, objective="lambdarank", learning_rate=0.1, min_data_in_leaf=40, label_gain=list(range(11)), lambdarank_truncation_level=5)
SUPPORT = dict(COMMON, objective="binary", learning_rate=0.06, min_data_in_leaf=30, feature_fraction=0.4)
# A choice is the mean of models with other seeds, which is steadier than one.
CHOICE_SEEDS, CHOICE_TREES, SUPPORT_TREES = [1, 2, 3], 130, 150
# Windows of a question that the first model learns from: those that hold some of the answer, and others.
MOST_GOOD, MOST_BAD = 60, 140
LEAST_QUALITY = 0.03
# Log-odds of support below which an answer is refused: near 8 % of the answerable natural questions by
# cross-validation.
LEAST_SUPPORT = -0.5
# Log-odds by which a second excerpt may be less likely than the first, and the words of both, the default of the
# program. Without the first bound the second excerpt gains as much and answers are five words longer.
SECOND_WITHIN, MAX_WORDS = 3.0, 90

OF_UNITS = ["cosine_best", "cosine_mean", "cosine_first", "behind_cosine", "cosine_place"]
OF_PASSAGES = ["passage_cosine", "behind_passage_cosine"]
OF_VERDICTS = ["best_passage_cosine", "best_unit_cosine"]
# What the ablation leaves out together.
GROUPS = {
    "cosines of units": OF_UNITS + ["best_unit_cosine"],
    "cosines of passages": OF_PASSAGES + ["best_passage_cosine"],
    "all cosines": OF_UNITS + OF_PASSAGES + OF_VERDICTS,
    "rank of the passage": ["place", "passage_lexical"],
    "terms in the window": ["coverage", "coverage_titled", "coverage_first", "coverage_best", "behind_coverage", "missing", "sentence"],
    "terms in the passage": ["passage", "behind_passage", "missing_in_passage", "around"],
    "neighbouring terms": ["adjacency"],
    "headings": ["in_heading", "answers_heading", "is_opening", "is_closing"],
    "place and length": ["start", "n_words", "n_units", "n_items", "n_code", "is_alone"],
    "form": ["is_dependent", "is_led", "is_cut", "begins_in_list", "ends_in_list", "oddness", "brevity", "n_meta", "symbols"],
    "kind of answer": ["has_type", "defines", "defines_first", "explains", "intent", "answer_type", "wants_code", "lacks_type", "asks_for_maker"],
    "polarity": ["polarity"],
    "absent words": ["unknown", "missing_names", "missing_anywhere", "missing_numbers", "other_numbers", "n_corrected"],
}


class Mean:
    """The mean of several models."""

    def __init__(self, models):
        self.models = models

    def predict(self, rows, raw_score=True):
        return np.mean([model.predict(rows, raw_score=raw_score) for model in self.models], axis=0)


class Part:
    """One question, or one part of it, with its windows."""

    def __init__(self, question, part, alone):
        numbers = lambda rows: np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=np.float32)
        self.question, self.is_alone = question, alone
        self.names, self.support_names = part["window_features"], part["support_features"]
        self.features = numbers([window["features"] for window in part["windows"]])
        units, paths = part["units"], [path for path, _, _ in part["passages"]]
        spans = [window["units"] for window in part["windows"]]
        self.source = np.array([units[first][0] for first, _ in spans])
        self.texts = [" ".join(text for _, text in units[first:last]) for first, last in spans]
        self.spans, self.paths = spans, [paths[at] for at in self.source]
        self.quality = np.zeros(len(spans), dtype=np.float32)
        if question.has_answer:
            self.quality[:] = [question.quality(text, path) for text, path in zip(self.texts, self.paths)]
        self.verdicts = {source: numbers([values])[0] for source, values in part["verdicts"]}

    def without(self, names):
        """The same with these features unknown."""
        other = object.__new__(Part)
        other.__dict__.update(self.__dict__)
        blank = lambda values, known: np.where([name in names for name in known], np.nan, values).astype(np.float32)
        other.features = blank(self.features, self.names)
        other.verdicts = {source: blank(values, self.support_names) for source, values in self.verdicts.items()}
        return other

    def answer(self, choice):
        """The text of the best window and of a second one beside it, and their quality."""
        scores = choice.predict(self.features, raw_score=True)
        order = np.argsort(-scores, kind="stable")
        best, count = order[0], lambda at: len(words(self.texts[at]))
        start, end = self.spans[best]
        apart = (at for at in order[1:] if self.spans[at][1] <= start or end <= self.spans[at][0])
        second = next((at for at in apart if count(at) <= MAX_WORDS - count(best)), None)
        if not self.is_alone or second is None or scores[best] - scores[second] > SECOND_WITHIN:
            return self.texts[best], float(self.quality[best])
        text = f"{self.texts[best]} {self.texts[second]}"
        both = self.question.quality(text, self.paths[best]) if self.question.has_answer else 0.0
        return text, float(max(both, self.quality[best], self.quality[second]))

    def choose(self, choice):
        """The best window, and the features of the verdict."""
        scores = choice.predict(self.features, raw_score=True)
        best = int(np.argmax(scores))
        others = scores[self.source != self.source[best]]
        verdict = self.verdicts[self.source[best]].copy()
        verdict[self.support_names.index("choice")] = scores[best]
        verdict[self.support_names.index("ahead")] = scores[best] - (others.max() if len(others) else np.nan)
        return best, np.concatenate([verdict, self.features[best]])


def read(path, collection):
    """Adds what the program saw to a collection."""
    questions = {question.name: question for question in collection.questions}
    collection.parts = []
    for line in open(path, encoding="utf-8"):
        seen = json.loads(line)
        parts = [part for part in seen["parts"] if part["windows"]]
        collection.parts += [Part(questions[seen["id"]], part, len(parts) == 1) for part in parts]
    return collection


def fit_choice(collections):
    return Mean([fit_one_choice(collections, seed) for seed in CHOICE_SEEDS])


def fit_one_choice(collections, seed):
    """Learns from each question as it is, without cosines of units, by which they are preselected, and for some as in
    an index without vectors."""
    chance = np.random.default_rng(seed)
    rows, labels, weights, groups = [], [], [], []
    for collection in collections:
        for part in collection.parts:
            good, bad = np.where(part.quality > LEAST_QUALITY)[0], np.where(part.quality <= LEAST_QUALITY)[0]
            if not part.is_alone or not len(good) or not len(bad):
                continue
            views = [part, part.without(OF_UNITS)]
            views += [part.without(OF_UNITS + OF_PASSAGES)] if chance.random() < 0.4 else []
            for view in views:
                taken = [chance.choice(some, min(len(some), most), replace=False) for some, most in ((good, MOST_GOOD), (bad, MOST_BAD))]
                taken = np.concatenate(taken)
                rows.append(view.features[taken])
                labels.append(np.round(part.quality[taken] * 10))
                weights.append(np.full(len(taken), collection.weight))
                groups.append(len(taken))
    data = lightgbm.Dataset(np.concatenate(rows), np.concatenate(labels), weight=np.concatenate(weights), group=groups)
    return lightgbm.train(dict(CHOICE, seed=seed), data, CHOICE_TREES)


def verdicts(seen, choices):
    """By collection the rows of the verdicts, of windows that were chosen by a model without the collection, whether
    there is an answer, and weights."""
    chance = np.random.default_rng(1)
    found = {}
    for name, collection in seen.items():
        rows, labels, weights = [], [], []
        for part in collection.parts:
            views = [(part, 1.0)]
            views += [(part.without(OF_UNITS + OF_PASSAGES + OF_VERDICTS), 0.5)] if chance.random() < 0.3 else []
            for view, weight in views:
                rows.append(view.choose(choices[collection.index])[1])
                labels.append(float(part.question.has_answer))
                weights.append(weight * collection.weight)
        found[name] = rows, labels, weights
    return found


def fit_support(found):
    """Learns from verdicts."""
    rows, labels, weights = (np.concatenate([np.array(some[at]) for some in found]) for at in range(3))
    return lightgbm.train(SUPPORT, lightgbm.Dataset(rows, labels, weight=weights), SUPPORT_TREES)


def folds(seen, n=None):
    """For each index a choice that has seen nothing of it; with `n` one for every nth. A process each."""
    indexes = sorted({c.index for c in seen.values()})
    groups = [set(indexes[at::n]) for at in range(n)] if n else [{index} for index in indexes]
    SHARED[:] = seen.values()
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        choices = pool.map(fit_choice_without, groups, chunksize=1)
    return {index: choice for group, choice in zip(groups, choices) for index in group}


SHARED = []


def fit_choice_without(indexes):
    return fit_choice([c for c in SHARED if c.index not in indexes])


def measure(collection, choice, support):
    """Each question of a collection: right, refused though there is an answer, refused without one; words."""
    asked = {}
    for part in collection.parts:
        row, (text, quality) = part.choose(choice)[1], part.answer(choice)
        entry = asked.setdefault(part.question.name, dict(question=part.question, best=0.0, texts=[], support=-np.inf))
        entry["best"] = max(entry["best"], quality)
        entry["texts"].append(text)
        entry["support"] = max(entry["support"], support.predict(row[None], raw_score=True)[0])
    with_answer = [entry for entry in asked.values() if entry["question"].has_answer]
    without = [entry for entry in asked.values() if not entry["question"].has_answer]
    best = np.array([entry["best"] for entry in with_answer])
    each = dict(
        quality=best, right=best >= 0.99, lost=np.array([entry["support"] < LEAST_SUPPORT for entry in with_answer]),
        refused=np.array([entry["support"] < LEAST_SUPPORT for entry in without]),
        words=np.array([len(words(" ".join(entry["texts"]))) for entry in with_answer]),
    )
    scores = [(entry["support"], entry["question"].has_answer) for entry in asked.values()]
    return dict(each, n=len(with_answer), none=len(without), scores=scores)


def cross_validated(seen, choices):
    found, rows = {}, verdicts(seen, choices)
    for index in choices:
        support = fit_support([rows[name] for name, other in seen.items() if other.index != index])
        for name, collection in seen.items():
            if collection.index == index:
                found[name] = measure(collection, choices[index], support)
    return {name: found[name] for name in seen}


def show(values):
    return f"{100 * np.mean(values):3.0f}%" if len(values) else "-"


def cross_validate(seen, choices):
    """Prints the shares of each collection by models that have not seen it, and how sure they were."""
    found = cross_validated(seen, choices)
    print(f"\n{'collection':34}{'n':>5}{'right':>7}{'quality':>9}{'lost':>6}{'words':>7}{'none':>7}{'refused':>9}")
    for name, row in found.items():
        cells = [f"{row['n']:5}", f"{show(row['right']):>7}", f"{show(row['quality']):>9}", f"{show(row['lost']):>6}"]
        cells += [f"{row['words'].mean():7.0f}" if row["n"] else f"{'-':>7}", f"{row['none']:7}", f"{show(row['refused']):>9}"]
        print(f"{name:34}" + "".join(cells))
    scores = np.array([(score, has) for row in found.values() for score, has in row["scores"]], dtype=float)
    confidence = 1 / (1 + np.exp(-scores[:, 0]))
    print("\nconfidence   questions   with an answer")
    for low in np.arange(0, 1, 0.2):
        taken = (confidence >= low) & (confidence < low + 0.2)
        print(f"{low:.1f} to {low + 0.2:.1f}   {taken.sum():9}   {show(scores[taken, 1]):>14}")


def ablate(seen):
    """Prints what each group of features gains: the figures with it less those of models learnt without it, the mean of
    the collections, with 95 % intervals over their questions. To take minutes and not hours, it learns with one seed and
    leaves several indexes out at a time."""
    CHOICE_SEEDS[:] = [1]
    whole = cross_validated(seen, folds(seen, 3))
    print(f"\n{'left out':24}{'quality lost':>20}{'answerable refused':>22}{'others answered':>20}")
    for group, names in GROUPS.items():
        other = {name: without(collection, names) for name, collection in seen.items()}
        found = cross_validated(other, folds(other, 3))
        cells = []
        for key, sign in (("quality", 1), ("lost", -1), ("refused", 1)):
            gains = [sign * (row[key] * 1.0 - found[name][key]) for name, row in whole.items() if len(row[key])]
            mean, low, high = (100 * value for value in interval(gains))
            cells.append(f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]")
        print(f"{group:24}{cells[0]:>20}{cells[1]:>22}{cells[2]:>20}", flush=True)


def interval(gains):
    """The mean of the means of collections, and its interval when their questions are drawn again."""
    chance = np.random.default_rng(1)
    means = [np.mean([np.mean(chance.choice(of, len(of))) for of in gains]) for _ in range(1000)]
    return np.mean([np.mean(of) for of in gains]), *np.quantile(means, (0.025, 0.975))


def without(collection, names):
    other = object.__new__(type(collection))
    other.__dict__.update(collection.__dict__)
    other.parts = [part.without(names) for part in collection.parts]
    return other


def exported(model, features):
    """The trees as the program reads them: nodes with their children, a child below zero being a leaf."""
    trees = []
    models = model.models if isinstance(model, Mean) else [model]
    for tree in [tree for one in models for tree in one.dump_model()["tree_info"]]:
        nodes, leaves = [], []

        def add(node):
            if "split_feature" not in node:
                leaves.append(round(node["leaf_value"] / len(models), 5))
                return -len(leaves)
            at = len(nodes)
            nodes.append(None)
            low, high = add(node["left_child"]), add(node["right_child"])
            # Where training met no unknown value of a feature, LightGBM reads one as zero.
            unknown_is_low = node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0
            nodes[at] = [node["split_feature"], float(f"{node['threshold']:.6g}"), low, high, bool(unknown_is_low)]
            return at

        add(tree["tree_structure"])
        trees.append(json.dumps({"nodes": nodes, "leaves": leaves}, separators=(",", ":")))
    return f'{{"features": {json.dumps(features)}, "base": 0.0, "trees": [\n' + ",\n".join(trees) + "\n]}"


def write(path, seen, choices, left_out):
    """Learns from all collections and writes the file of the program."""
    support, choice = fit_support(verdicts(seen, choices).values()), fit_choice(list(seen.values()))
    part = next(iter(seen.values())).parts[0]
    of = ", ".join(f"{name} ({len(c.questions)})" for name, c in seen.items())
    provenance = f"scripts/train: {of}" + (f"; without {left_out}" if left_out else "")
    least = round(float(1 / (1 + np.exp(-LEAST_SUPPORT))), 4)
    head = f'{{"provenance": {json.dumps(provenance)},\n"least_confidence": {least}, "second_within": {SECOND_WITHIN},\n'
    models = f'"choice": {exported(choice, part.names)},\n"support": {exported(support, part.support_names + part.names)}}}\n'
    path.write_text(head + models, encoding="utf-8")
    print(f"train: wrote {os.path.relpath(path)}")
