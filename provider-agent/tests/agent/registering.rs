//! A machine is registered once, whenever the agent is killed meanwhile and whatever nodes forget.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

use nupeer_agent::chain::{
    Certified, Chain, ChainError, Fate, Machines, ProvenLease, ProvenMachine, SignedAction,
};
use nupeer_agent::desired::Desired;
use nupeer_agent::node::NodeChain;
use nupeer_agent::register::Registrar;
use nupeer_agent::{AgentConfig, AgentError, OperatorKey};
use nupeer_lease::{
    Action, LeaseId, Machine, MachineId, MachineState, MachineTerms, Resources, SignedOffer,
};
use nupeer_ledger::Grant;
use nupeer_primitives::{AccountId, Hash, Hash28, Height, Numbered, TimeMs, blake2b_256};
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
    /// A transaction that nodes call final although it is not.
    lied_about: Option<Hash>,
    /// Machines that nodes do not list.
    is_hidden: bool,
    /// How far the chain is beyond its first block.
    later: u64,
    /// A machine that nodes list although there is none.
    made_up: Option<MachineId>,
    /// What transactions say, and of which machine if it is there already.
    said: BTreeMap<Hash, (Option<MachineId>, MachineTerms)>,
    decided: BTreeSet<Hash>,
    doubts: u32,
}

impl Played {
    /// Makes a machine, or changes one, as the transaction says.
    fn decide(&mut self, transaction: Hash) {
        let Some((updated, terms)) = self.said.get(&transaction).cloned() else {
            return;
        };
        let of_update = |(id, _): &&mut (MachineId, Machine)| Some(*id) == updated;
        if let Some((_, machine)) = self.machines.iter_mut().find(of_update) {
            machine.terms = terms;
            return;
        }
        let id = MachineId::registered_by(&transaction);
        self.machines.push((id, Machine { terms, ..live() }));
    }
}

impl Registry {
    fn change<T>(&self, change: impl FnOnce(&mut Played) -> T) -> T {
        change(&mut self.played.lock().unwrap())
    }

    fn at(&self) -> Certified {
        let height = 1 + self.change(|played| played.later);
        Certified {
            height: Height(height),
            time: TimeMs(height * 1_000),
        }
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
        let Certified { height, time } = self.at();
        let machines = self.change(|played| {
            let listed = match played.is_hidden {
                true => vec![],
                false => played.machines.clone(),
            };
            let made_up = played.made_up.map(|id| (id, live()));
            listed.into_iter().chain(made_up).collect()
        });
        Ok(Machines {
            height,
            time,
            machines,
        })
    }

