//! Proposals put down the right deposit, follow what they say they follow, and name accounts that exist.
//!
//! Source: Conway formal specification, rule GOV (`GOV-Propose`, `actionWellFormed`, `validHFAction`);
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Gov.html>. What is not in it is as the Haskell
//! ledger's `conwayGovTransition` has it.

use super::RuleError;
use super::certificates::Circumstances;
use crate::address::Credential;
use crate::certs::View;
use crate::governance::{ActionKind, Lineage, OpenProposal};
use crate::parameters::ProtocolVersion;
use crate::script::ScriptHash;
use crate::tx::{Action, ActionId, Proposal, RewardAccount, TxId};
use nupeer_primitives::{Code, Numbered};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Why a proposal is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProposalsError {
    /// A deposit that is not the protocol's.
    #[error("a deposit of {provided_lovelace} lovelace, the protocol's is {expected_lovelace}")]
    WrongDeposit {
        /// What the proposal states.
        provided_lovelace: u64,
        /// The protocol's.
        expected_lovelace: u64,
    },
    /// The action before it is neither the last enacted nor an open one of its lineage.
    #[error("it follows {provided:?}, which is neither open nor the last enacted, {enacted:?}")]
    InvalidPrevious {
        /// The action that it says it follows.
        provided: Option<ActionId>,
        /// The last enacted of its lineage.
        enacted: Option<ActionId>,
    },
    /// A version of the protocol that does not come next.
    #[error("protocol version {}.{} cannot follow {}.{}", .provided.major, .provided.minor, .previous.major, .previous.minor)]
    CannotFollow {
        /// The version proposed.
        provided: ProtocolVersion,
        /// The version that it must follow.
        previous: ProtocolVersion,
    },
    /// A change of parameters to nothing, or of one to a zero that would stop the chain.
    #[error("the parameters {keys:?} change nothing, or to a zero that must not be")]
    Malformed {
        /// The parameters that it changes, by their keys in the CDDL.
        keys: Vec<u64>,
    },
    /// The account for the deposit's return is not registered.
    #[error("the account {account:?} for the deposit's return is not registered")]
    ReturnAccountUnknown {
        /// The account.
        account: RewardAccount,
    },
    /// The account for the deposit's return is on another network.
    #[error("the account {account:?} for the deposit's return is not on network {expected}")]
    ReturnAccountNetwork {
        /// The account.
        account: RewardAccount,
        /// The network.
        expected: u8,
    },
    /// Treasury withdrawals to another network.
    #[error("withdrawals to {accounts:?}, which are not on network {expected}")]
    WithdrawalNetwork {
        /// The accounts at fault.
        accounts: Vec<RewardAccount>,
        /// The network.
        expected: u8,
    },
    /// Treasury withdrawals to accounts that are not registered.
    #[error("withdrawals to {accounts:?}, which are not registered")]
    WithdrawalAccountsUnknown {
        /// The accounts at fault.
        accounts: Vec<RewardAccount>,
    },
    /// Treasury withdrawals of nothing.
    #[error("withdrawals of nothing to {accounts} accounts")]
    ZeroWithdrawals {
        /// How many accounts are named.
        accounts: usize,
    },
    /// Another script than the constitution's.
    #[error(
        "the guardrails script {}, the constitution's is {}",
        show(provided),
        show(expected)
    )]
    Guardrails {
        /// What the proposal names.
        provided: Option<ScriptHash>,
        /// The constitution's.
        expected: Option<ScriptHash>,
    },
    /// Members that come and go at once.
    #[error("{members:?} are both added to the committee and removed from it")]
    ConflictingMembers {
        /// The members at fault.
        members: Vec<Credential>,
    },
    /// Terms that are over before they begin.
    #[error("the terms of {members:?} do not end after the current epoch {current_epoch}")]
    TermTooShort {
        /// The members at fault, with their last epochs.
        members: Vec<(Credential, u64)>,
        /// The epoch of the slot.
        current_epoch: u64,
    },
}

fn show(hash: &Option<ScriptHash>) -> String {
    hash.map_or_else(|| "none".to_owned(), hex::encode)
}

impl Numbered for ProposalsError {
    fn code(&self) -> Code {
        Code(match self {
            Self::WrongDeposit { .. } => 7450,
            Self::InvalidPrevious { .. } => 7451,
            Self::CannotFollow { .. } => 7452,
            Self::Malformed { .. } => 7453,
            Self::ReturnAccountUnknown { .. } => 7454,
            Self::ReturnAccountNetwork { .. } => 7455,
            Self::WithdrawalNetwork { .. } => 7456,
            Self::WithdrawalAccountsUnknown { .. } => 7457,
            Self::ZeroWithdrawals { .. } => 7458,
            Self::Guardrails { .. } => 7459,
            Self::ConflictingMembers { .. } => 7460,
            Self::TermTooShort { .. } => 7461,
        })
    }
}

