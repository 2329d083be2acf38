//! What the server counts of itself. Everything that is counted passes here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{Method, StatusCode};

use super::App;
use crate::service::Line;

/// Counts of this process.
#[derive(Debug, Default)]
pub struct Counts {
    /// Responses by the first digit of their status, from 1.
    responses: [AtomicU64; 5],
    pub connections: AtomicU64,
}

/// One response. `route` is the pattern of the route, of which there are few, never the path.
pub fn answered(app: &App, _route: &str, _method: &Method, status: StatusCode, _took: Duration) {
    let class = usize::from(status.as_u16() / 100).saturating_sub(1);
    if let Some(count) = app.counts.responses.get(class) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// All counts, as Prometheus reads them.
pub fn render(app: &App) -> String {
    let mut out = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, values: &[(&str, u64)]| {
        out.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        values.iter().for_each(|(labels, value)| out.push_str(&format!("{name}{labels} {value}\n")));
    };
    let class = |n: usize| app.counts.responses[n].load(Ordering::Relaxed);
    let classes = [
        ("{class=\"2xx\"}", class(1)),
        ("{class=\"3xx\"}", class(2)),
        ("{class=\"4xx\"}", class(3)),
        ("{class=\"5xx\"}", class(4)),
    ];
    metric("rag_http_responses_total", "counter", "Responses by class of status", &classes);
    let connections = app.counts.connections.load(Ordering::Relaxed);
    metric("rag_http_connections", "gauge", "Open connections", &[("", connections)]);
    let (own, written) = (app.service.load(Line::Own), app.service.load(Line::Written));
    let both = |of: fn(crate::service::Load) -> u64| [("{line=\"own\"}", of(own)), ("{line=\"written\"}", of(written))];
    metric("rag_questions_waiting", "gauge", "Questions that wait", &both(|load| load.waiting as u64));
    metric("rag_questions_running", "gauge", "Questions that are worked on", &both(|load| load.running as u64));
    metric("rag_questions_answered_total", "counter", "Questions worked on to an end", &both(|load| load.answered));
    metric("rag_questions_joined_total", "counter", "Questions that shared the work of another", &both(|l| l.joined));
    metric("rag_questions_refused_total", "counter", "Questions refused because too many waited", &both(|l| l.refused));
    metric("rag_questions_left_total", "counter", "Questions that nobody waited for any more", &both(|load| load.left));
    let uptime = app.uptime().as_secs();
    metric("rag_uptime_seconds", "gauge", "Time since the server began", &[("", uptime)]);
    out
}
