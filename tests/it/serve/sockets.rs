//! Questions over a WebSocket.

use serde_json::{Value, json};

use super::{QUESTION, indexed, query, stable, with_llm};
use crate::support::llm::{LlmServer, Step};
use crate::support::server::Server;
use crate::support::socket::Socket;
use crate::tools::wait_for;

fn ask(id: &str, text: &str) -> Value {
    json!({ "type": "ask", "id": id, "query": text })
}

/// An answer without the fields that only a socket has.
fn answer(mut message: Value) -> Value {
    for field in ["type", "id"] {
        message.as_object_mut().unwrap().remove(field);
    }
    stable(message)
}

#[test]
fn several_questions_are_answered_over_one_socket() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[]);
    let mut socket = Socket::connect(&server, &[]).expect("a socket");
    let questions = [("bees", QUESTION), ("tide", "When does the tide rise?"), ("3", "Why?")];
    for (id, text) in questions {
        socket.send(&ask(id, text));
    }
    let mut events: Vec<Value> = Vec::new();
    while events.iter().filter(|event| event["type"] == "done").count() < questions.len() {
        events.push(socket.next().expect("an event"));
    }
    for (id, text) in questions {
        let own: Vec<&Value> = events.iter().filter(|event| event["id"] == id).collect();
        let kinds: Vec<&str> = own.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["metadata", "retrieval", "citations", "done"], "{text}");
        let expected = stable(server.post("/ask", &query(text)).ok().json());
        assert_eq!(answer(own[3].clone()), expected);
    }
    // The options of a question are those of `POST /ask`, its session, too.
    let session = server.post("/sessions", &json!({})).is(201).json()["id"].clone();
    let mut first = ask("s", QUESTION);
    first["session"] = session.clone();
    first["filter"] = "type:markdown".into();
    socket.send(&first);
    assert_eq!(socket.until("done", "s")["session"], session);
    assert_eq!(server.count("rag_websockets"), 1);
    assert_eq!(server.count("rag_websocket_messages_total{direction=\"received\"}"), 4);
    drop(socket);
    wait_for("the end of the socket", || (server.count("rag_websockets") == 0).then_some(()));
    server.stop();
}

#[test]
fn a_cancelled_question_ends_and_others_go_on() {
    let Some(sandbox) = indexed() else { return };
    let mut llm = LlmServer::start([
        Step::hang_after(&["Honey bees"]),
        Step::tokens(&["The tide rises twice a day. [1]"]),
    ]);
    let server = with_llm(&sandbox, &llm, &[]);
    let mut socket = Socket::connect(&server, &[]).expect("a socket");
    socket.send(&ask("slow", QUESTION));
    assert!(socket.until("token", "slow")["text"].as_str().unwrap().starts_with("Honey"));
    socket.send(&ask("tide", "When does the tide rise?"));
    assert!(socket.until("done", "tide")["supported"].is_boolean());
    socket.send(&json!({ "type": "cancel", "id": "slow" }));
    assert_eq!(socket.until("cancelled", "slow"), json!({ "type": "cancelled", "id": "slow" }));
    wait_for("the end of the call", || (llm.hung_up() == 1).then_some(()));
    // The id is free again, and a client that leaves cancels all of its questions.
    socket.send(
        &json!({ "type": "ask", "id": "slow", "query": QUESTION, "generator": "extractive" }),
    );
    socket.until("done", "slow");
    server.stop();
}

#[test]
fn a_socket_refuses_what_a_request_would_be_refused_for() {
    let Some(sandbox) = indexed() else { return };
    let token = "admin-token-00000000";
    let server = Server::start(
        &sandbox,
        &[
            ("RAG_SERVE_TOKEN", token),
            ("RAG_SERVE_RATE_PER_MINUTE", "40"),
            ("RAG_SERVE_MAX_BODY_BYTES", "4096"),
        ],
    );
    let bearer = format!("Bearer {token}");
    let connect = |headers: &[(&str, &str)]| Socket::connect(&server, headers);
    let refused = |headers: &[(&str, &str)]| connect(headers).err().expect("a refusal").status;
    assert_eq!(refused(&[]), 401);
    assert_eq!(refused(&[("sec-websocket-protocol", "rag, bearer.wrong-token-00000000")]), 401);
    assert_eq!(refused(&[("authorization", &bearer), ("origin", "http://evil.example")]), 403);
    let ordinary = server.request("GET", "/ws", &[("authorization", &bearer)], "").is(426);
    assert_eq!(ordinary.headers["upgrade"], "websocket");
    let half = [("authorization", bearer.as_str()), ("upgrade", "websocket")];
    server.request("GET", "/ws", &half, "").is(400);

    // A page sends the token as a protocol.
    let offered = format!("rag, bearer.{token}");
    let mut socket = connect(&[("sec-websocket-protocol", &offered)]).expect("a socket");
    let mut error = |message: Value| {
        socket.send(&message);
        let reply = socket.next().expect("a reply");
        assert_eq!(reply["type"], "error", "{reply}");
        assert!(reply["error"]["request_id"].is_string(), "{reply}");
        (reply["error"]["code"].clone(), reply["error"]["message"].as_str().unwrap().to_owned())
    };
    for (message, says) in [
        (json!([1]), "must be an object"),
        (json!({ "id": "1" }), "`type` is missing"),
        (json!({ "type": "shout", "id": "1" }), "`type` must be one of ask, cancel"),
        (json!({ "type": "ask", "query": "x" }), "`id` is missing"),
        (json!({ "type": "ask", "id": "", "query": "x" }), "`id` must have 1 to 128 bytes"),
        (json!({ "type": "ask", "id": "1" }), "`query` is missing"),
        (json!({ "type": "ask", "id": "1", "query": "x", "k": 0 }), "k must be from 1 to 1000"),
        (json!({ "type": "ask", "id": "1", "query": "x", "poem": 1 }), "unknown field"),
    ] {
        let (code, found) = error(message.clone());
        assert!(code == "usage" && found.contains(says), "{message}: {found}");
    }
    assert_eq!(
        error(json!({ "type": "ask", "id": "1", "query": "x", "index": "no" })).0,
        "not_found"
    );
    // Every question counts as a request.
    let codes = (0..60).map(|_| error(json!({ "type": "ask", "id": "1", "query": " " })).0);
    assert!(codes.into_iter().any(|code| code == "too_many"));
    // A message beyond the limit of a body ends the connection.
    socket.send(&ask("long", &"x".repeat(5000)));
    assert!(socket.next().is_err());
    server.stop();
}

#[test]
fn a_stopping_server_answers_and_closes_its_sockets() {
    let Some(sandbox) = indexed() else { return };
    let server = Server::start(&sandbox, &[]);
    let mut idle = Socket::connect(&server, &[]).expect("a socket");
    let mut socket = Socket::connect(&server, &[]).expect("a socket");
    socket.send(&ask("1", QUESTION));
    socket.until("done", "1");
    server.signal(rustix::process::Signal::TERM);
    assert_eq!((idle.next(), socket.next()), (Err(1001), Err(1001)));
    server.ended().ok();
}
