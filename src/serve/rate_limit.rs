//! Rate limits: a token bucket per minute and a quota per day for each caller. Pure: the clock is a
//! parameter.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Addresses with a bucket of their own. Once all are in use, further addresses share one bucket.
const MAX_PEERS: usize = 10_000;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// The unit of rate limiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A number for a token.
    Token(u64),
    /// A number for the subject of an identity provider.
    Subject(u64),
    Peer(IpAddr),
    /// All addresses and subjects without a bucket of their own, and peers without an address.
    Others,
}

/// The limits of one caller; 0 means unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub per_minute: u64,
    pub per_day: u64,
}

/// Whom a request counts against, and the limits.
#[derive(Clone, Debug)]
pub struct Charge {
    pub caller: Caller,
    /// Names the token or the subject on all servers.
    pub key: Option<Arc<str>>,
    pub allowance: Allowance,
}

/// The buckets of all callers.
///
/// A bucket is dropped only when it equals a new one: it is full again, and today's requests do not
/// count against a daily quota. Buckets of tokens are never dropped, because their number is
/// bounded by the configuration.
#[derive(Debug, Default)]
pub struct Limiter {
    peers: HashMap<Key, Bucket>,
    tokens: HashMap<u64, Bucket>,
    others: Option<Bucket>,
    /// No bucket of an address is full before this moment.
    next_sweep: Duration,
}

/// Of a bucket that may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Subject(u64),
}

#[derive(Debug)]
struct Bucket {
    /// Requests allowed at once, as of `at`.
    tokens: f64,
    at: Duration,
    day: u64,
    /// Requests of `day`.
    today: u64,
    /// From this moment on, the bucket equals a new one.
    full_at: Duration,
}

impl Limiter {
    /// Counts a request, or returns how long to wait before a retry may succeed. `now` is measured
    /// from any fixed moment.
    pub fn admit(
        &mut self,
        caller: Caller,
        allowance: Allowance,
        now: Duration,
    ) -> Result<(), Duration> {
        let Allowance { per_minute, per_day } = allowance;
        if per_minute == 0 && per_day == 0 {
            return Ok(());
        }
        let day = now.as_secs() / DAY.as_secs();
        let tomorrow = DAY * u32::try_from(day + 1).unwrap_or(u32::MAX);
        let fresh = Bucket { tokens: per_minute as f64, at: now, day, today: 0, full_at: now };
        let bucket = match caller {
            Caller::Token(n) => self.tokens.entry(n).or_insert(fresh),
            Caller::Peer(_) | Caller::Subject(_) => match self.bucket_key(caller, now) {
                Some(key) => self.peers.entry(key).or_insert(fresh),
                None => self.others.get_or_insert(fresh),
            },
            Caller::Others => self.others.get_or_insert(fresh),
        };
        if bucket.day != day {
            (bucket.day, bucket.today) = (day, 0);
        }
        if per_day > 0 && bucket.today >= per_day {
            return Err(tomorrow.saturating_sub(now));
        }
        if per_minute > 0 {
            let rate = per_minute as f64 / MINUTE.as_secs_f64();
            let refill = now.saturating_sub(bucket.at).as_secs_f64() * rate;
            bucket.tokens = (bucket.tokens + refill).min(per_minute as f64);
            bucket.at = now;
            if bucket.tokens < 1.0 {
                return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / rate));
            }
            bucket.tokens -= 1.0;
            let missing = per_minute as f64 - bucket.tokens;
            bucket.full_at = now + Duration::from_secs_f64(missing / rate);
        }
        bucket.today += 1;
        if per_day > 0 {
            bucket.full_at = bucket.full_at.max(tomorrow);
        }
        self.next_sweep = self.next_sweep.min(bucket.full_at);
        Ok(())
    }

    /// The key of the bucket of an address or a subject; `None` when it gets no bucket of its own.
    fn bucket_key(&mut self, caller: Caller, now: Duration) -> Option<Key> {
        let key = match caller {
            Caller::Peer(address) => Key::Address(bucket_of(address)),
            Caller::Subject(n) => Key::Subject(n),
            Caller::Token(_) | Caller::Others => return None,
        };
        if self.peers.contains_key(&key) {
            return Some(key);
        }
        if self.peers.len() >= MAX_PEERS && now >= self.next_sweep {
            self.peers.retain(|_, bucket| bucket.full_at > now);
            self.next_sweep = self.peers.values().map(|bucket| bucket.full_at).min().unwrap_or(now);
        }
        (self.peers.len() < MAX_PEERS).then_some(key)
    }
}

