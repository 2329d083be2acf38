//! Chats with a failing server: bounded in time and memory, retried with care, every failure
//! reported.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rag::config::Secret;
use rag::error::{Fault, Kind, Result};
use rag::llm::{ChatRole, Client, Endpoint, Finish, Message, Reply, Timing, Usage};

use crate::support::has_loopback;
use crate::support::llm::{CACHED_TOKENS, LlmServer, PROMPT_TOKENS, Step};

const KEY: &str = "sk-very-secret";
/// Time-out where the server must answer: more than any machine needs.
const PATIENT: Duration = Duration::from_secs(60);
/// Time-out where the server must be given up.
const IMPATIENT: Duration = Duration::from_millis(300);
const MIB: u64 = 1 << 20;

fn endpoint(server: &LlmServer, timeout: Duration) -> Endpoint {
    Endpoint {
        base_url: server.base_url(),
        name: String::new(),
        model: "small".to_owned(),
        api_key: Some(Secret::new(KEY)),
        timeout,
        answer_timeout: 10 * timeout,
        attempts: 3,
        retry_waits: (Duration::from_secs(2), Duration::from_secs(10)),
        temperature: 0.0,
        max_tokens: 256,
        evidence_tokens: 3000,
        warm: Duration::ZERO,
    }
}

/// A clock that moves only during waits, and a random source that always returns the middle.
#[derive(Default)]
struct Clock {
    now: Mutex<Duration>,
    waits: Mutex<Vec<Duration>>,
}

impl Clock {
    fn timing(self: &Arc<Self>) -> Timing {
        let (reader, waiter) = (Arc::clone(self), Arc::clone(self));
        Timing {
            now: Box::new(move || *reader.now.lock().unwrap()),
            wait: Box::new(move |time, _| {
                waiter.advance(time);
                waiter.waits.lock().unwrap().push(time);
            }),
            random: Box::new(|| 0.5),
        }
    }

    fn advance(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }

    fn waits_ms(&self) -> Vec<u128> {
        self.waits.lock().unwrap().iter().map(Duration::as_millis).collect()
    }
}

fn client(server: &LlmServer, timeout: Duration) -> (Client, Arc<Clock>) {
    let clock = Arc::new(Clock::default());
    (Client::with_timing(endpoint(server, timeout), clock.timing()).unwrap(), clock)
}

fn messages() -> Vec<Message> {
    let message = |role, content: &str| Message { role, content: content.to_owned() };
    vec![message(ChatRole::System, "Be brief."), message(ChatRole::User, "What are combs made of?")]
}

/// One uninterrupted call: the text shown, and its outcome.
fn ask(client: &Client) -> (Vec<String>, Result<Reply>) {
    let mut shown = Vec::new();
    let reply = client.chat(&messages(), &mut |text| shown.push(text.to_owned()), &|| false);
    if let Ok(reply) = &reply {
        assert_eq!(shown.concat(), reply.text, "the streamed text is the reply");
        assert_eq!(reply.trouble.is_some(), reply.finish == Finish::Broken);
    }
    (shown, reply)
}

fn one(step: Step, timeout: Duration) -> (Vec<String>, Result<Reply>, LlmServer) {
    let server = LlmServer::start([step]);
    let (shown, reply) = ask(&client(&server, timeout).0);
    (shown, reply, server)
}

/// Expects exit code 7, and these words in the message or the hint.
#[track_caller]
fn outside(reply: Result<Reply>, says: &str) -> Fault {
    let fault = reply.expect_err("a fault");
    assert_eq!(fault.kind(), Kind::Outside);
    let all = format!("{fault} / {}", fault.hint_text().unwrap_or_default());
    assert!(all.contains(says), "{all:?} lacks {says:?}");
    assert!(!format!("{all}{fault:?}").contains(KEY), "the key is shown: {all}");
    fault
}

