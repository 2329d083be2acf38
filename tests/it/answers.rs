//! Cached answers: always equal to the answer without the cache, and hit exactly when question and
//! evidence are the same.

use std::time::Duration;

use rag::answer::Intent;
use rag::ask::{Asker, CacheUse, Request, Response};
use rag::cache::{Caching, Table};
use rag::config::Mode;
use rag::engine::Engine;
use rag::filter::Filter;
use rag::ingest;
use rag::sessions::Turn;

use crate::support::Sandbox;
use crate::sweep::Random;
use crate::tools::{engine, thorough};

/// Documents about harbours, each about one thing in one harbour, and an engine on them.
struct World {
    sandbox: Sandbox,
    engine: Engine,
}

impl World {
    fn new(k: usize) -> Self {
        let sandbox = Sandbox::new();
        let mut engine = engine(&sandbox);
        engine.config.search_k = k;
        let world = Self { sandbox, engine };
        for n in 0..12 {
            world.write(n, 0);
        }
        world
    }

    fn write(&self, n: usize, version: usize) {
        self.sandbox.write(&format!("docs/{n}.md"), document(n, version));
    }

    fn remove(&self, n: usize) {
        let _ = std::fs::remove_file(self.sandbox.path().join(format!("docs/{n}.md")));
    }

    fn ingest(&self) {
        let request = ingest::Request {
            dirs: vec![self.sandbox.path().join("docs")],
            include: Vec::new(),
            exclude: Vec::new(),
            no_cache: false,
            wait: Duration::ZERO,
            ..ingest::Request::default()
        };
        ingest::run(&self.engine, &request, &mut |_| {}).expect("an ingest");
    }

    fn ask(&self, question: &str) -> Response {
        self.request(&Request { question: question.to_owned(), ..Request::default() })
    }

    fn request(&self, request: &Request) -> Response {
        let mut asker = Asker::open(&self.engine).expect("an index");
        asker.ask(&self.engine, request, &mut |_| {}).expect("an answer")
    }

    /// Asks twice: with the cache, and without.
    #[track_caller]
    fn ask_both(&self, request: &Request, context: &str) -> CacheUse {
        let cached = self.request(request);
        let twin = self.request(&Request { caching: Caching::Off, ..request.clone() });
        assert!(
            !twin.cache.answer_hit && !twin.cache.retrieval_hit && twin.cache.embed_hits == 0,
            "{context}"
        );
        assert_eq!(cached.answer, twin.answer, "{context}");
        assert_eq!(cached.intent, twin.intent, "{context}");
        cached.cache
    }

    /// Whether the answer to a question is cached.
    #[track_caller]
    fn hits(&self, question: &str) -> bool {
        let request = Request { question: question.to_owned(), ..Request::default() };
        self.ask_both(&request, question).answer_hit
    }
}

const THINGS: [&str; 6] = ["lamp", "crane", "ferry", "bakery", "school", "well"];
const COLOURS: [&str; 5] = ["red", "green", "blue", "yellow", "white"];
const TOWNS: [&str; 4] = ["Arvik", "Bergen", "Cadiz", "Dover"];

fn document(n: usize, version: usize) -> String {
    let (thing, town) = (THINGS[n % 6], TOWNS[n / 6 % 4]);
    let colour = COLOURS[(n + version) % 5];
    let year = 1800 + 7 * n + version;
    format!(
        "# The {thing} of {town}\n\nThe {thing} of {town} was built in {year}. It is painted \
         {colour}.\n\n\
         ## Repairs\n\nThe {thing} is repaired every {} years by the people of {town}.\n",
        2 + (n + version) % 9
    )
}

#[test]
fn a_cached_answer_is_hit_exactly_when_question_and_evidence_are_equal() {
    let mut world = World::new(2);
    world.ingest();
    let question = "When was the crane of Arvik built?";
    check_repeated_question(&world, question);
    check_changes_of_other_documents(&world, question);
    check_changes_of_the_evidence(&world, question);
    let question = "When was the ferry of Arvik built?";
    check_changes_of_question_and_settings(&mut world, question);
    check_filters(&world, question);
    check_sessions(&world, question);
    check_another_model(&mut world, question);
}

