//! Source code from bytes to passages, for every language with a grammar.

use proptest::prelude::*;

use super::*;
use crate::document::{Chunk, Span};

/// A token is four letters of a word, or one other character.
fn count(text: &str) -> usize {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .map(|word| word.len().div_ceil(4))
        .sum::<usize>();
    words + text.chars().filter(|c| !c.is_alphanumeric() && !c.is_whitespace()).count()
}

fn chunks(path: &str, text: &str, max_tokens: usize) -> Vec<Chunk> {
    let mut doc = extract(path, text.as_bytes()).unwrap();
    doc.outline = outline(path, &doc.text);
    chunk(&doc, &Limits { max_tokens, overlap_tokens: 0 }, &count)
}

/// Passages as heading path, first line and last line, to compare with `code.expected`.
struct Seen(String);

impl Seen {
    fn add(&mut self, path: &str, text: &str) {
        self.0.push_str(&format!("\n{path}\n"));
        for chunk in chunks(path, text, 140) {
            let mut lines = chunk.text.lines();
            let (first, last) = (lines.next().unwrap_or_default(), lines.next_back());
            let last = last.map(|last| format!(" … {}", last.trim())).unwrap_or_default();
            self.0.push_str(&format!(
                "    [{}] {}{last}\n",
                chunk.heading.join(" › "),
                first.trim()
            ));
        }
    }
}

/// Statements for the body of a function, some 20 tokens a line.
fn body(indent: &str, statement: &str, n: usize) -> String {
    (0..n).map(|i| format!("{indent}{}\n", statement.replace('#', &i.to_string()))).collect()
}

fn rust(seen: &mut Seen) {
    let long = body(
        "        ",
        "let total_# = self.prices.iter().map(|price| price.amount + #).sum();",
        4,
    );
    let text = format!(
        "//! What a shop sells.\n\nuse std::fmt;\n\n/// A shop\n/// with \
         prices.\n#[derive(Debug)]\npub struct Shop {{\n    prices: \
         Vec<Price>,\n}}\n\nimpl<T: Clone> fmt::Display for Shop<T> {{\n    /// Adds up.\n    \
         #[inline]\n    pub fn total(&self) \
         -> u64 {{\n{long}        0\n    }}\n\n    fn empty(&self) -> bool {{\n{long}        \
         true\n    }}\n}}\n\nmod inner {{\n    \
         fn deep() {{\n{long}    }}\n    const N: u8 = 1;\n}}\n"
    );
    seen.add("src/shop.rs", &text);
}

fn python(seen: &mut Seen) {
    let long = body(
        "        ",
        "self.total_# = sum(price.amount for price in self.prices if price > #)",
        4,
    );
    let text = format!(
        "\"\"\"What a shop sells.\"\"\"\nimport os\n\n\n# The shop.\n@dataclass\nclass \
         Shop(Base):\n    \"\"\"A shop.\"\"\"\n\n    \
         prices: list\n\n    @property\n    def total(self):\n        \"\"\"Adds up.\"\"\"\n{long}\
         \x20       return 0\n\n    async def \
         empty(self):\n{long}        return True\n\n\ndef main():\n    shop = Shop()\n\n\nif \
         __name__ == '__main__':\n    main()\n"
    );
    seen.add("shop.py", &text);
}

fn scripts(seen: &mut Seen) {
    let long =
        body("    ", "const total# = this.prices.map((price) => price.amount + #).reduce(add);", 4);
    let text = format!(
        "import {{ add }} from './add.js';\n\n/**\n * A shop.\n */\nexport class Shop extends Base \
         {{\n  static n = 1;\n\n  // Adds \
         up.\n  total() {{\n{long}  }}\n\n  get empty() {{\n{long}  }}\n}}\n\nexport const open = \
         async (shop) => {{\n{long}}};\n\n\
         export default function close(shop) {{\n{long}}}\n"
    );
    seen.add("shop.js", &text);
    seen.add("shop.ts", &text);
    let text = format!(
        "export interface Shop {{\n  name: string;\n{}}}\n\nexport abstract class Market<T> {{\n  \
         @Input() name: string;\n\n  \
         private async total(by: T): Promise<void> {{\n{long}  }}\n}}\n\nnamespace Deep.Inner {{\n\
         \x20 export type Name = string;\n\n  \
         export enum Kind {{ A, B }}\n\n  export function View(): Element {{\n{long}    return \
         <div>{{name}}</div>;\n  }}\n}}\n",
        body("  ", "price#(of: Map<string, number>, until: Date): Promise<number>;", 6)
    );
    seen.add("shop.tsx", &text);
}

