//! Scripts, as far as they show that a model cannot know a text.

/// A script that not every model knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Hebrew,
    Arabic,
    Devanagari,
    Thai,
    Han,
    Kana,
    Hangul,
    Other,
}

/// The languages that this table has, by their ISO 639-1 codes, with their scripts.
const LANGUAGES: [(&str, &[Script]); 10] = [
    (
        "af ca cs cy da de en es et eu fi fr ga gl hr hu id is it lt lv ms nb nl nn no pl pt ro sk \
         sl sq sv sw tr vi",
        &[Script::Latin],
    ),
    ("el", &[Script::Greek]),
    ("be bg mk ru uk", &[Script::Cyrillic]),
    ("he yi", &[Script::Hebrew]),
    ("ar fa ur", &[Script::Arabic]),
    ("hi mr ne", &[Script::Devanagari]),
    ("th", &[Script::Thai]),
    ("zh", &[Script::Han]),
    ("ja", &[Script::Han, Script::Kana]),
    ("ko", &[Script::Hangul, Script::Han]),
];

/// The share of the letters of `text` in scripts of these languages. It is 1 where that says
/// nothing: without languages or letters, and with a language that the table lacks, such as
/// `multilingual`.
#[must_use]
pub fn known_letters(text: &str, languages: &[String]) -> f32 {
    let scripts_of = |language: &String| {
        let has = |(codes, _): &&(&str, _)| codes.split(' ').any(|code| code == language);
        LANGUAGES.iter().find(has).map(|(_, scripts)| *scripts)
    };
    let Some(scripts) = languages.iter().map(scripts_of).collect::<Option<Vec<_>>>() else {
        return 1.0;
    };
    let scripts = scripts.concat();
    let letters = || text.chars().filter(|c| c.is_alphabetic());
    let n = letters().count();
    if n == 0 || scripts.is_empty() {
        return 1.0;
    }
    let known = letters().filter(|c| scripts.contains(&script(*c))).count();
    known as f32 / n as f32
}

fn script(letter: char) -> Script {
    match letter {
        '\0'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{ff21}'..='\u{ff5a}' => Script::Latin,
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Script::Greek,
        '\u{400}'..='\u{52f}' => Script::Cyrillic,
        '\u{590}'..='\u{5ff}' => Script::Hebrew,
        '\u{600}'..='\u{77f}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}' => Script::Arabic,
        '\u{900}'..='\u{97f}' => Script::Devanagari,
        '\u{e00}'..='\u{e7f}' => Script::Thai,
        '\u{3005}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}' => Script::Han,
        '\u{3041}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}' => Script::Kana,
        '\u{1100}'..='\u{11ff}' | '\u{3131}'..='\u{318e}' | '\u{ac00}'..='\u{d7af}' => {
            Script::Hangul
        }
        _ => Script::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_scripts_that_a_model_knows() {
        let check = |text: &str, languages: &[&str], expected: f32| {
            let languages: Vec<String> = languages.iter().map(|code| (*code).to_owned()).collect();
            let known = known_letters(text, &languages);
            assert!((known - expected).abs() < 1e-6, "{text} {languages:?}: {known}");
        };
        check("What is the law?", &["en"], 1.0);
        check("Où est l’œuvre, 1299?", &["en"], 1.0);
        check("什么是法律？", &["en"], 0.0);
        check("什么是法律？", &["en", "zh"], 1.0);
        check("法律 law", &["en"], 0.6);
        check("ひらがなと漢字", &["zh"], 2.0 / 7.0);
        check("Что это?", &["en", "el"], 0.0);
        check("தமிழ்", &["en"], 0.0);
        // Nothing is known of the model, or of the text.
        check("什么是法律？", &[], 1.0);
        check("什么是法律？", &["multilingual"], 1.0);
        check("தமிழ்", &["en", "ta"], 1.0);
        check("1299?", &["en"], 1.0);
    }
}
