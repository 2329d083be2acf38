//! What documents state about themselves: found, filtered by, and quoted as an answer.

use crate::support::Sandbox;

fn collection() -> Sandbox {
    let sandbox = Sandbox::new();
    for (number, title, author, status) in [
        (
            "0572",
            "Assignment Expressions",
            "Chris Angelico <c@x.org>,\n        Tim Peters <t@x.org>",
            "Final",
        ),
        ("0622", "Structural Pattern Matching", "Brandt Bucher <b@x.org>", "Superseded"),
    ] {
        let plain = number.trim_start_matches('0');
        let more = if number == "0622" { "Superseded-By: 634\n" } else { "" };
        sandbox.write(
            &format!("docs/peps/pep-{number}.rst"),
            format!(
                "PEP: {plain}\nTitle: {title}\nAuthor: {author}\nStatus: {status}\n\
                 Type: Standards Track\nCreated: 28-Feb-2018\n{more}\n\nAbstract\n========\n\n\
                 This is a proposal for the language, which several people wrote together.\n"
            ),
        );
    }
    sandbox.write(
        "docs/history.md",
        "# History\n\nMany people wrote about PEP 572, and who wrote what is often asked. \
         The status of a proposal changes with time.\n",
    );
    sandbox.write(
        "docs/pumps.md",
        "---\ntitle: Pump report\nauthor: Ada Lovelace\ndate: 2024-05-04\nstatus: draft\n\
         tags: [water, iron]\n---\n\n# Pump report\n\nThe pumps lift forty litres in a minute.\n",
    );
    sandbox.write(
        "docs/valves.html",
        "<html><head><title>Valve manual</title><meta name=\"author\" content=\"Grace Hopper\">\
         </head><body><h1>Valves</h1><p>A valve is closed by hand.</p></body></html>",
    );
    sandbox.ingest();
    sandbox
}

#[test]
fn questions_about_a_document_are_answered_with_its_records() {
    let sandbox = collection();
    let check = |question: &str, record: &str, place: &str| {
        let answer = sandbox.rag(["ask", question, "--json"]).ok().json();
        let text = answer["answer"].as_str().unwrap();
        assert!(text.starts_with(record), "{question}: {text}");
        let cited = &answer["citations"][0];
        let found = format!("{}:{}", cited["path"].as_str().unwrap(), cited["lines"][0]);
        assert_eq!(found, place, "{question}");
    };
    check("Who wrote PEP 572?", "Author: Chris Angelico", "peps/pep-0572.rst:3");
    check("What is the status of PEP 622?", "Status: Superseded", "peps/pep-0622.rst:4");
    check("When was PEP 572 created?", "Created: 28-Feb-2018", "peps/pep-0572.rst:7");
    check("Which PEP superseded PEP 622?", "Superseded-By: 634", "peps/pep-0622.rst:7");
    check("Who is the author of the pump report?", "Author: Ada Lovelace", "pumps.md:3");
    check("What is the status of the pump report?", "Status: draft", "pumps.md:5");
    check("Who wrote the valve manual?", "Author: Grace Hopper", "valves.html:1");
}

#[test]
fn questions_about_other_things_are_not_answered_with_records() {
    let sandbox = collection();
    for question in ["Who wrote PEP 9999?", "Who wrote the novel Emma?"] {
        let answer = sandbox.rag(["ask", question, "--json"]).json();
        let text = answer["answer"].as_str().unwrap_or_default();
        assert!(!text.contains("Author:"), "{answer}");
    }
}

#[test]
fn metadata_are_searched_shown_and_filtered() {
    let sandbox = collection();
    let found = sandbox.rag(["search", "Grace Hopper", "--json"]).ok().json();
    assert_eq!(found["hits"][0]["path"], "valves.html", "{found}");
    sandbox.rag(["documents", "show", "pumps.md"]).ok().prints("Ada Lovelace");
    let listed = |filter: &str| {
        let list = sandbox.rag(["documents", "list", "--filter", filter, "--json"]).ok().json();
        let list = list.as_array().unwrap().clone();
        list.iter().map(|d| d["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed("meta.author=\"Tim Peters\""), ["peps/pep-0572.rst"]);
    assert_eq!(listed("meta.author = \"Ada Lovelace\""), ["pumps.md"]);
    assert_eq!(listed("meta.date>=2024-05"), ["pumps.md"]);
    assert_eq!(listed("meta.created<2019"), ["peps/pep-0572.rst", "peps/pep-0622.rst"]);
}

#[test]
fn of_two_mails_of_a_thread_the_newer_is_right() {
    let sandbox = Sandbox::new();
    let mail = |name: &str, subject: &str, date: &str, text: &str| {
        sandbox.write(
            &format!("docs/{name}.eml"),
            format!(
                "Subject: {subject}\nFrom: A <a@x.org>\nTo: B <b@x.org>\nDate: {date}\n\
                 Message-ID: <{name}@x.org>\nContent-Type: text/plain; charset=\"utf-8\"\n\
                 MIME-Version: 1.0\n\n{text}\n"
            ),
        );
    };
    let (first, last) = ("Mon, 02 Feb 2026 09:10:00 +0100", "Thu, 05 Feb 2026 17:45:00 +0100");
    mail("m1", "Harbour review", first, "The review of the harbour project is on 4 March.");
    mail("m2", "Re: Harbour review", last, "One more change: the review is now on 18 March.");
    mail("m3", "Canal review", last, "The review of the canal project is on 9 April.");
    sandbox.ingest();
    let run = sandbox.rag(["ask", "When is the harbour review?"]).ok().prints("18 March");
    assert!(!run.stdout.contains("4 March"), "{run}");
}
