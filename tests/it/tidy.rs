//! House rules that the compiler does not check: layering, owners of crates, file headers.

use std::collections::BTreeMap;
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
            assert!(bands.contains_key(room), "src/{} is in no room of lib.rs", source.path);
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
                None => Some(format!("`{room}` is no room")),
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
        // In `mod.rs`, `super` is the folder above; in `a/b.rs` it is `a`.
        let leaves = after_word(line, "super").any(|_| {
            let most = line.matches("super::").count();
            most >= depth
        });
        (leaves && depth > 0).then(|| "`super` leads out of the room".to_owned())
    });
}

#[test]
fn each_outside_crate_has_one_owner() {
    let owners: [(&str, &[&str]); 38] = [
        ("tantivy", &["index"]),
        ("ort", &["model"]),
        ("tokenizers", &["model"]),
        ("rusqlite", &["sqlite.rs", "analytics", "cache", "sessions"]),
        ("reqwest", &["http.rs"]),
        ("rustls", &["http.rs"]),
        ("tokio", &["http.rs", "service", "mcp", "serve", "cli/ui.rs"]),
        ("tokio_io_timeout", &["serve"]),
        ("axum", &["serve"]),
        ("hyper", &["serve"]),
        ("hyper_util", &["serve"]),
        ("tower", &["serve"]),
        ("utoipa", &["wire", "serve"]),
        ("subtle", &["serve"]),
        ("rmcp", &["mcp"]),
        ("httpdate", &["http.rs"]),
        ("fastrand", &["llm"]),
        ("globset", &["filter"]),
        ("tree_sitter", &["text"]),
        ("notify", &["watch.rs"]),
        ("tracing", &["telemetry"]),
        ("tracing_subscriber", &["telemetry"]),
        // A route is called `metrics` too.
        ("metrics", &["telemetry", "serve/routes"]),
        ("metrics_exporter_prometheus", &["telemetry"]),
        ("metrics_process", &["telemetry"]),
        ("clap", &["cli"]),
        ("clap_complete", &["cli"]),
        ("clap_mangen", &["cli"]),
        ("indicatif", &["cli"]),
        ("comfy_table", &["cli"]),
        ("unicode_segmentation", &["cli"]),
        ("unicode_width", &["cli"]),
        ("url", &["config"]),
        ("rustyline", &["cli"]),
        ("libc", &["model"]),
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
            () if printed => Some("printing is for cli/ui.rs, which writes".to_owned()),
            () if streams && source.path != "cli/ui.rs" => {
                Some("stdout and stderr belong to cli/ui.rs".to_owned())
            }
            () if exits && source.path != "cli/signals.rs" => {
                Some("nothing exits but `cli::leave`".to_owned())
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
            .then(|| "config reads the environment".to_owned())
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
