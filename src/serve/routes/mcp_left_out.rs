//! `/mcp` in a build without the feature `mcp`: status 501.

use crate::serve::error::Error;

/// Not available: this build does not support the Model Context Protocol
#[utoipa::path(
    post,
    path = "/mcp",
    tag = "mcp",
    responses((status = 501, description = "This build of rag lacks the feature `mcp`"))
)]
pub async fn mcp() -> Error {
    Error::left_out("mcp")
}
