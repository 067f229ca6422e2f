//! Withdrawals, then certificates, then proposals and votes take effect one after the other, each judged against what those before it left.
//!
//! Source: Conway formal specification, rules CERTS and CERT;
//! <https://intersectmbo.github.io/formal-ledger-specifications/site/Ledger.Conway.Specification.Certs.html>. A transaction whose scripts
//! fail has no part in it.

use super::RuleError;
use super::{delegation, governance_certificates, pools, proposals, votes, withdrawals};
use crate::certs::{CertState, Changes, View};
use crate::error::LedgerError;
use crate::parameters::ProtocolParameters;
use crate::tx::{Certificate, Transaction};
use nupeer_primitives::{Code, Numbered};
use thiserror::Error;

/// Why changes that were valid once are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificatesError {
    /// What the transaction changes is no longer as it was when it was validated.
    #[error("an account or pool that the transaction changes has changed since it was validated")]
    ChangedSinceValidation,
}

impl Numbered for CertificatesError {
    fn code(&self) -> Code {
        Code(match self {
            Self::ChangedSinceValidation => 7439,
        })
    }
}

impl RuleError for CertificatesError {
    fn predicate_name(&self) -> &'static str {
        match self {
            Self::ChangedSinceValidation => "changedSinceValidation",
        }
    }
}

/// What certificates are judged with, beside the state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances<'p> {
    pub(crate) parameters: &'p ProtocolParameters,
    /// 0 for test networks, 1 for mainnet.
    pub(crate) network: u8,
    /// The epoch of the slot.
    pub(crate) epoch: u64,
}

/// What the transaction changes, if each of its withdrawals and certificates may.
pub(crate) fn check(
    tx: &Transaction<'_>,
    circumstances: Circumstances<'_>,
    state: &CertState,
) -> Result<Changes, LedgerError> {
    if !tx.is_valid {
        return Ok(Changes::default());
    }
    let mut view = View::of(state);
    withdrawals::drain(&tx.body.withdrawals, &mut view.delegation)?;
    let has_proposals = !tx.body.proposals.is_empty();
    votes::keep_dreps_active(&tx.body.votes, has_proposals, circumstances, &mut view);
    for certificate in &tx.body.certificates {
        certify(certificate, circumstances, &mut view)?;
    }
    govern(tx, circumstances, &mut view)?;
    Ok(view.into_changes())
}

fn certify(
    certificate: &Certificate<'_>,
    circumstances: Circumstances<'_>,
    view: &mut View<'_>,
) -> Result<(), LedgerError> {
    let Circumstances {
        parameters,
        network,
        epoch: current,
    } = circumstances;
    let deposit = parameters.stake_credential_deposit_lovelace;
    match certificate {
        Certificate::Register {
            credential,
            deposit_lovelace,
        } => delegation::register(*credential, None, *deposit_lovelace, deposit, view)?,
        Certificate::RegisterAndDelegate {
            credential,
            to,
            deposit_lovelace: stated,
        } => delegation::register(*credential, Some(*to), Some(*stated), deposit, view)?,
        Certificate::Unregister {
            credential,
            refund_lovelace,
        } => delegation::unregister(*credential, *refund_lovelace, view)?,
        Certificate::Delegate { credential, to } => {
            delegation::delegate(*credential, *to, view)?;
        }
        Certificate::RegisterPool(pool) => {
            pools::register(pool, network, parameters, &mut view.delegation)?;
        }
        Certificate::RetirePool { pool, epoch } => {
            pools::retire(*pool, *epoch, current, parameters, &mut view.delegation)?;
        }
        Certificate::AuthorizeHot { cold, hot } => {
            governance_certificates::authorize(*cold, *hot, view)?;
        }
        Certificate::ResignCold { cold, anchor } => {
            governance_certificates::resign(*cold, *anchor, view)?;
        }
        Certificate::RegisterDRep {
            credential,
            deposit_lovelace: stated,
            anchor,
        } => {
            governance_certificates::register(*credential, *stated, *anchor, circumstances, view)?;
        }
        Certificate::UnregisterDRep {
            credential,
            refund_lovelace: stated,
        } => governance_certificates::unregister(*credential, *stated, view)?,
        Certificate::UpdateDRep { credential, anchor } => {
            governance_certificates::update(*credential, *anchor, circumstances, view)?;
        }
    }
    Ok(())
}

/// Opens proposals, and then casts votes.
fn govern(
    tx: &Transaction<'_>,
    circumstances: Circumstances<'_>,
    view: &mut View<'_>,
) -> Result<(), LedgerError> {
    proposals::check(tx.id, &tx.body.proposals, circumstances, view)?;
    votes::check(&tx.body.votes, circumstances, view)?;
    Ok(())
}