#[test]
fn text_is_streamed_and_the_reply_is_reported_in_full() {
    if !has_loopback() {
        return;
    }
    let (shown, reply, server) = one(Step::tokens(&["Of ", "wax", " — \"wäx\"."]), PATIENT);
    assert_eq!(shown, ["Of ", "wax", " — \"wäx\"."]);
    let usage = Usage {
        prompt_tokens: PROMPT_TOKENS,
        completion_tokens: 3,
        cached_tokens: Some(CACHED_TOKENS),
    };
    let expected = Reply {
        text: "Of wax — \"wäx\".".to_owned(),
        finish: Finish::Complete,
        trouble: None,
        reason: None,
        model: "scripted".to_owned(),
        usage: Some(usage),
        attempts: 1,
    };
    assert_eq!(reply.unwrap(), expected);
    let [request] = &server.requests()[..] else { panic!("{:?}", server.requests()) };
    assert_eq!(request.target, "POST /v1/chat/completions");
    assert_eq!(request.header("authorization"), Some("Bearer sk-very-secret"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        (request.message("system"), request.message("user")),
        ("Be brief.", "What are combs made of?")
    );
    let expected = serde_json::json!({
        "model": "small",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What are combs made of?"},
        ],
        "temperature": 0.0,
        "max_tokens": 256,
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    assert_eq!(request.body, expected);
}

#[test]
fn a_server_without_streaming_is_supported() {
    if !has_loopback() {
        return;
    }
    let (shown, reply, _server) = one(Step::not_streamed("Of wax."), PATIENT);
    assert_eq!(shown, ["Of wax."]);
    let reply = reply.unwrap();
    assert_eq!((reply.finish, reply.usage.unwrap().completion_tokens), (Finish::Complete, 1));
    let (_, reply, _server) = one(Step::Echo, PATIENT);
    assert_eq!(reply.unwrap().text, "What are combs made of?");
}

#[test]
fn no_key_means_no_header() {
    if !has_loopback() {
        return;
    }
    let server = LlmServer::start([Step::tokens(&["a"])]);
    let client = Client::new(Endpoint { api_key: None, ..endpoint(&server, PATIENT) }).unwrap();
    ask(&client).1.unwrap();
    assert_eq!(server.requests()[0].header("authorization"), None);
}

#[test]
fn a_refusing_server_is_tried_three_times() {
    if !has_loopback() {
        return;
    }
    let server = LlmServer::refusing();
    let (client, clock) = client(&server, PATIENT);
    outside(ask(&client).1, "refused the connection");
    assert_eq!(clock.waits_ms(), [1500, 3000]);
    outside(ask(&client).1, "ollama serve");
}

/// Expects that a call succeeds after these failures, with a wait before each further attempt.
#[track_caller]
fn assert_retried(steps: &[Step]) {
    let server = LlmServer::start(steps.iter().cloned().chain([Step::tokens(&["at last"])]));
    let (client, clock) = client(&server, PATIENT);
    let (shown, reply) = ask(&client);
    let reply = reply.unwrap_or_else(|e| panic!("{steps:?}: {e}"));
    assert_eq!((shown.concat().as_str(), reply.finish), ("at last", Finish::Complete), "{steps:?}");
    assert_eq!(reply.attempts as usize, steps.len() + 1, "{steps:?}");
    assert_eq!(clock.waits_ms(), [1500, 3000][..steps.len()], "{steps:?}");
}

#[test]
fn transient_failures_are_retried() {
    if !has_loopback() {
        return;
    }
    assert_retried(&[Step::status(408)]);
    assert_retried(&[Step::status(429)]);
    assert_retried(&[Step::status(500), Step::error(502, "bad gateway")]);
    assert_retried(&[Step::status(503), Step::status(504)]);
    assert_retried(&[Step::HangUp, Step::half_json()]);
    assert_retried(&[Step::close_mid_token(&[]), Step::events(&[])]);
    assert_retried(&[Step::events(&["{\"choices\": [{\"del"]), Step::events(&["no json"])]);
    assert_retried(&[Step::events(&[r#"{"error": {"message": "out of memory", "code": 500}}"#])]);
    assert_retried(&[Step::typed("application/json", "{"), Step::typed("application/json", "[1]")]);
    assert_retried(&[
        Step::typed("application/json", "{}"),
        Step::typed("text/event-stream", "<html>"),
    ]);
}

#[test]
fn retries_are_limited_and_counted() {
    if !has_loopback() {
        return;
    }
    let server = LlmServer::start([Step::error(500, "no memory left")]);
    let (client, clock) = client(&server, PATIENT);
    outside(ask(&client).1, "answered 500 for the model \"small\": no memory left");
    assert_eq!((server.requests().len(), clock.waits_ms()), (3, vec![1500, 3000]));
    let once = Client::new(Endpoint { attempts: 1, ..endpoint(&server, PATIENT) }).unwrap();
    outside(ask(&once).1, "500");
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn retry_after_is_obeyed_up_to_a_limit() {
    if !has_loopback() {
        return;
    }
    let server = LlmServer::start([Step::busy("7"), Step::busy("0"), Step::tokens(&["a"])]);
    let (patient, clock) = client(&server, PATIENT);
    assert_eq!(ask(&patient).1.unwrap().attempts, 3);
    assert_eq!(clock.waits_ms(), [7350, 0]);
    let dated = |date: &str| {
        let headers = vec![
            ("retry-after", "Sun, 06 Nov 1994 08:49:57 GMT".to_owned()),
            ("date", date.to_owned()),
        ];
        Step::Plain { status: 503, headers, body: String::new(), cut: false }
    };
    let server = LlmServer::start([dated("Sun, 06 Nov 1994 08:49:37 GMT"), Step::tokens(&["a"])]);
    let (patient, clock) = client(&server, PATIENT);
    ask(&patient).1.unwrap();
    assert_eq!(clock.waits_ms(), [21_000]);
    for far in ["3600", "31", "99999999999999999999999"] {
        let server = LlmServer::start([Step::busy(far)]);
        let (client, clock) = client(&server, PATIENT);
        outside(ask(&client).1, "asks for a pause of");
        assert_eq!((server.requests().len(), clock.waits_ms()), (1, vec![]));
    }
}

#[test]
fn a_hanging_server_times_out() {
    if !has_loopback() {
        return;
    }
    let (shown, reply, mut server) = one(Step::Hang, IMPATIENT);
    outside(reply, "was silent for 0.3 s");
    assert_eq!((shown.len(), server.hung_up(), server.requests().len()), (0, 3, 3));
    // A head without a body is not text.
    let (_, reply, mut server) = one(Step::hang_after(&[]), IMPATIENT);
    outside(reply, "longer time-out");
    assert_eq!(server.hung_up(), 3);
}

/// Expects a single call that returned this text and broke with this message.
#[track_caller]
fn assert_broken(
    (_, reply, server): (Vec<String>, Result<Reply>, LlmServer),
    text: &str,
    says: &str,
) {
    let reply = reply.unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.finish, reply.attempts),
        (text, Finish::Broken, 1),
        "{says}"
    );
    let trouble = reply.trouble.unwrap();
    assert!(trouble.contains(says), "{trouble:?} lacks {says:?}");
    assert_eq!(server.requests().len(), 1, "a reply with text is not retried");
}

#[test]
fn text_before_a_failure_is_returned_as_broken() {
    if !has_loopback() {
        return;
    }
    let check = |step: Step, timeout: Duration, text: &str, says: &str| {
        assert_broken(one(step, timeout), text, says);
    };
    let piece = r#"{"choices": [{"delta": {"content": "Of w"}}]}"#;
    // A machine too busy to pass on a word in time would yield no text; the time-out allows for
    // that.
    check(Step::hang_after(&["Of ", "w"]), Duration::from_secs(2), "Of w", "was silent");
    check(Step::close_mid_token(&["Of ", "w"]), PATIENT, "Of w", "broke off");
    check(Step::events(&[piece]), PATIENT, "Of w", "closed the connection before the end");
    check(Step::events(&[piece, "{\"choi"]), PATIENT, "Of w", "not a chat reply");
    let error = r#"{"error": {"message": "slot\u001b[31m gone, sk-very-secret"}}"#;
    check(Step::events(&[piece, error]), PATIENT, "Of w", "slot [31m gone, (the key)");
    let filtered =
        r#"{"choices": [{"delta": {"content": ""}, "finish_reason": "content_filter"}]}"#;
    check(Step::events(&[piece, filtered, "[DONE]"]), PATIENT, "Of w", "withheld");
}

#[test]
fn missing_trailers_do_not_break_a_reply() {
    if !has_loopback() {
        return;
    }
    let piece = r#"{"choices": [{"delta": {"content": "Of wax."}}]}"#;
    let stop = r#"{"choices": [{"delta": {}, "finish_reason": "stop"}]}"#;
    let length = r#"{"choices": [{"delta": {}, "finish_reason": "length"}]}"#;
    let check = |data: &[&str], finish: Finish| {
        let reply = one(Step::events(data), PATIENT).1.unwrap();
        let found = (reply.text.as_str(), reply.finish, reply.usage);
        assert_eq!(found, ("Of wax.", finish, None), "{data:?}");
    };
    check(&[piece, "[DONE]"], Finish::Complete);
    check(&[piece, stop], Finish::Complete);
    check(&[piece, length, "nonsense"], Finish::Length);
    check(&["", piece, stop, "[DONE]", "never read"], Finish::Complete);
}

#[test]
fn an_endless_stream_is_cut_off() {
    if !has_loopback() {
        return;
    }
    let (_, reply, mut server) = one(Step::Endless, PATIENT);
    let reply = reply.unwrap();
    assert_eq!(reply.finish, Finish::Broken);
    assert!(
        reply.text.len() as u64 <= 4 * MIB && reply.text.len() as u64 > 3 * MIB,
        "{}",
        reply.text.len()
    );
    assert_eq!(server.hung_up(), 1);
    // Beyond the bytes read there is only the content of the system's buffers.
    assert!(server.n_written() < 32 * MIB, "{}", server.n_written());
}

#[test]
fn an_endless_line_is_refused() {
    if !has_loopback() {
        return;
    }
    let (shown, reply, mut server) = one(Step::LongLine, PATIENT);
    outside(reply, "exceeded the size limit of a reply");
    assert_eq!((shown.len(), server.hung_up(), server.requests().len()), (0, 3, 3));
    assert!(server.n_written() < 3 * 16 * MIB, "{}", server.n_written());
}

#[test]
fn endless_comments_do_not_extend_a_call() {
    if !has_loopback() {
        return;
    }
    let mut server = LlmServer::start([Step::Flood]);
    let flooded = Client::new(Endpoint { attempts: 1, ..endpoint(&server, PATIENT) }).unwrap();
    outside(ask(&flooded).1, "exceeded the size limit of a reply");
    assert_eq!(server.hung_up(), 1);
    assert!(server.n_written() < 96 * MIB, "{}", server.n_written());
    // Each comment resets the silence time-out, but not that of the call.
    let (_, reply, mut server) = one(Step::Drip, IMPATIENT);
    outside(reply, "did not end its reply within 3 s");
    assert_eq!((server.hung_up(), server.requests().len()), (1, 1));
}

#[test]
fn a_reply_of_another_content_type_is_not_read() {
    if !has_loopback() {
        return;
    }
    for (content_type, says) in
        [("text/html; charset=utf-8", "answered with text/html"), ("", "without a type")]
    {
        let (shown, reply, server) =
            one(Step::typed(content_type, "<h1>Log in</h1> data: x"), PATIENT);
        outside(reply, says);
        assert_eq!((shown.len(), server.requests().len()), (0, 1), "{content_type}");
    }
}

#[test]
fn a_redirect_is_not_followed_and_gets_no_key() {
    if !has_loopback() {
        return;
    }
    let other = LlmServer::start([Step::tokens(&["stolen"])]);
    let (shown, reply, server) =
        one(Step::redirect(&format!("{}/chat/completions", other.base_url())), PATIENT);
    outside(reply, "redirects are not followed");
    assert_eq!((shown.len(), server.requests().len(), other.requests().len()), (0, 1, 0));
}

#[test]
fn a_rejected_request_is_reported_without_a_retry() {
    if !has_loopback() {
        return;
    }
    let check = |step: Step, says: &[&str]| {
        for says in says {
            let (_, reply, server) = one(step.clone(), PATIENT);
            outside(reply, says);
            assert_eq!(server.requests().len(), 1, "{says}");
        }
    };
    check(
        Step::error(401, "Incorrect API key provided: sk-very-secret"),
        &["provided: (the key)", "rejects the key"],
    );
    check(
        Step::error(401, "wrong: sk-very-\u{7}secret or sk-very-secret"),
        &["or (the key)", "model \"small\""],
    );
    check(Step::status(403), &["403"]);
    check(
        Step::error(404, "model 'small' not found"),
        &["model 'small' not found", "does the server have this model"],
    );
    check(
        Step::error(400, "context\nlength\u{1b}]0;x\u{7} exceeded"),
        &["context length ]0;x exceeded"],
    );
    check(Step::error(400, &"é".repeat(10_000)), &[&format!(": {}…", "é".repeat(300))]);
    check(Step::error(413, "too large"), &["fit the model"]);
    check(Step::status(501), &["501"]);
    check(
        Step::events(&[r#"{"error": "no", "code": 404}"#]),
        &["answered 404 for the model \"small\": no"],
    );
}

#[test]
fn unsupported_parameters_are_replaced_and_remembered() {
    if !has_loopback() {
        return;
    }
    let server = LlmServer::start([
        Step::error(400, "Unrecognized request argument supplied: stream_options"),
        Step::error(
            400,
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        ),
        Step::tokens(&["a"]),
    ]);
    let (client, clock) = client(&server, PATIENT);
    assert_eq!(ask(&client).1.unwrap().attempts, 1);
    ask(&client).1.unwrap();
    assert_eq!(clock.waits_ms(), [0; 0]);
    let requests = server.requests();
    let has = |name: &str| {
        requests.iter().map(|request| request.body.get(name).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(has("stream_options"), [true, false, false, false]);
    assert_eq!(has("max_tokens"), [true, true, false, false]);
    assert_eq!(has("max_completion_tokens"), [false, false, true, true]);
    // A server that always refuses is not retried forever.
    let (_, reply, server) = one(Step::error(400, "stream_options max_completion_tokens"), PATIENT);
    outside(reply, "stream_options");
    assert_eq!(server.requests().len(), 3);
}

/// Stops a call at a word, or without one once the request is sent. Returns how many calls the
/// client hung up on.
#[track_caller]
fn stopped(steps: Vec<Step>, stop_at: &str, text: &str) -> usize {
    let mut server = LlmServer::start(steps);
    let client = Client::new(endpoint(&server, PATIENT)).unwrap();
    let (stop, polls) = (AtomicBool::new(stop_at.is_empty()), AtomicU32::new(0));
    let mut on_text = |text: &str| stop.store(text == stop_at, Ordering::SeqCst);
    let is_stopped = || {
        polls.fetch_add(1, Ordering::SeqCst);
        stop.load(Ordering::SeqCst) && !server.requests().is_empty()
    };
    let reply = client.chat(&messages(), &mut on_text, &is_stopped).unwrap();
    assert_eq!((reply.text.as_str(), reply.finish), (text, Finish::Interrupted));
    assert!(polls.into_inner() > 0);
    server.hung_up()
}

#[test]
fn a_stop_ends_the_call_and_keeps_its_text() {
    if !has_loopback() {
        return;
    }
    assert_eq!(stopped(vec![Step::hang_after(&["Of ", "wax"])], "wax", "Of wax"), 1);
    assert_eq!(stopped(vec![Step::Hang], "", ""), 1);
    assert_eq!(stopped(vec![Step::hang_after(&[])], "", ""), 1);
    assert_eq!(stopped(vec![Step::Drip], "", ""), 1);
    stopped(vec![Step::tokens(&["a", "b", "c"])], "b", "ab");
}

#[test]
fn a_stop_between_two_attempts_ends_the_call() {
    if !has_loopback() {
        return;
    }
    let server = LlmServer::start([Step::busy("30")]);
    let stop = Arc::new(AtomicBool::new(false));
    let in_wait = Arc::clone(&stop);
    let wait = move |_, stop: &dyn Fn() -> bool| {
        in_wait.store(true, Ordering::SeqCst);
        assert!(stop(), "a wait sees the stop");
    };
    let timing = Timing { wait: Box::new(wait), ..Timing::real() };
    let client = Client::with_timing(endpoint(&server, PATIENT), timing).unwrap();
    let reply = client.chat(&messages(), &mut |_| (), &|| stop.load(Ordering::SeqCst)).unwrap();
    assert_eq!(
        (reply.text.as_str(), reply.finish, server.requests().len()),
        ("", Finish::Interrupted, 1)
    );
}

#[test]
fn a_failing_server_is_paused() {
    if !has_loopback() {
        return;
    }
    let mut script = vec![Step::status(500); 6];
    script.push(Step::tokens(&["well again"]));
    let server = LlmServer::start(script);
    let clock = Arc::new(Clock::default());
    let client =
        Client::with_timing(Endpoint { attempts: 1, ..endpoint(&server, PATIENT) }, clock.timing())
            .unwrap();
    for n in 1..=5 {
        outside(ask(&client).1, "answered 500");
        assert_eq!(server.requests().len(), n);
    }
    outside(ask(&client).1, "failed 5 times in a row; the next try is in 30 s");
    clock.advance(Duration::from_secs(29));
    outside(ask(&client).1, "the next try is in 1 s");
    assert_eq!(server.requests().len(), 5);
    clock.advance(Duration::from_secs(1));
    outside(ask(&client).1, "answered 500");
    outside(ask(&client).1, "the next try is in 30 s");
    clock.advance(Duration::from_secs(30));
    assert_eq!(ask(&client).1.unwrap().text, "well again");
    assert_eq!(ask(&client).1.unwrap().text, "well again");
    assert_eq!(server.requests().len(), 8);
}

#[test]
fn rejected_requests_do_not_pause_the_server() {
    if !has_loopback() {
        return;
    }
    let server = LlmServer::start([Step::error(400, "too long")]);
    let (client, _) = client(&server, PATIENT);
    for _ in 0..7 {
        outside(ask(&client).1, "too long");
    }
    assert_eq!(server.requests().len(), 7);
}

#[test]
fn a_hanging_call_blocks_no_other_thread() {
    if !has_loopback() {
        return;
    }
    let server = LlmServer::start([Step::Hang, Step::Echo]);
    let client = Client::new(endpoint(&server, PATIENT)).unwrap();
    let (client, server, done) = (&client, &server, &AtomicBool::new(false));
    let say = |text: String, stop: &(dyn Fn() -> bool + Sync)| {
        client.chat(&[Message { role: ChatRole::User, content: text }], &mut |_| (), stop).unwrap()
    };
    std::thread::scope(|scope| {
        let hanging = scope.spawn(move || say(String::new(), &|| done.load(Ordering::SeqCst)));
        while server.requests().is_empty() {
            std::thread::yield_now();
        }
        let others: Vec<_> = (0..8)
            .map(|n| scope.spawn(move || say(format!("reply {n}"), &|| false).text))
            .collect();
        let texts: Vec<String> = others.into_iter().map(|other| other.join().unwrap()).collect();
        assert_eq!(texts, (0..8).map(|n| format!("reply {n}")).collect::<Vec<_>>());
        done.store(true, Ordering::SeqCst);
        assert_eq!(hanging.join().unwrap().finish, Finish::Interrupted);
    });
}

/// Creates a client with a changed endpoint; the key must not be shown.
fn with(change: impl Fn(&mut Endpoint)) -> std::result::Result<(), Kind> {
    let mut endpoint = Endpoint {
        base_url: "http://127.0.0.1:1/v1".to_owned(),
        name: String::new(),
        model: "small".to_owned(),
        api_key: Some(Secret::new(KEY)),
        timeout: PATIENT,
        answer_timeout: 10 * PATIENT,
        attempts: 3,
        retry_waits: (Duration::from_secs(2), Duration::from_secs(10)),
        temperature: 0.0,
        max_tokens: 256,
        evidence_tokens: 3000,
        warm: Duration::ZERO,
    };
    change(&mut endpoint);
    assert!(!format!("{endpoint:?}").contains("secret"), "{endpoint:?}");
    Client::new(endpoint).map(drop).map_err(|fault| {
        assert!(!format!("{fault:?}").contains("secret"), "{fault:?}");
        fault.kind()
    })
}

#[test]
fn invalid_settings_are_refused_and_the_key_is_never_shown() {
    assert_eq!(with(|_| ()), Ok(()));
    assert_eq!(with(|endpoint| endpoint.base_url.push('/')), Ok(()));
    for url in [
        "",
        "localhost:11434",
        "ftp://h/v1",
        "http://user@h/v1",
        "http://h/v1?key=1",
        "http://h/v1#x",
    ] {
        assert_eq!(
            with(|endpoint| url.clone_into(&mut endpoint.base_url)),
            Err(Kind::Usage),
            "{url}"
        );
    }
    assert_eq!(
        with(|endpoint| endpoint.api_key = Some(Secret::new("very\nsecret"))),
        Err(Kind::Usage)
    );
    assert_eq!(with(|endpoint| endpoint.attempts = 0), Err(Kind::Usage));
    assert_eq!(with(|endpoint| endpoint.timeout = Duration::ZERO), Err(Kind::Usage));
    assert_eq!(with(|endpoint| endpoint.timeout = Duration::MAX), Err(Kind::Usage));
    assert_eq!(with(|endpoint| endpoint.answer_timeout = Duration::ZERO), Err(Kind::Usage));
}
