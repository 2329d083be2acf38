//! The documentation is executed: scripts, the code blocks of the README and of the documentation
//! pages, and the commands that their sentences name.
//!
//! A new block is run, or fails these tests until [`EXCEPTIONS`] says why it is not. An example
//! with `$` shows its output; `…` matches anything. Times, ids and positions in a file differ
//! between runs and are ignored. `UPDATE=1 cargo test --test it written` writes the actual output
//! into the README.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use rag::config::{Config, World};
use serde_json::Value;

use crate::fixtures::{files_below, write_old};
use crate::support::llm::{LlmServer, Step};
use crate::support::{Run, Sandbox, has_loopback, project_data, shared_data};
use crate::tools::{copy_tree, has_tool, listing};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The README and every page of the documentation.
fn documents() -> Vec<String> {
    let pages = files_below(&root().join("data/corpus"))
        .into_iter()
        .map(|name| format!("data/corpus/{name}"));
    ["README.md".to_owned()].into_iter().chain(pages).collect()
}

// Blocks of code.

/// A block of code in a document.
struct Block {
    document: String,
    /// Number of its first line, counted from 1.
    line: usize,
    lines: Vec<String>,
}

impl Block {
    fn first(&self) -> &str {
        self.lines.first().map_or("", String::as_str)
    }

    fn text(&self) -> String {
        self.lines.join("\n")
    }

    fn place(&self) -> String {
        format!("{}:{}: {}", self.document, self.line, self.first())
    }

    /// Every line except comments and empty lines.
    fn commands(&self) -> impl Iterator<Item = &str> {
        self.lines
            .iter()
            .map(String::as_str)
            .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
    }

    /// Whether it shows the output of its commands.
    fn is_transcript(&self) -> bool {
        self.lines.iter().any(|line| line.starts_with("$ "))
    }

    fn is_shell(&self) -> bool {
        const BEGINNINGS: [&str; 9] =
            ["rag ", "$ ", "scripts/", "export ", "printf ", "if ", "rag=", "answer=", "*/10 "];
        self.commands().any(|line| BEGINNINGS.iter().any(|beginning| line.starts_with(beginning)))
    }
}

