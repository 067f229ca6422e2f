//! The chain over the HTTP interface of nodes, tried in turn. What is removed on their word takes the word of two.

use std::collections::BTreeMap;
use std::sync::Mutex;

use nupeer_client::{
    Client, ClientError, LeaseFilter, MachineFilter, Signer, TransactionStatus, VALID_FOR,
};
use nupeer_lease::{Action, LeaseId, MachineId, SignedOffer};
use nupeer_ledger::{Grant, Scope};
use nupeer_primitives::{AccountId, CardanoNetwork, Hash, Hash28, Height, Numbered};

use crate::agent::takes_uploads;
use crate::chain::{Chain, ChainError, Fate, Machines, SignedAction};
use crate::desired::Desired;
use crate::key::OperatorKey;
use crate::records::hold;

/// The chain, as nodes tell it.
pub struct NodeChain {
    client: Client,
    /// Each node by itself, for what more than one must say.
    nodes: Vec<Client>,
    signer: Signer,
    /// Since which height a node that is alone says that a lease is over.
    over_since: Mutex<BTreeMap<LeaseId, Height>>,
}

/// For how many further blocks a node that is alone must go on saying so: no slip of a moment removes anything.
const BLOCKS_ALONE: u64 = 2;

/// What a node says of its chain once and for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainIdentity {
    /// The genesis id.
    pub id: Hash,
    /// Beside which Cardano it stands.
    pub cardano: CardanoNetwork,
}

/// Which chain the nodes at `urls` serve: the one with the genesis id `meant`, if it is named.
///
/// # Errors
/// [`ChainError`]; [`ChainError::OtherChain`] where none serves the one that is meant.
pub fn identity(urls: &[String], meant: Option<Hash>) -> Result<ChainIdentity, ChainError> {
    let client = Client::new(urls.iter().cloned()).expecting(meant);
    let (_, chain) = client.chain().map_err(told)?;
    Ok(ChainIdentity {
        id: chain.id,
        cardano: chain.cardano,
    })
}

impl NodeChain {
    /// The chain with the genesis id `chain` as the nodes at `urls` tell it, with the operator key acting for `owner`.
    pub fn new(urls: &[String], chain: Hash, owner: AccountId, operator: &OperatorKey) -> Self {
        let urls = named_once(urls);
        let asking = |urls: Vec<&str>| Client::new(urls).expecting(Some(chain));
        NodeChain {
            nodes: urls.iter().map(|url| asking(vec![*url])).collect(),
            client: asking(urls),
            signer: Signer::new(owner, operator.signing_key().clone()),
            over_since: Mutex::default(),
        }
    }

    /// Whether a node that is alone has said long enough that a lease is over; `at` is where it says so now.
    fn stays_over(&self, lease: &LeaseId, at: Option<Height>) -> bool {
        let mut over_since = hold(&self.over_since);
        let Some(at) = at else {
            over_since.remove(lease);
            return false;
        };
        let since = *over_since.entry(*lease).or_insert(at);
        at.0 >= since.0.saturating_add(BLOCKS_ALONE)
    }
}

/// The addresses in the order in which they are named. One node that is named twice is one.
fn named_once(urls: &[String]) -> Vec<&str> {
    let mut once = Vec::new();
    for url in urls.iter().map(|url| url.trim_end_matches('/')) {
        if !once.contains(&url) {
            once.push(url);
        }
    }
    once
}

/// The certified height at which a node, as far as `seen` or further, says that a lease is over or unknown.
fn over_at(node: &Client, lease: &LeaseId, seen: Height) -> Result<Option<Height>, ClientError> {
    let height = node.certified()?.height;
    if height < seen {
        return Ok(None);
    }
    let found = node.lease(lease)?;
    let goes_on = found.is_some_and(|(lease, _)| takes_uploads(&lease));
    Ok((!goes_on).then_some(height))
}

impl Chain for NodeChain {
    fn machines_of(&self, owner: &AccountId) -> Result<Machines, ChainError> {
        let page = self.client.machines(MachineFilter::Of(*owner));
        let page = page.map_err(told)?;
        Ok(Machines {
            height: page.height,
            time: page.time,
            machines: page.entries,
        })
    }

    fn leases_on(&self, machine: &MachineId) -> Result<Desired, ChainError> {
        let page = self.client.leases(LeaseFilter::On(*machine));
        let page = page.map_err(told)?;
        // A node that does not know the filter would answer with other machines' leases.
        let ours = |lease: &nupeer_lease::Lease| lease.machine == *machine;
        if let Some((id, _)) = page.entries.iter().find(|(_, lease)| !ours(lease)) {
            let what = format!("lease {id} is on another machine");
            return Err(ChainError::Malformed(what));
        }
        let leases: BTreeMap<_, _> = page.entries.into_iter().collect();
        // What is said to go on was not over: an earlier slip counts no more.
        let goes_on = |id: &LeaseId| leases.get(id).is_some_and(takes_uploads);
        hold(&self.over_since).retain(|id, _| !goes_on(id));
        Ok(Desired {
            height: page.height,
            time: page.time,
            leases,
        })
    }

    fn certified(&self) -> Result<Height, ChainError> {
        Ok(self.client.certified().map_err(told)?.height)
    }

