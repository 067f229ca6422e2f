//! What certificates put down and get back, as value preservation counts it.
//!
//! Source: Conway formal specification, rule UTXO (`depositsChange`, `newDeposits`, `depositRefunds`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Utxo.html>. The Haskell ledger counts them from
//! the state before the transaction (`getTotalDepositsTxCerts`, `getTotalRefundsTxCerts`), and so for transactions whose scripts fail too.

use crate::address::Credential;
use crate::delegation::Delegation;
use crate::parameters::ProtocolParameters;
use crate::tx::{Certificate, PoolId};
use std::collections::BTreeSet;

/// Both directions, in lovelace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Deposits {
    /// Put down.
    pub(crate) put_down_lovelace: u128,
    /// Got back.
    pub(crate) refunded_lovelace: u128,
}

impl Deposits {
    /// These and more put down.
    pub(crate) fn and_put_down(self, lovelace: u128) -> Self {
        Self {
            put_down_lovelace: self.put_down_lovelace.saturating_add(lovelace),
            ..self
        }
    }
}

/// What is on the way while the certificates are counted.
#[derive(Default)]
struct Count {
    deposits: Deposits,
    pools: BTreeSet<PoolId>,
    accounts: BTreeSet<Credential>,
}

/// What certificates put down and get back, before any of them takes effect.
pub(crate) fn of(
    certificates: &[Certificate<'_>],
    state: &Delegation,
    parameters: &ProtocolParameters,
) -> Deposits {
    let mut count = Count::default();
    for certificate in certificates {
        count.add(certificate, state, parameters);
    }
    count.deposits
}

impl Count {
    fn add(
        &mut self,
        certificate: &Certificate<'_>,
        state: &Delegation,
        parameters: &ProtocolParameters,
    ) {
        let key_deposit = parameters.stake_credential_deposit_lovelace;
        match certificate {
            Certificate::Register { credential, .. }
            | Certificate::RegisterAndDelegate { credential, .. } => {
                self.accounts.insert(*credential);
                self.put_down(key_deposit);
            }
            Certificate::Unregister { credential, .. } => {
                // Put down by this very transaction, or by an earlier one.
                if self.accounts.remove(credential) {
                    self.refund(key_deposit);
                } else if let Some(account) = state.accounts.get(credential) {
                    self.refund(account.deposit_lovelace);
                }
            }
            Certificate::RegisterPool(pool) => {
                if !state.pools.contains_key(&pool.id) && self.pools.insert(pool.id) {
                    self.put_down(parameters.stake_pool_deposit_lovelace);
                }
            }
            Certificate::RegisterDRep { .. } => self.put_down(parameters.drep_deposit_lovelace),
            Certificate::UnregisterDRep {
                refund_lovelace, ..
            } => self.refund(*refund_lovelace),
            Certificate::Delegate { .. }
            | Certificate::RetirePool { .. }
            | Certificate::AuthorizeHot { .. }
            | Certificate::ResignCold { .. }
            | Certificate::UpdateDRep { .. } => {}
        }
    }

    fn put_down(&mut self, lovelace: u64) {
        self.deposits.put_down_lovelace += u128::from(lovelace);
    }

    fn refund(&mut self, lovelace: u64) {
        self.deposits.refunded_lovelace += u128::from(lovelace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delegation::Account;
    use crate::testing::pool;
    use crate::tx::{DRep, Delegatee};
    use std::collections::BTreeMap;

    const OLD: Credential = Credential::Key([1; 28]);
    const NEW: Credential = Credential::Key([2; 28]);
    const KEY: u128 = 2_000_000;
    const POOL: u128 = 500_000_000;
    const DREP: u128 = 500_000_000;

    /// One account that put down 7 lovelace, and one pool.
    fn state() -> Delegation {
        Delegation {
            accounts: BTreeMap::from([(OLD, Account::new(7))]),
            pools: BTreeMap::from([([3; 28], pool([3; 28]))]),
            ..Delegation::default()
        }
    }

    fn register(credential: Credential) -> Certificate<'static> {
        Certificate::Register {
            credential,
            deposit_lovelace: None,
        }
    }

    fn unregister(credential: Credential) -> Certificate<'static> {
        Certificate::Unregister {
            credential,
            refund_lovelace: None,
        }
    }

    fn register_pool(id: u8, pledge_lovelace: u64) -> Certificate<'static> {
        let mut parameters = pool([id; 28]).parameters;
        parameters.pledge_lovelace = pledge_lovelace;
        Certificate::RegisterPool(Box::new(parameters))
    }

    #[test]
    fn each_certificate_counts_once_and_at_its_own_price() {
        let to = Delegatee::DRep(DRep::AlwaysAbstain);
        let both = Certificate::RegisterAndDelegate {
            credential: NEW,
            to,
            deposit_lovelace: 2_000_000,
        };
        let drep = Certificate::RegisterDRep {
            credential: NEW,
            deposit_lovelace: 500_000_000,
            anchor: None,
        };
        let no_drep = Certificate::UnregisterDRep {
            credential: NEW,
            refund_lovelace: 11,
        };
        let delegate = Certificate::Delegate {
            credential: OLD,
            to,
        };
        let cases: [(Vec<Certificate<'_>>, u128, u128); 11] = [
            (vec![], 0, 0),
            (vec![register(NEW)], KEY, 0),
            (vec![both], KEY, 0),
            (vec![delegate], 0, 0),
            (vec![unregister(OLD)], 0, 7),
            (vec![unregister(OLD), register(OLD)], KEY, 7),
            (vec![register(NEW), unregister(NEW)], KEY, KEY),
            (vec![unregister(NEW)], 0, 0),
            (vec![register_pool(3, 1)], 0, 0),
            (vec![register_pool(4, 1), register_pool(4, 2)], POOL, 0),
            (vec![drep, no_drep], DREP, 11),
        ];
        for (certificates, put_down_lovelace, refunded_lovelace) in cases {
            let found = of(&certificates, &state(), &ProtocolParameters::conway_v10());
            let expected = Deposits {
                put_down_lovelace,
                refunded_lovelace,
            };
            assert_eq!(found, expected, "{certificates:?}");
        }
    }
}
