"""Kills the processes of the S3 store under load, starts them again on the same disks, and looks for what is missing."""

import collections
import json
import os
import random
import signal
import threading
import time

from engines import request, until

# What is killed; and for how many seconds it is away, one round each.
TARGETS = ("volume", "filer", "master", "all")
AWAY_S = (1, 5, 12)
# Ingests that end well between two kills.
BETWEEN = 3
# Jobs that wait at the same time.
WAITING = 8
INDEXES = ("default", "queued")
# The machines of this section are one for the database, which counts their running jobs together.
WORKERS = {"RAG_MAX_WORKERS": "8"}


class Load:
    """Publishes generations all the time, in three ways, each a page with a word of its own. A page is acknowledged
    when its ingest has ended well, a job when it was accepted."""

    def __init__(self, cluster, front):
        self.cluster, self.front = cluster, front
        self.is_over = threading.Event()
        self.lock = threading.Lock()
        # What is acknowledged: pages, and pages by the job that ingests them.
        self.pages, self.jobs = [], {}
        # Jobs accepted while a part of the store is away.
        self.is_away, self.n_away = False, 0
        # When each ingest began that ended well; how often others ended how.
        self.good, self.refused = [], collections.Counter()
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.ingest, self.upload, self.queue)]
        for thread in self.threads:
            thread.start()

    def end(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def write(self, page):
        folder = self.cluster.folder(f"docs-{page.index}-{page.kind}")
        with open(os.path.join(folder, page.path), "w") as file:
            file.write(page.text)
        return folder

    def ingest(self):
        """By a command that waits for the end."""
        n, unacknowledged = 0, []
        while not self.is_over.is_set():
            page = Page("command", n, "default")
            n += 1
            folder = self.write(page)
            unacknowledged.append(page)
            start = time.monotonic()
            done = self.cluster.call("five", "ingest", "--dir", folder, **WORKERS)
            with self.lock:
                if done.returncode == 0:
                    self.good.append(start)
                    self.pages += unacknowledged
                    unacknowledged = []
                else:
                    says_why = all(part in done.stderr for part in ("error: ", "s3://rag/", "hint: "))
                    what = f"exit code {done.returncode}"
                    self.refused[what if says_why else f"{what}, UNCLEAR: {done.stderr}"] += 1
            if done.returncode:
                self.is_over.wait(0.5)

    def upload(self):
        """By a server, whose own worker runs the job."""
        n = 0
        while not self.is_over.is_set():
            page = Page("upload", n, "default")
            n += 1
            status, reply = request(self.front, "POST", "/documents", {"path": page.path, "text": page.text})
            self.note_job(page, reply["job_id"] if status == 202 else None, f"status {status} for an upload")

    def queue(self):
        """By a worker of another machine."""
        n = 0
        while not self.is_over.is_set():
            page = Page("queue", n, "queued")
            n += 1
            command = ("ingest", "--dir", self.write(page), "--index", page.index, "--detach", "--json")
            done = self.cluster.call("six", *command, **WORKERS)
            job = json.loads(done.stdout)["job_id"] if done.returncode == 0 else None
            self.note_job(page, job, f"exit code {done.returncode} for a submission")

    def note_job(self, page, job, otherwise):
        with self.lock:
            if job:
                self.jobs[job] = page
                self.n_away += self.is_away
            else:
                self.refused[otherwise] += 1
        # Jobs are accepted while the store is away too, but not without end.
        while not self.is_over.wait(0.5) and len(self.unfinished()) >= WAITING:
            pass

    def states(self):
        with self.lock:
            jobs = "','".join(self.jobs)
        lines = self.cluster.sql(0, f"SELECT id, state FROM rag_jobs WHERE id IN ('{jobs}')").splitlines()
        return dict(line.split("|") for line in lines)

    def unfinished(self):
        return [job for job, state in self.states().items() if state in ("queued", "running")]

    def since(self, moment):
        """When the ingests began that ended well and began after a moment."""
        with self.lock:
            return [start for start in self.good if start >= moment]


class Page:
    def __init__(self, kind, n, index):
        self.kind, self.index, self.path = kind, index, f"{kind}{n}.md"
        self.word = f"{kind}word{n}"
        self.text = f"# Page {n}\n\nThe {self.word} is kept in drawer {n}.\n"

    def is_found(self, port):
        """Whether a server finds it; `None` when the server does not answer."""
        status, reply = request(port, "POST", "/search", {"query": self.word, "mode": "lexical", "index": self.index})
        return any(hit["path"].endswith(self.path) for hit in reply["hits"]) if status == 200 else None


class Reader(threading.Thread):
    """Asks a server for acknowledged pages all the time: what it has found once it must find ever after."""

    def __init__(self, load, port):
        super().__init__(daemon=True)
        self.load, self.port = load, port
        self.seen, self.n, self.failed, self.wrong = set(), 0, 0, 0
        self.start()

    def run(self):
        while not self.load.is_over.wait(0.05):
            with self.load.lock:
                pages = self.load.pages[:]
            if not pages:
                continue
            page = pages[self.n % len(pages)]
            found = page.is_found(self.port)
            self.n += 1
            self.failed += found is None
            self.wrong += found is False and page in self.seen
            if found:
                self.seen.add(page)


def kill_store(cluster, servers, front, row, ask):
    """`ask` begins to ask a question all the time; its `end` returns what came of it."""
    load = Load(cluster, front)
    readers = [Reader(load, server.port) for server in servers]
    rng = random.Random(1)
    n_kills, starts = 0, {target: [] for target in TARGETS}
    parts = {**cluster.store, "all": None}
    begun = time.monotonic()
    prober = ask()
    for away in AWAY_S:
        for target in TARGETS:
            start = time.monotonic()
            until("ingests before the kill", lambda: len(load.since(start)) >= BETWEEN)
            time.sleep(rng.random() * 2)
            killed = [*cluster.store.values(), *cluster.gateways] if target == "all" else [parts[target]]
            for process in killed:
                os.killpg(process.child.pid, signal.SIGKILL)
            for process in killed:
                process.child.wait()
            n_kills += len(killed)
            load.is_away = True
            time.sleep(away)
            load.is_away = False
            start = time.monotonic()
            for process in killed:
                process.start()
            until("an ingest after the restart", lambda: load.since(start))
            # It began after the restart, and has ended by now.
            starts[target].append(time.monotonic() - start)
    asked = prober.end()
    load.end()
    seconds = time.monotonic() - begun
    for target in TARGETS:
        what = "all of the store" if target == "all" else f"the {target} server" if target == "volume" else f"the {target}"
        row(f"{what} killed {len(AWAY_S)} times: until an ingest has ended", max(starts[target]),
            "after the restart; " + ", ".join(f"{s:.1f} s after {away} s away" for away, s in zip(AWAY_S, starts[target])))
    row("processes of the store killed", n_kills, f"in {len(AWAY_S) * len(TARGETS)} kills within {seconds:.0f} s")
    row("ingests and submissions that were refused meanwhile", sum(load.refused.values()),
        ", ".join(f"{n} with {what}" for what, n in sorted(load.refused.items())))
    row("a question that was asked all the time", asked.split()[0], asked)
    pages = [f"{reader.n} requests, {reader.failed} failed, {reader.wrong} wrong" for reader in readers]
    row("acknowledged pages that were asked for all the time", sum(reader.n for reader in readers), "; ".join(pages))
    settled = until("the jobs end", lambda: not load.unfinished())
    states = load.states()
    lost = [job for job in load.jobs if states.get(job) != "succeeded"]
    row("accepted jobs that did not succeed", len(lost), f"of {len(load.jobs)}, {load.n_away} of them accepted while the "
        f"store was away; all had ended {settled:.1f} s after the last submission")
    # Machines that have no copy of anything: one asks, and one fetches and checks every byte.
    late = cluster.serve("seven")
    pages = load.pages + [page for job, page in load.jobs.items() if states.get(job) == "succeeded"]
    for index in INDEXES:
        until("a new machine has a copy", lambda: request(late.port, "POST", "/search", {"query": "page", "index": index})[0] == 200)
    missing = [page for page in pages if not page.is_found(late.port)]
    row("acknowledged pages that are missing on a new machine", len(missing), f"of {len(pages)}")
    late.kill(signal.SIGTERM)
    own = {"RAG_DEPOT_URL": ""}
    for index in INDEXES:
        pulled = cluster.rag("eight", "index", "pull", "--from", "s3://rag/cluster", "--index", index, "--json", **own)
        verified = cluster.call("eight", "index", "verify", "--index", index, **own)
        row(f"every byte of both generations of `{index}`", "whole" if verified.returncode == 0 else "DAMAGED",
            f"{pulled['documents']} documents" if verified.returncode == 0 else verified.stdout)
