//! How often somebody may ask: so many requests a minute, evenly or in a burst, and so many a day.
//! Pure: time comes in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Addresses that are remembered. When none can be forgotten, further ones share one allowance.
const MAX_PEERS: usize = 10_000;

const MINUTE: Duration = Duration::from_secs(60);
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
///
/// A caller is forgotten only when a new one in its place would be allowed the same: its burst has
/// grown back, and no request of today counts against a daily quota. Tokens are as many as the
/// settings list, so they are never forgotten.
#[derive(Debug, Default)]
pub struct Limiter {
    peers: HashMap<IpAddr, Used>,
    tokens: HashMap<usize, Used>,
    others: Option<Used>,
    /// No address can be forgotten before this moment.
    next_sweep: Duration,
}

#[derive(Debug)]
struct Used {
    /// Requests that may follow at once.
    left: f64,
    /// When that was so.
    at: Duration,
    day: u64,
    today: u64,
    /// From this moment on it is as if the caller had never come.
    blank_at: Duration,
}

impl Limiter {
    /// Counts a request, or says how long to wait before the next one may succeed. `now` is since
    /// any fixed moment.
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
        let fresh = Used { left: per_minute as f64, at: now, day, today: 0, blank_at: now };
        let used = match caller {
            Caller::Token(n) => self.tokens.entry(n).or_insert(fresh),
            Caller::Peer(address) => match self.room_for(address, now) {
                Some(address) => self.peers.entry(address).or_insert(fresh),
                None => self.others.get_or_insert(fresh),
            },
            Caller::Others => self.others.get_or_insert(fresh),
        };
        if used.day != day {
            (used.day, used.today) = (day, 0);
        }
        if per_day > 0 && used.today >= per_day {
            return Err(tomorrow.saturating_sub(now));
        }
        if per_minute > 0 {
            let rate = per_minute as f64 / MINUTE.as_secs_f64();
            used.left = (used.left + now.saturating_sub(used.at).as_secs_f64() * rate)
                .min(per_minute as f64);
            used.at = now;
            if used.left < 1.0 {
                return Err(Duration::from_secs_f64((1.0 - used.left) / rate));
            }
            used.left -= 1.0;
            used.blank_at = now + Duration::from_secs_f64((per_minute as f64 - used.left) / rate);
        }
        used.today += 1;
        if per_day > 0 {
            used.blank_at = used.blank_at.max(tomorrow);
        }
        self.next_sweep = self.next_sweep.min(used.blank_at);
        Ok(())
    }

    /// What `address` is remembered by, or `None` when there is no room. One IPv6 host has 2^64
    /// addresses; a socket for both families shows IPv4 addresses as IPv6 ones.
    fn room_for(&mut self, address: IpAddr, now: Duration) -> Option<IpAddr> {
        let address = match address.to_canonical() {
            IpAddr::V6(address) => {
                std::net::Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()
            }
            address @ IpAddr::V4(_) => address,
        };
        if self.peers.contains_key(&address) {
            return Some(address);
        }
        if self.peers.len() >= MAX_PEERS && now >= self.next_sweep {
            self.peers.retain(|_, used| used.blank_at > now);
            self.next_sweep = self.peers.values().map(|used| used.blank_at).min().unwrap_or(now);
        }
        (self.peers.len() < MAX_PEERS).then_some(address)
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
    fn who_is_remembered_is_bounded() {
        let mut limiter = Limiter::default();
        let allowance = Allowance { per_minute: 60, per_day: 0 };
        for n in 0..3 * MAX_PEERS as u32 {
            let _ = limiter.admit(peer(n), allowance, S);
        }
        assert!(limiter.peers.len() <= MAX_PEERS, "{}", limiter.peers.len());
        let crowd = peer(u32::MAX);
        assert!(limiter.admit(crowd, allowance, S).is_err(), "the others share");
        assert_eq!(
            limiter.admit(Caller::Token(0), allowance, S),
            Ok(()),
            "a token has its own share"
        );
        assert_eq!(limiter.admit(crowd, allowance, 100 * S), Ok(()));
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
    fn a_crowd_makes_nobody_forget_a_quota_or_a_burst() {
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

        // A share that takes an hour to grow back is remembered for an hour.
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
