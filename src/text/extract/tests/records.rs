//! Logs, chats, keys with values, outputs of notebooks, and embedded files.

use super::super::*;
use super::blocks;
use crate::document::Span;

fn check(path: &str, text: &str, expected: &[&str]) {
    assert_eq!(blocks(path, text), expected, "{text}");
}

#[test]
fn a_message_is_a_record() {
    check(
        "a.txt",
        "[05.01.26, 10:00:12] Anouk: Did you book?\n[05.01.26, 10:02:40] Bastian: Yes\nfrom the \
         9th\n\nto the 12th",
        &[
            "record [05.01.26, 10:00:12] Anouk: Did you book?",
            "record [05.01.26, 10:02:40] Bastian: Yes\nfrom the 9th\n\nto the 12th",
        ],
    );
    check(
        "a.txt",
        "05/01/2026, 10:01 - A: x\n1/5/26, 9:02 PM - B: y",
        &["record 05/01/2026, 10:01 - A: x", "record 1/5/26, 9:02 PM - B: y"],
    );
    check(
        "a.txt",
        "Anouk: hello\nBastian: at berth 14\nAnouk: who?\ngoes on\nBastian: Maren",
        &[
            "record Anouk: hello",
            "record Bastian: at berth 14",
            "record Anouk: who?\ngoes on",
            "record Bastian: Maren",
        ],
    );
    check(
        "a.txt",
        "Anouk Smit  10:02 AM\nThe standup moves.\n\nBastian  10:05 AM\nOK, what time?",
        &[
            "record Anouk Smit  10:02 AM\nThe standup moves.",
            "record Bastian  10:05 AM\nOK, what time?",
        ],
    );
}

#[test]
fn a_log_line_has_its_stack_trace() {
    check(
        "a.log",
        "2026-01-05T10:00:12.345Z INFO up\n2026-01-05T10:00:13Z ERROR x\nIOException: y\n    at \
         a.B(C.java:1)\n\
         2026-01-05T10:00:14Z INFO z",
        &[
            "record 2026-01-05T10:00:12.345Z INFO up",
            "record 2026-01-05T10:00:13Z ERROR x\nIOException: y\n    at a.B(C.java:1)",
            "record 2026-01-05T10:00:14Z INFO z",
        ],
    );
    check(
        "syslog",
        "Jan  5 10:00:12 halcyon sshd[8]: in\nJan  5 10:00:13 halcyon kernel: full",
        &[
            "record Jan  5 10:00:12 halcyon sshd[8]: in",
            "record Jan  5 10:00:13 halcyon kernel: full",
        ],
    );
    let access = "127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] \"GET /\" 200";
    check("access.log", &format!("{access}\n{access}"), &[format!("record {access}").as_str(); 2]);
}

#[test]
fn a_key_with_its_value_is_a_record() {
    check(
        "a.txt",
        "Name: Merganser\nEngine: Volvo,\n  of 2019\n\nNote: a paragraph\nof two lines.",
        &[
            "record Name: Merganser",
            "record Engine: Volvo,\n  of 2019",
            "paragraph Note: a paragraph\nof two lines.",
        ],
    );
    check(
        "a.txt",
        "At 10:30 we left.\nIt was fine.",
        &["paragraph At 10:30 we left.\nIt was fine."],
    );
}

#[test]
fn form_feeds_and_next_lines_end_lines() {
    check(
        "a.txt",
        "Name: a\u{85}Port: b\u{c}\u{c}Text of\u{2028}two lines.",
        &["record Name: a", "record Port: b", "paragraph Text of\u{2028}two lines."],
    );
}

#[test]
fn embedded_files_are_not_text() {
    let picture =
        "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4Kx8NjVZ2q9Bd7Xy1Lm".repeat(9);
    let source = format!(
        "# Trip\n\n![boat](data:image/png;base64,{picture})\n\nIt sails.\n\n[img]: \
         <data:image/png;base64,{picture}>\n"
    );
    let doc = extract("a.md", source.as_bytes()).unwrap();
    assert_eq!(doc.text, "# Trip\n\n![boat]()\n\nIt sails.\n\n[img]: <>\n");
    let at = doc.text.find("sails").unwrap();
    assert_eq!(&source[doc.origin.bytes(Span::new(at, at + 5)).range()], "sails");
    let style = "a { background: url(\"data:image/svg+xml;utf8,<svg a='b'>\") } b { color: red }";
    assert_eq!(
        extract("a.css", style.as_bytes()).unwrap().text,
        "a { background: url(\"\") } b { color: red }"
    );
    let words =
        "see data: a/b, and 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    assert_eq!(extract("a.txt", words.as_bytes()).unwrap().text, words);
}