/// The address that a bucket is for: an IPv6 host owns a /64, so its bucket covers that, and a
/// mapped IPv4 address counts as IPv4.
pub fn bucket_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => std::net::Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn the_minute_limit_allows_a_burst_and_refills_evenly() {
        let mut limiter = Limiter::default();
        let allowance = Allowance { per_minute: 6, per_day: 0 };
        let mut admit = |n, now| limiter.admit(Caller::Token(n), allowance, now);
        for _ in 0..6 {
            assert_eq!(admit(1, S), Ok(()));
        }
        assert_eq!(admit(1, S), Err(10 * S));
        assert_eq!(admit(2, S), Ok(()), "each token has its own bucket");
        assert_eq!(admit(1, 6 * S), Err(5 * S));
        assert_eq!([admit(1, 11 * S), admit(1, 11 * S)], [Ok(()), Err(10 * S)]);
    }

    #[test]
    fn the_daily_quota_resets_at_midnight() {
        let mut limiter = Limiter::default();
        let allowance = Allowance { per_minute: 0, per_day: 2 };
        let mut admit = |now| limiter.admit(Caller::Token(1), allowance, now);
        assert_eq!(
            [admit(S), admit(S), admit(11 * S)],
            [Ok(()), Ok(()), Err(Duration::from_secs(86_389))]
        );
        assert_eq!(admit(DAY), Ok(()));
    }

    fn peer(n: u32) -> Caller {
        Caller::Peer(IpAddr::V4(n.into()))
    }

    #[test]
    fn the_number_of_buckets_is_bounded() {
        let mut limiter = Limiter::default();
        let allowance = Allowance { per_minute: 60, per_day: 0 };
        for n in 0..3 * MAX_PEERS as u32 {
            let _ = limiter.admit(peer(n), allowance, S);
        }
        assert!(limiter.peers.len() <= MAX_PEERS, "{}", limiter.peers.len());
        let further = peer(u32::MAX);
        assert!(
            limiter.admit(further, allowance, S).is_err(),
            "further addresses share one bucket"
        );
        assert_eq!(
            limiter.admit(Caller::Token(0), allowance, S),
            Ok(()),
            "a token has its own bucket"
        );
        assert_eq!(limiter.admit(further, allowance, 100 * S), Ok(()));
    }

    #[test]
    fn one_ipv6_host_is_one_caller_and_mapped_ipv4_hosts_are_many() {
        let mut limiter = Limiter::default();
        let one = Allowance { per_minute: 1, per_day: 0 };
        let mut admit =
            |text: &str| limiter.admit(Caller::Peer(text.parse().unwrap()), one, S).is_ok();
        assert!(admit("2001:db8::1") && !admit("2001:db8::2"));
        assert!(admit("::ffff:192.0.2.1") && admit("::ffff:192.0.2.2") && !admit("192.0.2.1"));
    }

    #[test]
    fn many_callers_do_not_reset_a_quota_or_a_burst() {
        let mut limiter = Limiter::default();
        let two_a_day = Allowance { per_minute: 0, per_day: 2 };
        let (spent, token) = (peer(u32::MAX), Caller::Token(0));
        for caller in [spent, token] {
            assert_eq!([(); 2].map(|()| limiter.admit(caller, two_a_day, S)), [Ok(()), Ok(())]);
        }
        for n in 0..3 * MAX_PEERS as u32 {
            let _ = limiter.admit(peer(n), two_a_day, 100 * S);
        }
        assert!(limiter.admit(spent, two_a_day, 200 * S).is_err(), "the day's quota is used up");
        assert!(limiter.admit(token, two_a_day, 200 * S).is_err(), "the day's quota is used up");
        assert_eq!(limiter.admit(spent, two_a_day, DAY), Ok(()));

        // A bucket that takes an hour to refill is kept for an hour.
        let mut limiter = Limiter::default();
        let slow = Allowance { per_minute: 1, per_day: 0 };
        let burst = Allowance { per_minute: 600, per_day: 0 };
        assert_eq!(limiter.admit(spent, slow, S), Ok(()));
        for n in 0..2 * MAX_PEERS as u32 {
            let _ = limiter.admit(peer(n), burst, 2 * S);
        }
        assert!(limiter.admit(spent, slow, 30 * S).is_err());
        assert!(limiter.peers.len() <= MAX_PEERS);
    }
}
