//! Accounts and pools: what withdrawals and the certificates of stake change (Conway ledger, `DState` and `PState`).

use super::address::Credential;
use super::delta::Delta;
use super::tx::{DRep, Delegatee, PoolId, PoolParameters};
use std::collections::{BTreeMap, BTreeSet};

/// What the ledger holds for a stake credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// What was put down at its registration, and comes back at its end.
    pub deposit_lovelace: u64,
    /// Rewards not withdrawn yet.
    pub rewards_lovelace: u64,
    /// The pool that its stake is delegated to.
    pub pool: Option<PoolId>,
    /// The DRep that its stake votes through.
    pub drep: Option<DRep>,
}

/// A registered pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// What was put down at its registration, and comes back at its end.
    pub deposit_lovelace: u64,
    /// What holds of it in this epoch.
    pub parameters: PoolParameters,
}

/// Accounts and pools.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delegation {
    /// The registered accounts.
    pub accounts: BTreeMap<Credential, Account>,
    /// The registered pools, among them those that have announced their end.
    pub pools: BTreeMap<PoolId, Pool>,
    /// What will hold of registered pools from the next epoch on.
    pub future_pools: BTreeMap<PoolId, PoolParameters>,
    /// The epochs at whose start registered pools end.
    pub retirements: BTreeMap<PoolId, u64>,
}

impl Account {
    /// A new account.
    pub fn new(deposit_lovelace: u64) -> Self {
        Self {
            deposit_lovelace,
            rewards_lovelace: 0,
            pool: None,
            drep: None,
        }
    }

    /// The account after a delegation; what the delegation does not name stays.
    pub fn delegated(self, to: Delegatee) -> Self {
        Self {
            pool: to.pool().or(self.pool),
            drep: to.drep().or(self.drep),
            ..self
        }
    }
}

impl Delegation {
    /// What the ledger holds in deposits and rewards of accounts and pools, in lovelace.
    pub fn held_lovelace(&self) -> u128 {
        let accounts = self.accounts.values().map(|account| {
            u128::from(account.deposit_lovelace) + u128::from(account.rewards_lovelace)
        });
        let pools = self
            .pools
            .values()
            .map(|pool| u128::from(pool.deposit_lovelace));
        accounts.chain(pools).sum()
    }
}

/// What a transaction changes of accounts and pools; its own undo.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct DelegationChanges {
    accounts: Delta<Credential, Account>,
    pools: Delta<PoolId, Pool>,
    future_pools: Delta<PoolId, PoolParameters>,
    retirements: Delta<PoolId, u64>,
}

impl DelegationChanges {
    /// Whether what changes is as it was when the changes were thought out.
    pub(crate) fn fit(&self, state: &Delegation) -> bool {
        self.accounts.fits(&state.accounts)
            && self.pools.fits(&state.pools)
            && self.future_pools.fits(&state.future_pools)
            && self.retirements.fits(&state.retirements)
    }

    /// Makes the changes.
    pub(crate) fn make(&self, state: &mut Delegation) {
        self.accounts.make(&mut state.accounts);
        self.pools.make(&mut state.pools);
        self.future_pools.make(&mut state.future_pools);
        self.retirements.make(&mut state.retirements);
    }

    /// Takes the changes back.
    pub(crate) fn take_back(self, state: &mut Delegation) {
        self.accounts.take_back(&mut state.accounts);
        self.pools.take_back(&mut state.pools);
        self.future_pools.take_back(&mut state.future_pools);
        self.retirements.take_back(&mut state.retirements);
    }

    /// These changes and then others, as one.
    pub(crate) fn then(self, later: Self) -> Self {
        Self {
            accounts: self.accounts.then(later.accounts),
            pools: self.pools.then(later.pools),
            future_pools: self.future_pools.then(later.future_pools),
            retirements: self.retirements.then(later.retirements),
        }
    }
}

/// Accounts and pools as they are after the changes thought out so far.
#[derive(Debug)]
pub(crate) struct DelegationView<'a> {
    state: &'a Delegation,
    changes: DelegationChanges,
}

impl<'a> DelegationView<'a> {
    pub(crate) fn of(state: &'a Delegation) -> Self {
        Self {
            state,
            changes: DelegationChanges::default(),
        }
    }

    pub(crate) fn into_changes(self) -> DelegationChanges {
        self.changes
    }

    pub(crate) fn account(&self, credential: &Credential) -> Option<Account> {
        self.changes
            .accounts
            .get(&self.state.accounts, credential)
            .copied()
    }

    /// Sets or (with nothing) removes an account.
    pub(crate) fn set_account(&mut self, credential: Credential, account: Option<Account>) {
        self.changes
            .accounts
            .set(&self.state.accounts, credential, account);
    }

    /// Takes a DRep that is none any more out of all accounts.
    pub(crate) fn forget_drep(&mut self, drep: DRep) {
        let before = self.state.accounts.keys();
        let credentials: BTreeSet<Credential> = before
            .chain(self.changes.accounts.keys())
            .copied()
            .collect();
        for credential in credentials {
            match self.account(&credential) {
                Some(account) if account.drep == Some(drep) => {
                    let account = Account {
                        drep: None,
                        ..account
                    };
                    self.set_account(credential, Some(account));
                }
                _ => {}
            }
        }
    }

    pub(crate) fn is_pool_registered(&self, pool: &PoolId) -> bool {
        self.changes.pools.get(&self.state.pools, pool).is_some()
    }

    /// Registers a pool; one that is registered changes its parameters at the next epoch, and does not end.
    pub(crate) fn register_pool(&mut self, parameters: PoolParameters, deposit_lovelace: u64) {
        let (state, changes, id) = (self.state, &mut self.changes, parameters.id);
        if changes.pools.get(&state.pools, &id).is_some() {
            changes
                .future_pools
                .set(&state.future_pools, id, Some(parameters));
            changes.retirements.set(&state.retirements, id, None);
        } else {
            let pool = Pool {
                deposit_lovelace,
                parameters,
            };
            changes.pools.set(&state.pools, id, Some(pool));
        }
    }

    /// Announces a pool's end at the start of an epoch.
    pub(crate) fn retire_pool(&mut self, pool: PoolId, epoch: u64) {
        self.changes
            .retirements
            .set(&self.state.retirements, pool, Some(epoch));
    }
}
