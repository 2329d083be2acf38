//! Tests of lanes, flights and listeners.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::flight::Flight;
use super::lane::Next;
use super::ticket::GRACE;
use super::*;
use crate::answer::Intent;
use crate::config::{Generator, Mode};
use crate::error::Kind;
use crate::filter::Filter;

fn question(text: &str, priority: Priority) -> Question {
    Question {
        text: text.to_owned(),
        kind: RequestKind::Passages { mode: None },
        index: None,
        k: None,
        caching: Caching::Use,
        filter: None,
        priority,
    }
}

fn key_of(text: &str) -> Option<Key> {
    key(&question(text, Priority::Normal), "docs", "g1")
}

fn enter(lane: &Arc<Lane>, text: &str, priority: Priority) -> std::result::Result<Ticket, Problem> {
    let entered = lane.enter(key_of(text), question(text, priority))?;
    let lane = Arc::clone(lane);
    let Entered { listener, until, .. } = entered;
    Ok(Ticket {
        listener,
        lane,
        until,
        unrecorded: None,
        is_streamed: false,
        is_batch: false,
        trace: None,
    })
}

const TIME_LIMIT: Duration = Duration::from_secs(600);

fn lane(capacity: usize) -> Arc<Lane> {
    Arc::new(Lane::new(capacity, 1, TIME_LIMIT))
}

/// A question of a session.
fn talk(lane: &Arc<Lane>, text: &str, session: &str) -> Ticket {
    let session = Some(session.to_owned());
    let kind = RequestKind::Answer {
        intent: None,
        generator: None,
        llm: None,
        session,
        earlier: Vec::new(),
    };
    let question = Question { kind, ..question(text, Priority::Normal) };
    let Entered { listener, until, .. } = lane.enter(None, question).unwrap();
    let lane = Arc::clone(lane);
    Ticket {
        listener,
        lane,
        until,
        unrecorded: None,
        is_streamed: false,
        is_batch: false,
        trace: None,
    }
}

/// The next question.
fn taken(lane: &Lane) -> Arc<Flight> {
    match lane.next(Duration::from_secs(60)) {
        Next::Question(flight) => flight,
        Next::Idle | Next::End => panic!("the queue is empty"),
    }
}

/// Ends a flight as a worker does.
fn done(lane: &Lane, flight: &Arc<Flight>) {
    lane.finish(flight, Err(Problem::NoSession), Duration::from_millis(1));
}

fn blocking<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

#[test]
fn identical_questions_share_one_result_and_all_of_its_updates() {
    let lane = lane(9);
    let mut first = enter(&lane, "q", Priority::Normal).unwrap();
    let flight = taken(&lane);
    flight.notify(Update::Text("a".into()));
    let mut late = enter(&lane, " q ", Priority::Normal).unwrap();
    flight.notify(Update::Text("b".into()));
    done(&lane, &flight);
    for ticket in [&mut first, &mut late] {
        let mut text = String::new();
        while let Ok(Some(Update::Text(piece))) = blocking(ticket.next()) {
            text += &piece;
        }
        assert_eq!(text, "ab");
        assert!(matches!(blocking(ticket.outcome()), Err(Problem::NoSession)));
    }
    let load = lane.load();
    assert_eq!((load.answered, load.joined, load.waiting, load.running), (1, 1, 0, 0));
    // A finished question is not joined.
    drop(enter(&lane, "q", Priority::Normal).unwrap());
    assert_eq!(lane.load().joined, 1);
}

