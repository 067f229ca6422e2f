//! How much a stranger may ask for.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use super::error::{ApiError, AskError};

/// Longest body, in bytes: more than any transaction may have (`Limits::transaction_bytes_max` refuses the rest by name).
pub const BODY_BYTES_MAX: u64 = 64 << 10;

/// Addresses that are remembered; the fullest buckets are forgotten first.
const ADDRESSES_MAX: usize = 10_000;

/// How often one address may ask. An IPv6 network (/64) counts as one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests at once after a pause.
    pub burst: f64,
    /// Requests each second from then on.
    pub per_second: f64,
    /// Whether addresses of this machine may ask as often as they like: agents, wallets and benchmarks beside a node are its owner's own.
    pub spares_loopback: bool,
}

impl Default for Rate {
    fn default() -> Self {
        Rate {
            burst: 200.0,
            per_second: 50.0,
            spares_loopback: true,
        }
    }
}

/// A token bucket for each address.
#[derive(Debug)]
pub struct RateLimit {
    rate: Rate,
    buckets: Mutex<BTreeMap<IpAddr, (f64, Instant)>>,
}

impl RateLimit {
    /// Full buckets.
    pub fn new(rate: Rate) -> Self {
        RateLimit {
            rate,
            buckets: Mutex::default(),
        }
    }

    /// Takes one request from the bucket of `from`, or refuses.
    ///
    /// # Errors
    /// The bucket is empty.
    pub fn take(&self, from: Option<IpAddr>) -> Result<(), ApiError> {
        match from.map(nupeer_serve::holder) {
            Some(holder) if !(holder.is_loopback() && self.rate.spares_loopback) => {
                self.take_at(holder, Instant::now())
            }
            _ => Ok(()),
        }
    }

    fn take_at(&self, address: IpAddr, now: Instant) -> Result<(), ApiError> {
        let Rate {
            burst, per_second, ..
        } = self.rate;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES_MAX && !buckets.contains_key(&address) {
            // Who has been away long enough to have a full bucket loses nothing by being forgotten.
            buckets.retain(|_, (tokens, since)| self.refilled(*tokens, *since, now) < burst);
        }
        let (tokens, since) = buckets.get(&address).copied().unwrap_or((burst, now));
        let tokens = self.refilled(tokens, since, now);
        if tokens < 1.0 || (buckets.len() >= ADDRESSES_MAX && !buckets.contains_key(&address)) {
            let refused = ApiError::from(AskError::TooOften);
            return Err(refused.next(format!("at most {per_second} a second")));
        }
        buckets.insert(address, (tokens - 1.0, now));
        Ok(())
    }

    fn refilled(&self, tokens: f64, since: Instant, now: Instant) -> f64 {
        let seconds = now.saturating_duration_since(since).as_secs_f64();
        (tokens + seconds * self.rate.per_second).min(self.rate.burst)
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let (limit, now) = (RateLimit::new(Rate::default()), Instant::now());
        let address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
        assert!((0..200).all(|_| limit.take_at(address, now).is_ok()));
        assert!(limit.take_at(address, now).is_err());
        let later = now + Duration::from_secs(1);
        assert!((0..50).all(|_| limit.take_at(address, later).is_ok()));
        assert!(limit.take_at(address, later).is_err());
    }

    #[test]
    fn one_address_does_not_pay_for_another() {
        let (limit, now) = (RateLimit::new(Rate::default()), Instant::now());
        let (a, b) = (
            IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
            IpAddr::V4(Ipv4Addr::new(203, 0, 113, 8)),
        );
        while limit.take_at(a, now).is_ok() {}
        assert!(limit.take_at(b, now).is_ok());
    }

    #[test]
    fn a_network_is_one_address_and_this_machine_is_spared_however_its_address_is_written() {
        let once = Rate {
            burst: 1.0,
            per_second: 0.0,
            ..Rate::default()
        };
        for (first, second, passes) in [
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", false),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", true),
            ("203.0.113.7", "::ffff:203.0.113.7", false),
            ("127.0.0.1", "::ffff:127.0.0.1", true),
            ("::1", "::1", true),
        ] {
            let limit = RateLimit::new(once);
            let take = |text: &str| limit.take(Some(text.parse().unwrap())).is_ok();
            assert_eq!((take(first), take(second)), (true, passes), "{second}");
        }
    }
}
