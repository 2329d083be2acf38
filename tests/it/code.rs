//! Source code: divided by what it defines, in a child process that may die of it.

use serde_json::{Value, json};

use rag::ingest;

use crate::fixtures::{search, write_old};
use crate::formats::Worker;
use crate::support::Sandbox;
use crate::tools::engine;

/// A file whose two methods do not fit into one passage.
fn source() -> String {
    let body = |what: &str| {
        (0..8)
            .map(|n| format!("        let {what}_{n} = self.ledger.lookup({n}).expect(\"a row\");\n"))
            .collect::<String>()
    };
    format!(
        "//! Harbour dues.\n\n/// A berth.\npub struct Berth;\n\nimpl Berth {{\n    /// What a ferry pays for the night.\n    pub fn night_toll(&self) \
         -> u32 {{\n{}        7\n    }}\n\n    /// Who holds the lantern.\n    fn lantern_keeper(&self) -> u32 {{\n{}        9\n    }}\n}}\n",
        body("toll"),
        body("keeper")
    )
}

fn hit(sandbox: &Sandbox, query: &str) -> Value {
    search(sandbox, query, &["--mode", "lexical", "-k", "1"])["hits"][0].clone()
}

#[test]
fn a_passage_of_code_is_a_definition_under_its_names() {
    let sandbox = Sandbox::new();
    let text = source();
    write_old(&sandbox, "docs/berth.rs", &text);
    let wide: Vec<u8> =
        format!("\u{feff}{}", text.replace('\n', "\r\n")).encode_utf16().flat_map(u16::to_le_bytes).collect();
    write_old(&sandbox, "docs/wide.rs", wide);
    sandbox.ingest();
    let found = search(&sandbox, "who holds the lantern", &["--mode", "lexical", "-k", "4"]);
    for path in ["berth.rs", "wide.rs"] {
        let hits = found["hits"].as_array().unwrap();
        let hit = hits.iter().find(|hit| hit["path"] == path && hit["text"].to_string().contains("lantern")).unwrap();
        assert_eq!(hit["heading"], json!(["impl Berth", "fn lantern_keeper"]), "{hit}");
        let shown = hit["text"].as_str().unwrap();
        assert!(shown.starts_with("    /// Who holds") && shown.contains("keeper_7"), "{hit}");
        let first = 1 + text.lines().position(|line| line.contains("lantern.")).unwrap();
        assert_eq!(hit["lines"][0], first, "{hit}");
        if path == "berth.rs" {
            let at = |n: usize| usize::try_from(hit["bytes"][n].as_u64().unwrap()).unwrap();
            assert_eq!(&text[at(0)..at(1)], shown);
        }
    }
}

#[test]
fn a_lock_file_is_counted_and_not_read() {
    let sandbox = Sandbox::new();
    write_old(&sandbox, "docs/Cargo.toml", "[dependencies]\nlanterns = \"1\"\n");
    write_old(&sandbox, "docs/Cargo.lock", "[[package]]\nname = \"lanterns\"\nversion = \"1.2.3\"\n");
    write_old(&sandbox, "docs/web/package-lock.json", "{\"name\": \"lanterns\"}");
    let report = sandbox.ingest();
    assert_eq!((report["documents"].as_u64(), report["skipped"].as_u64()), (Some(1), Some(2)), "{report}");
    sandbox.rag(["documents", "list", "--skipped"]).ok().prints("generated (lock file)");
}

#[test]
fn without_its_parser_code_is_text() {
    let sandbox = Sandbox::new();
    write_old(&sandbox, "docs/berth.rs", source());
    for program in ["/bin/false", "/nowhere/rag", "/bin/cat"] {
        let mut engine = engine(&sandbox);
        engine.config.program = Some(program.into());
        let request = ingest::Request { dirs: vec![sandbox.path().join("docs")], ..ingest::Request::default() };
        let report = ingest::run(&engine, &request, &mut |_| {}).expect("an ingest");
        assert!(report.failed.is_empty() && report.documents == 1, "{program}: {:?}", report.failed);
        let hit = hit(&sandbox, "lantern");
        assert_eq!(hit["heading"], json!([]), "{program}: {hit}");
        sandbox.rag(["index", "remove"]).ok();
    }
}

