"""The measurements of scripts/bench, which builds the programs and cleans up."""

import argparse
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import time

import beir
import chunking
import formats
import fusion
import prose
import serve

SECTIONS = ["ingest", "memory", "searchable", "reingest", "search", "cache", "serve", "scale", "retrieval", "fusion", "chunking", "answers", "risk", "formats"]
FILES = int(os.environ.get("RAG_BENCH_FILES", 10_000))
BYTES = int(os.environ.get("RAG_BENCH_BYTES", 1_500_000))
PASSAGES = int(os.environ.get("RAG_BENCH_PASSAGES", 20_000))
RUNS = int(os.environ.get("RAG_BENCH_RUNS", 5))
SCALE = [int(n) for n in os.environ.get("RAG_BENCH_SCALE", "10000 100000 1000000").split()]
SCALE_SEEDS = 2_000
SCALE_QUESTIONS = 300
SERVE_QUESTIONS = 40_000
SERVE_SECONDS = 2 * RUNS
# Of each collection; each is a process.
FUSION_QUESTIONS = int(os.environ.get("RAG_BENCH_QUESTIONS", 300))
# Short processes vary more and are cheap to repeat.
SHORT_RUNS = 4 * RUNS

# nDCG@10 on scifact_train of plain reference code: BM25 with k1 0.9, b 0.4 and the Porter stemmer; exact cosines of the
# same int8 model; and two fusions of these.
REFERENCE = {
    "scifact_train": "BM25 0.6945, dense 0.6576, reciprocal ranks (k = 60) 0.7198, min-max scores 0.736",
}


