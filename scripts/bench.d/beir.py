#!/usr/bin/env python3
"""Converts a BEIR folder: one Markdown file per document, and questions for `rag eval`.

usage: beir.py BEIR_DIR OUT_DIR    writes OUT_DIR/docs/*.md and OUT_DIR/questions.jsonl
"""

import json
import pathlib
import sys


def rows(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def main(source, target):
    docs = target / "docs"
    docs.mkdir(parents=True)
    for row in rows(source / "corpus.jsonl"):
        title = " ".join(row.get("title", "").split())
        text = f"# {title}\n\n{row['text']}\n" if title else f"{row['text']}\n"
        (docs / f"{row['_id']}.md").write_text(text, encoding="utf-8")
    relevant = {}
    with open(source / "qrels" / "test.tsv", encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            query, document, grade = line.rstrip("\n").split("\t")
            if int(grade) > 0:
                relevant.setdefault(query, {})[f"{document}.md"] = int(grade)
    with open(target / "questions.jsonl", "w", encoding="utf-8") as out:
        for row in rows(source / "queries.jsonl"):
            if row["_id"] in relevant:
                question = {"query": row["text"], "relevant": relevant[row["_id"]]}
                out.write(json.dumps(question, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
