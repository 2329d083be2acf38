//! Feedback of users as questions with known answers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::analytics::{Feedback, Rated, Reason};
use crate::naming;

/// The feedback as lines of a file that [`super::read`] reads. `is_known` says whether the index of
/// a feedback has a document, by its name; others are left out, because a missing document is an
/// error of an evaluation.
///
/// * A helpful answer: the documents that it cites are relevant.
/// * A helpful refusal, and an answer that should have been one: unanswerable.
/// * An unhelpful answer, when the user named the document that has it: that one is relevant.
///
/// Other feedback says what is wrong, but not what is right: it gives no line.
pub fn from_feedback(rated: &[Rated], is_known: &dyn Fn(&str, &str) -> bool) -> Vec<Value> {
    let lines = rated.iter().zip(1..).filter_map(|(rated, n): (&Rated, usize)| {
        let mut line = line(&rated.feedback, is_known)?;
        line["id"] = format!("feedback-{n}").into();
        Some(line)
    });
    lines.collect()
}

fn line(feedback: &Feedback, is_known: &dyn Fn(&str, &str) -> bool) -> Option<Value> {
    let Feedback { question, index, helpful, reason, supported, documents, expected, .. } =
        feedback;
    let unanswerable = || {
        json!({
            "question": question, "kind": "feedback", "answer": [], "unanswerable": true,
        })
    };
    if *reason == Some(Reason::Unanswerable) || (*helpful && !supported) {
        return Some(unanswerable());
    }
    let cited = documents.iter().map(|(root, path)| naming::name(root, path));
    let named: Vec<String> = match helpful {
        true => cited.collect(),
        false => expected.iter().cloned().collect(),
    };
    let known = named.into_iter().filter(|name| is_known(index, name));
    let relevant: BTreeMap<String, u32> = known.map(|name| (name, 1)).collect();
    (!relevant.is_empty()).then(|| json!({ "query": question, "relevant": relevant }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::evaluate::{Gold, read};

    fn rated(feedback: Feedback) -> Rated {
        let feedback = Feedback {
            question: "Why?".into(),
            documents: vec![("docs".into(), "a.md".into())],
            ..feedback
        };
        Rated { at_s: 1, feedback }
    }

    /// The lines of one feedback, read as an evaluation reads them.
    fn gold(feedback: Feedback) -> Vec<String> {
        let lines = from_feedback(&[rated(feedback)], &|_, name| name.starts_with("docs/"));
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        if text.is_empty() {
            return Vec::new();
        }
        let set = read(text.as_bytes(), Path::new("feedback.jsonl")).unwrap();
        let gold = set.questions.iter().map(|question| match &question.gold {
            Gold::Documents(grades) => format!("{grades:?}"),
            Gold::Answer(answer) => format!("{} elements", answer.elements.len()),
        });
        gold.collect()
    }

    #[test]
    fn feedback_gives_what_is_known_of_the_right_answer() {
        let liked = Feedback { helpful: true, supported: true, ..Feedback::default() };
        assert_eq!(gold(liked.clone()), ["{\"docs/a.md\": 1}"]);
        assert_eq!(gold(Feedback { supported: false, ..liked }), ["0 elements"]);
        let wrong =
            Feedback { supported: true, reason: Some(Reason::Wrong), ..Feedback::default() };
        assert_eq!(gold(wrong.clone()), [""; 0]);
        let expected = |name: &str| Feedback { expected: Some(name.into()), ..wrong.clone() };
        assert_eq!(gold(expected("docs/b.md")), ["{\"docs/b.md\": 1}"]);
        assert_eq!(gold(expected("gone/b.md")), [""; 0]);
        let refused = Feedback { reason: Some(Reason::Unanswerable), ..wrong };
        assert_eq!(gold(refused), ["0 elements"]);
    }
}
