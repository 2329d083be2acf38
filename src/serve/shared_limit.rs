//! Rate limits that several servers share, in Redis: the bucket of [`super::rate_limit`], by the
//! clock of the store.

use std::net::IpAddr;
use std::time::Duration;

use super::rate_limit::{Allowance, Caller, bucket_of};
use crate::disk;
use crate::shared::{Command, Redis, Reply};

/// Counts a request; returns the milliseconds to wait when there is no room. A bucket is kept until
/// it equals a new one.
const ADMIT: &str = "
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local per_minute, per_day = tonumber(ARGV[1]), tonumber(ARGV[2])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'day', 'today')
local day = math.floor(now / 86400000)
local tokens = tonumber(bucket[1]) or per_minute
local at = tonumber(bucket[2]) or now
local today = tonumber(bucket[4]) or 0
if tonumber(bucket[3]) ~= day then today = 0 end
local tomorrow = (day + 1) * 86400000 - now
if per_day > 0 and today >= per_day then return tomorrow end
local kept = 1000
if per_minute > 0 then
  tokens = math.min(per_minute, tokens + (now - at) * per_minute / 60000)
  if tokens < 1 then return math.ceil((1 - tokens) * 60000 / per_minute) end
  tokens = tokens - 1
  kept = math.ceil((per_minute - tokens) * 60000 / per_minute) + 1000
end
if per_day > 0 then kept = math.max(kept, tomorrow) end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', now, 'day', day, 'today', today + 1)
redis.call('PEXPIRE', KEYS[1], kept)
return 0";

/// Counts a request of a caller, or returns how long to wait. `key` names its token or subject.
pub(super) fn admit(
    redis: &Redis,
    caller: Caller,
    key: Option<&str>,
    allowance: Allowance,
) -> Reply<Result<(), Duration>> {
    let name = match (caller, key) {
        (Caller::Token(_), Some(hash)) => format!("token {hash}"),
        (Caller::Subject(_), Some(hash)) => format!("subject {hash}"),
        (Caller::Peer(address), _) => peer(address),
        (Caller::Token(_) | Caller::Subject(_) | Caller::Others, _) => "others".to_owned(),
    };
    // A key must not name a token or an address.
    let key = redis.key(&["rate", &disk::sha256_hex(name.as_bytes())]);
    let admit = Command::script(ADMIT, &[key]);
    let admit = admit.arg(allowance.per_minute.to_string()).arg(allowance.per_day.to_string());
    let wait_ms = redis.one(admit)?.int().unwrap_or_default().unsigned_abs();
    Ok(if wait_ms == 0 { Ok(()) } else { Err(Duration::from_millis(wait_ms)) })
}

fn peer(address: IpAddr) -> String {
    format!("peer {}", bucket_of(address))
}
