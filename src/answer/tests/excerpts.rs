//! What belongs to an excerpt, and a second excerpt.

use super::*;

#[test]
fn a_list_is_quoted_to_its_end() {
    let items: Vec<String> = (1..=20).map(|n| format!("- lamp number {n}")).collect();
    let text = format!("The harbour has these lamps:\n\n{}\n", items.join("\n"));
    let answer = ask(
        "Which lamps does the harbour have?",
        &[hit(1, "a.md", 0, &text), hit(2, "b.md", 0, "Ships wait outside for the tide.")],
        &Options::default(),
    );
    for n in 1..=20 {
        assert!(answer.text.contains(&format!("- lamp number {n} [1]")), "{}", answer.text);
    }
}

#[test]
fn nothing_is_announced_that_does_not_follow() {
    let text =
        "The lighthouse was built in 1887 by the harbour board. A picture shows the builders:";
    // Code that is only included from elsewhere is not shown.
    let included = format!("{text}\n\n```rust\n{{{{#include builders.rs}}}}\n```\n");
    for text in [text, &included] {
        let answer = ask(
            "When was the lighthouse built?",
            &[hit(1, "a.md", 0, text), hit(2, "b.md", 0, ELSEWHERE)],
            &Options::default(),
        );
        assert_eq!(answer.text, "The lighthouse was built in 1887 by the harbour board. [1]");
    }
}

#[test]
fn a_sentence_around_code_is_quoted_from_its_beginning() {
    let text = "If the valve is renamed to match its pipe:\n\n```\nrename valve pipe\n```\n\nthe \
                gauge must keep the old name to avoid breaking the alarm of the boiler.\n";
    let answer = ask(
        "Why must the gauge keep the old name?",
        &[hit(1, "a.md", 0, text), hit(2, "b.md", 0, ELSEWHERE)],
        &Options::default(),
    );
    let expected = "If the valve is renamed to match its pipe: [1]\n```\nrename valve pipe\n```\n\
                    [1]\nthe gauge must keep";
    assert!(answer.text.starts_with(expected), "{}", answer.text);
}

#[test]
fn steps_have_the_numbers_of_their_document() {
    let text = "To close the monkey house:\n\n1. Open the gate.\n2. Count the monkeys:\n   - Read \
                the list.\n   - Tick the list.\n3. Give them bananas.\n4. Close the gate.\n";
    let steps = |text: &str| {
        let answer = ask(
            "How do I close the monkey house?",
            &[hit(1, "a.md", 0, text), hit(2, "b.md", 0, ELSEWHERE)],
            &Options::default(),
        );
        let marks = answer.text.lines().skip(1).filter_map(|line| line.split(' ').next());
        marks.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(steps(text), ["1.", "2.", "-", "-", "3.", "4."]);
    // Markdown counts by itself where all have the same number.
    let same = text.replace("2. ", "1. ").replace("3. ", "1. ").replace("4. ", "1. ");
    assert_eq!(steps(&same), ["1.", "2.", "-", "-", "3.", "4."]);
}

#[test]
fn the_end_of_an_example_above_is_left_out() {
    let text = "```\n$ lamp status\n3 lamps lit\n```\n\nThe lighthouse keeper winds the \
                clockwork of the lens every four hours.\n";
    check_answer(
        "How often does the keeper wind the clockwork?",
        &[text, ELSEWHERE],
        "The lighthouse keeper winds the clockwork of the lens every four hours. [1]",
    );
}

#[test]
fn one_item_is_quoted_without_its_list() {
    let items: Vec<String> =
        (1..=9).map(|n| format!("- `lamp{n}` shines for {n} seconds over the bay")).collect();
    let text = format!("The lamps of the harbour.\n\n{}\n", items.join("\n"));
    let question = "For how many seconds does lamp7 shine?";
    check_answer(question, &[&text, ELSEWHERE], "`lamp7` shines for 7 seconds over the bay [1]");
    // To its end.
    let text = text.replace("over the bay", "over the bay. The keeper dims it. It rests then.");
    check_answer(
        question,
        &[&text, ELSEWHERE],
        "`lamp7` shines for 7 seconds over the bay. [1] The keeper dims it. [1] It rests then. [1]",
    );
}

#[test]
fn items_that_are_numbered_automatically_have_numbers() {
    let text = "Make tea like this:\n\n#. Boil the water.\n#. Pour it over the leaves.\n";
    let answer = ask(
        "How do I make tea?",
        &[hit(1, "a.rst", 0, text), hit(2, "b.md", 0, ELSEWHERE)],
        &Options::default(),
    );
    let steps = "\n1. Boil the water. [1]\n2. Pour it over the leaves. [1]";
    assert!(answer.text.ends_with(steps), "{}", answer.text);
}

#[test]
fn a_second_excerpt_is_a_paragraph_within_the_bound() {
    let first = "The ferry to the island leaves the north pier at nine o'clock every morning.";
    let second = "On Sundays the ferry to the island leaves an hour later, from the south pier.";
    let hits = [hit(1, "a.md", 0, first), hit(2, "b.md", 0, second)];
    let question = "When does the ferry to the island leave?";
    let answer = ask(question, &hits, &Options::default());
    let paragraphs: Vec<&str> = answer.text.split("\n\n").collect();
    assert_eq!(paragraphs.len(), 2, "{}", answer.text);
    assert_eq!(answer.citations.len(), 2);
    // Only one of them fits.
    let short = ask(question, &hits, &Options { max_words: 20, ..Options::default() });
    assert_eq!(short.citations.len(), 1, "{}", short.text);
}

#[test]
fn a_clause_is_found_by_its_number() {
    let text = "Supply agreement\n\n- 3.1 Goods are delivered to the ramp.\n- 3.2 Either party may \
                terminate with notice of six months.\n- 3.10 Interest is nine percent.\n";
    let hits = [hit(1, "supply.md", 0, text), hit(2, "b.md", 0, ELSEWHERE)];
    let ask = |question| ask(question, &hits, &Options::default());
    let answer = ask("What does clause 3.2 of the supply agreement say?");
    assert_eq!(answer.text, "3.2 Either party may terminate with notice of six months. [1]");
    assert_eq!(answer.confidence, Some(1.0));
    let absent = ask("What does clause 3.7 of the supply agreement say?");
    assert!(absent.confidence < Some(1.0), "{absent:?}");
}

#[test]
fn an_irregular_form_is_its_word() {
    check_answer(
        "When did the keeper leave the tower?",
        &["The keeper left the tower in March.", ELSEWHERE],
        "The keeper left the tower in March. [1]",
    );
}