impl RuleError for ProposalsError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::WrongDeposit { .. } => "ProposalDepositIncorrect",
            Self::InvalidPrevious { .. } => "InvalidPrevGovActionId",
            Self::CannotFollow { .. } => "ProposalCantFollow",
            Self::Malformed { .. } => "MalformedProposal",
            Self::ReturnAccountUnknown { .. } => "ProposalReturnAccountDoesNotExist",
            Self::ReturnAccountNetwork { .. } => "ProposalProcedureNetworkIdMismatch",
            Self::WithdrawalNetwork { .. } => "TreasuryWithdrawalsNetworkIdMismatch",
            Self::WithdrawalAccountsUnknown { .. } => "TreasuryWithdrawalReturnAccountsDoNotExist",
            Self::ZeroWithdrawals { .. } => "ZeroTreasuryWithdrawals",
            Self::Guardrails { .. } => "InvalidGuardrailsScriptHash",
            Self::ConflictingMembers { .. } => "ConflictingCommitteeUpdate",
            Self::TermTooShort { .. } => "ExpirationEpochTooSmall",
        }
    }
}

/// Opens the proposals of a transaction, one after the other: a later one may follow an earlier one.
pub(crate) fn check(
    tx_id: TxId,
    proposals: &[Proposal<'_>],
    circumstances: Circumstances<'_>,
    view: &mut View<'_>,
) -> Result<(), ProposalsError> {
    for (index, proposal) in (0..).zip(proposals) {
        check_one(proposal, circumstances, view)?;
        let open = open(proposal, circumstances);
        view.governance
            .add_proposal(ActionId { tx_id, index }, open);
    }
    Ok(())
}

/// What proposals put down, in lovelace: the protocol's deposit for each.
///
/// Source: Conway formal specification, `proposalDepositsΔ`. What a proposal itself states is checked elsewhere, and not when scripts fail.
pub(crate) fn deposits(proposals: &[Proposal<'_>], deposit_lovelace: u64) -> u128 {
    u128::from(deposit_lovelace) * proposals.len() as u128
}

fn open(proposal: &Proposal<'_>, circumstances: Circumstances<'_>) -> OpenProposal {
    let lifetime = circumstances.parameters.governance_action_lifetime_epochs;
    OpenProposal {
        kind: ActionKind::from(&proposal.action),
        deposit_lovelace: proposal.deposit_lovelace,
        proposed_in_epoch: circumstances.epoch,
        expires_after_epoch: circumstances.epoch.saturating_add(lifetime),
        raw: proposal.raw.to_vec(),
    }
}

fn check_one(
    proposal: &Proposal<'_>,
    circumstances: Circumstances<'_>,
    view: &View<'_>,
) -> Result<(), ProposalsError> {
    let parameters = circumstances.parameters;
    check_deposit(proposal, parameters.governance_action_deposit_lovelace)?;
    check_previous(&proposal.action, view)?;
    check_return_account(proposal, circumstances.network, view)?;
    let guardrails = view.governance.state.guardrails;
    match &proposal.action {
        Action::HardFork { previous, version } => {
            let current = parameters.protocol_version;
            check_version(*previous, *version, current, view)
        }
        Action::ParameterChange { update, .. } => {
            if !update.is_well_formed(parameters.protocol_version.major) {
                return Err(ProposalsError::Malformed {
                    keys: update.values().keys().copied().collect(),
                });
            }
            check_guardrails(&proposal.action, guardrails)
        }
        Action::TreasuryWithdrawals { withdrawals, .. } => {
            check_withdrawals(withdrawals, circumstances.network, view)?;
            check_guardrails(&proposal.action, guardrails)
        }
        Action::UpdateCommittee { removed, added, .. } => {
            check_members(removed, added, circumstances.epoch)
        }
        Action::NoConfidence { .. } | Action::NewConstitution { .. } | Action::Information => {
            Ok(())
        }
    }
}

fn check_deposit(proposal: &Proposal<'_>, expected_lovelace: u64) -> Result<(), ProposalsError> {
    let provided_lovelace = proposal.deposit_lovelace;
    if provided_lovelace == expected_lovelace {
        return Ok(());
    }
    Err(ProposalsError::WrongDeposit {
        provided_lovelace,
        expected_lovelace,
    })
}

/// The action before it is the last enacted, or an open one, of the same lineage.
fn check_previous(action: &Action<'_>, view: &View<'_>) -> Result<(), ProposalsError> {
    let Some(lineage) = ActionKind::from(action).lineage() else {
        return Ok(());
    };
    let (provided, enacted) = (action.previous(), view.governance.enacted(lineage));
    let is_open = || {
        let open = view.governance.proposal(&provided?)?;
        Some(open.kind.lineage() == Some(lineage))
    };
    if provided == enacted || is_open() == Some(true) {
        return Ok(());
    }
    Err(ProposalsError::InvalidPrevious { provided, enacted })
}

/// The next version after the current one, or after that of the open proposal which it follows; never two major versions ahead.
fn check_version(
    previous: Option<ActionId>,
    provided: ProtocolVersion,
    current: ProtocolVersion,
    view: &View<'_>,
) -> Result<(), ProposalsError> {
    let followed = previous.filter(|_| {
        previous != view.governance.enacted(Lineage::HardFork)
            && provided.major <= current.major.saturating_add(1)
    });
    let open = followed.and_then(|id| view.governance.proposal(&id));
    let previous = match open.map(|open| &open.kind) {
        Some(ActionKind::HardFork(version)) => *version,
        _ => current,
    };
    if can_follow(previous, provided) {
        Ok(())
    } else {
        Err(ProposalsError::CannotFollow { provided, previous })
    }
}

/// Conway formal specification, `pvCanFollow`.
fn can_follow(previous: ProtocolVersion, next: ProtocolVersion) -> bool {
    let next_major = previous.major.checked_add(1) == Some(next.major) && next.minor == 0;
    let next_minor =
        previous.major == next.major && previous.minor.checked_add(1) == Some(next.minor);
    next_major || next_minor
}

fn check_return_account(
    proposal: &Proposal<'_>,
    expected: u8,
    view: &View<'_>,
) -> Result<(), ProposalsError> {
    let account = proposal.return_account;
    if !is_registered(&account, view) {
        return Err(ProposalsError::ReturnAccountUnknown { account });
    }
    if account.network != expected {
        return Err(ProposalsError::ReturnAccountNetwork { account, expected });
    }
    Ok(())
}

fn is_registered(account: &RewardAccount, view: &View<'_>) -> bool {
    view.delegation.account(&account.credential).is_some()
}

fn check_withdrawals(
    withdrawals: &BTreeMap<RewardAccount, u64>,
    expected: u8,
    view: &View<'_>,
) -> Result<(), ProposalsError> {
    let among = |at_fault: &dyn Fn(&RewardAccount) -> bool| -> Vec<RewardAccount> {
        let accounts = withdrawals.keys().filter(|account| at_fault(account));
        accounts.copied().collect()
    };
    let accounts = among(&|account| account.network != expected);
    if !accounts.is_empty() {
        return Err(ProposalsError::WithdrawalNetwork { accounts, expected });
    }
    let accounts = among(&|account| !is_registered(account, view));
    if !accounts.is_empty() {
        return Err(ProposalsError::WithdrawalAccountsUnknown { accounts });
    }
    if withdrawals.values().all(|lovelace| *lovelace == 0) {
        return Err(ProposalsError::ZeroWithdrawals {
            accounts: withdrawals.len(),
        });
    }
    Ok(())
}

fn check_guardrails(
    action: &Action<'_>,
    expected: Option<ScriptHash>,
) -> Result<(), ProposalsError> {
    let provided = action.guardrails();
    if provided == expected {
        Ok(())
    } else {
        Err(ProposalsError::Guardrails { provided, expected })
    }
}

fn check_members(
    removed: &BTreeSet<Credential>,
    added: &BTreeMap<Credential, u64>,
    current_epoch: u64,
) -> Result<(), ProposalsError> {
    let both = added.keys().filter(|member| removed.contains(member));
    let members: Vec<Credential> = both.copied().collect();
    if !members.is_empty() {
        return Err(ProposalsError::ConflictingMembers { members });
    }
    let over = added.iter().filter(|(_, epoch)| **epoch <= current_epoch);
    let members: Vec<(Credential, u64)> = over.map(|(member, epoch)| (*member, *epoch)).collect();
    if members.is_empty() {
        return Ok(());
    }
    Err(ProposalsError::TermTooShort {
        members,
        current_epoch,
    })
}

#[cfg(test)]
mod tests;
