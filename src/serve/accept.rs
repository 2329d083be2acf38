//! The loop that takes connections, and what becomes of each.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::guard::Peer;
use super::write_timeout::Patient;
use super::{App, routes};
use crate::telemetry;

/// The largest head of a request. The largest that a browser sends is some 8 KiB.
const MAX_HEAD_BYTES: usize = 32 << 10;

/// What a connection holds of a request at once.
const BUFFER_BYTES: usize = 64 << 10;

/// After a connection could not be taken: for want of descriptors, most likely, and these come back
/// with time.
const PAUSE: Duration = Duration::from_millis(50);

/// After what was under way was told to end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Descriptors beside those of connections: files of an index, of databases, a language model's
/// sockets.
const OTHER_FILES: u64 = 512;

/// Serves until `shutdown` ends. Then no connection is taken any more, and no question; what is
/// under way may end within the time that the settings give; what has not ended then is told to,
/// and says so to its client.
pub async fn run(listener: TcpListener, app: Arc<App>, shutdown: impl Future<Output = ()>) {
    let settings = app.settings().clone();
    raise_limit(settings.connections as u64 + OTHER_FILES);
    let router = routes::router(&app);
    let room = Arc::new(Semaphore::new(settings.connections));
    let stopping = app.stopping.clone();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let taken = async {
            // The semaphore is never closed.
            let place = Arc::clone(&room).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let (accepted, place) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            taken = taken => match taken {
                Some(taken) => taken,
                None => break,
            },
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (app, router, stopping) = (Arc::clone(&app), router.clone(), stopping.clone());
        tokio::spawn(async move {
            app.counts.connections.fetch_add(1, Ordering::Relaxed);
            connection(stream, Peer(peer), router, &app, stopping).await;
            app.counts.connections.fetch_sub(1, Ordering::Relaxed);
            drop(place);
        });
    }
    drop(listener);
    stopping.cancel();
    app.service.close();
    let all = settings.connections as u32;
    if tokio::time::timeout(settings.drain, room.acquire_many(all)).await.is_err() {
        app.service.stop();
        let _ = tokio::time::timeout(LAST_WORDS, room.acquire_many(all)).await;
    }
    app.service.stop();
}

/// One connection to its end.
async fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    app: &App,
    stopping: CancellationToken,
) {
    let settings = app.settings();
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let router = router.clone();
        async move {
            let answered: Result<_, Infallible> = router.oneshot(request).await;
            answered
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // Also the longest that a connection may be idle between two requests.
        .header_read_timeout(settings.header_timeout)
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(BUFFER_BYTES);
    let io = TokioIo::new(Patient::new(stream, settings.write_timeout));
    let mut served = std::pin::pin!(builder.serve_connection(io, service));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = stopping.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        telemetry::debug!(%error, "a connection broke off");
    }
}

/// Lets this process have so many open files, as far as the system allows it.
fn raise_limit(wanted: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Some(current) = limit.current.filter(|current| *current < wanted) {
        let most = limit.maximum.unwrap_or(u64::MAX);
        let current = Some(wanted.min(most).max(current));
        let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum });
    }
}