class Process:
    """One finished process: wall time and peak memory."""

    def __init__(self, args, env, ok=(0,)):
        start = time.perf_counter()
        process = subprocess.Popen([str(arg) for arg in args], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        # No command prints more to stderr than a pipe holds. wait4 reports the peak memory of this child.
        self.stdout = process.stdout.read().decode()
        stderr = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        self.seconds = time.perf_counter() - start
        self.peak_bytes = usage.ru_maxrss * 1024
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in ok:
            sys.exit(f"bench: {' '.join(map(str, args))} ended with {process.returncode}\n{stderr}")


class Bench:
    def __init__(self, args):
        self.args = args
        self.work = pathlib.Path(args.work)
        share = self.work / "share"
        share.mkdir()
        # rag finds the library and the models here, wherever it was built.
        (share / "rag").symlink_to(pathlib.Path(args.assets).resolve())
        kept = {key: os.environ[key] for key in ("PATH", "TMPDIR", "LANG") if key in os.environ}
        self.env = kept | {"HOME": str(self.work / "home"), "XDG_DATA_HOME": str(share)}

    def in_data(self, name):
        return self.env | {"RAG_DATA_DIR": str(self.work / "data" / name)}

    def rag(self, data, *args, ok=(0,)):
        return Process([self.args.rag, *args], self.in_data(data), ok)

    def bare(self, data, *args):
        process = Process([self.args.bare, *args], self.in_data(data))
        return process, json.loads(process.stdout)

    def batch(self, data, file):
        """The reply of `rag ask` to each line of a file."""
        return [json.loads(line) for line in self.rag(data, "-q", "ask", "--batch", file, ok=(0, 3)).stdout.splitlines()]

    def ask(self, data, questions):
        """The reply of `rag ask` to each question; line breaks in questions become spaces."""
        file = self.work / "questions.txt"
        file.write_text("".join(" ".join(question.split()) + "\n" for question in questions), encoding="utf-8")
        return self.batch(data, file)

    def folder(self, name):
        """The work folder of that name, and whether it is new."""
        folder = self.work / name
        is_new = not folder.exists()
        folder.mkdir(exist_ok=True)
        return folder, is_new

    def book(self):
        folder, is_new = self.folder("book")
        if is_new:
            prose.write_book(folder, BYTES)
        return folder

    def ingest(self):
        book = self.book()
        ours, theirs, tokens = [], [], 0
        for n in range(RUNS):
            # A data directory for each run: an ingest of an unchanged folder would do nothing.
            ours.append(self.rag(f"book-{n}", "-q", "ingest", "--no-cache", "--dir", book).seconds)
            _, loop = self.bare(f"book-{n}", "embed", "default")
            theirs.append(loop["seconds"])
            tokens = loop["tokens"]
        ingest, bare = statistics.median(ours), statistics.median(theirs)
        line("ingest", f"{tokens:,} tokens", f"{tokens / ingest:,.0f} tokens/s, {ingest:.2f} s")
        line("", "model alone, same tokens, every core", f"{tokens / bare:,.0f} tokens/s, {bare:.2f} s")
        verdict("ratio", bare / ingest, 0.90, at_least=True)

    def memory(self):
        runs = [self.rag(f"memory-{n}", "-q", "ingest", "--no-cache", "--dir", self.book()) for n in range(min(RUNS, 3))]
        peak = statistics.median(run.peak_bytes for run in runs)
        line("memory", f"ingest of {BYTES / 1e6:.1f} MB, peak", f"{peak / 2**20:,.0f} MiB")
        question = self.rag("memory-0", "search", "--no-cache", "Who founded the old city?")
        line("", "one search, peak", f"{question.peak_bytes / 2**20:,.0f} MiB")

    def searchable(self):
        """Runs once, because the ingest takes minutes. Searches are repeated from the start of the ingest until one succeeds."""
        folder, is_new = self.folder("passages")
        if is_new:
            prose.write_passages(folder, PASSAGES)
        env = self.in_data("passages")
        start = time.perf_counter()
        ingest = subprocess.Popen([self.args.rag, "--json", "ingest", "--no-cache", "--dir", folder], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        first = None
        while first is None and ingest.poll() is None:
            # A passage in the middle of the folder: it is found once the text of all files is indexed.
            found = subprocess.run([self.args.rag, "--json", "search", "--mode", "lexical", f"passage {PASSAGES // 2}"], env=env, capture_output=True)
            if found.returncode == 0:
                first = time.perf_counter() - start
            time.sleep(0.02)
        summary = json.loads(ingest.communicate()[0])
        whole = time.perf_counter() - start
        if ingest.returncode:
            sys.exit(f"bench: the ingest of passages ended with {ingest.returncode}")
        line("searchable", f"{summary['chunks']:,} passages, whole ingest", f"{whole:.1f} s")
        line("", "first answer to a search by words", f"{first or whole:.2f} s")
        verdict("ratio", (first or whole) / whole, 1 / 20)

    def notes(self):
        folder, is_new = self.folder("notes")
        if is_new:
            prose.write_notes(folder, FILES)
            # Files younger than the clock's tick are read again by design; files of a user are older.
            time.sleep(0.1)
        return folder

    def reingest(self):
        notes = self.notes()
        first = self.rag("notes", "-q", "ingest", "--no-cache", "--dir", notes).seconds
        unchanged = statistics.median(self.rag("notes", "-q", "ingest", "--dir", notes).seconds for _ in range(RUNS))
        touched, changes = [], prose.Prose(3)
        for n in range(RUNS):
            path = notes / f"{n:02}" / f"note-{n:05}.md"
            path.write_text(f"# {changes.title()}\n\n{changes.paragraph(80)}\n", encoding="utf-8")
            time.sleep(0.1)
            touched.append(self.rag("notes", "-q", "ingest", "--dir", notes).seconds)
        one = statistics.median(touched)
        line("reingest", f"{FILES:,} files, first", f"{first:.2f} s")
        line("", "unchanged", f"{unchanged * 1e3:.0f} ms")
        verdict("ratio to first", unchanged / first, 1 / 50)
        line("", "one file changed", f"{one * 1e3:.0f} ms")
        verdict("ratio to unchanged", one / unchanged, 2)

    def search(self):
        notes = self.notes()
        self.rag("notes", "-q", "ingest", "--dir", notes)
        questions = prose.Prose(4)
        times = {name: [] for name in ("hybrid", "load", "lexical", "version", "first", "again")}
        for _ in range(SHORT_RUNS):
            # Interleaved, so that a slow moment of the machine affects all of them.
            times["hybrid"].append(self.rag("notes", "search", "--no-cache", questions.question()).seconds)
            times["load"].append(self.bare("notes", "load", questions.question())[0].seconds)
            times["lexical"].append(self.rag("notes", "search", "--mode", "lexical", questions.question()).seconds)
            times["version"].append(self.rag("notes", "--version").seconds)
            asked = questions.question()
            times["first"].append(self.rag("notes", "ask", asked, ok=(0, 3)).seconds)
            times["again"].append(self.rag("notes", "ask", asked, ok=(0, 3)).seconds)
        ms = {name: statistics.median(values) * 1e3 for name, values in times.items()}
        line("search", f"hybrid, new question, {FILES:,} files", f"{ms['hybrid']:.0f} ms")
        line("", "loading library and model, one embedding", f"{ms['load']:.0f} ms")
        verdict("ratio", ms["hybrid"] / ms["load"], 1.5)
        line("", "lexical mode", f"{ms['lexical']:.1f} ms")
        line("", "rag --version", f"{ms['version']:.1f} ms")
        verdict("ratio to twice that and 10 ms", ms["lexical"] / (2 * ms["version"] + 10), 1)
        line("", "ask, new and repeated question", f"{ms['first']:.0f} ms, {ms['again']:.1f} ms")
        verdict("ratio of repeated to new", ms["again"] / ms["first"], 1 / 3)
        verdict("ratio of repeated to --version and 15 ms", ms["again"] / (ms["version"] + 15), 1)

    def cache(self):
        """Two times 1,000 questions drawn from 500 by Zipf's law: the n-th most frequent is asked 1/n as often as the first."""
        self.rag("notes", "-q", "ingest", "--dir", self.notes())
        questions, draw = prose.Prose(5), random.Random(5)
        pool = [questions.question() for _ in range(500)]
        drawn = draw.choices(pool, [1 / (n + 1) for n in range(len(pool))], k=2000)
        self.rag("notes", "cache", "purge", "answers,retrieval")
        for half, name in ((drawn[:1000], "cold"), (drawn[1000:], "warm")):
            file = self.work / f"{name}.txt"
            file.write_text("".join(f"{question}\n" for question in half), encoding="utf-8")
            start = time.perf_counter()
            said = self.batch("notes", file)
            seconds = time.perf_counter() - start
            rate = statistics.mean(answer["cache"]["answer_hit"] for answer in said)
            line("cache" if name == "cold" else "", f"1,000 questions, {name} cache", f"{rate:.1%} hits, {seconds:.2f} s")
        verdict("share", rate, 0.80, at_least=True)

    def serve(self):
        """The server over the notes: at the maximum rate, at a quarter of it, and with one client."""
        if not shutil.which("wrk"):
            line("serve", "under load", "skipped: needs wrk")
            return
        self.rag("notes", "-q", "ingest", "--dir", self.notes())
        prose_of, seen = prose.Prose(6), set()
        while len(seen) < SERVE_QUESTIONS:
            seen.add(prose_of.question())
        asked = sorted(seen)
        random.Random(6).shuffle(asked)
        file = self.work / "asked.txt"
        file.write_text("\n".join(asked[:2000]) + "\n", encoding="utf-8")
        server = serve.Server(self.args.rag, self.in_data("notes"), self.work)
        fresh = iter(asked)
        bodies = lambda n: [{"query": next(fresh)} for _ in range(n)]
        server.at_rate("/search", bodies(50))
        alone = statistics.median(server.at_rate("/search", bodies(300)))
        # Between two measurements of the model alone, so that a slow moment of the machine affects both.
        rates = []
        def bare():
            process, said = self.bare("notes", "questions", file)
            rates.append(said["texts"] / said["seconds"])
        bare()
        load = server.wrk("/search", server.bodies("fresh.jsonl", bodies(SERVE_QUESTIONS // 2)), SERVE_SECONDS)
        bare()
        rate = statistics.mean(rates)
        line("serve", "new searches, 64 connections", f"{load['rate']:,.0f} per second, P95 {load['p95_ms']:.0f} ms")
        line("", "model alone, every core", f"{rate:,.0f} questions per second")
        verdict("ratio", load["rate"] / rate, 0.8, at_least=True)
        quarter = serve.p95(server.at_rate("/search", bodies(int(load["rate"] * SERVE_SECONDS / 4)), load["rate"] / 4))
        line("", "P95 at a quarter of that rate", f"{quarter:.1f} ms")
        line("", "median of a single client", f"{alone:.1f} ms")
        verdict("ratio", quarter / alone, 2.5)
        verdict("P95 in ms", quarter, 250)
        again = [{"query": question} for question in asked[:200]]
        known = server.bodies("known.jsonl", again)
        for route in ("/search", "/ask"):
            # Each is asked once, so that its result is cached.
            server.at_rate(route, again)
            cached = server.wrk(route, known, SERVE_SECONDS, once=False)
            line("", f"{route}, repeated, 64 connections", f"{cached['rate']:,.0f} per second, P95 {cached['p95_ms']:.1f} ms")
        others = bodies(64)
        worked = server.together("/search", others, {"query": next(fresh)}, 64)
        line("", "64 identical questions behind 64 others", f"embedded {worked - len(others)} times")
        verdict("times", worked - len(others), 1)
        server.stop()

    def scale(self):
        """Indexes of growing size, built around the passages of an ingest, each compared with the scan of all vectors."""
        seeds, is_new = self.folder("seeds")
        if is_new:
            prose.write_passages(seeds, SCALE_SEEDS)
        self.rag("scale", "-q", "ingest", "--dir", seeds)
        asked = prose.Prose(7)
        file = self.work / "asked.txt"
        file.write_text("".join(f"{asked.question()}\n" for _ in range(SCALE_QUESTIONS)), encoding="utf-8")
        update, _ = self.folder("update")
        smallest = None
        for n in SCALE:
            name = f"passages-{n}"
            _, built = self.bare("scale", "grow", "default", name, n)
            line("scale", f"{built['passages']:,} passages, built without embedding", f"{built['seconds']:.1f} s, {built['bytes'] / 1e6:,.0f} MB")
            # A new process each: the first search reads and checks what it needs.
            of_index = ("--index", name)
            cold = [self.rag("scale", *of_index, "search", "--no-cache", asked.question(), ok=(0, 3)) for _ in range(RUNS)]
            line("", "rag search, a process each", f"{statistics.median(run.seconds for run in cold) * 1e3:.0f} ms, peak {max(run.peak_bytes for run in cold) / 2**20:,.0f} MiB")
            _, warm = self.bare("scale", "warm", name, file)
            hybrid = warm["hybrid"]
            line("", f"warm hybrid search, {SCALE_QUESTIONS} questions", f"P50 {hybrid['p50_ms']:.1f} ms, P99 {hybrid['p99_ms']:.1f} ms")
            line("", "resident afterwards", f"{warm['resident_kb'] / 1024:,.0f} MiB, {warm['anonymous_kb'] / 1024:,.0f} of it not of files")
            _, both = self.bare("scale", "compare", name, file)
            rows = both["rows"]
            line("", "the same with all vectors", f"P50 {rows['p50_ms']:.1f} ms, P99 {rows['p99_ms']:.1f} ms")
            verdict("ratio of the medians", both["codes"]["p50_ms"] / rows["p50_ms"], 1)
            verdict("recall of the ten nearest", both["recall"], 1, at_least=True)
            verdict("share of questions with the same hits or ties", both["same"] / both["questions"], 0.995, at_least=True)
            changed = []
            for text in range(RUNS + 1):
                (update / "note.md").write_text(f"# Note\n\n{prose.Prose(100 + text).paragraph(80)}\n", encoding="utf-8")
                time.sleep(0.1)
                changed.append(self.rag("scale", "-q", *of_index, "ingest", "--no-cache", "--dir", update).seconds)
            # The first adds the folder.
            line("", "one file changed", f"{statistics.median(changed[1:]):.2f} s")
            smallest = smallest or hybrid["p50_ms"]
            verdict(f"ratio of P50 to that at {SCALE[0]:,}", hybrid["p50_ms"] / smallest, 5)
            self.rag("scale", *of_index, "index", "remove", "--yes")

    def retrieval(self):
        for name in ("scifact_train", "cisi", "cacm", "xquad_en", "xquad_zh"):
            source = pathlib.Path(self.args.test_data) / name
            if not (source / "corpus.jsonl").is_file():
                line("retrieval", name, f"skipped: no {name} in RAG_TEST_DATA")
                continue
            modes = json.loads(self.rag(name, "--json", "eval", source, "--dir", source).stdout)["modes"]
            figures = ", ".join(f"{mode} {values['ndcg@10']:.4f}" for mode, values in modes.items())
            line("retrieval", f"{name}, nDCG@10", figures)
            if name in REFERENCE:
                line("", "plain reference code", REFERENCE[name])
            self.agreement(name, source)

    def agreement(self, name, source):
        """The questions for which a comparison with all vectors finds the same hits."""
        target = self.work / name
        if not target.is_dir():
            beir.main(source, target)
        self.rag(name, "-q", "ingest", "--dir", target / "docs")
        rows = [json.loads(row) for row in (target / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
        file = self.work / "asked.txt"
        file.write_text("".join(" ".join(row["query"].split()) + "\n" for row in rows), encoding="utf-8")
        _, both = self.bare(name, "compare", "default", file)
        line("", "the same hits or ties with all vectors", f"{both['same']} of {both['questions']} questions")
        verdict("share", both["same"] / both["questions"], 0.995, at_least=True)

    def fusion(self):
        collections = {}
        for name in ("scifact_train", "cisi", "cacm", "xquad_en", "xquad_zh"):
            source = pathlib.Path(self.args.test_data) / name
            if not (source / "corpus.jsonl").is_file():
                line("fusion", name, f"skipped: no {name} in RAG_TEST_DATA")
                continue
            target = self.work / name
            if not target.is_dir():
                beir.main(source, target)
            self.rag(name, "-q", "ingest", "--dir", target / "docs")
            asked = [json.loads(row) for row in (target / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
            collections[name] = [fusion.question(self.explained(name, row["query"]), row["relevant"]) for row in asked[:FUSION_QUESTIONS]]
        if collections:
            fusion.report(collections, line)

    def explained(self, data, query):
        """The best passages for a question, with the scores of both retrievers."""
        found = self.rag(data, "--json", "search", "--explain", "-k", 300, "--", " ".join(query.split()), ok=(0, 3))
        return json.loads(found.stdout)["hits"]

    def tokens(self, texts):
        """The number of tokens of each text, by the model's tokenizer."""
        file = self.work / "texts.jsonl"
        file.write_text("".join(json.dumps(text) + "\n" for text in texts), encoding="utf-8")
        return [int(n) for n in Process([self.args.bare, "tokens", file], self.in_data("chunking")).stdout.splitlines()]

    def chunking(self):
        source = pathlib.Path(self.args.test_data) / "chroma_chunking"
        if not source.is_dir():
            line("chunking", "chroma_chunking", "skipped: no chroma_chunking in RAG_TEST_DATA")
            return
        documents, questions = chunking.load(source)
        words = chunking.words(documents)
        tokens = dict(zip(words, self.tokens(words), strict=True))
        top, deep = 5, 20  # Places. Several passages may be of one place, so three times as many are retrieved.

        def ranked(name, folder, place):
            """For each question the distinct places that a search returns, best first."""
            self.rag("chunking", "-q", "--index", name, "ingest", "--dir", folder)
            return [list(dict.fromkeys(map(place, self.hits(name, question.text, 3 * deep)))) for question in questions]

        def report(section, what, figures):
            line(section, what, f"recall {figures.recall:.3f}, precision {figures.precision:.3f}, {figures.tokens:,.0f} tokens")

        ours = ranked("ours", source / "docs", lambda hit: (hit["path"], *documents[hit["path"]].characters(*hit["bytes"])))
        figures = chunking.Measure(questions, documents, tokens)
        report("chunking", f"{len(questions)} questions, {top} passages", figures([places[:top] for places in ours]))
        for n_tokens in (200, 400):
            folder, _ = self.folder(f"windows-{n_tokens}")
            places = chunking.write_windows(documents, n_tokens, tokens, folder)
            # The model reads 256 tokens: any part of a longer window may be found, and the whole window counts as returned.
            windows = [found[:top] for found in ranked(f"windows-{n_tokens}", folder, lambda hit: places[hit["path"]])]
            report("", f"{top} windows of {n_tokens} tokens", figures(windows))
            fitting = [figures.fitting(found, figures.size(room)) for found, room in zip(ours, windows, strict=True)]
            report("", "passages of the same length", figures(fitting))
            verdict("ratio of recall", figures(fitting).recall / figures(windows).recall, 1, at_least=True)

    def hits(self, name, question, k):
        found = self.rag("chunking", "--index", name, "--json", "search", "-k", k, "--", question, ok=(0, 3))
        return json.loads(found.stdout)["hits"]

    def answers(self):
        data = pathlib.Path(self.args.test_data)
        source, book = data / "xquad_en" / "answers.json", data / "rustbook_en"
        if not (source.is_file() and book.is_dir()):
            line("answers", "xquad_en, rustbook_en", "skipped: not in RAG_TEST_DATA")
            return
        paragraphs, questions = [], []
        for document in json.loads(source.read_text(encoding="utf-8"))["data"]:
            for paragraph in document["paragraphs"]:
                paragraphs.append(paragraph["context"])
                questions += [(qa["question"], [span["text"] for span in qa["answers"]]) for qa in paragraph["qas"]]
        folder, is_new = self.folder("paragraphs")
        for n, text in enumerate(paragraphs if is_new else []):
            (folder / f"{n:03}.txt").write_text(text + "\n", encoding="utf-8")
        self.rag("answers-own", "-q", "ingest", "--dir", folder)
        self.rag("answers-other", "-q", "ingest", "--dir", book)

        asked = [question for question, _ in questions]
        said = self.ask("answers-own", asked)
        answered = [answer["answer"] for answer in said if answer["supported"]]
        right = sum(holds(answer["answer"], spans) for answer, (_, spans) in zip(said, questions))
        line("answers", f"{len(asked):,} questions of xquad_en, gold span", f"{right / len(asked):.1%}")
        verdict("share", right / len(asked), 0.85, at_least=True)
        verdict("words, mean of answers", statistics.mean(map(words, answered)), 80)
        process = Process([self.args.bare, "nearest", "default", self.work / "questions.txt"], self.in_data("answers-own"))
        nearest = [json.loads(sentence) for sentence in process.stdout.splitlines()]
        right = sum(holds(sentence, spans) for sentence, (_, spans) in zip(nearest, questions, strict=True))
        length = statistics.mean(map(words, nearest))
        line("", "nearest sentence by cosine", f"{right / len(asked):.1%} in {length:.1f} words")

        # Evenly spaced, so that every document is represented.
        some = [n * len(asked) // 300 for n in range(300)]
        refused = [not said[n]["supported"] for n in some]
        line("", f"{len(some)} of them, refused", f"{statistics.mean(refused):.1%}, of all {1 - len(answered) / len(said):.1%}")
        verdict("share", statistics.mean(refused), 0.02)
        refused = [not answer["supported"] for answer in self.ask("answers-other", [asked[n] for n in some])]
        line("", f"{len(some)} asked of rustbook_en, refused", f"{statistics.mean(refused):.1%}")
        verdict("share", statistics.mean(refused), 0.98, at_least=True)

        # Rankings and vectors are cached: what is left is the choice itself.
        self.rag("answers-own", "-q", "cache", "purge", "answers")
        again = [answer for answer in self.ask("answers-own", asked) if not (answer["cache"]["embed_misses"] or answer["cache"]["answer_hit"])]
        assert len(again) > 0.9 * len(asked), "nearly all vectors are cached, and few questions occur twice"
        times = sorted(answer["timings"]["generation_ms"] for answer in again)
        line("", "choice of an answer, vectors cached", f"median {times[len(times) // 2]:.1f} ms, P95 {times[len(times) * 95 // 100]:.1f} ms")
        verdict("median in ms", times[len(times) // 2], 5)

    def risk(self):
        data = pathlib.Path(self.args.test_data)
        if not (data / "bipia").is_dir():
            line("risk", "bipia", "skipped: not in RAG_TEST_DATA")
            return
        for row in self.bare("risk", "risk", data)[1]:
            found, wrong = (f"{n} of {of}" for n, of in (row["flagged"], row["ordinary"]))
            line("risk", f"bipia {row['texts']}, {row['by']}", f"{found} attacks and {wrong} ordinary texts")
            if row["texts"] == "test: questions" and row["by"] == "both":
                verdict("precision", row["precision"], 0.97, at_least=True)
                verdict("recall", row["recall"], 0.97, at_least=True)

    def formats(self):
        source = pathlib.Path(self.args.test_data) / "pypdf_samples"
        if not source.is_dir() or not shutil.which("pdftotext"):
            line("formats", "PDF", "skipped: needs pdftotext, and pypdf_samples in RAG_TEST_DATA")
            return
        # PDFs that packages installed on this machine are measured too.
        folders = [folder for folder in (source, pathlib.Path("/usr/share/doc"), pathlib.Path("/usr/share/texmf")) if folder.is_dir()]
        rows = list(formats.pdfs(self.args.rag, folders))
        measured = [row for row in rows if row[1] > 0]
        line("formats", f"PDF, {len(measured)} files against pdftotext", f"{sum(row[1] for row in measured):,} words")
        verdict("recall", statistics.median(row[2] for row in measured), 0.97, at_least=True)
        verdict("order", statistics.median(row[3] for row in measured), 0.97, at_least=True)
        for path, _, _, _, said in rows:
            if said:
                line("", path.name, said)


def holds(answer, spans):
    """Whether one of the spans is in the answer, ignoring white space and citation marks."""
    text = " ".join(re.sub(r" ?\[\d+\]", "", answer).split())
    return any(" ".join(span.split()) in text for span in spans)


def words(answer):
    return sum(any(c.isalnum() for c in word) for word in re.sub(r"\[\d+\]", "", answer).split())


def line(section, what, figure):
    print(f"{section:<10} {what:<42} {figure}", flush=True)


def verdict(what, ratio, limit, at_least=False):
    good = ratio >= limit if at_least else ratio <= limit
    wanted = f"{'at least' if at_least else 'at most'} {limit:.4g}"
    line("", what, f"{ratio:.3f} ({wanted}: {'ok' if good else 'MISSED'})")


def main():
    parser = argparse.ArgumentParser()
    for name in ("rag", "bare", "assets", "test-data", "work"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("sections", nargs="*")
    args = parser.parse_args()
    bench = Bench(args)
    print(f"{os.cpu_count()} cores, medians of {RUNS} runs, of {SHORT_RUNS} for short processes\n", flush=True)
    for section in args.sections or SECTIONS:
        getattr(bench, section)()


if __name__ == "__main__":
    main()