#[test]
fn a_worker_takes_its_share_of_the_queue_up_to_the_first_of_another_kind() {
    let lane = Arc::new(Lane::new(9, 2, TIME_LIMIT));
    let ask = |text: &str, priority| enter(&lane, text, priority).unwrap();
    let _tickets: Vec<_> = ["a", "b", "c", "d", "e"].map(|text| ask(text, Priority::Normal)).into();
    let texts = |flights: &[Arc<Flight>]| {
        flights.iter().map(|f| f.question.text.clone()).collect::<Vec<_>>()
    };
    let first = taken(&lane);
    // Of five questions, one of two workers takes three.
    let more = lane.more(7, |_| true);
    assert_eq!(
        (first.question.text.as_str(), texts(&more)),
        ("a", vec!["b".to_owned(), "c".to_owned()])
    );
    assert_eq!(lane.load().running, 3);
    let _urgent = ask("f", Priority::High);
    let first = taken(&lane);
    assert_eq!(first.question.text, "f");
    assert!(lane.more(0, |_| true).is_empty());
    assert!(lane.more(7, |question| question.text != "d").is_empty());
    // Of three questions it takes two; of the last one, there is nothing to share.
    assert_eq!(texts(&lane.more(7, |_| true)), ["d"]);
    let last = taken(&lane);
    assert_eq!(last.question.text, "e");
    assert!(lane.more(7, |_| true).is_empty());
}

#[test]
fn a_question_is_cancelled_when_its_last_listener_leaves() {
    let lane = lane(9);
    let (one, two) = (
        enter(&lane, "q", Priority::Normal).unwrap(),
        enter(&lane, "q", Priority::Normal).unwrap(),
    );
    let flight = taken(&lane);
    drop(one);
    assert!(!flight.left.load(Ordering::Relaxed), "one listener remains");
    drop(two);
    assert!(flight.left.load(Ordering::Relaxed));
    // An identical question now starts a new flight.
    let again = enter(&lane, "q", Priority::Normal).unwrap();
    done(&lane, &flight);
    assert_eq!(lane.load().waiting, 1);
    drop(again);
    assert_eq!((lane.load().waiting, lane.load().left), (0, 2));
    lane.close();
    assert!(!lane.reserve_worker(), "a closed lane gets no workers");
}

#[test]
fn a_full_queue_says_when_to_retry_and_evicts_lower_priorities() {
    let lane = lane(2);
    let mut low = enter(&lane, "low", Priority::Background).unwrap();
    let _normal = enter(&lane, "normal", Priority::Normal).unwrap();
    let refused = enter(&lane, "more", Priority::Background).err().unwrap();
    assert!(
        matches!(refused, Problem::Full { retry_after } if retry_after >= Duration::from_secs(1)),
        "{refused:?}"
    );
    let _high = enter(&lane, "high", Priority::High).unwrap();
    assert!(matches!(blocking(low.outcome()), Err(Problem::Full { .. })));
    let order: Vec<String> = (0..2).map(|_| taken(&lane).question.text.clone()).collect();
    assert_eq!(order, ["high", "normal"]);
    assert_eq!(lane.load().refused, 2);
}

#[test]
fn each_caller_has_its_own_deadline_and_the_last_one_bounds_the_work() {
    let lane = lane(9);
    let mut first = enter(&lane, "q", Priority::Normal).unwrap();
    let flight = taken(&lane);
    assert_eq!(flight.deadline.moment(), first.until);
    let second = enter(&lane, "q", Priority::Normal).unwrap();
    assert_eq!(lane.load().joined, 1);
    assert!(second.until > first.until);
    assert!(flight.deadline.moment() + Duration::from_millis(1) >= second.until);
    // The first one times out, which affects neither the work nor the second one.
    first.until = Instant::now().checked_sub(2 * GRACE).unwrap();
    for late in [blocking(first.outcome()).err(), blocking(first.next()).err()] {
        assert!(
            matches!(&late, Some(Problem::Fault(fault)) if fault.kind() == Kind::Late),
            "{late:?}"
        );
    }
    drop(first);
    assert!(!flight.left.load(Ordering::Relaxed));
    drop(second);
    assert!(flight.left.load(Ordering::Relaxed));
}

