//! Limits and names that several files of this room share.

use std::time::Duration;

/// First segments of the paths of this server. A message may name them; any other absolute path
/// in a message is cut out.
pub const ROUTE_PREFIXES: [&str; 21] = [
    "/api",
    "/ask",
    "/assets",
    "/cache",
    "/config",
    "/docs",
    "/documents",
    "/health",
    "/indexes",
    "/ingest",
    "/mcp",
    "/metrics",
    "/openapi.json",
    "/search",
    "/sessions",
    "/stats",
    "/v1",
    "/ws",
    "/batch",
    "/live",
    "/ready",
];

/// How long a change of an index waits for another writer.
pub const WRITER_WAIT: Duration = Duration::from_secs(5);

/// Questions of one `POST /ask/batch`, and messages of one `POST /mcp`.
pub const MAX_BATCH: usize = 64;
