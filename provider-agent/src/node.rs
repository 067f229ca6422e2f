//! The chain over the HTTP interface of nodes, tried in turn. Their word is no more than that: what is done about a lease takes a state proof of it.

use nupeer_client::{
    Client, ClientError, LeaseFilter, MachineFilter, Signer, TransactionStatus, VALID_FOR,
};
use nupeer_lease::{Action, LeaseId, MachineId, SignedOffer};
use nupeer_ledger::{Grant, Scope};
use nupeer_primitives::{AccountId, CardanoNetwork, Hash, Hash28, Numbered};
use nupeer_runtime::Header;

use crate::chain::{
    Certified, Chain, ChainError, Fate, Machines, ProvenLease, ProvenMachine, SignedAction,
};
use crate::desired::Desired;
use crate::key::OperatorKey;

/// The chain, as nodes tell it.
pub struct NodeChain {
    client: Client,
    /// Each node by itself, for what all must be asked.
    nodes: Vec<Client>,
    signer: Signer,
}

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
        }
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
        Ok(Desired {
            height: page.height,
            time: page.time,
            leases: page.entries.into_iter().collect(),
        })
    }

    fn certified(&self) -> Result<Certified, ChainError> {
        self.client.certified().map(certified).map_err(told)
    }

    fn lease(&self, id: &LeaseId) -> Result<ProvenLease, ChainError> {
        let (lease, header) = self.client.proven_lease(id).map_err(told)?;
        let at = certified(header);
        Ok(ProvenLease { at, lease })
    }

    fn machine(&self, id: &MachineId) -> Result<ProvenMachine, ChainError> {
        let (machine, header) = self.client.proven_machine(id).map_err(told)?;
        let at = certified(header);
        Ok(ProvenMachine { at, machine })
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

fn certified(Header { height, time, .. }: Header) -> Certified {
    Certified { height, time }
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
    names.split('+').fold(Scope::default(), |all, name| {
        all.and(name.parse().unwrap_or_default())
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
