//! A machine is registered once, whenever the agent is killed meanwhile and whatever nodes forget.

use std::path::Path;
use std::sync::Mutex;

use nupeer_agent::chain::{
    Certified, Chain, ChainError, Fate, Machines, ProvenLease, SignedAction,
};
use nupeer_agent::desired::Desired;
use nupeer_agent::node::NodeChain;
use nupeer_agent::register::Registrar;
use nupeer_agent::{AgentConfig, AgentError, OperatorKey};
use nupeer_lease::{
    Action, LeaseId, Machine, MachineId, MachineState, MachineTerms, Resources, SignedOffer,
};
use nupeer_ledger::Grant;
use nupeer_primitives::{AccountId, Hash, Hash28, Height, TimeMs, blake2b_256};
use serde_json::{Value, json};

use crate::played::{node, not_found};

fn owner() -> AccountId {
    AccountId::of_key(Hash28([1; 28]))
}

/// A chain that takes registrations.
#[derive(Default)]
struct Registry {
    played: Mutex<Played>,
}

#[derive(Default)]
struct Played {
    /// How many were signed.
    signed: u8,
    pending: Vec<SignedAction>,
    machines: Vec<(MachineId, Machine)>,
    /// How often a submission still reaches the chain without the agent learning of it.
    cut: u32,
    /// How often a submission is refused.
    refusals: u32,
    /// How often the node that is asked first knows nothing of a transaction.
    blind: u32,
}

impl Registry {
    fn change<T>(&self, change: impl FnOnce(&mut Played) -> T) -> T {
        change(&mut self.played.lock().unwrap())
    }
}

fn operator() -> OperatorKey {
    OperatorKey::from_bytes(&[3; 32])
}

fn terms() -> MachineTerms {
    MachineTerms {
        operator: operator().public(),
        endpoint: "http://here".into(),
        capacity: Resources::default(),
        scores: vec![],
        evidence: Hash([0; 32]),
    }
}

impl Chain for Registry {
    fn machines_of(&self, _: &AccountId) -> Result<Machines, ChainError> {
        Ok(Machines {
            height: Height(1),
            time: TimeMs(1),
            machines: self.change(|played| played.machines.clone()),
        })
    }

    fn leases_on(&self, _: &MachineId) -> Result<Desired, ChainError> {
        Err(ChainError::Unreachable("not asked".into()))
    }

    fn certified(&self) -> Result<Certified, ChainError> {
        Err(ChainError::Unreachable("not asked".into()))
    }

    fn lease(&self, _: &LeaseId) -> Result<ProvenLease, ChainError> {
        Err(ChainError::Unreachable("not asked".into()))
    }

    fn doubt(&self) {}

    fn grant(&self, _: &AccountId, _: &Hash28) -> Result<Option<Grant>, ChainError> {
        Ok(None)
    }

    fn submit(&self, _: Action) -> Result<Hash, ChainError> {
        Err(ChainError::Unreachable("not asked".into()))
    }

    fn sign(&self, _: Action) -> Result<SignedAction, ChainError> {
        Ok(self.change(|played| {
            played.signed += 1;
            let cbor = vec![played.signed];
            let id = blake2b_256(&[&cbor]);
            SignedAction { id, cbor }
        }))
    }

    fn submit_signed(&self, signed: &SignedAction) -> Result<(), ChainError> {
        self.change(|played| {
            if played.refusals > 0 {
                played.refusals -= 1;
                return Err(ChainError::Refused("it has expired".into()));
            }
            played.pending.push(signed.clone());
            if played.cut > 0 {
                played.cut -= 1;
                return Err(ChainError::Unreachable("killed".into()));
            }
            Ok(())
        })
    }

    fn transaction(&self, id: &Hash) -> Result<Fate, ChainError> {
        let blind = self.change(|played| {
            let blind = played.blind > 0;
            played.blind = played.blind.saturating_sub(1);
            blind
        });
        match blind {
            true => Ok(Fate::Unknown),
            false => self.transaction_anywhere(id),
        }
    }

    /// What is asked about a second time is decided.
    fn transaction_anywhere(&self, id: &Hash) -> Result<Fate, ChainError> {
        Ok(self.change(|played| {
            let machine = MachineId(*id);
            if played.machines.iter().any(|(known, _)| *known == machine) {
                return Fate::Final(Height(1));
            }
            match played.pending.iter().position(|signed| signed.id == *id) {
                None => Fate::Unknown,
                Some(index) => {
                    played.pending.remove(index);
                    played.machines.push((machine, live()));
                    Fate::Pending
                }
            }
        }))
    }

    fn publish(&self, _: &SignedOffer) -> Result<(), ChainError> {
        Ok(())
    }
}

fn live() -> Machine {
    Machine {
        owner: owner(),
        terms: terms(),
        bonds: vec![],
        used: Resources::default(),
        leases_open: 0,
        nonce_floor: 0,
        state: MachineState::Live,
    }
}

