//! How much a stranger may ask for.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use warp::http::StatusCode;

use super::error::ApiError;

/// Longest body, in bytes: more than any transaction may have (`Limits::transaction_bytes_max` refuses the rest by name).
pub const BODY_BYTES_MAX: u64 = 64 << 10;

/// Requests that one address may make at once after a pause, and each second from then on. Addresses of this machine are not
/// limited: agents, wallets and benchmarks beside a node are its owner's own.
const BURST: f64 = 200.0;
const PER_SECOND: f64 = 50.0;

/// Addresses that are remembered; the fullest buckets are forgotten first.
const ADDRESSES_MAX: usize = 10_000;

/// A token bucket for each address.
#[derive(Default)]
pub struct RateLimit {
    buckets: Mutex<BTreeMap<IpAddr, (f64, Instant)>>,
}

impl RateLimit {
    /// Takes one request from the bucket of `from`, or refuses.
    pub fn take(&self, from: Option<IpAddr>) -> Result<(), ApiError> {
        match from {
            Some(address) if !address.is_loopback() => self.take_at(address, Instant::now()),
            _ => Ok(()),
        }
    }

    fn take_at(&self, address: IpAddr, now: Instant) -> Result<(), ApiError> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES_MAX && !buckets.contains_key(&address) {
            // Who has been away long enough to have a full bucket loses nothing by being forgotten.
            buckets.retain(|_, (tokens, since)| refilled(*tokens, *since, now) < BURST);
        }
        let (tokens, since) = buckets.get(&address).copied().unwrap_or((BURST, now));
        let tokens = refilled(tokens, since, now);
        if tokens < 1.0 || (buckets.len() >= ADDRESSES_MAX && !buckets.contains_key(&address)) {
            let refused = ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests from this address",
            );
            return Err(refused.next(format!("at most {PER_SECOND} a second")));
        }
        buckets.insert(address, (tokens - 1.0, now));
        Ok(())
    }
}

fn refilled(tokens: f64, since: Instant, now: Instant) -> f64 {
    let seconds = now.saturating_duration_since(since).as_secs_f64();
    (tokens + seconds * PER_SECOND).min(BURST)
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds() {
        let (limit, now) = (RateLimit::default(), Instant::now());
        let address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
        assert!((0..200).all(|_| limit.take_at(address, now).is_ok()));
        assert!(limit.take_at(address, now).is_err());
        let later = now + Duration::from_secs(1);
        assert!((0..50).all(|_| limit.take_at(address, later).is_ok()));
        assert!(limit.take_at(address, later).is_err());
    }

    #[test]
    fn one_address_does_not_pay_for_another() {
        let (limit, now) = (RateLimit::default(), Instant::now());
        let (a, b) = (
            IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
            IpAddr::V4(Ipv4Addr::new(203, 0, 113, 8)),
        );
        while limit.take_at(a, now).is_ok() {}
        assert!(limit.take_at(b, now).is_ok());
    }
}