#[test]
fn a_session_runs_one_question_at_a_time_and_delays_no_other() {
    let lane = Arc::new(Lane::new(9, 2, TIME_LIMIT));
    let (_one, _two, _other) =
        (talk(&lane, "a1", "a"), talk(&lane, "a2", "a"), talk(&lane, "b1", "b"));
    let text = |flight: &Arc<Flight>| flight.question.text.clone();
    let first = taken(&lane);
    let second = taken(&lane);
    assert_eq!((text(&first), text(&second)), ("a1".to_owned(), "b1".to_owned()));
    assert!(matches!(lane.next(Duration::ZERO), Next::Idle), "the session has a running question");
    done(&lane, &first);
    assert_eq!(text(&taken(&lane)), "a2");
}

#[test]
fn joining_raises_the_priority() {
    let lane = lane(9);
    let _low = enter(&lane, "low", Priority::Low).unwrap();
    let _normal = enter(&lane, "normal", Priority::Normal).unwrap();
    let _joined = enter(&lane, "low", Priority::Critical).unwrap();
    assert_eq!(taken(&lane).question.text, "low");
}

#[test]
fn a_closed_lane_refuses_questions_and_fails_queued_ones() {
    let lane = lane(9);
    let mut waiting = enter(&lane, "q", Priority::Normal).unwrap();
    lane.close();
    assert!(matches!(enter(&lane, "r", Priority::Normal), Err(Problem::Closing)));
    lane.stop();
    assert!(matches!(blocking(waiting.outcome()), Err(Problem::Closing)));
}

#[test]
fn every_field_of_a_question_is_part_of_its_key() {
    let base = question("q", Priority::Normal);
    let answer = |intent, generator| RequestKind::Answer {
        intent,
        generator,
        llm: None,
        session: None,
        earlier: Vec::new(),
    };
    let written_by = |name: &str| RequestKind::Answer {
        intent: None,
        generator: Some(Generator::Llm),
        llm: Some(name.to_owned()),
        session: None,
        earlier: Vec::new(),
    };
    let filter = |text| Some(Filter::parse(text).unwrap());
    let keys = [
        key(&base, "docs", "g1"),
        key(&base, "notes", "g1"),
        key(&base, "docs", "g2"),
        key_of("q?"),
        key(&Question { k: Some(3), ..base.clone() }, "docs", "g1"),
        key(&Question { filter: filter("type:html"), ..base.clone() }, "docs", "g1"),
        key(&Question { filter: filter("type:pdf"), ..base.clone() }, "docs", "g1"),
        key(&Question { caching: Caching::Off, ..base.clone() }, "docs", "g1"),
        key(&Question { caching: Caching::Refresh, ..base.clone() }, "docs", "g1"),
        key(
            &Question { kind: RequestKind::Passages { mode: Some(Mode::Dense) }, ..base.clone() },
            "docs",
            "g1",
        ),
        key(&Question { kind: answer(None, None), ..base.clone() }, "docs", "g1"),
        key(&Question { kind: answer(Some(Intent::List), None), ..base.clone() }, "docs", "g1"),
        key(&Question { kind: answer(None, Some(Generator::Llm)), ..base.clone() }, "docs", "g1"),
        key(&Question { kind: written_by("fast"), ..base.clone() }, "docs", "g1"),
        key(&Question { kind: written_by("large"), ..base.clone() }, "docs", "g1"),
    ];
    for (n, one) in keys.iter().enumerate() {
        assert!(one.is_some() && keys[..n].iter().all(|other| other != one), "{n}");
    }
    assert_eq!(keys[0], key(&Question { priority: Priority::Low, ..base.clone() }, "docs", "g1"));
    let session = Some("s".to_owned());
    let talk = Question {
        kind: RequestKind::Answer {
            intent: None,
            generator: None,
            llm: None,
            session,
            earlier: Vec::new(),
        },
        ..base
    };
    assert_eq!(key(&talk, "docs", "g1"), None);
}
