//! Deposits: credited when seen, or refused for ever.

use minicbor::{Decode, Encode};
use nupeer_ledger::{LedgerError, Purse, StateWrite, state, totals};
use nupeer_observe::{DepositDatum, DepositSeen};
use nupeer_outbox::{Deposit, OutputReference, Value};
use nupeer_primitives::{AccountId, Amount, AssetId, Hash, Hash28, Height, Slot};

use crate::{
    credited_tree, error::BridgeError, event::Event, settings::Settings, status::Status, store,
};

/// A deposit that became a balance.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Credited {
    /// Which.
    #[n(0)]
    pub output: OutputReference,
    /// Who was credited.
    #[n(1)]
    pub account: AccountId,
    /// How much: all that it holds.
    #[n(2)]
    pub value: Value,
    /// Slot of its block.
    #[n(3)]
    pub slot: Slot,
    /// The block that credited it.
    #[n(4)]
    pub height: Height,
    /// The transaction that moved it into the vault, once that was seen.
    #[n(5)]
    pub swept: Option<Hash>,
}

/// A deposit that is never credited.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Refused {
    /// Which.
    #[n(0)]
    pub output: OutputReference,
    /// Slot of its block.
    #[n(1)]
    pub slot: Slot,
    /// The ADA in it.
    #[n(2)]
    pub lovelace: Amount,
    /// Why.
    #[n(3)]
    pub reason: Refusal,
    /// The block that refused it.
    #[n(4)]
    pub height: Height,
}

/// Why a deposit is not credited. It stays where it is until there are refunds.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, thiserror::Error)]
pub enum Refusal {
    /// Its datum is another thing than a deposit's.
    #[error("its datum is no deposit's: NP{reason}")]
    #[n(0)]
    Malformed {
        /// Number of the reason.
        #[n(0)]
        reason: u16,
    },
    /// It says nothing.
    #[error("it has no datum")]
    #[n(1)]
    NoDatum,
    /// Nobody can read what it says.
    #[error("it has only the hash of a datum")]
    #[n(2)]
    OnlyHash,
    /// It says too much.
    #[error("its datum has {bytes} bytes")]
    #[n(3)]
    Oversized {
        /// Length of the datum.
        #[n(0)]
        bytes: u32,
    },
    /// Whoever swept it would pay for the script.
    #[error("it carries a reference script")]
    #[n(4)]
    ReferenceScript,
    /// No shard could take it.
    #[error("it holds {asset}, which does not cross this bridge")]
    #[n(5)]
    Unlisted {
        /// What it holds.
        #[n(0)]
        asset: AssetId,
    },
    /// It came into a block too late by its own words.
    #[error("in slot {slot}, it was to be credited before {credit_before}")]
    #[n(6)]
    Late {
        /// Slot of its block.
        #[n(0)]
        slot: Slot,
        /// In its datum.
        #[n(1)]
        credit_before: Slot,
    },
    /// Sums would leave their range.
    #[error("the ledger cannot count that much")]
    #[n(7)]
    Overflow,
    /// It lies where somebody earns stake rewards with it, and where relayers do not look: whoever left it there would be paid out of
    /// what others brought.
    #[error("its address has a staking part; deposits go to the script's address alone")]
    #[n(8)]
    StakingPart,
    /// Sweeping it would cost relayers more than it cost its sender.
    #[error("it holds {lovelace} lovelace, {smallest} is the least that is credited")]
    #[n(9)]
    TooSmall {
        /// The ADA in it.
        #[n(0)]
        lovelace: Amount,
        /// The parameter.
        #[n(1)]
        smallest: Amount,
    },
    /// No key could ever sign for the account that it is for.
    #[error("it is for the account of script {script}, for which nobody can sign")]
    #[n(10)]
    ScriptAccount {
        /// Hash of the script.
        #[n(0)]
        script: Hash28,
    },
}

