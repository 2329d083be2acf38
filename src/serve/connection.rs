//! An open connection, which counts and holds its permit until the last holder drops it: the task
//! that serves it, and the WebSocket that it may become.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use tokio::sync::OwnedSemaphorePermit;

use super::app::App;

/// An open connection.
#[derive(Clone)]
pub struct Connection(Arc<Open>);

/// A connection that may have ended.
#[derive(Clone)]
pub struct WeakConnection(Weak<Open>);

struct Open {
    app: Arc<App>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    pub fn begin(app: Arc<App>, permit: OwnedSemaphorePermit) -> Self {
        app.connections.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Open { app, _permit: permit }))
    }

    pub fn app(&self) -> &App {
        &self.0.app
    }

    pub fn downgrade(&self) -> WeakConnection {
        WeakConnection(Arc::downgrade(&self.0))
    }
}

impl WeakConnection {
    pub fn upgrade(&self) -> Option<Connection> {
        self.0.upgrade().map(Connection)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.app.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
