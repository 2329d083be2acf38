//! `/mcp` in a build without the feature `mcp`: it says so.

use super::Error;

/// Report that this server does not speak the Model Context Protocol
#[utoipa::path(
    post,
    path = "/mcp",
    tag = "mcp",
    responses((status = 501, description = "This rag was built without `mcp`"))
)]
pub async fn mcp() -> Error {
    Error::left_out("mcp")
}
