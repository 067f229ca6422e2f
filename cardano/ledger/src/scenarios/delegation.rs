//! The accounts and pools of a scenario.

use super::from_hex;
use crate::address::Credential;
use crate::delegation::{Account, Delegation, Pool};
use crate::parameters::Ratio;
use crate::tx::{DRep, PoolId, PoolParameters, RewardAccount};
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
pub(super) struct DelegationFields {
    #[serde(default)]
    pools: Vec<String>,
    #[serde(default)]
    accounts: Vec<AccountFields>,
}

#[derive(Deserialize)]
struct AccountFields {
    credential: String,
    deposit: u64,
    #[serde(default)]
    rewards: u64,
    #[serde(default)]
    pool: Option<DelegateeFields>,
    #[serde(default)]
    drep: Option<DelegateeFields>,
}

#[derive(Deserialize)]
struct DelegateeFields {
    id: String,
}

impl DelegationFields {
    pub(super) fn load(&self) -> Result<Delegation, String> {
        let accounts = self.accounts.iter().map(account);
        let pools = self
            .pools
            .iter()
            .map(|id| Ok((pool_id(id)?, pool(pool_id(id)?))));
        Ok(Delegation {
            accounts: accounts.collect::<Result<_, String>>()?,
            pools: pools.collect::<Result<_, String>>()?,
            ..Delegation::default()
        })
    }
}

fn account(fields: &AccountFields) -> Result<(Credential, Account), String> {
    let credential = Credential::parse(&from_hex(&fields.credential)?);
    let drep = |fields: &DelegateeFields| {
        DRep::parse(&from_hex(&fields.id)?).map_err(|error| error.to_string())
    };
    let account = Account {
        deposit_lovelace: fields.deposit,
        rewards_lovelace: fields.rewards,
        pool: fields
            .pool
            .as_ref()
            .map(|fields| pool_id(&fields.id))
            .transpose()?,
        drep: fields.drep.as_ref().map(drep).transpose()?,
    };
    Ok((credential.map_err(|error| error.to_string())?, account))
}

fn pool_id(hex: &str) -> Result<PoolId, String> {
    let bytes = from_hex(hex)?;
    PoolId::try_from(bytes).map_err(|bytes| format!("a pool id of {} bytes", bytes.len()))
}

/// Of a pool a scenario says no more than its id.
fn pool(id: PoolId) -> Pool {
    Pool {
        deposit_lovelace: 0,
        parameters: PoolParameters {
            id,
            vrf: [0; 32],
            pledge_lovelace: 0,
            cost_lovelace: 0,
            margin: Ratio {
                numerator: 0,
                denominator: 1,
            },
            reward_account: RewardAccount {
                network: 0,
                credential: Credential::Key(id),
            },
            owners: BTreeSet::new(),
            relays: Vec::new(),
            metadata: None,
        },
    }
}