/// Credits or refuses a deposit. One that was seen before changes nothing: on one chain of Cardano blocks there is none.
pub(crate) fn observe(
    state: &mut dyn StateWrite,
    settings: &Settings,
    status: &mut Status,
    height: Height,
    seen: &DepositSeen,
) -> Option<Event> {
    let output = seen.output;
    if store::deposit_at(state, &output).is_some() || store::is_refused(state, &output) {
        return None;
    }
    let done = judge(settings, seen).and_then(|deposit| {
        let credited = credit(state, status, height, seen, &deposit);
        credited.map_err(|_| Refusal::Overflow)
    });
    Some(done.unwrap_or_else(|reason| refuse(state, status, height, seen, reason)))
}

fn judge(settings: &Settings, seen: &DepositSeen) -> Result<Deposit, Refusal> {
    let deposit = match &seen.datum {
        DepositDatum::WellFormed(deposit) => *deposit,
        DepositDatum::Malformed { reason } => return Err(Refusal::Malformed { reason: *reason }),
        DepositDatum::Missing => return Err(Refusal::NoDatum),
        DepositDatum::OnlyHash(_) => return Err(Refusal::OnlyHash),
        DepositDatum::Oversized { bytes } => return Err(Refusal::Oversized { bytes: *bytes }),
    };
    if deposit.recipient.is_script() {
        let script = deposit.recipient.hash();
        return Err(Refusal::ScriptAccount { script });
    }
    if seen.has_reference_script {
        return Err(Refusal::ReferenceScript);
    }
    if seen.has_staking_part {
        return Err(Refusal::StakingPart);
    }
    let unlisted = seen
        .value
        .entries()
        .find(|(asset, _)| !settings.lists(asset));
    if let Some((asset, _)) = unlisted {
        let asset = asset.clone();
        return Err(Refusal::Unlisted { asset });
    }
    let smallest = Amount::from(settings.params.deposit_min_lovelace);
    let lovelace = seen.value.of(&AssetId::Ada);
    if lovelace < smallest {
        return Err(Refusal::TooSmall { lovelace, smallest });
    }
    let (slot, credit_before) = (seen.slot, deposit.credit_before);
    if slot >= credit_before {
        return Err(Refusal::Late {
            slot,
            credit_before,
        });
    }
    Ok(deposit)
}

/// All of it or nothing.
fn credit(
    state: &mut dyn StateWrite,
    status: &mut Status,
    height: Height,
    seen: &DepositSeen,
    deposit: &Deposit,
) -> Result<Event, BridgeError> {
    let overflow = LedgerError::AmountOverflow;
    let unswept = status.unswept.checked_add(&seen.value);
    let (unswept, index) = (unswept.ok_or(overflow.clone())?, status.credited_count);
    let count = index.checked_add(1).ok_or(overflow)?;
    let (output, account, value) = (seen.output, deposit.recipient, seen.value.clone());
    let credited = Credited {
        output,
        account,
        value: value.clone(),
        slot: seen.slot,
        height,
        swept: None,
    };
    state::atomically(state, |fork| {
        for (asset, amount) in value.entries() {
            totals::credit(fork, &Purse::Account(account), asset, amount)?;
        }
        store::put_deposit(fork, index, &credited);
        credited_tree::insert(fork, &output);
        Ok::<_, LedgerError>(())
    })?;
    (status.unswept, status.credited_count) = (unswept, count);
    Ok(Event::DepositCredited {
        index,
        output,
        account,
        value,
    })
}

fn refuse(
    state: &mut dyn StateWrite,
    status: &mut Status,
    height: Height,
    seen: &DepositSeen,
    reason: Refusal,
) -> Event {
    let output = seen.output;
    let refused = Refused {
        output,
        slot: seen.slot,
        lovelace: seen.value.of(&AssetId::Ada),
        reason: reason.clone(),
        height,
    };
    store::put_refused(state, status.refused_count, &refused);
    status.refused_count = status.refused_count.saturating_add(1);
    Event::DepositRefused { output, reason }
}
