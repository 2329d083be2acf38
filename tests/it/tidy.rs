//! House rules that the compiler does not check: layering, import circles, owners of crates, file
//! headers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::fixtures::files_below;

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// A file of `src/` without its comments and its tests.
struct Source {
    /// Relative to `src/`.
    path: String,
    whole: String,
    /// `(line number, code)`.
    code: Vec<(usize, String)>,
}

impl Source {
    fn read(path: String) -> Self {
        let whole = std::fs::read_to_string(src().join(&path)).unwrap();
        // A file's tests are at its end.
        let begins = ["#[cfg(test)]\nmod tests {", "#[cfg(test)]\npub(super) mod tests {"];
        let end = begins.iter().find_map(|begin| whole.find(begin)).unwrap_or(whole.len());
        let code = |line: &str| line.split(" // ").next().unwrap_or_default().to_owned();
        let lines = whole[..end].lines().enumerate().map(|(n, line)| (n + 1, line));
        let lines = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
        let code = lines.map(|(n, line)| (n, code(line))).collect();
        Self { path, whole, code }
    }

    /// `src/index/dense/mod.rs` is `["index", "dense"]`, `src/ask.rs` is `["ask"]`.
    fn module(&self) -> Vec<&str> {
        let mut parts: Vec<&str> = self.path.trim_end_matches(".rs").split('/').collect();
        if matches!(parts.last(), Some(&("mod" | "lib" | "main"))) {
            parts.pop();
        }
        parts
    }

    fn room(&self) -> Option<&str> {
        self.module().first().copied()
    }

    fn is_below(&self, places: &[&str]) -> bool {
        places
            .iter()
            .any(|place| self.path == *place || self.path.starts_with(&format!("{place}/")))
    }
}

fn sources() -> Vec<Source> {
    let is_test = |path: &str| path.ends_with("tests.rs") || path.contains("/tests/");
    let files =
        files_below(&src()).into_iter().filter(|path| path.ends_with(".rs") && !is_test(path));
    let sources: Vec<Source> = files.map(Source::read).collect();
    assert!(sources.len() > 80, "{} files", sources.len());
    sources
}

/// The text after every occurrence of `word` as a whole word.
fn after_word<'a>(code: &'a str, word: &str) -> impl Iterator<Item = &'a str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).filter_map(move |(at, _)| {
        let rest = &code[at + word.len()..];
        let is_whole = !code[..at].ends_with(is_part) && !rest.starts_with(is_part);
        is_whole.then_some(rest)
    })
}