/// What a start of the agent on `folder` does where the chain shows no machine.
fn start(chain: &Registry, folder: &Path) -> Result<MachineId, AgentError> {
    let config = AgentConfig {
        data_folder: folder.to_owned(),
        ..AgentConfig::default()
    };
    let registrar = Registrar {
        config: &config,
        chain,
        owner: owner(),
        operator: &operator(),
    };
    registrar.register(&terms()).map(|(id, _)| id)
}

#[test]
fn an_agent_killed_while_its_registration_is_on_its_way_registers_once() {
    let (chain, folder) = (Registry::default(), tempfile::tempdir().unwrap());
    chain.change(|played| played.cut = 1);
    assert!(start(&chain, folder.path()).is_err());
    start(&chain, folder.path()).unwrap();
    let (signed, machines) = chain.change(|played| (played.signed, played.machines.len()));
    assert_eq!((signed, machines), (1, 1));
}

#[test]
fn a_registration_that_every_node_forgot_is_sent_again_as_it_was() {
    let (chain, folder) = (Registry::default(), tempfile::tempdir().unwrap());
    chain.change(|played| played.cut = 1);
    assert!(start(&chain, folder.path()).is_err());
    chain.change(|played| played.pending.clear());
    start(&chain, folder.path()).unwrap();
    assert_eq!(chain.change(|played| played.signed), 1);
}

#[test]
fn a_refused_registration_is_forgotten_and_the_next_start_makes_another() {
    let (chain, folder) = (Registry::default(), tempfile::tempdir().unwrap());
    chain.change(|played| played.refusals = 1);
    let refused = start(&chain, folder.path());
    let expected = ChainError::Refused("it has expired".into());
    assert!(matches!(refused, Err(AgentError::Chain(error)) if error == expected));
    let id = start(&chain, folder.path()).unwrap();
    assert_eq!(id, MachineId(blake2b_256(&[&[2]])));
}

#[test]
fn a_refusal_by_a_node_that_does_not_know_what_others_have_registers_nothing_twice() {
    for is_final in [false, true] {
        let (chain, folder) = (Registry::default(), tempfile::tempdir().unwrap());
        chain.change(|played| played.cut = 1);
        assert!(start(&chain, folder.path()).is_err());
        if is_final {
            let id = chain.change(|played| played.pending[0].id);
            chain.transaction_anywhere(&id).unwrap();
        }
        chain.change(|played| (played.blind, played.refusals) = (1, 1));
        start(&chain, folder.path()).unwrap();
        let (signed, machines) = chain.change(|played| (played.signed, played.machines.len()));
        assert_eq!((signed, machines), (1, 1));
    }
}

#[test]
fn a_machine_withdrawn_before_its_agent_saw_it_is_waited_for_no_longer() {
    let (chain, folder) = (Registry::default(), tempfile::tempdir().unwrap());
    chain.change(|played| played.cut = 1);
    assert!(start(&chain, folder.path()).is_err());
    let forget = TimeMs(9);
    chain.change(|played| {
        let id = MachineId(played.pending.remove(0).id);
        let mut machine = live();
        machine.state = MachineState::Withdrawn { forget };
        played.machines.push((id, machine));
    });
    let refused = start(&chain, folder.path());
    let why = "the machine registered at height 1 is withdrawn";
    let expected = ChainError::Refused(why.into());
    assert!(matches!(refused, Err(AgentError::Chain(error)) if error == expected));
    let id = start(&chain, folder.path()).unwrap();
    assert_eq!(id, MachineId(blake2b_256(&[&[2]])));
}

/// What `/v1/transactions/{id}` is answered with; none: nobody answers.
fn chain_of(nodes: &[Option<(u16, Value)>]) -> NodeChain {
    let url = |says: &Option<(u16, Value)>| match says.clone() {
        None => "http://127.0.0.1:1".to_owned(),
        Some(says) => node(move |_, _| says.clone()),
    };
    let urls: Vec<String> = nodes.iter().map(url).collect();
    NodeChain::new(&urls, Hash::ZERO, owner(), &operator())
}

#[test]
fn where_a_transaction_is_is_asked_of_every_node() {
    let pending = || Some((200, json!({ "status": "pending" })));
    let is_final = || Some((200, json!({ "status": "final", "height": 7, "index": 0 })));
    let refused = || {
        let reason = json!({ "code": "NP1", "message": "too late" });
        Some((200, json!({ "status": "refused", "reason": reason })))
    };
    let unknown = || Some(not_found());
    let asked = |nodes: &[_]| chain_of(nodes).transaction_anywhere(&Hash::ZERO);
    let no = || Fate::Refused("too late".into());
    assert_eq!(asked(&[unknown(), unknown()]), Ok(Fate::Unknown));
    assert_eq!(asked(&[refused(), unknown()]), Ok(no()));
    assert_eq!(asked(&[pending(), refused()]), Ok(Fate::Pending));
    assert_eq!(asked(&[None, pending()]), Ok(Fate::Pending));
    let at_7 = Ok(Fate::Final(Height(7)));
    assert_eq!(asked(&[pending(), refused(), None, is_final()]), at_7);
    let silent = asked(&[refused(), None]);
    assert!(matches!(silent, Err(ChainError::Unreachable(_))));
}
