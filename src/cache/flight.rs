//! Single flight across servers: one of them computes a value, the others wait for it.
//!
//! The right to compute is a lease with a token. A holder that stopped for longer than its lease
//! has lost the token to another, and its late value is refused. A server that gets no answer from
//! Redis, or has waited for a whole lease, computes the value itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::table::{Key, Table};
use super::tier::Link;
use crate::disk;
use crate::shared::{Command, Value};

/// First and longest pause between two looks at the value of another server.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(25);

/// Stores a value, unless the lease has another token; then ends the lease.
const PUBLISH: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
                       redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3]) \
                       redis.call('DEL', KEYS[1]) return 1";
/// Ends the lease, unless it has another token.
const RELEASE: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
                       return redis.call('DEL', KEYS[1])";

/// What a caller does after [`super::Cache::claim`].
pub enum Claim {
    /// It computes the value.
    Compute(Flight),
    /// Another server has computed it meanwhile.
    Computed,
}

/// The right to compute a value. Dropping it lets the next server try.
#[derive(Default)]
pub struct Flight {
    /// `None` without a shared store.
    lease: Option<Lease>,
}

struct Lease {
    link: Arc<Link>,
    table: Table,
    lease_key: String,
    row_key: String,
    token: String,
}

impl Flight {
    pub(super) fn has_lease(&self) -> bool {
        self.lease.is_some()
    }

    /// Stores the packed value, unless another server holds the lease by now.
    pub(super) fn publish(&mut self, packed: &[u8], ttl_s: u64) {
        let Some(lease) = self.lease.take() else { return };
        let keys = [lease.lease_key.clone(), lease.row_key.clone()];
        let publish = Command::script(PUBLISH, &keys).arg(&lease.token).arg(packed);
        let reply = lease.link.redis.one(publish.arg(ttl_s.to_string()));
        let is_stored = reply == Ok(Value::Int(1));
        lease.link.count(lease.table, Some(if is_stored { "set" } else { "dropped" }), 1);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            let release = Command::script(RELEASE, std::slice::from_ref(&lease.lease_key));
            // A lease that cannot be ended ends by itself.
            let _ = lease.link.redis.one(release.arg(&lease.token));
        }
    }
}

/// Takes the lease of a value, or waits until another server has computed it.
pub(super) fn claim(
    link: &Arc<Link>,
    table: Table,
    key: &Key,
    lease_time: Duration,
    give_up: &dyn Fn() -> bool,
) -> Claim {
    let token = disk::random_id();
    let (Ok(token), true) = (token, link.is_worth(table)) else {
        return Claim::Compute(Flight::default());
    };
    let row_key = link.key(table, key);
    let lease_key = link.redis.key(&["lease", table.name(), &disk::hex(&key.0)]);
    let take = Command::new("SET").arg(&lease_key).arg(&token).arg("NX").arg("PX");
    let take = take.arg(lease_time.as_millis().to_string());
    let exists = Command::new("EXISTS").arg(&row_key);
    let (end, mut pause) = (Instant::now() + lease_time, FIRST_PAUSE);
    let holder = Command::new("GET").arg(&lease_key);
    while let Ok(replies) = link.redis.run(&[exists.clone(), take.clone(), holder.clone()]) {
        let [has_row, taken, holder] = replies.as_slice() else { break };
        match (has_row.int(), taken) {
            // What is stored there is no lease, and may never end.
            _ if matches!(holder, Value::Refused(_)) => break,
            (Some(has_row), Value::Bytes(_)) => {
                let lease = Lease { link: Arc::clone(link), table, lease_key, row_key, token };
                let flight = Flight { lease: Some(lease) };
                // The value may have come between the look-up and the lease, which ends here then.
                return if has_row > 0 { Claim::Computed } else { Claim::Compute(flight) };
            }
            (Some(1), Value::Nil) => return Claim::Computed,
            (Some(0), Value::Nil) => {}
            // A full store refuses the lease, and would refuse the value.
            _ => break,
        }
        if Instant::now() >= end || give_up() {
            break;
        }
        std::thread::park_timeout(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Claim::Compute(Flight::default())
}