fn go(seen: &mut Seen) {
    let long = body(
        "\t",
        "total# := shop.Prices.Sum(func(price Price) int { return price.Amount + # })",
        4,
    );
    let text = format!(
        "// Package shop sells.\npackage shop\n\nimport (\n\t\"fmt\"\n)\n\n// Shop sells.\ntype \
         Shop struct {{\n\tPrices []Price\n}}\n\n\
         const (\n\tA = 1\n\tB = 2\n)\n\n// Total adds up.\nfunc (s *Shop) Total() int \
         {{\n{long}\treturn 0\n}}\n\nfunc New() *Shop \
         {{\n{long}\treturn nil\n}}\n"
    );
    seen.add("shop.go", &text);
}

fn java_and_c_sharp(seen: &mut Seen) {
    let long =
        body("        ", "int total# = prices.stream().map(price -> price.amount + #).sum();", 4);
    let text = format!(
        "package shop;\n\nimport java.util.List;\n\n/** A shop. */\n@Entity\npublic class Shop \
         extends Base {{\n    private int n;\n\n    \
         public Shop() {{\n        n = 1;\n    }}\n\n    /**\n     * Adds up.\n     */\n    \
         @Override\n    public int total() \
         {{\n{long}        return 0;\n    }}\n\n    enum Kind {{ A, B }}\n\n    static class Inner \
         {{\n        void deep() {{\n{long}        \
         }}\n    }}\n}}\n"
    );
    seen.add("Shop.java", &text);
    let long =
        body("            ", "var total# = prices.Select(price => price.Amount + #).Sum();", 4);
    let text = format!(
        "using System;\n\nnamespace Market\n{{\n    /// <summary>A shop.</summary>\n    \
         [Serializable]\n    public class Shop : Base\n    \
         {{\n        public int N {{ get; set; }}\n\n        // Adds up.\n        public int \
         Total()\n        {{\n{long}            \
         return 0;\n        }}\n\n        private void Close()\n        {{\n{long}        }}\n    \
         }}\n}}\n"
    );
    seen.add("Shop.cs", &text);
}

fn c_and_cpp(seen: &mut Seen) {
    let long = body("\t", "total += prices[#].amount * prices[#].count + rest(prices, #);", 4);
    let text = format!(
        "/* A shop. */\n#include <stdio.h>\n\n#define N 1\n\nstruct shop {{\n\tint \
         n;\n}};\n\ntypedef struct {{\n\tint n;\n}} \
         price_t;\n\n/*\n * Adds up.\n */\nstatic int *total(const price_t \
         *prices)\n{{\n{long}\tif (total) {{\n{long}\t}} else \
         {{\n{long}\t}}\n\treturn 0;\n}}\n\nint main(void)\n{{\n\treturn 0;\n}}\n"
    );
    seen.add("shop.c", &text);
    let text = format!(
        "#pragma once\n\nnamespace market {{\n\n/// A shop.\ntemplate <typename T>\nclass Shop : \
         public Base {{\npublic:\n  int n;\n\n  // \
         Adds up.\n  int total() const {{\n{long}    return 0;\n  }}\n\nprivate:\n  void close() \
         {{\n{long}  }}\n}};\n\ntemplate <typename \
         T>\nint Shop<T>::open(int n) {{\n{long}}}\n\n}}  // namespace market\n"
    );
    seen.add("shop.h", &text);
}

fn ruby_php_and_bash(seen: &mut Seen) {
    let long =
        body("      ", "total_# = @prices.map { |price| price.amount + # }.sum + rest(#)", 4);
    let text = format!(
        "# A shop.\nrequire 'set'\n\nmodule Market\n  # Sells.\n  class Shop < Base\n    \
         attr_reader :n\n\n    # Adds up.\n    def \
         total\n{long}      0\n    end\n\n    def self.open(n)\n{long}    end\n  end\nend\n"
    );
    seen.add("shop.rb", &text);
    let long = body(
        "        ",
        "$total# = array_sum(array_map(fn($price) => $price->amount + #, $this->prices));",
        4,
    );
    let text = format!(
        "<html>\n<?php\nnamespace Market;\n\n/**\n * A shop.\n */\nfinal class Shop extends \
         Base\n{{\n    private int $n;\n\n    /** Adds \
         up. */\n    public function total(): int\n    {{\n{long}        return 0;\n    \
         }}\n}}\n\nfunction open()\n{{\n{long}}}\n"
    );
    seen.add("shop.php", &text);
    let long = body("    ", "total=$((total + ${prices[#]} * count + $(rest \"$prices\" #)))", 5);
    let text = format!(
        "#!/usr/bin/env bash\n# Runs a shop.\nset -eu\n\n# Adds up.\ntotal() \
         {{\n{long}}}\n\nfunction open {{\n{long}}}\n\nif [ -n \"$1\" \
         ]; then\n    open\nfi\n"
    );
    seen.add("shop", &text);
}

