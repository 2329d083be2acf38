//! Tests of the room as a whole.

use super::*;

mod language {
    use super::*;

    #[test]
    fn languages_are_told_apart() {
        for (text, code) in [
            (
                "This is what the people of the village had always thought about their neighbours, and they would not \
                 have said otherwise if they had been asked whether there was anything that they wanted to change.",
                "en",
            ),
            ("Der schnelle braune Fuchs springt über den faulen Hund, und niemand im Dorf störte sich daran.", "de"),
            ("Le renard brun saute par-dessus le chien paresseux, et personne au village ne s'en souciait.", "fr"),
            ("Быстрая коричневая лиса прыгает через ленивую собаку, и никто в деревне не возражал.", "ru"),
            ("敏捷的棕色狐狸跳过懒狗，村里没有人介意。", "zh"),
            ("素早い茶色の狐がのろまな犬を飛び越えたが、村の誰も気にしなかった。", "ja"),
            ("빠른 갈색 여우가 게으른 개를 뛰어넘었지만 마을의 누구도 신경 쓰지 않았다.", "ko"),
        ] {
            assert_eq!(detect(text), Some(code), "{text}");
        }
        for text in ["", "12 34", "ok"] {
            assert_eq!(detect(text), None, "{text}");
        }
    }

    #[test]
    fn code_is_not_prose() {
        let of = |path: &str, text: &str| language_of(&extract(path, text.as_bytes()).unwrap());
        let german = "Der schnelle braune Fuchs springt über den faulen Hund, und niemand störte sich daran.";
        let code = "```\nfor each in the list of all the things that we have there is one of them that is the best\n```";
        assert_eq!(of("a.md", &format!("{german}\n\n{}", format!("{code}\n\n").repeat(9))), Some("de"));
        assert_eq!(of("a.rs", "fn main() { let xs = vec![1]; }"), Some("en"));
        assert_eq!(of("a.py", "# Быстрая коричневая лиса прыгает через ленивую собаку, и никто в деревне не возражал.\nx = 1"), Some("ru"));
    }
}
