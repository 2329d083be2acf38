//! The accept loop and the life of one connection.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::access::Access;
use super::app::App;
use super::connection::Connection;
use super::guard::Peer;
use super::routes;
use super::tls::Tls;
use super::webhooks;
use crate::telemetry;

/// The largest head of a request. Browsers send at most some 8 KiB.
const MAX_HEAD_BYTES: usize = 32 << 10;

/// Bytes of a request that a connection buffers.
const BUFFER_BYTES: usize = 64 << 10;

/// Pause after a failed `accept`, most likely for want of file descriptors, which become free with
/// time.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Time for requests to end after they were cancelled at shutdown.
const CANCEL_GRACE: Duration = Duration::from_secs(2);

/// File descriptors beside those of connections: index files, databases, sockets to a language
/// model.
const OTHER_FILES: u64 = 512;

/// Serves until `shutdown` ends. Then the server accepts no connection and no question, requests in
/// progress may end within the configured drain time, and those that remain are cancelled, which
/// their clients see as an error.
pub async fn run(listener: TcpListener, app: Arc<App>, shutdown: impl Future<Output = ()>) {
    let settings = app.settings().clone();
    raise_file_limit(settings.connections as u64 + OTHER_FILES);
    let router = routes::router(&app);
    let permits = Arc::new(Semaphore::new(settings.connections));
    let stopping = app.stopping.clone();
    webhooks::start(&app);
    tokio::spawn(Access::follow(Arc::clone(&app.access), stopping.clone()));
    if let Some(tls) = &app.tls {
        tokio::spawn(Tls::follow(Arc::clone(tls), stopping.clone()));
    }
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let next = async {
            // The semaphore is never closed.
            let permit = Arc::clone(&permits).acquire_owned().await.ok()?;
            Some((listener.accept().await, permit))
        };
        let (accepted, permit) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            next = next => match next {
                Some(next) => next,
                None => break,
            },
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(ACCEPT_RETRY).await;
            continue;
        };
        let (app, router, stopping) = (Arc::clone(&app), router.clone(), stopping.clone());
        tokio::spawn(async move {
            let connection = Connection::begin(Arc::clone(&app), permit);
            // Responses are small, and the client waits for them.
            let _ = stream.set_nodelay(true);
            // Writes fail when the client has read nothing for the configured time.
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(app.settings().write_timeout));
            let stream = Box::pin(stream);
            let Some(acceptor) = app.tls.as_ref().map(|tls| tls.acceptor()) else {
                return serve_connection(stream, Peer(peer), router, &connection, stopping).await;
            };
            let shaken =
                tokio::time::timeout(app.settings().header_timeout, acceptor.accept(stream));
            match shaken.await {
                Ok(Ok(stream)) => {
                    serve_connection(stream, Peer(peer), router, &connection, stopping).await;
                }
                Ok(Err(error)) => telemetry::debug!(%error, "no TLS handshake"),
                Err(_) => telemetry::debug!("the TLS handshake took too long"),
            }
        });
    }
    drop(listener);
    stopping.cancel();
    app.service.close();
    let all = settings.connections as u32;
    if tokio::time::timeout(settings.drain, permits.acquire_many(all)).await.is_err() {
        app.service.stop();
        let _ = tokio::time::timeout(CANCEL_GRACE, permits.acquire_many(all)).await;
    }
    app.service.stop();
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    open: &Connection,
    stopping: CancellationToken,
) {
    let settings = open.app().settings();
    let weak = open.downgrade();
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        if let Some(uri) = routes::unversioned(request.uri()) {
            *request.uri_mut() = uri;
        }
        if let Some(open) = weak.upgrade() {
            request.extensions_mut().insert(open);
        }
        let router = router.clone();
        async move {
            let response: Result<_, Infallible> = router.oneshot(request).await;
            response
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // Also the longest idle time between two requests of a connection.
        .header_read_timeout(settings.header_timeout)
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(BUFFER_BYTES);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        telemetry::debug!(%error, "connection broken");
    }
}

/// Raises the limit of open files of this process, as far as the system allows.
fn raise_file_limit(wanted: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Some(current) = limit.current.filter(|current| *current < wanted) {
        let most = limit.maximum.unwrap_or(u64::MAX);
        let current = Some(wanted.min(most).max(current));
        let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum });
    }
}
