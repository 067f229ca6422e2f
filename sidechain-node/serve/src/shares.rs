//! Places of something scarce: so many in all, so many for each address.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The part of an IPv6 address that says which network it is of; who has one address of a network has all of them.
const NETWORK: u128 = !(u64::MAX as u128);

/// Places, and who has how many of them.
#[derive(Debug)]
pub struct Shares {
    free: Arc<Semaphore>,
    all_max: usize,
    per_address_max: usize,
    per_loopback_max: usize,
    /// Who has at least one; never more than `all_max` of them.
    held: Mutex<BTreeMap<IpAddr, usize>>,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    shares: Arc<Shares>,
    holder: IpAddr,
    _slot: OwnedSemaphorePermit,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The address has its share.
    Address {
        /// Which is this many.
        maximum: usize,
    },
    /// All are taken.
    All {
        /// Which are this many.
        maximum: usize,
    },
}

impl Shares {
    /// `all_max` places, `per_address_max` of them for one address and `per_loopback_max` for one of this machine; at least one each.
    pub fn new(all_max: usize, per_address_max: usize, per_loopback_max: usize) -> Self {
        let all_max = all_max.clamp(1, Semaphore::MAX_PERMITS);
        Shares {
            free: Arc::new(Semaphore::new(all_max)),
            all_max,
            per_address_max: per_address_max.max(1),
            per_loopback_max: per_loopback_max.max(1),
            held: Mutex::default(),
        }
    }

    /// A place for `from`.
    ///
    /// # Errors
    /// There is none; see [`Full`].
    pub fn take(self: &Arc<Self>, from: IpAddr) -> Result<Place, Full> {
        let maximum = self.all_max;
        let slot = self.free.clone().try_acquire_owned();
        self.place(slot.map_err(|_| Full::All { maximum })?, from)
    }

    /// Waits until a place is free, whoever it will be for. None is never said: nobody closes the places.
    pub(crate) async fn slot(&self) -> Option<OwnedSemaphorePermit> {
        self.free.clone().acquire_owned().await.ok()
    }

    /// Gives a place that is free to `from`, or back where `from` has its share.
    pub(crate) fn place(
        self: &Arc<Self>,
        slot: OwnedSemaphorePermit,
        from: IpAddr,
    ) -> Result<Place, Full> {
        let holder = holder(from);
        let maximum = if holder.is_loopback() {
            self.per_loopback_max
        } else {
            self.per_address_max
        };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(holder).or_default();
        if *count >= maximum {
            return Err(Full::Address { maximum });
        }
        *count += 1;
        Ok(Place {
            shares: self.clone(),
            holder,
            _slot: slot,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let held = &self.shares.held;
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(&self.holder) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                held.remove(&self.holder);
            }
        }
    }
}

/// Who an address stands for: itself, however it is written, or the IPv6 network (/64) that whoever has it has as a whole.
pub fn holder(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => Ipv6Addr::from_bits(v6.to_bits() & NETWORK).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_share_and_another_one_the_rest() {
        let shares = Arc::new(Shares::new(5, 2, 3));
        let mut places: Vec<Place> = (0..2)
            .map(|_| shares.take(address("203.0.113.7")).unwrap())
            .collect();
        let refused = shares.take(address("203.0.113.7")).unwrap_err();
        assert_eq!(refused, Full::Address { maximum: 2 });
        places.extend((0..3).map(|_| shares.take(address("127.0.0.1")).unwrap()));
        let refused = shares.take(address("203.0.113.8")).unwrap_err();
        assert_eq!(refused, Full::All { maximum: 5 });
    }

    #[test]
    fn a_place_that_is_left_is_free_again_and_nobody_is_remembered() {
        let shares = Arc::new(Shares::new(9, 1, 1));
        for _ in 0..20 {
            let place = shares.take(address("203.0.113.7")).unwrap();
            assert!(shares.take(address("203.0.113.7")).is_err());
            drop(place);
        }
        assert_eq!(shares.free.available_permits(), 9);
        assert!(shares.held.lock().unwrap().is_empty());
    }

    #[test]
    fn who_a_place_is_for() {
        for (a, b, same) in [
            ("203.0.113.7", "::ffff:203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
            ("127.0.0.1", "127.0.0.2", false),
            ("::ffff:127.0.0.1", "127.0.0.1", true),
        ] {
            assert_eq!(holder(address(a)) == holder(address(b)), same, "{a} {b}");
        }
        assert!(holder(address("::1")).is_loopback());
    }
}
