//! `man/` and `completions/` equal what clap renders; `UPDATE=1 cargo test --test it artifacts`
//! rewrites them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn check(folder: &str, expected: &BTreeMap<String, String>) {
    let dir: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    if std::env::var_os("UPDATE").is_some() {
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        for (name, text) in expected {
            std::fs::write(dir.join(name), text).unwrap();
        }
    }
    let how = format!("run `UPDATE=1 cargo test --test it artifacts` and commit {folder}/");
    let entries =
        std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}; {how}", dir.display()));
    let found: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    for name in &found {
        assert!(expected.contains_key(name), "{folder}/{name} belongs to no command; {how}");
    }
    for (name, text) in expected {
        let on_disk = std::fs::read_to_string(dir.join(name)).unwrap_or_default();
        assert!(on_disk == *text, "{folder}/{name} is out of date; {how}");
    }
}

#[test]
fn manual_pages_are_up_to_date() {
    let pages = rag::cli::render_man().unwrap();
    let pages: BTreeMap<String, String> =
        pages.into_iter().map(|(name, page)| (format!("{name}.1"), page)).collect();
    for page in ["rag.1", "rag-ask.1", "rag-index-save.1"] {
        for section in ["EXAMPLES", "ENVIRONMENT", "FILES", "\"EXIT STATUS\"", "\"SEE ALSO\""] {
            assert!(pages[page].contains(&format!(".SH {section}\n")), "{page}: {section}");
        }
    }
    check("man", &pages);
}

#[test]
fn completions_are_up_to_date() {
    check("completions", &rag::cli::render_completions().into_iter().collect());
}
