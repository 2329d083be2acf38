use super::*;

/// Term weights of an index. Words that begin with "frobnic" are unseen.
fn weight(term: &str) -> f64 {
    match term {
        "rust" => 0.5,
        term if term == "\u{1}" || term.starts_with("frobnic") => 9.0,
        _ => 2.0 + term.len() as f64 / 10.0,
    }
}

fn resolved(conversation: &[&str]) -> Resolved {
    let mut earlier: Vec<String> = Vec::new();
    let mut last = None;
    for question in conversation {
        let before: Vec<&str> = earlier.iter().map(String::as_str).collect();
        let resolved = resolve(question, &before, &["en"], &weight);
        earlier.push(resolved.query.clone());
        last = Some(resolved);
    }
    last.expect("a question")
}

#[track_caller]
fn check(conversation: &[&str], expected: &str) {
    let resolved = resolved(conversation);
    assert_eq!(resolved.query, expected, "{conversation:?}");
    assert!(resolved.is_follow_up, "{conversation:?}");
}

/// The last question can be understood alone.
#[track_caller]
fn check_alone(conversation: &[&str]) {
    let question = conversation.last().expect("a question");
    let expected =
        Resolved { query: (*question).to_owned(), is_follow_up: false, carried: Vec::new() };
    assert_eq!(resolved(conversation), expected, "{conversation:?}");
}

const INSTALL: &str = "How do I install Rust on Linux?";

#[test]
fn a_contrast_replaces_its_counterpart() {
    check(&[INSTALL, "and on Windows?"], "How do I install Rust on Windows?");
    check(&[INSTALL, "And under Windows 11?"], "How do I install Rust under Windows 11?");
    check(&[INSTALL, "what about on macOS"], "How do I install Rust on macOS?");
    check(&[INSTALL, "What about Windows?"], "How do I install Rust on Windows?");
    check(
        &["How do I build with Cargo for release?", "and without Cargo?"],
        "How do I build without Cargo for release?",
    );
    check(&["How do I define a struct?", "how about an enum?"], "How do I define an enum?");
    check(&["How do I handle errors?", "what about panics?"], "How do I handle panics?");
    check(
        &["What is the difference between Rc and Box?", "and RefCell?"],
        "What is the difference between Rc and RefCell?",
    );
    check(
        &["How do I build a project?", "And for release?"],
        "How do I build a project for release?",
    );
    check(
        &["How do closures capture variables?", "What about functions?"],
        "functions? How do closures capture variables?",
    );
}

#[test]
fn a_pronoun_is_replaced_by_its_antecedent() {
    check(&[INSTALL, "How do I uninstall it?"], "How do I uninstall Rust on Linux?");
    check(&["What is a vector?", "How do I create one?"], "How do I create a vector?");
    check(
        &["What is a vector?", "And how do I read its elements?"],
        "And how do I read a vector's elements?",
    );
    check(
        &["How do I handle errors with Result?", "How do I propagate them?"],
        "How do I propagate errors with Result?",
    );
    check(&["How do I create a thread?", "can they share memory?"], "can a thread share memory?");
    check(
        &["What is a trait?", "How do I return a type that implements it?"],
        "How do I return a type that implements a trait?",
    );
    check(
        &["What is a binding?", "Does it need to be mutable?"],
        "Does a binding need to be mutable?",
    );
    check(
        &["How do I create and use a channel?", "What if it is closed?"],
        "What if a channel is closed?",
    );
}

#[test]
fn a_question_without_names_is_about_the_whole_earlier_one() {
    check(&[INSTALL, "Why?"], "Why? How do I install Rust on Linux?");
    check(&[INSTALL, "for example?"], "for example? install Rust on Linux");
    check(
        &["What is a closure?", "Is there a shorter way to write that?"],
        "Is there a shorter way to write a closure?",
    );
    check(&["How do I run a test?", "Show me an example"], "Show me an example run a test");
    check(
        &["How do I use generics in enums?", "Does that make the program slower?"],
        "Does that make the program slower? generics in enums",
    );
}

#[test]
fn follow_ups_form_chains() {
    check(
        &[INSTALL, "and on Windows?", "How do I uninstall it?"],
        "How do I uninstall Rust on Windows?",
    );
    check(
        &["How do I use generics in function definitions?", "what about structs?", "and enums?"],
        "How do I use generics in enums?",
    );
}

#[test]
fn another_subject_stays_unchanged() {
    for question in [
        "What is an iterator?",
        "And what is an iterator?",
        "How do I read a file?",
        "How do functions that panic unwind?",
        "How do I create a vector and add elements to it?",
        "Is it possible to return a closure?",
        "Does it make sense to use threads?",
        "Is there a garbage collector?",
        "Can one thread wait for another?",
        "How does a vector grow its buffer?",
        "What happens when a thread panics while it holds a lock?",
        "mutable references",
        "In which file do integration tests go?",
        "Why does Rust have lifetimes?",
    ] {
        check_alone(&[INSTALL, question]);
        check_alone(&[question]);
    }
    check_alone(&["and on Windows?"]);
    check_alone(&["", "and on Windows?"]);
    check_alone(&[INSTALL, ""]);
}

#[test]
fn only_a_few_rare_words_are_carried() {
    let long = "Rust compiler error borrowed value dropped temporary frobnicate";
    let resolved = resolved(&[long, "How do I fix it?"]);
    assert_eq!(resolved.query, "How do I fix compiler error borrowed temporary?");
    assert_eq!(resolved.carried, ["compiler", "error", "borrowed", "temporary"]);
}

#[test]
fn follow_ups_in_other_languages() {
    let rust = "Wie installiere ich Rust unter Linux?";
    check(&[rust, "und unter Windows?"], "Wie installiere ich Rust unter Windows?");
    check(&[rust, "Was ist mit Windows?"], "Wie installiere ich Rust unter Windows?");
    check(&["Was ist ein Vektor?", "Wie sortiere ich ihn?"], "Wie sortiere ich ein Vektor?");
    check(
        &["Was ist ein Vektor?", "Was kann man damit machen?"],
        "Was kann man damit machen? ein Vektor",
    );
    check_alone(&[rust, "Was ist ein Vektor?"]);
    check_alone(&[rust, "Gibt es einen Garbage Collector?"]);
    check_alone(&[rust, "Wie schreibe ich das Ergebnis in eine Datei?"]);

    let rust = "Comment installer Rust sur Linux ?";
    check(&[rust, "et sur Windows ?"], "Comment installer Rust sur Windows ?");
    check(
        &["Qu'est-ce qu'un vecteur ?", "Comment fonctionne cela ?"],
        "Comment fonctionne vecteur ?",
    );
    check_alone(&[rust, "Comment lire un fichier ?"]);

    let rust = "¿Cómo instalo Rust en Linux?";
    check(&[rust, "¿y en Windows?"], "¿Cómo instalo Rust en Windows?");
    check(&[rust, "¿Cómo puedo actualizarlo?"], "¿Cómo puedo actualizarlo? Rust en Linux");
    check_alone(&[rust, "¿Qué es un vector?"]);

    check(&["如何在 Linux 上安装 Rust？", "那 Windows 呢？"], "在 Linux 上安装 Rust Windows");
    check(&["什么是所有权？", "它为什么重要？"], "所有权 它为什么重要");
    check_alone(&["什么是所有权？", "如何创建线程？"]);
    check(&["所有権とは何ですか？", "それはなぜ重要ですか？"], "所有権 それはなぜ重要ですか");
    check_alone(&["所有権とは何ですか？", "スレッドを作る方法"]);
}