fn check_repeated_question(world: &World, question: &str) {
    let first = world.ask(question);
    assert!(first.answer.text.contains("1807"), "{:?}", first.answer);
    assert_eq!(first.answer.citations[0].hit.path.to_string(), "1.md");
    assert!(!first.cache.answer_hit && !first.cache.retrieval_hit);
    let again = world.ask(question);
    assert!(again.cache.answer_hit && again.cache.retrieval_hit);
    assert_eq!(
        (again.cache.embed_hits, again.cache.embed_misses),
        (0, 0),
        "nothing is embedded for a known answer"
    );
    assert_eq!(again.answer, first.answer);
}

fn check_changes_of_other_documents(world: &World, question: &str) {
    world.write(10, 1);
    world.ingest();
    let other = world.ask(question);
    assert!(
        other.cache.answer_hit && !other.cache.retrieval_hit,
        "an uncited document has changed: {:?}",
        other.cache
    );
    world.remove(9);
    world.ingest();
    assert!(world.hits(question), "an uncited document is gone");
    world
        .sandbox
        .write("docs/unrelated.md", "# Soup\n\nPeel the onions and boil them in salted water.\n");
    world.ingest();
    // In an index of nine documents a tenth may move the scores by a step, so that the answer is
    // made again; it is the same.
    let after = world.ask(question).answer;
    assert!(after.supported && after.text == other.answer.text, "an unrelated document is new");
}

fn check_changes_of_the_evidence(world: &World, question: &str) {
    world.write(1, 3);
    world.ingest();
    let changed = world.ask(question);
    assert!(
        !changed.cache.answer_hit && changed.answer.text.contains("1810"),
        "{:?}",
        changed.answer
    );
    assert!(world.hits(question));
    world.sandbox.write(
        "docs/crane.md",
        "# The crane of Arvik\n\nThe crane of Arvik was rebuilt in 1950, and in 1960.\n",
    );
    world.ingest();
    assert!(!world.hits(question), "a new document is evidence");
    std::fs::remove_file(world.sandbox.path().join("docs/crane.md")).unwrap();
    world.ingest();
    assert!(world.hits(question), "the evidence is what it was before");
    world.remove(1);
    world.ingest();
    let gone = world.ask(question);
    assert!(!gone.cache.answer_hit && !gone.answer.text.contains("1810"), "{:?}", gone.answer);
}

fn check_changes_of_question_and_settings(world: &mut World, question: &str) {
    assert!(!world.hits(question) && world.hits(question));
    assert!(
        !world.hits("When was the ferry of Arvik built"),
        "a similar question is a different question"
    );
    assert!(!world.hits("When was the ferry of Bergen built?"));
    let list = Request {
        question: question.to_owned(),
        intent: Some(Intent::Definition),
        ..Request::default()
    };
    assert!(
        !world.ask_both(&list, "intent").answer_hit && world.ask_both(&list, "intent").answer_hit
    );
    world.engine.config.search_k = 3;
    assert!(!world.hits(question), "more passages are other evidence");
    world.engine.config.search_k = 2;
    world.engine.config.search_mode = Mode::Lexical;
    assert!(!world.hits(question), "another mode");
    world.engine.config.search_mode = Mode::Hybrid;
    world.engine.config.ask_max_words = 30;
    assert!(!world.hits(question), "another length");
    world.engine.config.ask_max_words = 90;
    assert!(world.hits(question));
}

/// A filter that keeps the evidence keeps the answer; one that removes some of it does not.
fn check_filters(world: &World, question: &str) {
    let filtered = |filter: &str| {
        let filter = Some(Filter::parse(filter).expect("a filter"));
        let request = Request { question: question.to_owned(), filter, ..Request::default() };
        world.ask_both(&request, "filter").answer_hit
    };
    assert!(filtered("size<1000"), "the same evidence");
    assert!(!filtered("not path:2.md") && filtered("not path:2.md"), "other evidence");
}

