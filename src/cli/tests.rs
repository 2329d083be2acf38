//! The texts of the man pages match the commands and settings that exist.

use super::pages::PAGES;
use super::{command, render_man};
use crate::config::SETTINGS;

#[test]
fn every_man_page_has_texts_and_refers_to_existing_pages_and_settings() {
    let rendered = render_man().unwrap();
    for page in PAGES {
        let exists = |wanted: &str| rendered.iter().any(|(name, _)| name == wanted);
        assert!(exists(page.name), "no command for {}", page.name);
        for related in page.see_also {
            assert!(exists(related), "{}: no page {related}", page.name);
        }
        for prefix in page.settings {
            let is_known = SETTINGS.iter().any(|setting| setting.key.starts_with(prefix));
            assert!(is_known, "{}: no setting {prefix}", page.name);
        }
    }
    for (name, text) in &rendered {
        assert!(PAGES.iter().any(|page| page.name == name), "{name} has no entry in PAGES");
        assert!(text.contains(".SH \"SEE ALSO\""), "{name}");
    }
}

#[test]
fn the_examples_of_man_pages_parse() {
    for line in PAGES.iter().flat_map(|page| page.examples).flat_map(|(_, text)| text.lines()) {
        let Some(arguments) = line.strip_prefix("rag ") else { continue };
        let is_shell = |word: &&str| matches!(*word, "|" | ">" | "<");
        let words = arguments.split_whitespace().take_while(|word| !is_shell(word));
        let words = words.map(|word| word.trim_matches(['"', '\'']));
        let parsed = command().try_get_matches_from(std::iter::once("rag").chain(words));
        assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
    }
}