/// Fails with every line for which `is_bad` returns a reason.
fn forbid(mut is_bad: impl FnMut(&Source, &str) -> Option<String>) {
    let mut found = Vec::new();
    for source in sources() {
        for (n, line) in &source.code {
            found.extend(
                is_bad(&source, line)
                    .map(|why| format!("src/{}:{n}: {why}: {}", source.path, line.trim())),
            );
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// Rooms in the order of `lib.rs`, each with the number of its band.
fn bands() -> BTreeMap<String, usize> {
    let lib = std::fs::read_to_string(src().join("lib.rs")).unwrap();
    let mut bands = BTreeMap::new();
    for (n, band) in lib.split("\n\n").enumerate() {
        for line in band.lines() {
            if let Some(room) =
                line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';'))
            {
                bands.insert(room.to_owned(), n);
            }
        }
    }
    assert!(bands.len() > 15, "{bands:?}");
    bands
}

#[test]
fn every_room_is_in_a_band() {
    let bands = bands();
    for source in sources() {
        if let Some(room) = source.room() {
            assert!(
                bands.contains_key(room),
                "src/{} does not belong to a room of lib.rs",
                source.path
            );
        }
    }
    for room in bands.keys() {
        let (file, folder) = (src().join(format!("{room}.rs")), src().join(room).join("mod.rs"));
        assert!(file.is_file() != folder.is_file(), "the room {room} is one file or one folder");
    }
}

#[test]
fn a_room_names_only_rooms_of_earlier_bands() {
    let bands = bands();
    forbid(|source, line| {
        let own = source.room()?;
        let mut named = after_word(line, "crate").filter_map(|rest| rest.strip_prefix("::"));
        named.find_map(|rest| {
            if rest.starts_with('{') {
                return Some("name one room in a line, so that this test can read it".to_owned());
            }
            let room: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            match bands.get(&room) {
                None => Some(format!("`{room}` is not a room")),
                Some(band) if room != own && *band >= bands[own] => {
                    Some(format!("`{own}` may not name `{room}`"))
                }
                Some(_) => None,
            }
        })
    });
}

#[test]
fn super_stays_inside_the_room() {
    forbid(|source, line| {
        let depth = source.module().len();
        // In `mod.rs`, `super` is the parent folder; in `a/b.rs` it is `a`.
        let leaves = after_word(line, "super").any(|_| {
            let most = line.matches("super::").count();
            most >= depth
        });
        (leaves && depth > 0).then(|| "`super` leads out of the room".to_owned())
    });
}

#[test]
fn each_outside_crate_has_one_owner() {
    let owners: [(&str, &[&str]); 44] = [
        ("tantivy", &["index"]),
        ("ort", &["model"]),
        ("tokenizers", &["model"]),
        ("rusqlite", &["sqlite.rs", "analytics", "cache", "sessions", "tokens"]),
        ("redis", &["shared"]),
        ("reqwest", &["http"]),
        ("rustls", &["http", "ledger", "serve"]),
        ("tokio", &["http", "depot", "ledger", "service", "mcp", "serve", "cli/ui.rs"]),
        ("object_store", &["depot"]),
        ("tokio_postgres", &["ledger"]),
        ("tokio_postgres_rustls", &["ledger"]),
        ("deadpool_postgres", &["ledger"]),
        ("tokio_io_timeout", &["serve"]),
        ("axum", &["serve"]),
        ("hyper", &["serve"]),
        ("hyper_util", &["serve"]),
        ("tower", &["serve"]),
        ("utoipa", &["wire", "serve"]),
        ("subtle", &["serve"]),
        ("rmcp", &["mcp"]),
        ("httpdate", &["http"]),
        ("fastrand", &["llm"]),
        ("globset", &["filter"]),
        ("tree_sitter", &["text"]),
        ("notify", &["watch.rs"]),
        ("tracing", &["telemetry"]),
        ("tracing_subscriber", &["telemetry"]),
        // `serve` has modules of that name.
        ("metrics", &["telemetry", "serve"]),
        ("metrics_exporter_prometheus", &["telemetry"]),
        ("metrics_process", &["telemetry"]),
        ("clap", &["cli"]),
        ("clap_complete", &["cli"]),
        ("clap_mangen", &["cli"]),
        ("indicatif", &["cli"]),
        ("comfy_table", &["cli"]),
        ("textwrap", &["cli"]),
        ("unicode_segmentation", &["cli"]),
        ("unicode_width", &["cli"]),
        ("url", &["config"]),
        ("rustyline", &["cli"]),
        ("libc", &["model", "cli"]),
        ("mimalloc", &["main.rs"]),
        ("wide", &["index"]),
        ("jiff", &["filter", "text", "serve", "cli"]),
    ];
    forbid(|source, line| {
        owners.iter().find_map(|(thing, places)| {
            let names = after_word(line, thing).any(|rest| rest.starts_with("::"));
            (names && !source.is_below(places))
                .then(|| format!("{thing} belongs to {}", places.join(", ")))
        })
    });
}

#[test]
fn only_ui_prints_and_nothing_exits() {
    forbid(|source, line| {
        let prints = ["println", "print", "eprintln", "eprint", "dbg"];
        let printed =
            prints.iter().any(|name| after_word(line, name).any(|rest| rest.starts_with("!(")));
        let names_stream = ["stdout", "stderr"]
            .iter()
            .any(|name| after_word(line, name).any(|rest| rest.starts_with("()")));
        let streams = names_stream && !line.contains("is_terminal");
        let exits = ["process", "low_level"]
            .iter()
            .any(|name| after_word(line, name).any(|rest| rest.starts_with("::exit")));
        match () {
            () if printed => Some("only cli/ui.rs prints".to_owned()),
            () if streams && source.path != "cli/ui.rs" => {
                Some("stdout and stderr belong to cli/ui.rs".to_owned())
            }
            () if exits && source.path != "cli/signals.rs" => {
                Some("only `cli::leave` exits".to_owned())
            }
            () => None,
        }
    });
}

#[test]
fn the_environment_is_read_in_one_place() {
    // NO_COLOR and TERM are conventions of terminals; ORT_DISABLE_TELEMETRY is set for a library
    // that reads it.
    let audited = [
        ("cli/ui.rs", "NO_COLOR"),
        ("cli/ui.rs", "TERM"),
        ("model/runtime.rs", "ORT_DISABLE_TELEMETRY"),
    ];
    forbid(|source, line| {
        let touches = after_word(line, "env").any(|rest| {
            ["::var", "::vars", "::set_var", "::remove_var", "::home_dir"]
                .iter()
                .any(|name| rest.starts_with(name))
        });
        let is_audited =
            audited.iter().any(|(path, name)| source.path == *path && line.contains(name));
        (touches && !source.is_below(&["config"]) && !is_audited)
            .then(|| "only config reads the environment".to_owned())
    });
}

/// `ui.note` and its siblings sanitize their whole text, which would include a colour.
#[test]
fn no_coloured_text_is_sanitized() {
    for source in sources() {
        let code: Vec<&str> = source.code.iter().map(|(_, line)| line.as_str()).collect();
        let code = code.join("\n");
        for name in ["note", "warn", "detail"] {
            for (at, call) in code.match_indices(&format!("ui.{name}(")) {
                let statement = code[at + call.len()..].split(';').next().unwrap_or_default();
                assert!(
                    !statement.contains("paint("),
                    "src/{}: ui.{name}({statement}",
                    source.path
                );
            }
        }
    }
}

#[test]
fn every_possible_panic_has_a_proof() {
    // Each line is a proof that was reviewed.
    let proved: [(&str, &str); 2] = [
        ("disk/hash.rs", "a BLAKE2b digest has 1 to 64 bytes"),
        ("disk/hash.rs", "the output has the size asked for"),
    ];
    forbid(|source, line| {
        let panics =
            [".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "unimplemented!("];
        let can = panics.iter().any(|name| line.contains(name));
        let is_proved =
            proved.iter().any(|(path, reason)| source.path == *path && line.contains(reason));
        (can && !is_proved).then(|| "return a fault, or add a line to `proved`".to_owned())
    });
    for (path, reason) in proved {
        let text = std::fs::read_to_string(src().join(path)).unwrap();
        assert!(text.contains(reason), "{path} no longer says {reason:?}");
    }
}

#[test]
fn every_file_has_a_header_and_at_most_700_lines() {
    const MOST_LINES: usize = 700;
    for source in sources() {
        let begins =
            source.whole.starts_with("//! ") || source.whole.starts_with("#![doc = include_str!(");
        assert!(begins, "src/{} does not open with `//!`", source.path);
        let n_lines = source.whole.lines().count();
        assert!(
            n_lines <= MOST_LINES,
            "src/{} has {n_lines} lines, {MOST_LINES} are the most",
            source.path
        );
    }
}

#[test]
fn architecture_is_short_and_names_every_room() {
    let Ok(map) = std::fs::read_to_string(src().join("ARCHITECTURE.md")) else {
        panic!("there is no src/ARCHITECTURE.md");
    };
    assert!(map.lines().count() <= 200, "{} lines", map.lines().count());
    for room in bands().keys() {
        let named = map.lines().any(|line| line.starts_with(&format!("* `{room}`")));
        assert!(named, "ARCHITECTURE.md has no line for the room `{room}`");
    }
}

#[test]
fn no_test_is_ignored_and_none_sleeps() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let (ignore, sleep) = (concat!("#[", "ignore"), concat!("thread::", "sleep("));
    for file in files_below(&dir).into_iter().filter(|file| file.ends_with(".rs")) {
        let text = std::fs::read_to_string(dir.join(&file)).unwrap();
        assert!(!text.contains(ignore), "tests/it/{file} ignores a test");
        assert!(!text.contains(sleep), "tests/it/{file} sleeps");
        assert!(text.starts_with("//! "), "tests/it/{file} does not open with `//!`");
    }
}

/// No two files of a room may need each other, directly or through others.
///
/// The rule: a file needs another file of its room when its code names something that is defined
/// there, in a `use` or in a path that begins with `super`, `self`, `crate::<room>` or a child
/// module. A name that a module only re-exports counts for the file that defines it, so `mod child;
/// pub use child::X;` alone is no need of the child. Calls of methods count for nothing.
#[test]
fn no_files_of_a_room_need_each_other() {
    let sources = sources();
    let modules: BTreeMap<Vec<&str>, Module<'_>> =
        sources.iter().map(|source| (source.module(), Module::parse(source))).collect();
    let needs: Needs<'_> =
        modules.keys().map(|path| (path.clone(), needed_by(&modules, path))).collect();
    let reached: Needs<'_> =
        modules.keys().map(|path| (path.clone(), reachable(&needs, path))).collect();
    let mut circles = Vec::new();
    for (path, module) in &modules {
        let in_circle = |other: &&Vec<&str>| reached[*other].contains(path);
        let partners: Vec<&str> =
            needs[path].iter().filter(in_circle).map(|other| modules[other].file).collect();
        if !partners.is_empty() {
            circles.push(format!("src/{} needs {}", module.file, partners.join(", ")));
        }
    }
    assert!(circles.is_empty(), "these need each other:\n{}", circles.join("\n"));
}

/// Modules by path, each with others of its room.
type Needs<'a> = BTreeMap<Vec<&'a str>, BTreeSet<Vec<&'a str>>>;

fn needed_by<'a>(
    modules: &BTreeMap<Vec<&'a str>, Module<'a>>,
    path: &[&'a str],
) -> BTreeSet<Vec<&'a str>> {
    let needs = &modules[path].needs;
    let found = needs.iter().filter_map(|needed| resolve(modules, path, needed));
    found.filter(|found| found != path).collect()
}

/// The modules that one needs, directly or through others.
fn reachable<'a>(needs: &Needs<'a>, from: &[&'a str]) -> BTreeSet<Vec<&'a str>> {
    let mut reached = BTreeSet::new();
    let mut left = vec![from.to_vec()];
    while let Some(path) = left.pop() {
        for found in &needs[&path] {
            if reached.insert(found.clone()) {
                left.push(found.clone());
            }
        }
    }
    reached
}

/// The module whose file defines what a path names in the module `from`, if it is of the same room.
fn resolve<'a>(
    modules: &BTreeMap<Vec<&'a str>, Module<'a>>,
    from: &[&'a str],
    path: &[&'a str],
) -> Option<Vec<&'a str>> {
    let mut at = from.to_vec();
    for (i, name) in path.iter().enumerate() {
        match *name {
            "crate" => at.clear(),
            "self" => {}
            "super" => drop(at.pop()),
            name => {
                let child: Vec<&str> = at.iter().copied().chain([name]).collect();
                if modules.contains_key(&child) {
                    at = child;
                    continue;
                }
                // A name of `at`: imported there, or defined there.
                let imported = modules.get(&at).and_then(|module| module.imports.get(name));
                return match imported {
                    Some(path) => resolve(modules, &at, path),
                    None if at.first() == from.first() => Some(at),
                    None => None,
                };
            }
        }
        if *name == "crate" && path.get(i + 1) != from.first() {
            return None;
        }
    }
    Some(at)
}

/// What the file of a module imports and names.
struct Module<'a> {
    file: &'a str,
    /// Paths of its imports, by local name.
    imports: BTreeMap<&'a str, Vec<&'a str>>,
    /// Paths that its code needs.
    needs: Vec<Vec<&'a str>>,
}

impl<'a> Module<'a> {
    fn parse(source: &'a Source) -> Self {
        let lines = source.code.iter().map(|(_, line)| line.as_str());
        let tokens: Vec<&str> = lines.flat_map(tokens).collect();
        let children: BTreeSet<&str> =
            tokens.windows(3).filter(|w| w[0] == "mod" && w[2] == ";").map(|w| w[1]).collect();
        let is_own =
            |name: &str| matches!(name, "super" | "self" | "crate") || children.contains(name);
        let (mut imports, mut needs) = (BTreeMap::new(), Vec::new());
        for i in 0..tokens.len() {
            if tokens[i] == "use" {
                let is_export = i > 0 && matches!(tokens[i - 1], "pub" | ")");
                for (path, name) in paths(&tokens, &mut (i + 1), &[]) {
                    if is_own(path[0]) {
                        imports.insert(name, path.clone());
                        needs.extend((!is_export).then_some(path));
                    }
                }
            } else if is_own(tokens[i])
                && tokens.get(i + 1) == Some(&"::")
                && i > 0
                && !matches!(tokens[i - 1], "::" | "use" | "{" | ",")
            {
                needs.extend(paths(&tokens, &mut { i }, &[]).into_iter().map(|(path, _)| path));
            }
        }
        Self { file: &source.path, imports, needs }
    }
}

/// Names, `::` and single other characters of a line.
fn tokens(line: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let len = match first {
            c if is_part(c) => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            c => c.len_utf8(),
        };
        tokens.push(&rest[..len]);
        rest = rest[len..].trim_start();
    }
    tokens
}

