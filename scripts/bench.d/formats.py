"""Text of PDFs against pdftotext: share of its words that rag extracts, and share of those in the same order."""

import bisect
import collections
import json
import pathlib
import re
import statistics
import subprocess
import unicodedata


class Worker:
    """The child process in which rag parses risky formats, with the protocol of an ingest."""

    def __init__(self, rag):
        self.process = subprocess.Popen([str(rag), "extract-worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def read(self, path):
        """The text that rag extracts from a file, or the reason for none."""
        data = pathlib.Path(path).read_bytes()
        head = {"path": str(path), "bytes": len(data), "cpu_s": 60}
        self.process.stdin.write(json.dumps(head).encode() + b"\n" + data)
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            return {"NoText": {"kind": "died", "what": ""}}
        return json.loads(self.process.stdout.read(json.loads(line)["bytes"]))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def words(text):
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower())


def recall(reference, found):
    want, have = collections.Counter(reference), collections.Counter(found)
    return sum(min(n, have[word]) for word, n in want.items()) / max(1, len(reference))


def order(reference, found):
    """The length of the longest common subsequence with the reference, divided by the number of common words."""
    places = collections.defaultdict(list)
    for at, word in enumerate(found):
        places[word].append(at)
    taken, sequence = collections.Counter(), []
    for word in reference:
        if taken[word] < len(places[word]):
            sequence.append(places[word][taken[word]])
            taken[word] += 1
    tails = []
    for at in sequence:
        i = bisect.bisect_left(tails, at)
        tails[i:i + 1] = [at]
    return len(tails) / max(1, len(sequence))


def pdfs(rag, folders):
    """Measures every PDF below the folders; yields (path, reference words, recall, order, message of rag)."""
    paths = sorted(path for folder in folders for path in pathlib.Path(folder).rglob("*.pdf"))
    for path in paths:
        done = subprocess.run(["pdftotext", "-q", "-enc", "UTF-8", str(path), "-"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        reference = words(done.stdout.decode("utf-8", "replace"))
        worker = Worker(rag)
        answer = worker.read(path)
        worker.close()
        text = answer.get("Text", {}).get("text", "") if isinstance(answer, dict) else ""
        said = "" if text else (answer.get("NoText", {}).get("kind") if isinstance(answer, dict) else answer)
        found = words(text)
        yield path, len(reference), recall(reference, found), order(reference, found), said

