//! Tests of the room as a whole.

#[cfg(feature = "code")]
mod code;

use std::path::Path;

use super::*;
use crate::document::{context_line, embedded_text};

/// A folder of real text beside some checkouts. If it is absent, the test says so.
fn shared_data(name: &str) -> Option<std::path::PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here
        .ancestors()
        .map(|above| above.join("shared/data").join(name))
        .find(|folder| folder.is_dir());
    if found.is_none() {
        eprintln!("skipped: there is no shared/data/{name} beside this checkout");
    }
    found
}

#[test]
fn a_whole_book_becomes_passages() {
    let Some(book) = shared_data("rustbook_en") else { return };
    let count = |text: &str| text.split_whitespace().map(|word| word.len().div_ceil(4)).sum();
    let limits = Limits { max_tokens: 256, overlap_tokens: 32 };
    let (mut n_files, mut n_english, mut n_chunks, mut n_tokens) = (0, 0, 0, 0);
    walk(&book, &WalkOptions::default(), &mut |entry| {
        let file = match entry {
            Entry::File(file) => file,
            Entry::Folder(_) => return Ok(()),
            other => panic!("{other:?}"),
        };
        let bytes = std::fs::read(file_below(&book, &file.path)).unwrap();
        let doc = extract(&file.path, &bytes).unwrap();
        n_files += 1;
        n_english += usize::from(language_of(&doc) == Some("en"));
        for chunk in chunk(&doc, &limits, &count) {
            let tokens = count(&embedded_text(
                &context_line(doc.title.as_deref(), &chunk.heading),
                &chunk.text,
            ));
            assert!(tokens <= 256, "{} {chunk:?}", file.path);
            let source = std::str::from_utf8(&bytes[chunk.bytes.range()]).unwrap();
            let text = without_comments(&chunk.text);
            // Preformatted HTML becomes fenced code.
            if !source.contains("<pre>") {
                assert_eq!(without_comments(source), text, "{}", file.path);
            }
            n_chunks += 1;
            n_tokens += tokens;
        }
        Ok(())
    })
    .unwrap();
    // Lists of links and keywords have no language.
    assert!(n_english * 10 >= n_files * 9, "{n_english} of {n_files}");
    assert!(
        n_files > 90 && n_tokens / n_chunks > 150,
        "{n_files} files, {n_chunks} passages, {n_tokens} tokens"
    );
}

/// The book has a comment after each link that its checker of links ignores.
fn without_comments(mut text: &str) -> String {
    let mut out = String::new();
    while let Some((before, rest)) = text.split_once("<!--") {
        out.push_str(before);
        text = rest.split_once("-->").map_or("", |(_, after)| after);
    }
    out + text
}

mod language {
    use super::*;

    #[test]
    fn languages_are_detected() {
        for (text, code) in [
            (
                "This is what the people of the village had always thought about their neighbours, \
                 and they would not \
                 have said otherwise if they had been asked whether there was anything that they \
                 wanted to change.",
                "en",
            ),
            (
                "Der schnelle braune Fuchs springt über den faulen Hund, und niemand im Dorf \
                 störte sich daran.",
                "de",
            ),
            (
                "Le renard brun saute par-dessus le chien paresseux, et personne au village ne \
                 s'en souciait.",
                "fr",
            ),
            (
                "Быстрая коричневая лиса прыгает через ленивую собаку, и никто в деревне не \
                 возражал.",
                "ru",
            ),
            // Too short for their letters to tell.
            ("The cat sits on the mat.", "en"),
            ("Der Hund liegt unter dem Tisch.", "de"),
            ("敏捷的棕色狐狸跳过懒狗，村里没有人介意。", "zh"),
            ("素早い茶色の狐がのろまな犬を飛び越えたが、村の誰も気にしなかった。", "ja"),
            ("빠른 갈색 여우가 게으른 개를 뛰어넘었지만 마을의 누구도 신경 쓰지 않았다.", "ko"),
        ] {
            assert_eq!(detect(text), Some(code), "{text}");
        }
        for text in ["", "12 34", "ok", "Valve, pump, motor", "in was"] {
            assert_eq!(detect(text), None, "{text}");
        }
    }

    #[test]
    fn code_blocks_are_ignored() {
        let of = |path: &str, text: &str| language_of(&extract(path, text.as_bytes()).unwrap());
        let german = "Der schnelle braune Fuchs springt über den faulen Hund, und niemand störte \
             sich daran.";
        let code = "```\nfor each in the list of all the things that we have there is one of them \
             that is the best\n```";
        assert_eq!(
            of("a.md", &format!("{german}\n\n{}", format!("{code}\n\n").repeat(9))),
            Some("de")
        );
        assert_eq!(of("a.rs", "fn main() { let xs = vec![1]; }"), Some("en"));
        assert_eq!(
            of(
                "a.py",
                "# Быстрая коричневая лиса прыгает через ленивую собаку, и никто в деревне не \
                 возражал.\nx = 1"
            ),
            Some("ru")
        );
    }
}
