//! Deletes the files of a depot that nothing needs any more, and protects what readers copy. How it
//! works is in `protocol`.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::exchange::fetch_meta;
use super::pointer::Target;
use super::protocol::{self, Collected, Generations, Leased, RENEWAL, keys_of};
use crate::depot::{Depot, now};
use crate::disk;
use crate::error::Result;

/// Marks what nothing needs, and deletes what was marked `grace` ago.
///
/// # Errors
/// [`Kind::Busy`](crate::error::Kind::Busy) when another collector or a writer changed the list
/// meanwhile.
pub fn collect(depot: &Depot, grace: Duration) -> Result<Collected> {
    now(protocol::collect(depot, grace))
}

/// Collects if no process has for a while. `key` was just written: its time is now.
pub fn collect_if_due(depot: &Depot, key: &str, grace: Duration) -> Result<()> {
    now(protocol::collect_if_due(depot, key, grace))
}

impl Generations for Depot {
    async fn files_of(&self, meta_sha256: &str) -> Result<BTreeSet<String>> {
        let (_, meta) = fetch_meta(self, meta_sha256)?;
        keys_of(meta_sha256, &meta)
    }
}

/// A reader's claim on a generation. It is renewed by [`Lease::renew`] and deleted on drop.
pub struct Lease<'a> {
    depot: &'a Depot,
    key: String,
    bytes: Vec<u8>,
    renewed: Mutex<Instant>,
}

impl<'a> Lease<'a> {
    /// A reader that may not write to the depot has none: only the grace protects what it copies.
    pub fn take(depot: &'a Depot, target: &Target) -> Option<Self> {
        let bytes = Leased { meta_sha256: target.meta_sha256.clone() }.to_bytes()?;
        let key = Leased::key(&disk::random_id().ok()?);
        depot.write(&key, &bytes).ok()?;
        Some(Self { depot, key, bytes, renewed: Mutex::new(Instant::now()) })
    }

    /// Renews the lease if that is due.
    pub fn renew(&self) {
        let Ok(mut renewed) = self.renewed.try_lock() else { return };
        if renewed.elapsed() >= RENEWAL {
            *renewed = Instant::now();
            let _ = self.depot.write(&self.key, &self.bytes);
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let _ = self.depot.delete(&self.key);
    }
}
