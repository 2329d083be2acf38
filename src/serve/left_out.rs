//! `rag serve` in a build without the feature `serve`: a fault that says so.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::config::Config;
use crate::engine::Engine;
use crate::error::{Fault, Result};

/// Never constructed.
pub enum App {}

impl App {
    /// # Errors
    /// Always.
    pub fn new(_: Engine, _: SocketAddr) -> Result<Self> {
        Err(Fault::left_out("serve"))
    }
}

/// The scheme of a server's address.
pub fn scheme(_: &Config) -> &'static str {
    "http"
}

/// # Errors
/// Always.
pub fn bind(_: &Config) -> Result<TcpListener> {
    Err(Fault::left_out("serve"))
}

/// # Errors
/// Never: there is no `App` to call it with.
pub fn until(_: &AtomicBool, _: TcpListener, app: &Arc<App>) -> Result<()> {
    match **app {}
}
