//! The market's actions. A new one touches this file, its own, its error and its line in the README.

use minicbor::{Decode, Encode};
use nupeer_ledger::{Context, Scope, StateWrite};

use crate::{
    actions::{
        CancelRequest, CloseLease, EndLease, Match, PostRequest, RegisterMachine, ReportLease,
        SubmitUsage, TopUp, UpdateMachine, WithdrawMachine,
    },
    error::LeaseError,
    event::Event,
};

/// What a transaction may ask of the market. The numbers are part of the wire format and never move.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Action {
    /// Offer a machine's services, with a bond.
    #[n(0)]
    RegisterMachine(#[n(0)] RegisterMachine),
    /// Say something else of a machine.
    #[n(1)]
    UpdateMachine(#[n(0)] UpdateMachine),
    /// Let a machine take no more leases, and have its bond back after the last.
    #[n(2)]
    WithdrawMachine(#[n(0)] WithdrawMachine),
    /// Ask for a lease, with an escrow.
    #[n(3)]
    PostRequest(#[n(0)] PostRequest),
    /// Take that back.
    #[n(4)]
    CancelRequest(#[n(0)] CancelRequest),
    /// Make a lease of a request and an offer.
    #[n(5)]
    Match(#[n(0)] Box<Match>),
    /// Say how far a lease is.
    #[n(6)]
    ReportLease(#[n(0)] ReportLease),
    /// Settle what both sides signed for.
    #[n(7)]
    SubmitUsage(#[n(0)] Box<SubmitUsage>),
    /// Put more into a lease's escrow.
    #[n(8)]
    TopUp(#[n(0)] TopUp),
    /// End a lease as its tenant.
    #[n(9)]
    CloseLease(#[n(0)] Box<CloseLease>),
    /// End a lease as its provider.
    #[n(10)]
    EndLease(#[n(0)] Box<EndLease>),
}

impl Action {
    /// What a granted key needs to do this.
    pub fn scope(&self) -> Option<Scope> {
        Some(match self {
            Action::RegisterMachine(_)
            | Action::UpdateMachine(_)
            | Action::WithdrawMachine(_)
            | Action::ReportLease(_)
            | Action::SubmitUsage(_)
            | Action::EndLease(_) => Scope::MACHINE,
            Action::PostRequest(_)
            | Action::CancelRequest(_)
            | Action::Match(_)
            | Action::TopUp(_)
            | Action::CloseLease(_) => Scope::LEASE,
        })
    }

    /// Its weight in fees; 1 is what a transfer costs a validator. Each signature within and each deadline to come adds one.
    pub fn weight(&self) -> u32 {
        match self {
            Action::RegisterMachine(_) | Action::PostRequest(_) => 2,
            Action::Match(_) | Action::SubmitUsage(_) => 3,
            Action::CloseLease(_) | Action::EndLease(_) => 4,
            Action::UpdateMachine(_)
            | Action::WithdrawMachine(_)
            | Action::CancelRequest(_)
            | Action::ReportLease(_)
            | Action::TopUp(_) => 1,
        }
    }

    /// One line of ASCII that says what it does, for the signer to read; at most 141 bytes.
    pub fn text(&self) -> String {
        match self {
            Action::RegisterMachine(action) => action.text(),
            Action::UpdateMachine(action) => action.text(),
            Action::WithdrawMachine(action) => action.text(),
            Action::PostRequest(action) => action.text(),
            Action::CancelRequest(action) => action.text(),
            Action::Match(action) => action.text(),
            Action::ReportLease(action) => action.text(),
            Action::SubmitUsage(action) => action.text(),
            Action::TopUp(action) => action.text(),
            Action::CloseLease(action) => action.text(),
            Action::EndLease(action) => action.text(),
        }
    }

    /// Checks and does it.
    ///
    /// # Errors
    /// What is wrong with it, or with the state for it. Some checks come after writes: run it on a fork of the state.
    pub fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LeaseError> {
        match self {
            Action::RegisterMachine(action) => action.execute(state, context),
            Action::UpdateMachine(action) => action.execute(state, context),
            Action::WithdrawMachine(action) => action.execute(state, context),
            Action::PostRequest(action) => action.execute(state, context),
            Action::CancelRequest(action) => action.execute(state, context),
            Action::Match(action) => action.execute(state, context),
            Action::ReportLease(action) => action.execute(state, context),
            Action::SubmitUsage(action) => action.execute(state, context),
            Action::TopUp(action) => action.execute(state, context),
            Action::CloseLease(action) => action.execute(state, context),
            Action::EndLease(action) => action.execute(state, context),
        }
    }
}