/// In a session the same words may ask for something else; a self-contained question does not.
fn check_sessions(world: &World, question: &str) {
    let turn = |resolved: &str| Turn {
        resolved: resolved.to_owned(),
        question: resolved.to_owned(),
        ..Turn::default()
    };
    let within = |earlier: &[&str], question: &str| {
        let earlier = earlier.iter().map(|resolved| turn(resolved)).collect();
        let request = Request { question: question.to_owned(), earlier, ..Request::default() };
        world.ask_both(&request, "session").answer_hit
    };
    assert!(
        within(&["How often is the well of Bergen repaired?"], question),
        "a self-contained question"
    );
    let (one, other) =
        ("When was the lamp of Arvik built?", "When was the bakery of Bergen built?");
    assert!(
        !within(&[one], "And the school?") && within(&[one], "And the school?"),
        "the same session"
    );
    assert!(!within(&[other], "And the school?"), "another session");
}

/// Another model makes other vectors.
fn check_another_model(world: &mut World, question: &str) {
    "all-MiniLM-L6-v2-fp32".clone_into(&mut world.engine.config.model);
    if world.engine.model(&world.engine.config.model).is_ok() {
        world.ingest();
        assert!(!world.hits(question), "another model");
    } else {
        eprintln!("skipped: there is no second model");
    }
}

#[test]
fn caching_off_touches_no_row_and_refresh_replaces_rows() {
    let world = World::new(2);
    world.ingest();
    let question = "When was the school of Bergen built?";
    let request =
        |caching| Request { question: question.to_owned(), caching, ..Request::default() };
    let rows = || {
        world.engine.cache().flush();
        let stats = world.engine.cache().stats().unwrap();
        stats.iter().map(|s| (s.count, s.counters.hits + s.counters.misses)).collect::<Vec<_>>()
    };
    let before = rows();
    world.request(&request(Caching::Off));
    assert_eq!(rows(), before);
    let first = world.request(&request(Caching::Use));
    let cached = rows();
    assert_ne!(cached, before);
    let refreshed = world.request(&request(Caching::Refresh));
    assert_eq!(refreshed.answer, first.answer);
    assert_eq!(
        refreshed.cache,
        CacheUse { embed_misses: refreshed.cache.embed_misses, ..CacheUse::default() }
    );
    assert!(refreshed.cache.embed_misses > 0);
    assert_eq!(rows(), cached, "rows are replaced, look-ups are not made");
    assert!(world.request(&request(Caching::Use)).cache.answer_hit);
}

/// No order of edits and questions makes the cache give an answer that the index alone would not
/// give.
#[test]
fn no_sequence_of_edits_and_questions_gives_a_stale_answer() {
    let steps = if thorough() { 1000 } else { 120 };
    let mut random = Random::seeded(20_261_120);
    let mut world = World::new(3);
    world.ingest();
    let (mut hits, mut edits) = (0, 0);
    for step in 0..steps {
        if random.below(4) == 0 {
            edits += 1;
            let n = random.below(16);
            match random.below(5) {
                0 => world.remove(n),
                _ => world.write(n, random.below(4)),
            }
            world.ingest();
        }
        world.engine.config.search_k = 2 + random.below(2);
        world.engine.config.search_mode =
            [Mode::Lexical, Mode::Dense, Mode::Hybrid][random.below(10).min(2)];
        let (thing, town) = (THINGS[random.below(2)], TOWNS[0]);
        let question = match random.below(5) {
            0 => format!("When was the {thing} of {town} built?"),
            1 => format!("What colour is the {thing} of {town}?"),
            2 => format!("How often is the {thing} repaired?"),
            3 => format!("When was the {thing} of {town} built and what colour is it?"),
            _ => {
                format!(
                    "What is the difference between the {thing} of {town} and the {}?",
                    THINGS[2 + random.below(2)]
                )
            }
        };
        let intent = (random.below(10) == 0).then(|| Intent::ALL[random.below(Intent::ALL.len())]);
        let request = Request { question, intent, ..Request::default() };
        hits +=
            usize::from(world.ask_both(&request, &format!("step {step}: {request:?}")).answer_hit);
    }
    let counters = world.engine.cache().counters(Table::Answers);
    println!(
        "{steps} questions, {edits} edits, {hits} cached answers, {} damaged",
        counters.damaged
    );
    assert!(hits > steps / 20, "the cache was hardly used: {hits}");
    assert_eq!(counters.damaged, 0);
}