fn extension(document: &str) -> &str {
    document.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// The fenced blocks of Markdown, the literal blocks of reStructuredText.
fn blocks(document: &str) -> Vec<Block> {
    let text = text(document);
    assert!(!text.contains("<pre"), "{document}: what is in <pre> is not run by this test");
    let mut found: Vec<Block> = Vec::new();
    let block = |line| Block { document: document.to_owned(), line, lines: Vec::new() };
    let (mut open, is_literal) = (false, extension(document) == "rst");
    for (n, line) in text.lines().enumerate() {
        if is_literal && open && !line.is_empty() && !line.starts_with(' ') {
            open = false;
        }
        if line.starts_with("```") && !is_literal {
            open = !open;
            found.extend(open.then(|| block(n + 2)));
        } else if is_literal && line.ends_with("::") && !line.starts_with(' ') {
            open = true;
            found.push(block(n + 3));
        } else if open
            && (!is_literal
                || !line.is_empty()
                || found.last().is_some_and(|block| !block.lines.is_empty()))
        {
            let line = if is_literal { line.strip_prefix("    ").unwrap_or(line) } else { line };
            found.last_mut().unwrap().lines.push(line.to_owned());
        }
    }
    assert!(!open || is_literal, "{document}: a block does not end");
    for block in &mut found {
        while block.lines.last().is_some_and(String::is_empty) {
            block.lines.pop();
        }
    }
    found
}

/// How a block is checked that is not run here.
#[derive(Clone, Copy)]
enum Exception {
    /// Another test runs it.
    By(&'static str),
    /// Its commands exist; the reason why they are not run.
    Named(&'static str),
    /// A file or an output, checked by a function.
    Checked(fn(&Block, &Sandbox)),
}

/// By document and the beginning of the first command.
const EXCEPTIONS: [(&str, &str, Exception); 16] = [
    ("README.md", "scripts/quickstart", Exception::By("every_script_is_run_or_has_a_reason")),
    (
        "data/corpus/installing.md",
        "scripts/quickstart",
        Exception::By("every_script_is_run_or_has_a_reason"),
    ),
    ("data/corpus/commands.md", "rag ", Exception::Named("it lists the commands")),
    ("data/corpus/http.md", "", Exception::By("every_example_prints_what_it_shows")),
    ("data/corpus/scripting.md", "*/10 * * * *", Exception::Named("it waits for ten minutes")),
    ("data/corpus/scripting.md", "{\"error\"", Exception::Checked(is_the_error)),
    ("data/corpus/agents.md", "{\"mcpServers\"", Exception::Checked(starts_a_server)),
    ("data/corpus/ingesting.md", "corpus id", Exception::Checked(names_the_rows_of_the_summary)),
    ("data/corpus/searching.md", "{\"query\"", Exception::Checked(is_a_question_for_eval)),
    ("data/corpus/evaluating.md", "{\"query\"", Exception::Checked(is_a_question_for_eval)),
    ("data/corpus/evaluating.md", "{\"id\"", Exception::Checked(is_a_question_for_eval)),
    ("data/corpus/evaluating.md", "rag eval", Exception::Checked(evaluates)),
    ("data/corpus/language-models.md", "generator = ", Exception::Checked(is_a_configuration)),
    ("data/corpus/language-models.md", "[llm.fast]", Exception::Checked(is_a_configuration)),
    ("data/corpus/settings.rst", "data_dir = ", Exception::Checked(is_a_configuration)),
    (
        "data/corpus/on-disk.md",
        "data/",
        Exception::By("every_folder_of_the_data_directory_is_documented"),
    ),
];

fn exception(block: &Block) -> Option<Exception> {
    let is_meant = |(document, first, _): &&(&str, &str, Exception)| {
        block.document == *document
            && block.commands().next().is_some_and(|line| line.starts_with(first))
    };
    EXCEPTIONS.iter().find(is_meant).map(|(_, _, exception)| *exception)
}

/// The folders that the examples name, with the documentation as `docs`.
fn world() -> Sandbox {
    let sandbox = Sandbox::new();
    copy_tree(&root().join("data/corpus"), &sandbox.path().join("docs"));
    write_old(
        &sandbox,
        "notes/warranty.md",
        "# Warranty\n\nThe warranty ends on 31 December 2027.\n",
    );
    std::fs::create_dir(sandbox.path().join("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_rag"), sandbox.path().join("bin/rag")).unwrap();
    sandbox
}

/// Runs a script in bash with `rag` on its path.
fn shell(sandbox: &Sandbox, script: &str, env: &[(&str, String)]) -> Run {
    let rag = sandbox.command([""; 0]);
    let path = format!(
        "{}:{}",
        sandbox.path().join("bin").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut command = Command::new("bash");
    command.args(["-c", script]).current_dir(sandbox.path()).env_clear();
    command.envs(rag.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("PATH", path);
    Run::of(command.envs(env.iter().cloned()))
}

#[test]
fn every_code_block_runs_and_shows_its_output() {
    if !has_loopback() || !has_tool("bash", &["--version"]) || !has_tool("jq", &["--version"]) {
        return;
    }
    let sandbox = world();
    let llm = LlmServer::start([Step::tokens(&[
        "To keep a file out of the index, name it in `.ragignore`. [1]",
    ])]);
    let mut wrong = String::new();
    let mut readme = text("README.md");
    let tests = text("tests/it/written.rs") + &text("tests/it/serve/examples.rs");
    for document in documents() {
        for block in blocks(&document) {
            match exception(&block) {
                Some(Exception::By(test)) => {
                    assert!(
                        tests.contains(&format!("\nfn {test}()")),
                        "{}: there is no test {test}",
                        block.place()
                    );
                }
                Some(Exception::Named(why)) => {
                    assert!(block.is_shell(), "{}: {why}", block.place());
                }
                Some(Exception::Checked(check)) => check(&block, &sandbox),
                None if block.is_transcript() => {
                    let new = compared(&block, &sandbox, &mut wrong);
                    readme = readme.replace(&block.text(), &new);
                }
                None if block.is_shell() => {
                    let script = block.text().replace("http://localhost:11434/v1", &llm.base_url());
                    let run = shell(&sandbox, &script, &[]);
                    // An abstention is fine; any other failure is a fault of the example.
                    if !matches!(run.code, Some(0 | 3)) || run.stderr.contains("error:") {
                        writeln!(wrong, "{}\n{run}", block.place()).unwrap();
                    }
                }
                None => writeln!(wrong, "{}: neither run nor checked", block.place()).unwrap(),
            }
        }
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(root().join("README.md"), readme).unwrap();
    } else {
        assert!(
            wrong.is_empty(),
            "`UPDATE=1 cargo test --test it written` writes the output into the README\n{wrong}"
        );
    }
}

/// Runs the lines of a block that begin with `$` and compares the shown output with the actual one.
/// Returns the corrected block.
fn compared(block: &Block, sandbox: &Sandbox, wrong: &mut String) -> String {
    let mut parts: Vec<(String, Vec<String>)> = Vec::new();
    for line in &block.lines {
        match (line.strip_prefix("$ "), parts.last_mut()) {
            (Some(command), _) => parts.push((command.to_owned(), Vec::new())),
            (None, Some((_, shown))) => shown.push(line.clone()),
            (None, None) => panic!("{}: it begins with an output", block.place()),
        }
    }
    let mut new = Vec::new();
    for (command, shown) in parts {
        let run = shell(sandbox, &command, &[]);
        let shown = shown.join("\n");
        let (shown, output) = (shown.trim_end(), run.stdout.trim_end());
        let is_same = match serde_json::from_str::<Value>(output) {
            Ok(output) => {
                serde_json::from_str(shown).is_ok_and(|shown: Value| is_like(&shown, &output))
            }
            Err(_) => matches(&normal(shown), &normal(output)),
        };
        if !is_same {
            writeln!(
                wrong,
                "{}\n$ {command}\n--- shown\n{shown}\n--- actual\n{run}",
                block.place()
            )
            .unwrap();
        }
        // JSON is shown in fewer lines than it has; only a person can shorten it.
        let is_json = output.starts_with('{');
        new.push(format!("$ {command}\n{}", if is_same || is_json { shown } else { output }));
    }
    let text = new.join("\n\n");
    if text.lines().count() == 0 { block.text() } else { text }
}

/// A text without the parts that differ between runs, machines and versions of the documentation.
fn normal(text: &str) -> String {
    text.lines()
        .map(|line| words_of(line, line.starts_with("chunks ") || line.starts_with("cache ")))
        .collect()
}

/// Replaces ids, decimals, positions in a file, and with `counts` every number of a line by a
/// placeholder.
fn words_of(line: &str, counts: bool) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let word_len =
            rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len());
        let word = rest[..word_len].trim_end_matches('.');
        let is_id = word.len() >= 16 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let is_decimal =
            word.contains('.') && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let is_whole = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        let len = word.len();
        match word {
            _ if is_id => out.push_str("ID"),
            _ if is_decimal => out.push('N'),
            _ if is_whole && (counts || out.ends_with(':')) => out.push('N'),
            "" => out.push(first),
            word => out.push_str(word),
        }
        rest = &rest[if len == 0 { first.len_utf8() } else { len }..];
    }
    // Columns are as wide as their contents.
    out.split_whitespace().collect::<Vec<_>>().join(" ") + "\n"
}

/// Whether `text` matches `shown`, in which `…` matches anything.
fn matches(shown: &str, text: &str) -> bool {
    let mut pieces = shown.split('…');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, between)) = pieces.split_last() else { return rest.is_empty() };
    for piece in between {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

/// Whether two JSON values have the same fields and texts, except for numbers and ids.
fn is_like(shown: &Value, output: &Value) -> bool {
    match (shown, output) {
        (Value::Object(shown), Value::Object(output)) => {
            shown.keys().eq(output.keys())
                && shown.iter().all(|(name, value)| is_like(value, &output[name]))
        }
        (Value::Array(shown), Value::Array(output)) => {
            shown.is_empty() == output.is_empty()
                && shown.iter().zip(output).all(|(a, b)| is_like(a, b))
        }
        (Value::String(shown), Value::String(output)) => {
            let one = |text: &str| words_of(&text.replace('\n', " "), false);
            matches(&one(shown), &one(output))
        }
        (Value::Number(_), Value::Number(_)) => true,
        (shown, output) => shown == output,
    }
}

fn is_the_error(block: &Block, sandbox: &Sandbox) {
    let run = sandbox.rag(["--json", "--data-dir", "nothing", "search", "x"]).exits(1);
    let shown = block.text().replace("data/indexes", "nothing/indexes");
    let (shown, output): (Value, Value) =
        (serde_json::from_str(&shown).unwrap(), serde_json::from_str(&run.stderr).unwrap());
    assert!(is_like(&shown, &output), "{}\n{run}", block.place());
}

fn starts_a_server(block: &Block, sandbox: &Sandbox) {
    let shown: Value = serde_json::from_str(&block.text()).unwrap();
    let server = &shown["mcpServers"]["rag"];
    assert_eq!(server["command"], "rag", "{}", block.place());
    let args: Vec<String> = serde_json::from_value(server["args"].clone()).unwrap();
    let args = args.iter().map(|arg| if arg.starts_with('/') { "data" } else { arg });
    // Without input it ends at once.
    sandbox.rag(args).ok();
}

fn names_the_rows_of_the_summary(block: &Block, sandbox: &Sandbox) {
    let run = sandbox.rag(["ingest", "--index", "summary", "notes"]).ok();
    let names =
        |text: &str| text.lines().map(|line| line[..12].trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&block.text()), names(&run.stdout), "{}", block.place());
}

fn is_a_question_for_eval(block: &Block, sandbox: &Sandbox) {
    let file = sandbox.write("eval.jsonl", block.text());
    sandbox.rag(["ingest", "--index", "eval", "notes"]).ok();
    sandbox.rag(["--index", "eval", "eval", file.to_str().unwrap()]).ok().prints("hybrid");
}

/// Runs the commands on an index of the notes and a file of questions about them.
fn evaluates(block: &Block, sandbox: &Sandbox) {
    let question = "{\"query\": \"warranty\", \"relevant\": {\"warranty.md\": 1}}\n";
    sandbox.write("questions.jsonl", question);
    sandbox.rag(["ingest", "--index", "eval", "notes"]).ok();
    shell(sandbox, &block.text(), &[("RAG_INDEX", "eval".to_owned())]).ok();
}

fn is_a_configuration(block: &Block, sandbox: &Sandbox) {
    let home = sandbox.path().join("configured");
    std::fs::create_dir_all(home.join(".config/rag")).unwrap();
    // A key that an example names is in a file of the test.
    let key = home.join(".config/rag/openai.key");
    std::fs::write(&key, "key\n").unwrap();
    let text = block.text().replace("/home/me/.config/rag/openai.key", key.to_str().unwrap());
    std::fs::write(home.join(".config/rag/config.toml"), text).unwrap();
    let env = [("HOME".to_owned(), home.into_os_string())].into();
    let world = World { env, cwd: sandbox.path().to_owned(), cores: 2, ..World::default() };
    Config::load(&world, &[]).unwrap_or_else(|fault| panic!("{}: {fault}", block.place()));
}

// Commands.

/// A command line of a document, without shell syntax.
struct Written {
    place: String,
    words: Vec<String>,
}

/// Command lines in blocks, and inline code that begins with `rag`.
fn written() -> Vec<Written> {
    let mut found = Vec::new();
    for document in documents() {
        for block in blocks(&document) {
            if block.is_shell() {
                // Only the commands of a transcript.
                let is_transcript = block.is_transcript();
                for line in block.commands().filter(|line| !is_transcript || line.starts_with("$ "))
                {
                    in_line(&block.place(), line, &mut found);
                }
            }
        }
        for span in spans(&document) {
            in_line(&format!("{document}: `{span}`"), &span, &mut found);
        }
    }
    found
}

/// Inline code, each on one line.
fn spans(document: &str) -> Vec<String> {
    let mut text = text(document);
    for block in blocks(document) {
        text = text.replace(&block.lines.join("\n"), "");
    }
    let (open, close) = match extension(document) {
        "md" => ("`", "`"),
        "rst" => ("``", "``"),
        "html" => ("<code>", "</code>"),
        "txt" => ("\"", "\""),
        other => panic!("{document}: what is code in a .{other}?"),
    };
    let mut found = Vec::new();
    for paragraph in text.replace("```", "").split("\n\n") {
        let mut rest = paragraph;
        while let Some((_, after)) = rest.split_once(open) {
            let Some((span, after)) = after.split_once(close) else { break };
            found.push(
                span.split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ")
                    .replace("\\|", "|")
                    .replace("&gt;", ">"),
            );
            rest = after;
        }
    }
    found
}

/// Every `rag …` of a line: behind a pipe, in brackets, after a variable.
fn in_line(place: &str, line: &str, found: &mut Vec<Written>) {
    for (at, _) in line.match_indices("rag ") {
        let before = line[..at].trim_end();
        let is_command = before.is_empty()
            || before.ends_with(['|', '(', ';', '&', '$', '*', '"'])
            || before.ends_with("then");
        if !is_command || line[..at].ends_with(['/', '.', '-']) {
            continue;
        }
        let words = words(&line[at + 4..]);
        // `list|show ID` stands for several commands.
        let n = words.iter().position(|word| word.contains('|')).unwrap_or(words.len());
        let rest = words[n..].join(" ");
        for alternative in rest.split('|') {
            let tail = alternative.split_whitespace().map(str::to_owned);
            let words = words[..n].iter().cloned().chain(tail).collect();
            found.push(Written { place: place.to_owned(), words });
        }
    }
}

/// The arguments of a command line: up to the next command, without quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut is_open) = (Vec::new(), String::new(), None, false);
    let mut before = ' ';
    for c in line.chars() {
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) => word.push(c),
            None => match c {
                '"' | '\'' => (quote, is_open) = (Some(c), true),
                ')' | ';' | '>' | '<' => break,
                '|' | '#' | '&' if before == ' ' => break,
                ' ' if word.is_empty() && !is_open => {}
                ' ' => {
                    words.push(std::mem::take(&mut word));
                    is_open = false;
                }
                c => word.push(c),
            },
        }
        before = c;
    }
    if !word.is_empty() || is_open {
        words.push(word);
    }
    words
}