/// `UPDATE=1` writes `code.expected`; review it before it is committed.
#[test]
fn passages_of_code_are_definitions() {
    let mut seen = Seen(
        "Passages of code: the names that each stands under, its first line … its last line.\n"
            .to_owned(),
    );
    for language in [rust, python, scripts, go, java_and_c_sharp, c_and_cpp, ruby_php_and_bash] {
        language(&mut seen);
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/text/tests/code.expected");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &seen.0).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(seen.0, expected, "UPDATE=1 writes {}", file.display());
}

#[test]
fn other_text_has_no_outline() {
    let code = "fn one() {\n    two();\n}\n";
    assert_eq!(outline("a.rs", code).len(), 2);
    assert!(outline("a.lua", code).is_empty());
    assert!(outline("a.rs", &"Words of a tale,\nnot of code: \"yes\n".repeat(20)).is_empty());
    assert!(!has_outline("a.js", &format!("f({});", "1,".repeat(9_000))));
    assert!(!has_outline("a.rs", &code.repeat(60_000)));
}

#[test]
fn languages_are_detected_by_name_and_first_line() {
    let has = |path: &str, text: &str| has_outline(path, text);
    assert!(
        has("a/b.RS", "")
            && has("Foo.kt.java", "")
            && has("run", "#!/usr/bin/env python3\n")
            && has("run", "#!/bin/sh -e\n")
    );
    assert!(
        !has("run", "x")
            && !has("a.toml", "")
            && !has("run", "#!/usr/bin/perl\n")
            && !has("run", "#!")
    );
}

/// Text with pieces of code in each language.
fn code() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z]{1,6}( [a-z]{1,6}){0,3};?\n",
        2 => "(    ){0,3}[a-z]{1,6}\\([a-z, ]{0,12}\\)[;{]?\n",
        2 => "(pub |static |export |async \
             )?(fn|def|class|function|func|struct|impl|module|namespace|int) \
             [A-Za-z]{1,6}(\\(\\))?( \\{|:)?\n",
        2 => "(    ){0,2}(\\}|\\)|end|fi|done|\\]|else|\\} else \\{)[;,]?\n",
        1 => "(    ){0,2}(//|#|/\\*|--|///) [a-zé日 ]{1,20}( \\*/)?\n",
        1 => "(    ){0,2}[@#]\\[?[a-z]{1,8}\\]?\n",
        1 => "[\"'`(){}\\[\\]<>#$&|\\\\\r\t é日]{1,8}",
        1 => "\n\n",
        1 => "[a-z0-9 ]{200,400}\n",
    ];
    proptest::collection::vec(piece, 1..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn passages_of_code_cover_the_text_within_the_limits(
        text in code(),
        extension in prop::sample::select(vec![
            "rs", "py", "js", "ts", "tsx", "go", "java", "c", "cpp", "h", "cs", "rb", "php", "sh",
        ]),
        max_tokens in 24..120_usize,
        overlap_tokens in 0..20_usize,
    ) {
        let path = format!("a.{extension}");
        let Ok(mut doc) = extract(&path, text.as_bytes()) else { return Ok(()) };
        doc.outline = outline(&path, &doc.text);
        let mut last_start = 0;
        let mut depth = 0;
        for node in &doc.outline {
            prop_assert!(node.span.start >= last_start && node.depth <= depth, "{:?}", doc.outline);
            (last_start, depth) = (node.span.start, node.depth + 1);
        }
        let limits = Limits { max_tokens, overlap_tokens };
        let found = chunk(&doc, &limits, &count);
        prop_assert_eq!(&found, &chunk(&doc, &limits, &count));
        let mut is_covered = vec![false; text.len()];
        let mut last = Span::new(0, 0);
        for chunk in &found {
            let tokens = count(&embedded_text(&context_line(None, &chunk.heading), &chunk.text));
            prop_assert!(tokens <= max_tokens, "{tokens} > {max_tokens}: {chunk:?}");
            prop_assert_eq!(&text[chunk.bytes.range()], &chunk.text);
            prop_assert!(last.start < chunk.bytes.start || last.is_empty());
            prop_assert!(last.end < chunk.bytes.end);
            last = chunk.bytes;
            is_covered[chunk.bytes.range()].fill(true);
        }
        for (at, c) in text.char_indices() {
            prop_assert!(!c.is_alphanumeric() || is_covered[at], "{c:?} at {at} of {text:?} in \
                 {found:#?} by {:#?}", doc.outline);
        }
    }
}