    fn machine(&self, id: &MachineId) -> Result<ProvenMachine, ChainError> {
        let find = |played: &mut Played| {
            let mut all = played.machines.iter();
            all.find(|(known, _)| known == id)
                .map(|(_, machine)| machine.clone())
        };
        let (at, machine) = (self.at(), self.change(find));
        Ok(ProvenMachine { at, machine })
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

    fn doubt(&self) {
        self.change(|played| played.doubts += 1);
    }

    fn grant(&self, _: &AccountId, _: &Hash28) -> Result<Option<Grant>, ChainError> {
        Ok(None)
    }

    fn submit(&self, _: Action) -> Result<Hash, ChainError> {
        Err(ChainError::Unreachable("not asked".into()))
    }

    fn sign(&self, action: Action) -> Result<SignedAction, ChainError> {
        Ok(self.change(|played| {
            played.signed += 1;
            let cbor = vec![played.signed];
            let id = blake2b_256(&[&cbor]);
            let said = match action {
                Action::RegisterMachine(made) => (None, made.terms),
                Action::UpdateMachine(update) => (Some(update.machine), update.terms),
                other => panic!("{other:?}"),
            };
            played.said.insert(id, said);
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
    fn transaction_anywhere(&self, transaction: &Hash) -> Result<Fate, ChainError> {
        Ok(self.change(|played| {
            let id = MachineId::registered_by(transaction);
            let is_there = played.machines.iter().any(|(known, _)| *known == id);
            let is_lie = played.lied_about == Some(*transaction);
            if is_there || is_lie || played.decided.contains(transaction) {
                return Fate::Final(Height(1));
            }
            let mut pending = played.pending.iter();
            let Some(index) = pending.position(|signed| signed.id == *transaction) else {
                return Fate::Unknown;
            };
            played.pending.remove(index);
            played.decided.insert(*transaction);
            played.decide(*transaction);
            Fate::Pending
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

/// What an agent on `folder` does.
fn registrar<T>(chain: &Registry, folder: &Path, act: impl FnOnce(&Registrar<'_>) -> T) -> T {
    let config = AgentConfig {
        data_folder: folder.to_owned(),
        ..AgentConfig::default()
    };
    act(&Registrar {
        config: &config,
        chain,
        owner: owner(),
        operator: &operator(),
    })
}

/// What a start of the agent on `folder` does where the chain shows no machine.
fn start(chain: &Registry, folder: &Path) -> Result<MachineId, AgentError> {
    registrar(chain, folder, |agent| {
        agent.register(&terms()).map(|standing| standing.id)
    })
}

/// The machine of the transaction that was signed as the `n`th.
fn registered(n: u8) -> MachineId {
    MachineId::registered_by(&blake2b_256(&[&[n]]))
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
    assert_eq!(id, registered(2));
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
        let id = MachineId::registered_by(&played.pending.remove(0).id);
        let mut machine = live();
        machine.state = MachineState::Withdrawn { forget };
        played.machines.push((id, machine));
    });
    let refused = start(&chain, folder.path());
    let why = "the machine registered at height 1 is withdrawn";
    let expected = ChainError::Refused(why.into());
    assert!(matches!(refused, Err(AgentError::Chain(error)) if error == expected));
    let id = start(&chain, folder.path()).unwrap();
    assert_eq!(id, registered(2));
}

#[test]
fn a_registration_that_a_node_calls_final_and_cannot_show_is_neither_believed_nor_forgotten() {
    let (chain, folder) = (Registry::default(), tempfile::tempdir().unwrap());
    chain.change(|played| played.lied_about = Some(blake2b_256(&[&[1]])));
    let refused = start(&chain, folder.path());
    assert!(matches!(
        refused,
        Err(AgentError::Chain(ChainError::Unreachable(_)))
    ));
    chain.change(|played| {
        assert_eq!(played.doubts, 1, "another node is asked next");
        played.lied_about = None;
    });
    assert_eq!(start(&chain, folder.path()).unwrap(), registered(1));
    assert_eq!(chain.change(|played| played.signed), 1);
}

/// What of the machine a start at `endpoint` finds and says.
fn stand(chain: &Registry, folder: &Path, endpoint: &str) -> Result<MachineId, AgentError> {
    let now = at(endpoint);
    registrar(chain, folder, |agent| {
        let (_, found) = agent.find()?;
        match found {
            None => agent.register(&now).map(|standing| standing.id),
            Some(found) => agent.bring_up_to_date(&found, &now).map(|()| found.id),
        }
    })
}

fn at(endpoint: &str) -> MachineTerms {
    MachineTerms {
        endpoint: endpoint.into(),
        ..terms()
    }
}

/// Where the chain says that the machine's agent answers.
fn told(chain: &Registry) -> String {
    chain.change(|played| played.machines[0].1.terms.endpoint.clone())
}

#[test]
fn a_machine_that_a_node_makes_up_is_not_attended() {
    let (chain, folder) = (Registry::default(), tempfile::tempdir().unwrap());
    chain.change(|played| played.made_up = Some(registered(9)));
    let refused = stand(&chain, folder.path(), "http://here");
    let why = format!("machine {} is listed and is not there", registered(9));
    let expected = ChainError::Malformed(why);
    assert!(matches!(refused, Err(AgentError::Chain(error)) if error == expected));
}

#[test]
fn a_machine_that_nodes_do_not_list_is_found_and_not_registered_again() {
    let (chain, folder) = (Registry::default(), tempfile::tempdir().unwrap());
    let stand = || stand(&chain, folder.path(), "http://here");
    assert_eq!(stand().unwrap(), registered(1));
    chain.change(|played| played.is_hidden = true);
    assert_eq!(stand().unwrap(), registered(1));
    assert_eq!(chain.change(|played| played.signed), 1);
}

#[test]
fn a_node_from_before_the_machine_was_shown_is_not_believed_that_it_is_none() {
    let (chain, folder) = (Registry::default(), tempfile::tempdir().unwrap());
    chain.change(|played| played.later = 5);
    assert!(stand(&chain, folder.path(), "http://here").is_ok());
    chain.change(|played| {
        played.machines.clear();
        played.later = 4;
    });
    let refused = stand(&chain, folder.path(), "http://here");
    let (provided, seen) = (Height(5), Height(6));
    let expected = ChainError::Behind { provided, seen };
    assert!(matches!(refused, Err(AgentError::Chain(error)) if error == expected));
}

#[test]
fn an_agent_that_moves_tells_the_chain_where_it_answers_now() {
    let (chain, folder) = (Registry::default(), tempfile::tempdir().unwrap());
    for endpoint in ["http://here", "http://there", "http://here"] {
        assert_eq!(
            stand(&chain, folder.path(), endpoint).unwrap(),
            registered(1)
        );
        assert_eq!(told(&chain), endpoint);
    }
}

#[test]
fn of_two_agents_with_one_key_the_first_says_so_and_takes_no_turns() {
    let chain = Registry::default();
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    stand(&chain, first.path(), "http://first").unwrap();
    // Whoever never spoke for the machine takes it over: so does an owner whose folder is lost.
    stand(&chain, second.path(), "http://second").unwrap();
    assert_eq!(told(&chain), "http://second");
    let signed = chain.change(|played| played.signed);
    let refused = stand(&chain, first.path(), "http://first").unwrap_err();
    assert_eq!(refused.code().to_string(), "NP8068");
    let why = format!(
        "another agent speaks for machine {} at http://second, this one told the chain http://first: end one of both",
        registered(1)
    );
    assert_eq!(refused.to_string(), why);
    assert_eq!(chain.change(|played| played.signed), signed);
    // The second goes on, and the first does so by its operator's word alone.
    stand(&chain, second.path(), "http://second").unwrap();
    let config = AgentConfig {
        data_folder: first.path().into(),
        take_over: true,
        ..AgentConfig::default()
    };
    let agent = Registrar {
        config: &config,
        chain: &chain,
        owner: owner(),
        operator: &operator(),
    };
    let (_, found) = agent.find().unwrap();
    let done = agent.bring_up_to_date(&found.unwrap(), &at("http://first"));
    assert!(done.is_ok(), "{done:?}");
    assert_eq!(told(&chain), "http://first");
    let refused = stand(&chain, second.path(), "http://second").unwrap_err();
    assert_eq!(refused.code().to_string(), "NP8068");
}

#[test]
fn an_update_that_a_node_calls_final_and_that_is_not_shown_makes_no_other_agent() {
    let (chain, folder) = (Registry::default(), tempfile::tempdir().unwrap());
    stand(&chain, folder.path(), "http://here").unwrap();
    chain.change(|played| played.lied_about = Some(blake2b_256(&[&[2]])));
    stand(&chain, folder.path(), "http://there").unwrap();
    assert_eq!(told(&chain), "http://here");
    stand(&chain, folder.path(), "http://there").unwrap();
    assert_eq!(told(&chain), "http://there");
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