    fn confirm_over(&self, lease: &LeaseId, seen: Height) -> Result<(), ChainError> {
        let says = |node| over_at(node, lease, seen).ok().flatten();
        let mut heights = self.nodes.iter().filter_map(says);
        let (first, second) = (heights.next(), heights.next());
        let confirmed = match self.nodes.len() {
            0 | 1 => self.stays_over(lease, first),
            _ => second.is_some(),
        };
        if confirmed {
            hold(&self.over_since).remove(lease);
            return Ok(());
        }
        Err(ChainError::Unconfirmed {
            lease: *lease,
            provided: [first, second].iter().flatten().count(),
            asked: self.nodes.len(),
        })
    }

    fn doubt(&self) {
        self.client.turn_away();
    }

    fn grant(&self, account: &AccountId, key: &Hash28) -> Result<Option<Grant>, ChainError> {
        let account = self.client.account(account, None).map_err(told)?;
        Ok(account.granted(key).map(|granted| Grant {
            scope: scope(&granted.scope),
            budget_lovelace: granted.budget_lovelace,
            expires: granted.expires,
        }))
    }

    fn submit(&self, action: Action) -> Result<Hash, ChainError> {
        let action = nupeer_runtime::Action::Lease(action);
        self.client.submit(action, &self.signer).map_err(told)
    }

    fn sign(&self, action: Action) -> Result<SignedAction, ChainError> {
        let action = nupeer_runtime::Action::Lease(action);
        let prepared = self.client.prepare(action, &self.signer, VALID_FOR);
        let signed = self.signer.sign(prepared.map_err(told)?);
        Ok(SignedAction {
            id: signed.transaction.id(),
            cbor: signed.to_bytes(),
        })
    }

    fn submit_signed(&self, signed: &SignedAction) -> Result<(), ChainError> {
        let taken = self.client.post_cbor("/v1/transactions", &signed.cbor);
        taken.map(drop).map_err(told)
    }

    fn transaction(&self, id: &Hash) -> Result<Fate, ChainError> {
        fate(&self.client, id)
    }

    fn transaction_anywhere(&self, id: &Hash) -> Result<Fate, ChainError> {
        let (mut found, mut silent) = (Fate::Unknown, None);
        for node in &self.nodes {
            match fate(node, id) {
                Ok(at @ Fate::Final(_)) => return Ok(at),
                Ok(Fate::Unknown) => {}
                Ok(Fate::Refused(_)) if found == Fate::Pending => {}
                Ok(at) => found = at,
                Err(error) => silent = Some(error),
            }
        }
        match silent.filter(|_| found != Fate::Pending) {
            None => Ok(found),
            Some(error) => Err(error),
        }
    }

    fn publish(&self, offer: &SignedOffer) -> Result<(), ChainError> {
        self.client.post_offer(offer).map(drop).map_err(told)
    }
}

/// Where a transaction is, as `client` is told.
fn fate(client: &Client, id: &Hash) -> Result<Fate, ChainError> {
    Ok(match client.transaction(id).map_err(told)? {
        None => Fate::Unknown,
        Some(TransactionStatus::Pending) => Fate::Pending,
        Some(TransactionStatus::Final { height, .. }) => Fate::Final(height),
        Some(TransactionStatus::Refused { message, .. }) => Fate::Refused(message),
    })
}

/// What is left of a scope when only known names count: unknown ones allow nothing.
fn scope(names: &str) -> Scope {
    let known = [Scope::SPEND, Scope::LEASE, Scope::MACHINE];
    names.split('+').fold(Scope::default(), |all, name| {
        let found = known.into_iter().find(|scope| scope.text() == name);
        all.and(found.unwrap_or_default())
    })
}

/// A client's error as the agent tells it apart: nobody answers, nobody makes sense, or a rule says no.
fn told(error: ClientError) -> ChainError {
    let text = match error.rule() {
        Some(rule) => format!("{rule}: {error}"),
        None => error.to_string(),
    };
    match &error {
        _ if error.is_temporary() => ChainError::Unreachable(text),
        ClientError::NoNode => ChainError::Unreachable(text),
        ClientError::OtherChain { expected, named } => ChainError::OtherChain {
            expected: *expected,
            named: *named,
        },
        ClientError::Refused { .. } | ClientError::TransactionRefused { .. } => {
            ChainError::Refused(text)
        }
        _ => ChainError::Malformed(format!("{text} ({})", error.code())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_is_told() {
        for all in 0..8 {
            assert_eq!(scope(&Scope(all).text()), Scope(all));
        }
        assert_eq!(scope("lease+everything"), Scope::LEASE);
    }

    #[test]
    fn nodes_are_asked_in_the_order_in_which_they_are_named_each_once() {
        let urls = ["http://b/", "http://a", "http://b"].map(str::to_owned);
        assert_eq!(named_once(&urls), ["http://b", "http://a"]);
    }

    #[test]
    fn nobody_there_is_told_apart_from_a_refusal() {
        let refused = |status| ClientError::Refused {
            status,
            code: None,
            message: "no".into(),
            next: None,
        };
        let unreachable = |error| matches!(told(error), ChainError::Unreachable(_));
        assert!(unreachable(ClientError::NoNode));
        assert!(unreachable(refused(503)));
        assert!(unreachable(refused(429)));
        assert_eq!(told(refused(400)), ChainError::Refused("no".into()));
    }
}
