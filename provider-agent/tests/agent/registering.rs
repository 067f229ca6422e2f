//! A machine is registered once, whenever the agent is killed meanwhile and whatever nodes forget.

use std::path::Path;
use std::sync::Mutex;

use nupeer_agent::chain::{Chain, ChainError, Fate, SignedAction};
use nupeer_agent::desired::Desired;
use nupeer_agent::register::Registrar;
use nupeer_agent::{AgentConfig, AgentError, OperatorKey};
use nupeer_lease::{
    Action, LeaseId, Machine, MachineId, MachineState, MachineTerms, Resources, SignedOffer,
};
use nupeer_ledger::Grant;
use nupeer_primitives::{AccountId, Hash, Hash28, Height, TimeMs, blake2b_256};

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
    fn machines_of(
        &self,
        _: &AccountId,
    ) -> Result<(TimeMs, Vec<(MachineId, Machine)>), ChainError> {
        Ok((TimeMs(1), self.change(|played| played.machines.clone())))
    }

    fn leases_on(&self, _: &MachineId) -> Result<Desired, ChainError> {
        Err(ChainError::Unreachable("not asked".into()))
    }

    fn certified(&self) -> Result<Height, ChainError> {
        Ok(Height(0))
    }

    fn confirm_over(&self, _: &LeaseId, _: Height) -> Result<(), ChainError> {
        Ok(())
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

    /// What is asked about a second time is decided.
    fn transaction(&self, id: &Hash) -> Result<Fate, ChainError> {
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