/// A placeholder replaced by a plausible value.
fn typed(word: &str) -> String {
    let word = word.trim_matches(['[', ']']).trim_end_matches('…').trim_end_matches(',');
    match word {
        "N" | "SECONDS" | "HOURS" => "3",
        "COMMAND" => "ask",
        "SHELL" => "bash",
        "INTENT" => "list",
        "WHEN" => "auto",
        "" => "x",
        word => word,
    }
    .to_owned()
}

/// The command that the words name, or what is wrong with them.
fn parsed(words: &[String]) -> Result<Vec<String>, String> {
    use clap::error::ErrorKind;
    let words: Vec<String> =
        ["rag".to_owned()].into_iter().chain(words.iter().map(|word| typed(word))).collect();
    let mut path = Vec::new();
    let mut command = rag::cli::command();
    command.build();
    let mut current = &command;
    for word in words.iter().skip(1) {
        if let Some(sub) = current.find_subcommand(word) {
            path.push(word.clone());
            current = sub;
        }
    }
    match rag::cli::command().try_get_matches_from(&words) {
        Ok(_) => Ok(path),
        Err(error) => match error.kind() {
            ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Ok(path),
            _ => Err(error.to_string().lines().next().unwrap_or_default().to_owned()),
        },
    }
}

#[test]
fn documented_commands_exist_and_every_command_is_documented() {
    let (mut wrong, mut known) = (String::new(), BTreeSet::new());
    for Written { place, words } in written() {
        match parsed(&words) {
            Ok(path) => drop(known.insert(path)),
            Err(why) => writeln!(wrong, "{place}: rag {}: {why}", words.join(" ")).unwrap(),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let mut missing = String::new();
    let mut todo = vec![(Vec::new(), rag::cli::command())];
    while let Some((path, command)) = todo.pop() {
        let subs: Vec<_> =
            command.get_subcommands().filter(|sub| sub.get_name() != "help").cloned().collect();
        if subs.is_empty() && !known.contains(&path) {
            writeln!(missing, "rag {}", path.join(" ")).unwrap();
        }
        todo.extend(
            subs.into_iter().map(|sub| ([&path[..], &[sub.get_name().to_owned()]].concat(), sub)),
        );
    }
    assert!(missing.is_empty(), "no document mentions\n{missing}");
}

#[test]
fn every_option_is_documented() {
    let all: String = documents().iter().map(|document| text(document)).collect();
    let mut missing = String::new();
    let mut todo = vec![("rag".to_owned(), rag::cli::command())];
    while let Some((name, command)) = todo.pop() {
        let options = command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set())
            .filter_map(clap::Arg::get_long);
        for option in options.filter(|option| !all.contains(&format!("--{option}"))) {
            writeln!(missing, "{name} --{option}").unwrap();
        }
        todo.extend(
            command
                .get_subcommands()
                .map(|sub| (format!("{name} {}", sub.get_name()), sub.clone())),
        );
    }
    assert!(missing.is_empty(), "no document mentions\n{missing}");
}

// Settings and folders.

/// In the order of the table of settings, each with the description and the default of its row.
#[test]
fn every_setting_has_a_section() {
    let page = text("data/corpus/settings.rst");
    let mut rest = page.as_str();
    let mut wrong = String::new();
    for setting in rag::config::SETTINGS {
        let head = format!("\n``{}`` (``{}``", setting.key, setting.env);
        let Some((_, after)) = rest.split_once(&head) else {
            writeln!(wrong, "settings.rst has no section for {} here", setting.key).unwrap();
            continue;
        };
        rest = after;
        let section = after
            .split_once('\n')
            .map_or("", |(_, lines)| lines.split("\n\n").next().unwrap_or_default());
        let section = section.split_whitespace().collect::<Vec<_>>().join(" ").replace("``", "`");
        let (first, others) = setting.description.split_at(1);
        let description = format!("{}{others}.", first.to_uppercase());
        if !section.starts_with(&description) {
            writeln!(wrong, "{} does not begin with: {description}", setting.key).unwrap();
        }
        if !section.contains(setting.default) {
            writeln!(wrong, "{} lacks its default, {}", setting.key, setting.default).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn settings_forbidden_in_a_project_file_are_all_documented() {
    let page = text("data/corpus/settings.rst");
    let (_, page) =
        page.split_once("must not be in ``rag.toml`` are").expect("what a project may not set");
    let named: Vec<&str> =
        page.split("\n\n").next().unwrap().split("``").skip(1).step_by(2).collect();
    for setting in rag::config::SETTINGS {
        assert_eq!(named.contains(&setting.key), setting.is_personal, "{}", setting.key);
    }
}

/// The names directly below the data directory in the trees of the documentation.
#[test]
fn every_folder_of_the_data_directory_is_documented() {
    let code = text("src/ingest/roots.rs");
    let (_, own) =
        code.split_once("let own = [").expect("the list of folders that are never ingested");
    let own = own.split(']').next().unwrap().split('"').skip(1).step_by(2);
    let own: BTreeSet<&str> = own.chain(["cache", "jobs"]).collect();
    for document in ["data/corpus/on-disk.md", "src/ARCHITECTURE.md"] {
        let text = text(document);
        let tree = text.split("```").find(|block| block.contains("data/\n├──")).expect("a tree");
        let top =
            tree.lines().filter_map(|line| line.strip_prefix("├── ").or(line.strip_prefix("└── ")));
        let named: BTreeSet<String> = top
            .flat_map(|line| line.split(", ").map(str::trim).map(str::to_owned).collect::<Vec<_>>())
            .filter_map(|entry| entry.split_once('/').map(|(name, _)| name.to_owned()))
            .collect();
        let named: BTreeSet<&str> = named.iter().map(String::as_str).collect();
        let missing: Vec<_> = own.difference(&named).collect();
        assert!(missing.is_empty(), "{document} has no {missing:?}");
    }
}

/// Messages that the troubleshooting page explains occur in the program.
#[test]
fn every_explained_message_exists() {
    let sources =
        files_below(&root().join("src")).into_iter().filter(|name| extension(name) == "rs");
    let sources: Vec<String> =
        sources.map(|name| text(&format!("src/{name}")).replace(['\n', '\\'], " ")).collect();
    let page = text("data/corpus/troubleshooting.md");
    let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
    let messages = headings.flat_map(|heading| heading.split('"').skip(1).step_by(2));
    for message in messages {
        // The parts between two inserted names.
        let parts: Vec<&str> =
            message.split('`').step_by(2).flat_map(|part| part.split('…')).map(str::trim).collect();
        for part in parts.into_iter().filter(|part| part.len() > 4) {
            assert!(
                sources.iter().any(|source| source.contains(part)),
                "{message}: no source has {part:?}"
            );
        }
    }
}

// Scripts.

/// The contents of `scripts/`, and how each is tried.
const SCRIPTS: [(&str, &str); 14] = [
    ("ablation", "run: on two small collections"),
    (
        "bench",
        "not run: it builds an optimised program and measures for an hour; bench.d is parsed",
    ),
    (
        "citations",
        "run: on a few files of RAG_TEST_DATA, without PDFs, whose printers it would fetch",
    ),
    ("clients", "not run: it fetches clients from PyPI and npm; clients.d is parsed"),
    ("cluster", "not run: it starts a cluster on this machine for minutes; cluster.d is parsed"),
    ("common.sh", "run by the others"),
    ("install", "run: it installs into a folder of the test"),
    (
        "model",
        "not run: it needs numpy and onnx, which scripts/setup fetches; its Python is parsed",
    ),
    ("pdf", "not run: it makes PDFs with programs that it installs; pdf.d is parsed"),
    ("quickstart", "run: with a data directory of the test"),
    (
        "services",
        "not run: it fetches servers from PyPI; the tests of each service run when it did",
    ),
    ("setup", "run: on what is complete; what is not is fetched from PyPI"),
    ("test", "not run: it runs these tests"),
    ("train", "not run: it learns from public collections for minutes; train.d is parsed"),
];

/// Folders whose files have separate tests.
const FOLDERS: [&str; 8] =
    ["bench.d", "clients.d", "cluster.d", "deploy", "monitoring", "pdf.d", "services.d", "train.d"];

/// A script that uses the tested program instead of building one.
fn script(sandbox: &Sandbox, name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(root().join("scripts").join(name));
    command.args(args).current_dir(sandbox.path()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", sandbox.path().join("home")).env("RAG_PROGRAM", env!("CARGO_BIN_EXE_rag"));
    // No network access.
    command.env("https_proxy", "http://127.0.0.1:9").env("PIP_NO_INDEX", "1");
    command
}

#[test]
fn every_script_is_run_or_has_a_reason() {
    let entries = std::fs::read_dir(root().join("scripts")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| {
        !FOLDERS.contains(&name.as_str()) && !name.starts_with('.') && name != "__pycache__"
    });
    names.sort();
    assert_eq!(names, SCRIPTS.map(|(name, _)| name), "SCRIPTS lists how each is tried");
    for document in documents() {
        for name in blocks(&document)
            .iter()
            .flat_map(Block::commands)
            .filter_map(|line| line.strip_prefix("scripts/"))
        {
            let name = name.split(' ').next().unwrap();
            assert!(
                SCRIPTS.iter().any(|(known, _)| *known == name),
                "{document}: there is no scripts/{name}"
            );
        }
    }
    let is_bash = |name: &&String| {
        let text = std::fs::read_to_string(root().join("scripts").join(name));
        text.is_ok_and(|text| text.starts_with("#!/usr/bin/env bash\n") || name.ends_with(".sh"))
    };
    for name in names.iter().filter(is_bash) {
        Run::of(Command::new("bash").arg("-n").arg(root().join("scripts").join(name))).ok();
    }
    let parse = "import ast, sys; [ast.parse(open(name).read(), name) for name in sys.argv[1:]]";
    let python: Vec<PathBuf> = files_below(&root().join("scripts"))
        .into_iter()
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "py"))
        .map(|name| root().join("scripts").join(name))
        .collect();
    if has_tool("python3", &["--version"]) {
        Run::of(Command::new("python3").args(["-c", parse]).args(python)).ok();
    }
    if has_tool("node", &["--version"]) {
        Run::of(
            Command::new("node")
                .arg("--check")
                .arg(root().join("scripts/clients.d/openai_javascript.mjs")),
        )
        .ok();
    }
}

#[test]
fn an_ablation_compares_settings_over_all_collections() {
    let sandbox = Sandbox::new();
    for (set, text) in [("cisi", "Honey bees dance."), ("cacm", "The moon pulls the sea.")] {
        let document = format!("{{\"_id\": \"d\", \"text\": \"{text}\"}}\n");
        sandbox.write(&format!("public/{set}/corpus.jsonl"), &document);
        sandbox.write(&format!("public/{set}/queries.jsonl"), document.replace("\"d\"", "\"q\""));
        sandbox.write(&format!("public/{set}/qrels/test.tsv"), "q\td\t1\n");
    }
    let mut command = script(&sandbox, "ablation", &["search.dense_weight=0", "--json"]);
    command.env("RAG_TEST_DATA", sandbox.path().join("public"));
    command.env("RAG_ASSETS_DIR", root().join("data")).env("RAG_DATA_DIR", sandbox.data());
    let found = Run::of(&mut command).ok().json();
    assert_eq!(found["sets"].as_array().unwrap().len(), 2, "{found}");
    assert_eq!(found["modes"]["search.dense_weight=0"]["ndcg@10"], 1.0);
    let tests = found["tests"].as_array().unwrap();
    assert!(tests.iter().any(|test| test["mode"] == "search.dense_weight=0"), "{found}");
}

#[test]
fn setup_of_complete_data_needs_no_network() {
    let sandbox = Sandbox::new();
    Run::of(&mut script(&sandbox, "setup", &[])).ok().says("runtime and models are complete");
}

#[test]
fn citations_of_a_few_answers_are_at_their_place() {
    let Some(book) = shared_data("rustbook_en") else { return };
    let data = book.parent().unwrap();
    let sandbox = Sandbox::new();
    let rag = env!("CARGO_BIN_EXE_rag");
    let args = [rag, "--answers", "24", "--files", "6", "--printers", "none"];
    let run = Run::of(script(&sandbox, "citations", &args).env("RAG_TEST_DATA", data)).ok();
    run.prints("rustbook_en ").prints("python_peps ").prints("(100.0%)");
}

#[test]
fn the_quickstart_prints_an_answer() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.data()).unwrap();
    for folder in ["models", "runtime"] {
        symlink(project_data().join(folder), sandbox.data().join(folder)).unwrap();
    }
    let mut quickstart = script(&sandbox, "quickstart", &["How do I list the models?"]);
    let run = Run::of(quickstart.env("RAG_DATA_DIR", sandbox.data())).ok();
    run.prints("`rag model list`").prints("[1] data/corpus/models.md:");
}

#[test]
fn install_copies_every_file() {
    let sandbox = Sandbox::new();
    // Twice: the second time over the first, with a manual page of a removed command, and one of
    // another program.
    for round in 0..2 {
        Run::of(&mut script(&sandbox, "install", &["a prefix/rag"]))
            .ok()
            .says("a prefix/rag/bin/rag");
        let prefix = sandbox.path().join("a prefix/rag");
        let man = prefix.join("share/man/man1");
        let mut pages = files_below(&root().join("man"));
        if round == 1 {
            pages.push("rag-others.1".to_owned());
            pages.sort();
        }
        assert_eq!(files_below(&man), pages);
        assert_eq!(
            files_below(&prefix.join("share/rag/runtime")),
            files_below(&project_data().join("runtime"))
        );
        for file in [
            "bash-completion/completions/rag",
            "zsh/site-functions/_rag",
            "fish/vendor_completions.d/rag.fish",
        ] {
            assert!(
                prefix.join("share").join(file).metadata().is_ok_and(|file| file.len() > 500),
                "{file}"
            );
        }
        let names: Vec<_> =
            std::fs::read_dir(&prefix).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        // The installed program finds its library and model.
        let mut verify = Command::new(prefix.join("bin/rag"));
        verify
            .args(["model", "list"])
            .current_dir(sandbox.path())
            .env_clear()
            .env("HOME", sandbox.path().join("home"));
        Run::of(&mut verify).ok().prints("all-MiniLM-L6-v2");
        std::fs::write(man.join("rag-gone.1"), ".TH RAG-GONE 1  \"rag 0.0.1\" rag\n").unwrap();
        std::fs::write(man.join("rag-others.1"), ".TH RAG-OTHERS 1 \"\" \"others\"\n").unwrap();
    }
}

#[test]
fn a_failed_install_changes_nothing() {
    let sandbox = Sandbox::new();
    let prefix = sandbox.path().join("prefix");
    // An obstacle that the installation meets first, and one that it meets last.
    for (path, before) in [("share/man", Some("bin/rag")), ("bin/rag/x", None)] {
        let _ = std::fs::remove_dir_all(&prefix);
        for file in [Some(path), before, Some("share/rag/runtime/old.so"), Some("share/man1")]
            .into_iter()
            .flatten()
        {
            sandbox.write(&format!("prefix/{file}"), "mine");
        }
        let was = listing(&prefix);
        let run =
            Run::of(&mut script(&sandbox, "install", &["prefix"])).exits(1).says("install: error:");
        assert_eq!(listing(&prefix), was, "{run}");
    }
    let _ = std::fs::remove_dir_all(&prefix);
    let mut broken = script(&sandbox, "install", &["prefix"]);
    Run::of(broken.env("RAG_PROGRAM", "/bin/false")).exits(1).says("does not start");
    assert!(!prefix.exists(), "the prefix was created");
    Run::of(&mut script(&sandbox, "install", &["--help"]))
        .exits(1)
        .says("scripts/install [PREFIX]");
}

#[test]
fn outputs_are_compared_without_variable_parts() {
    assert!(matches("a … c", "a b c") && matches("…", "") && matches("a\n…\nz", "a\nb\nc\nz"));
    assert!(!matches("a … d", "a b c") && !matches("ab", "abc") && !matches("a…a", "a"));
    assert_eq!(
        normal("corpus id   62132e2182dc6cf8\ntime   1.9 s"),
        normal("corpus id 0000000000000000\ntime 12.0 s")
    );
    assert_eq!(normal("[1] docs/a.md:3  A"), normal("[1] docs/a.md:77  A"));
    assert_ne!(normal("documents 19"), normal("documents 20"));
    assert_eq!(
        words("--json ask \"Is TLS required?\") && jq -r .answer"),
        ["--json", "ask", "Is TLS required?"]
    );
    assert_eq!(words("search '\"broken pipe\" python' | jq"), ["search", "\"broken pipe\" python"]);
    assert!(parsed(&["jobs".to_owned(), "lsit".to_owned()]).is_err());
    assert_eq!(parsed(&words("jobs show ID --follow")).unwrap(), ["jobs", "show"]);
}
