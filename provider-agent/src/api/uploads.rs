//! How many images may be on their way at a time: one of a lease, few of a tenant, and so many in all that nobody keeps the others out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use nupeer_lease::LeaseId;
use nupeer_primitives::AccountId;

use super::ApiError;
use crate::config::AgentConfig;
use crate::records::hold;

/// Uploads under way: for which leases, and whose.
#[derive(Debug, Default)]
pub(super) struct Uploads(Mutex<BTreeMap<LeaseId, AccountId>>);

/// A place among them, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    uploads: Arc<Uploads>,
    lease: LeaseId,
}

impl Uploads {
    /// A place for an image of `tenant`'s `lease`.
    ///
    /// # Errors
    /// [`ApiError::LeaseBusy`], [`ApiError::TenantBusy`] and [`ApiError::Busy`].
    pub(super) fn take(
        self: &Arc<Self>,
        lease: LeaseId,
        tenant: AccountId,
        config: &AgentConfig,
    ) -> Result<Place, ApiError> {
        let mut under_way = hold(&self.0);
        if under_way.contains_key(&lease) {
            return Err(ApiError::LeaseBusy { lease });
        }
        let of_tenant = under_way.values().filter(|other| **other == tenant);
        if is_full(of_tenant.count(), config.uploads_per_tenant_max) {
            let maximum = config.uploads_per_tenant_max;
            return Err(ApiError::TenantBusy { maximum });
        }
        if is_full(under_way.len(), config.uploads_max) {
            let maximum = config.uploads_max;
            return Err(ApiError::Busy { maximum });
        }
        under_way.insert(lease, tenant);
        let uploads = self.clone();
        Ok(Place { uploads, lease })
    }
}

fn is_full(count: usize, maximum: u32) -> bool {
    usize::try_from(maximum).is_ok_and(|maximum| count >= maximum)
}

impl Drop for Place {
    fn drop(&mut self) {
        hold(&self.uploads.0).remove(&self.lease);
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{Hash, Hash28};

    use super::*;

    #[test]
    fn a_lease_a_tenant_and_all_have_their_bounds_and_a_place_is_free_when_it_is_left() {
        let config = AgentConfig {
            uploads_max: 3,
            uploads_per_tenant_max: 2,
            ..AgentConfig::default()
        };
        let uploads = Arc::new(Uploads::default());
        let lease = |n: u8| LeaseId(Hash([n; 32]));
        let tenant = |n: u8| AccountId::of_key(Hash28([n; 28]));
        let take = |l: u8, t: u8| uploads.take(lease(l), tenant(t), &config);
        let first = take(1, 1).unwrap();
        let again = take(1, 1).unwrap_err();
        assert!(matches!(again, ApiError::LeaseBusy { lease: of } if of == lease(1)));
        let _second = take(2, 1).unwrap();
        let third = take(3, 1).unwrap_err();
        assert!(matches!(third, ApiError::TenantBusy { maximum: 2 }));
        let _others = take(4, 2).unwrap();
        let full = take(5, 3).unwrap_err();
        assert!(matches!(full, ApiError::Busy { maximum: 3 }));
        drop(first);
        assert!(take(5, 3).is_ok());
    }
}
