//! The JSON of different servers.

use super::reply::{Dialect, Invalid, Received, message_of, one_line};
use super::*;

fn usage(prompt_tokens: u64, completion_tokens: u64, cached_tokens: Option<u64>) -> Usage {
    Usage { prompt_tokens, completion_tokens, cached_tokens }
}

#[test]
fn cached_tokens_are_found_wherever_a_server_puts_them() {
    let check = |json: &str, expected: Option<Usage>| {
        let mut received = Received::default();
        received.event(json.as_bytes(), &mut |_| ()).unwrap();
        assert_eq!(received.usage, expected, "{json}");
    };
    let full = r#"{"usage": {"prompt_tokens": 9, "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 7}}}"#;
    check(full, Some(usage(9, 2, Some(7))));
    let none =
        r#"{"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": null}}"#;
    check(none, Some(usage(9, 2, None)));
    let deepseek =
        r#"{"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 0}}"#;
    check(deepseek, Some(usage(9, 2, Some(0))));
    check(
        r#"{"timings": {"cache_n": 6, "prompt_n": 3, "predicted_n": 2}}"#,
        Some(usage(9, 2, Some(6))),
    );
    check(
        r#"{"usage": {"prompt_tokens": 9}, "timings": {"cache_n": 6, "prompt_n": 3}}"#,
        Some(usage(9, 0, Some(6))),
    );
    check(
        r#"{"usage": {"prompt_tokens": 9, "completion_tokens": 2}, "tokens_cached": 5}"#,
        Some(usage(9, 2, Some(5))),
    );
    check(r#"{"usage": null}"#, None);
    check(r#"{"usage": {"prompt_tokens": -1, "completion_tokens": "2"}}"#, None);
}

#[test]
fn only_content_is_text() {
    let check = |json: &str, text: &str| {
        let (mut received, mut shown) = (Received::default(), String::new());
        received.event(json.as_bytes(), &mut |text| shown.push_str(text)).unwrap();
        assert_eq!(
            (received.text.as_str(), shown.as_str(), received.is_over),
            (text, text, false),
            "{json}"
        );
    };
    check(r#"{"choices": [{"delta": {"role": "assistant", "content": "a\u0000\n"}}]}"#, "a\0\n");
    check(r#"{"choices": [{"delta": {"content": null, "reasoning_content": "hm"}}]}"#, "");
    check(r#"{"choices": [{"delta": {"reasoning": "hm"}}]}"#, "");
    check(r#"{"choices": [{"delta": {"content": ["a"]}}]}"#, "");
    check(r#"{"choices": [{"message": {"content": "not here"}}]}"#, "");
    check(r#"{"choices": null, "error": null}"#, "");
    check("{}", "");
    check("  ", "");
}

#[test]
fn invalid_replies_are_recognized() {
    let event = |data: &str| Received::default().event(data.as_bytes(), &mut |_| ());
    let error = |words: &str, status| Err(Invalid::Error { words: words.to_owned(), status });
    assert_eq!(event(r#"{"error": {"message": "m", "code": 503}}"#), error("m", Some(503)));
    assert_eq!(event(r#"{"error": {"message": "m", "code": "rate_limit"}}"#), error("m", None));
    assert_eq!(event(r#"{"error": "m"}"#), error("m", None));
    assert_eq!(event(r#"{"object": "error", "message": "m", "code": 400}"#), error("m", Some(400)));
    assert_eq!(event(r#"{"error": {"code": 70000}}"#), error("", None));
    for data in ["[]", "3", "{", "[DONE", "\u{feff}{}", &"[".repeat(100_000)] {
        assert_eq!(event(data), Err(Invalid::NotJson), "{}", &data[..1]);
    }
    let whole = |body: &str| Received::default().whole(body.as_bytes(), &mut |_| ());
    assert_eq!(whole("{}"), Err(Invalid::NotJson));
    assert_eq!(
        whole(r#"{"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}"#),
        Ok(())
    );
    assert_eq!(whole(r#"{"choices": [{"message": {"content": "no reason"}}]}"#), Ok(()));
}

#[test]
fn a_text_has_a_size_limit() {
    let mut received = Received::default();
    let event =
        format!(r#"{{"choices": [{{"delta": {{"content": "{}"}}}}]}}"#, "é".repeat(1 << 18));
    let taken = (0..).take_while(|_| received.event(event.as_bytes(), &mut |_| ()).is_ok()).count();
    assert_eq!((taken, received.text.len()), (8, reply::MAX_TEXT_BYTES));
    assert_eq!(received.event(event.as_bytes(), &mut |_| ()), Err(Invalid::TooLong));
}

#[test]
fn the_message_of_a_refusal_is_found_and_made_harmless() {
    let check = |body: &str, expected: &str| {
        assert_eq!(one_line(&message_of(body.as_bytes()), Some("key1")), expected);
    };
    check(r#"{"error": {"message": "no\r\nsuch model"}}"#, "no such model");
    check(r#"{"error": "no"}"#, "no");
    check(r#"{"detail": "Not Found"}"#, "Not Found");
    check(r#"{"detail": [{"loc": 1}]}"#, r#"{"detail": [{"loc": 1}]}"#);
    check("  Bad Gateway\n", "Bad Gateway");
    check("<html>nginx</html>", "");
    check("", "");
    check("a key1, and ke\u{0}y1", "a (the key), and ke y1");
    check(&format!("{}key1", "x".repeat(298)), &format!("{}(t…", "x".repeat(298)));
}

#[test]
fn a_dialect_only_becomes_simpler() {
    let first = Dialect::default();
    assert_eq!(first.after("no"), None);
    let second = first.after("stream_options? no").unwrap();
    assert!(!second.asks_for_usage && !second.uses_max_completion);
    assert_eq!(second.after("stream_options? no"), None);
    let third = first.after("use max_completion_tokens").unwrap();
    assert_eq!(third.after("use max_completion_tokens"), None);
    assert_eq!(second.and(third), Dialect { asks_for_usage: false, uses_max_completion: true });
}