#[test]
fn nests_are_outlined_or_given_up() {
    let n: usize = if crate::tools::thorough() { 100_000 } else { 1_000 };
    let nests: &[(&str, &[(&str, &str)])] = &[
        (
            "rs",
            &[
                ("(", ")"),
                ("{", "}"),
                ("mod a {\n", "}"),
                ("/*", "*/"),
                ("if x {\n", "}"),
                ("Vec<", ">"),
                ("r#\"", "\"#"),
            ],
        ),
        ("py", &[("(", ")"), ("[\n", "]"), ("f(\n", ")"), ("f'{", "}'"), ("-", ""), ("if x:\n", "")]),
        ("js", &[("(", ")"), ("{\n", "}"), ("function f() {\n", "}"), ("`${", "}`"), ("<a>", "</a>")]),
        ("ts", &[("a<", ">"), ("{\n", "}"), ("namespace a {\n", "}"), ("`${", "}`")]),
        ("tsx", &[("<a>", "</a>"), ("{\n", "}"), ("<a b={", "}/>")]),
        ("go", &[("(", ")"), ("{\n", "}"), ("func() {\n", "}"), ("[]", "")]),
        ("java", &[("(", ")"), ("{\n", "}"), ("class A {\n", "}"), ("@A(", ")"), ("a<", ">")]),
        ("c", &[("(", ")"), ("{\n", "}"), ("#if A\n", "#endif\n"), ("*", ""), ("else ", "")]),
        ("cpp", &[("a<", ">"), ("{\n", "}"), ("namespace a {\n", "}"), ("R\"(", ")\""), ("[&]() {\n", "}")]),
        ("cs", &[("(", ")"), ("{\n", "}"), ("namespace A {\n", "}"), ("$\"{", "}\""), ("#if A\n", "#endif\n")]),
        ("rb", &[("(", ")"), ("begin\n", "end\n"), ("\"#{", "}\""), ("<<A\n", "A\n"), ("%w(", ")")]),
        ("php", &[("<?php (", ")"), ("<?php {\n", "}"), ("<?php \"{$a[", "]}\""), ("<?php <<<A\n", "A\n")]),
        ("sh", &[("(", ")"), ("$(", ")"), ("{\n", "}"), ("if x; then\n", "fi\n"), ("<<A\n", "A\n"), ("${a:-", "}")]),
    ];
    let mut worker = Worker::start();
    let mut deaths = Vec::new();
    for (extension, nests) in nests {
        for (open, close) in *nests {
            // In lines that somebody could have written, so that it is parsed.
            let lines = |part: &str| {
                let a_line = 4_000 / part.len().max(1);
                (0..n.div_ceil(a_line)).map(|_| format!("{}\n", part.repeat(a_line.min(n)))).collect::<String>()
            };
            let whole = format!("{}x\n{}", lines(open), lines(close));
            for text in [lines(open), whole] {
                let text = &text[..text.len().min(1 << 20)];
                let request =
                    json!({ "path": format!("a.{extension}"), "bytes": text.len(), "cpu_s": 20, "outline": true });
                match worker.ask(&request, text.as_bytes()) {
                    Some(answer) => assert!(answer["Outline"].is_array(), "{open:?} in {extension}: {answer}"),
                    None => {
                        deaths.push(format!("{open:?} in {extension}"));
                        worker = Worker::start();
                    }
                }
            }
        }
    }
    // What is made to kill kills the child; that is what it is there for.
    assert!(deaths.len() < 5 && (deaths.is_empty() || crate::tools::thorough()), "{deaths:?}");
}
