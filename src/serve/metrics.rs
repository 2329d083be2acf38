//! Metrics of requests, and the text of `GET /metrics`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::response::Response;
use hyper::body::{Frame, SizeHint};

use super::app::App;
use super::body;
use crate::service::LaneKind;
use crate::telemetry::{self, InFlight, Served, Span, SpanData, Trace};

/// A request in progress. `route` is the pattern of the route, never the path, so metrics have few
/// labels.
pub struct InProgress {
    route: Option<MatchedPath>,
    method: Method,
    start: Instant,
    received_bytes: u64,
    /// Of the log; it outlives the handler.
    span: Span,
    /// For a trace collector, with the request id.
    traced: Option<(Trace, Arc<str>)>,
    is_logged: bool,
    _in_flight: InFlight,
}

impl InProgress {
    pub fn new(
        request: &Request,
        span: Span,
        traced: Option<(Trace, Arc<str>)>,
        is_logged: bool,
    ) -> Self {
        Self {
            is_logged,
            route: request.extensions().get::<MatchedPath>().cloned(),
            method: request.method().clone(),
            start: Instant::now(),
            received_bytes: body::length(request.headers()),
            span,
            traced,
            _in_flight: InFlight::begin(),
        }
    }

    /// Wraps the response, so that it is recorded when its last byte is sent or the client leaves.
    pub fn finish(self, response: Response) -> Response {
        let status = response.status().as_u16();
        response.map(|inner| Body::new(Counted { inner, status, sent_bytes: 0, request: self }))
    }

    /// The pattern of the route, or `none`.
    pub fn route(&self) -> &str {
        self.route.as_ref().map_or("none", MatchedPath::as_str)
    }
}

/// A response body that counts its bytes as they are sent.
struct Counted {
    inner: Body,
    status: u16,
    sent_bytes: u64,
    request: InProgress,
}

impl hyper::body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.sent_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let InProgress { method, start, received_bytes, span, traced, .. } = &self.request;
        let elapsed = start.elapsed();
        let served = Served {
            route: self.request.route(),
            method: method.as_str(),
            status: self.status,
            elapsed,
            received_bytes: *received_bytes,
            sent_bytes: self.sent_bytes,
        };
        telemetry::served(&served);
        if let Some((trace, id)) = traced {
            telemetry::span(self.span(*trace, id, elapsed));
        }
        if !self.request.is_logged {
            return;
        }
        span.in_scope(|| {
            telemetry::info!(
                method = served.method,
                route = served.route,
                status = served.status,
                ms = elapsed.as_secs_f64() * 1e3,
                bytes = served.sent_bytes,
                "answered"
            );
        });
    }
}

impl Counted {
    /// The request as a span, with the attribute names of OpenTelemetry's HTTP conventions.
    fn span(&self, trace: Trace, id: &str, elapsed: Duration) -> SpanData {
        let method =
            telemetry::KNOWN_METHODS.iter().find(|known| **known == self.request.method.as_str());
        let route = self.request.route.as_ref().map(MatchedPath::as_str);
        let mut attributes = vec![
            ("http.request.method", method.copied().unwrap_or("_OTHER").into()),
            ("http.response.status_code", self.status.into()),
            ("http.response.body.size", self.sent_bytes.into()),
            ("rag.request_id", id.into()),
        ];
        attributes.extend(route.map(|route| ("http.route", route.into())));
        let method = method.copied().unwrap_or("HTTP");
        SpanData {
            trace,
            name: route.map_or(method.to_owned(), |route| format!("{method} {route}")),
            is_server: true,
            begun_ns: trace.begun_ns,
            ended_ns: trace.begun_ns + elapsed.as_nanos(),
            attributes,
            failed: self.status >= 500,
        }
    }
}

/// All metrics in the text format of Prometheus.
pub fn render(app: &App) -> String {
    telemetry::connections(app.connections.load(Ordering::Relaxed));
    for (name, lane) in [("own", LaneKind::Local), ("written", LaneKind::Llm)] {
        let load = app.service.load(lane);
        let state = telemetry::LaneState {
            waiting: load.waiting,
            workers: load.workers,
            busy: load.running,
            refused: load.refused,
            left: load.left,
            shared: load.joined,
        };
        telemetry::lane(name, &state);
    }
    app.service.observer().jobs(app.engine());
    if let Some(redis) = app.engine().shared.redis() {
        let status = redis.status();
        let idle = status.open.saturating_sub(status.used);
        telemetry::engine("redis", status.used, idle, status.latency);
    }
    if let Some(postgres) = app.engine().ledger.postgres() {
        let status = postgres.status();
        let idle = status.open.saturating_sub(status.used);
        telemetry::engine("postgres", status.used, idle, status.latency);
        telemetry::breaker("postgres", !status.is_well);
    }
    if let Some(status) = app.engine().store.nearest().status() {
        let idle = status.open.saturating_sub(status.used);
        telemetry::engine(status.engine, status.used, idle, status.latency);
        telemetry::breaker(status.engine, !status.is_well);
    }
    if let Ok(Some(snapshot)) = app.service.snapshot(&app.engine().config.index) {
        let counts = &snapshot.meta().counts;
        telemetry::index(counts.documents, counts.chunks);
    }
    telemetry::render()
}