#[test]
fn code_with_a_long_token_is_whole() {
    let hash = "JDJhJDEwJEVCNmdaNEg2Ti5iejRMYkF3MFZhZ3VtV3E1SzBWZEZ5Q3VWc0tzOEJwZE9TaFlZdEVkZDhX";
    let code = format!("```\nBob {hash}\n```");
    check("a.md", &format!("Users:\n\n{code}\n"), &["paragraph Users:", &format!("code {code}")]);
    // What is embedded is visibly shortened.
    let source =
        format!("~~~css\na {{ src: url(data:font/woff;base64,{hash}) }}\n~~~\n\nEnd {hash}.");
    check(
        "a.md",
        &source,
        &[
            "code ~~~css\na { src: url(data:font/woff;base64,JDJhJDEwJEVCNmdaNEg2Ti5i…) }\n~~~",
            "paragraph End .",
        ],
    );
    let source = format!("```\n{}\n```", hash.repeat(20));
    check("a.md", &source, &[&format!("code ```\n{}…\n```", &hash[..24])]);
}

#[test]
fn outputs_of_notebooks_are_records() {
    let notebook = r#"{"cells": [{"cell_type": "code", "source": "fit()", "outputs": [
        {"output_type": "stream", "text": ["rmse 0.042\n", "n 7\n"]},
        {"output_type": "execute_result", "data": {"text/plain": "   a\n0  1", "text/html":
            ["<table><thead><tr><th></th><th>a</th></tr></thead>",
             "<tr><th>0</th><td>1</td></tr></table>"]}},
        {"output_type": "display_data",
         "data": {"image/png": "iVBOR", "text/plain": "<Figure size 1x1>"}},
        {"output_type": "error", "ename": "ValueError",
         "evalue": "singular \u001b[31mlag\u001b[0m", "traceback": ["x"]}
    ]}], "metadata": {"authors": [{"name": "Ada"}]}}"#;
    let doc = extract("a.ipynb", notebook.as_bytes()).unwrap();
    let records: Vec<&str> = doc
        .blocks
        .iter()
        .filter(|block| block.kind == BlockKind::Record)
        .map(|block| &doc.text[block.span.range()])
        .collect();
    assert_eq!(records, ["rmse 0.042", "n 7", "ValueError: singular lag"]);
    assert_eq!(doc.metadata, [("author".to_owned(), "Ada".to_owned())]);
    assert!(!doc.text.contains("Figure"));
}

#[test]
fn outputs_of_notebooks_are_shown_as_the_notebook_shows_them() {
    let data = |kind: &str, text: &str, plain: &str| {
        serde_json::json!({"output_type": "display_data",
                           "data": {kind: text, "text/plain": plain}})
    };
    let outputs = serde_json::json!([
        data("text/html", "<b>Best lag</b>: 6 hours", "<IPython.core.display.HTML object>"),
        data("text/latex", "$x = 9$", "<IPython.core.display.Latex object>"),
        data("image/png", "iVBOR", "<Figure size 640x480 with 1 Axes>"),
        {"output_type": "stream", "text": " 10%|#\r100%|##########\r\ndone\n"},
    ]);
    let cell = serde_json::json!({"cell_type": "code", "source": "fit()", "outputs": outputs});
    let notebook = serde_json::json!({"cells": [cell], "nbformat": 4}).to_string();
    assert_eq!(
        blocks("a.ipynb", &notebook),
        [
            "code fit()",
            "paragraph Best lag: 6 hours",
            "record x = 9",
            "record 100%|##########",
            "record done"
        ]
    );
}

#[test]
fn messages_of_exports_are_records() {
    check(
        "a.txt",
        "Nora Quist, [14 Mar 2026 at 10:02:40]:\nWhich berth?\n\nOlaf, [14 Mar 2026 at \
         10:03:01]:\nBerth 14.",
        &[
            "record Nora Quist, [14 Mar 2026 at 10:02:40]:\nWhich berth?",
            "record Olaf, [14 Mar 2026 at 10:03:01]:\nBerth 14.",
        ],
    );
    check(
        "a.md",
        "**Mara** (10:02): Who has it?\n**Nils** (10:03): cupboard 7\n\nThe end: or\nnearly so.",
        &[
            "record **Mara** (10:02): Who has it?",
            "record **Nils** (10:03): cupboard 7",
            "paragraph The end: or\nnearly so.",
        ],
    );
    let list = "{\"name\": \"Boat\", \"messages\": [\n{\"t\": \"Which ] berth?\"},\n{\"t\": \
                [{\"b\": \"14\"}]}]}";
    check(
        "a.json",
        list,
        &[
            "code {\"name\": \"Boat\", \"messages\": [",
            "record {\"t\": \"Which ] berth?\"}",
            "record {\"t\": [{\"b\": \"14\"}]}",
        ],
    );
    check("a.json", "{\"a\": {\"b\": 1}}", &["code {\"a\": {\"b\": 1}}"]);
}

#[test]
fn comments_in_lines_of_markdown_are_not_text() {
    check(
        "a.md",
        "Seen <!-- not seen --> here and %% nor this %% there, 5%% and `<!-- code -->`.\n\n%%\nh\
         idden\n%%\n\n\
         ```\n%% a <!-- b -->\n```\n",
        &[
            "paragraph Seen  here and  there, 5%% and `<!-- code -->`.",
            "code ```\n%% a <!-- b -->\n```",
        ],
    );
}
