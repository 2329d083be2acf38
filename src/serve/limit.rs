//! How often somebody may ask: so many requests a minute, evenly or in a burst, and so many a day. Pure: time comes in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Callers that are remembered. More at once share what is left.
const MAX_KNOWN: usize = 10_000;

const DAY: Duration = Duration::from_secs(86_400);

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    Token(usize),
    Peer(IpAddr),
    /// Those for whom there is no room.
    Others,
}

/// What one caller may do; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub per_minute: u64,
    pub per_day: u64,
}

/// What each caller has done.
#[derive(Debug, Default)]
pub struct Limiter {
    known: HashMap<Caller, Used>,
}

#[derive(Debug)]
struct Used {
    /// Requests that may follow at once.
    left: f64,
    /// When that was so.
    at: Duration,
    day: u64,
    today: u64,
}

impl Limiter {
    /// Counts a request, or says how long to wait before the next one may succeed. `now` is since any fixed moment.
    pub fn admit(&mut self, caller: Caller, allowance: Allowance, now: Duration) -> Result<(), Duration> {
        let Allowance { per_minute, per_day } = allowance;
        if per_minute == 0 && per_day == 0 {
            return Ok(());
        }
        let caller = self.room_for(caller, now);
        let day = now.as_secs() / DAY.as_secs();
        let used = self.known.entry(caller).or_insert(Used { left: per_minute as f64, at: now, day, today: 0 });
        if used.day != day {
            (used.day, used.today) = (day, 0);
        }
        if per_day > 0 && used.today >= per_day {
            return Err(DAY.saturating_sub(Duration::from_secs(now.as_secs() % DAY.as_secs())));
        }
        if per_minute > 0 {
            let rate = per_minute as f64 / 60.0;
            used.left = (used.left + now.saturating_sub(used.at).as_secs_f64() * rate).min(per_minute as f64);
            used.at = now;
            if used.left < 1.0 {
                return Err(Duration::from_secs_f64((1.0 - used.left) / rate));
            }
            used.left -= 1.0;
        }
        used.today += 1;
        Ok(())
    }

    /// `caller`, or `Others` when nobody can be forgotten for it. One IPv6 host has 2^64 addresses.
    fn room_for(&mut self, caller: Caller, now: Duration) -> Caller {
        let caller = match caller {
            Caller::Peer(IpAddr::V6(address)) => {
                Caller::Peer(std::net::Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into())
            }
            caller => caller,
        };
        if !self.known.contains_key(&caller) && self.known.len() >= MAX_KNOWN {
            // After a minute of silence the minute's share is whole again.
            self.known.retain(|_, used| now.saturating_sub(used.at) < Duration::from_secs(60));
            if self.known.len() >= MAX_KNOWN {
                return Caller::Others;
            }
        }
        caller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_minutes_share_may_come_at_once_and_grows_back_evenly() {
        let mut limiter = Limiter::default();
        let allowance = Allowance { per_minute: 6, per_day: 0 };
        let mut admit = |n, now| limiter.admit(Caller::Token(n), allowance, now);
        for _ in 0..6 {
            assert_eq!(admit(1, S), Ok(()));
        }
        assert_eq!(admit(1, S), Err(10 * S));
        assert_eq!(admit(2, S), Ok(()), "everybody has a share");
        assert_eq!(admit(1, 6 * S), Err(5 * S));
        assert_eq!([admit(1, 11 * S), admit(1, 11 * S)], [Ok(()), Err(10 * S)]);
    }

    #[test]
    fn a_days_share_comes_back_at_midnight() {
        let mut limiter = Limiter::default();
        let allowance = Allowance { per_minute: 0, per_day: 2 };
        let mut admit = |now| limiter.admit(Caller::Token(1), allowance, now);
        assert_eq!([admit(S), admit(S), admit(11 * S)], [Ok(()), Ok(()), Err(Duration::from_secs(86_389))]);
        assert_eq!(admit(DAY), Ok(()));
    }

    #[test]
    fn who_is_remembered_is_bounded() {
        let mut limiter = Limiter::default();
        let allowance = Allowance { per_minute: 60, per_day: 0 };
        for n in 0..3 * MAX_KNOWN as u32 {
            let peer = Caller::Peer(IpAddr::V4(n.into()));
            let _ = limiter.admit(peer, allowance, S);
        }
        assert!(limiter.known.len() <= MAX_KNOWN + 1, "{}", limiter.known.len());
        let crowd = Caller::Peer(IpAddr::V4(u32::MAX.into()));
        assert!(limiter.admit(crowd, allowance, S).is_err(), "the others share");
        assert_eq!(limiter.admit(crowd, allowance, 100 * S), Ok(()));
        let neighbours = ["2001:db8::1", "2001:db8::2"].map(|text| Caller::Peer(text.parse().unwrap()));
        let one = Allowance { per_minute: 1, per_day: 0 };
        assert_eq!(limiter.admit(neighbours[0], one, 100 * S), Ok(()));
        assert!(limiter.admit(neighbours[1], one, 100 * S).is_err());
    }
}