/// The paths of the tree that begins at a token, each with its local name: `a::{b, c as d}` is
/// `a::b` (`b`) and `a::c` (`d`).
fn paths<'a>(
    tokens: &[&'a str],
    at: &mut usize,
    before: &[&'a str],
) -> Vec<(Vec<&'a str>, &'a str)> {
    let token = |at: usize| tokens.get(at).copied().unwrap_or_default();
    let mut path = before.to_vec();
    loop {
        match token(*at) {
            "{" => {
                let mut all = Vec::new();
                while token(*at) != "}" && *at < tokens.len() {
                    *at += 1;
                    if token(*at) != "}" {
                        all.extend(paths(tokens, at, &path));
                    }
                }
                *at += 1;
                return all;
            }
            name => path.push(name),
        }
        *at += 1;
        if token(*at) != "::" {
            break;
        }
        *at += 1;
    }
    let mut name = path.last().copied().unwrap_or_default();
    if name == "self" && path.len() > 1 {
        path.pop();
        name = path.last().copied().unwrap_or_default();
    }
    if token(*at) == "as" {
        name = token(*at + 1);
        *at += 2;
    }
    vec![(path, name)]
}

#[test]
fn no_line_has_more_than_100_characters() {
    const MAX_CHARS: usize = 100;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut long = Vec::new();
    for folder in ["src", "tests"] {
        let files = files_below(&root.join(folder));
        for file in files.iter().filter(|file| file.ends_with(".rs")) {
            let text = std::fs::read_to_string(root.join(folder).join(file)).unwrap();
            let lines = text.lines().zip(1..).filter(|(line, _)| line.chars().count() > MAX_CHARS);
            long.extend(lines.map(|(line, n)| format!("{folder}/{file}:{n}: {}", line.trim())));
        }
    }
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn texts_use_plain_words() {
    // `src/GLOSSARY.md` has the words to use instead.
    const AVOIDED: [&str; 7] = [
        "nobody",
        "somebody",
        "second look",
        "goes on",
        "comes to rest",
        "that is none",
        "is no usable",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "data/corpus", "man"] {
        let files = files_below(&root.join(folder));
        // Tests and data quote what people write.
        let is_checked = |file: &&String| !file.contains("tests") && !file.ends_with("tsv");
        for file in files.iter().filter(is_checked) {
            let text = std::fs::read_to_string(root.join(folder).join(file)).unwrap();
            let lines = text.lines().zip(1..).map(|(line, n)| (line.to_lowercase(), n));
            let avoided = lines.filter(|(line, _)| AVOIDED.iter().any(|word| line.contains(word)));
            found.extend(avoided.map(|(line, n)| format!("{folder}/{file}:{n}: {}", line.trim())));
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}
