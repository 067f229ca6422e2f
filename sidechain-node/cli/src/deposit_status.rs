//! Where a deposit is, as Cardano and the sidechain say: no word of either is taken for the other's.

use nupeer_cardano_client::{Node, OutputReference, Tip, node::NodeError};
use nupeer_client::DepositStatus;
use serde_json::{Value, json};

use crate::{
    amount::base_units,
    api::Api,
    deposit_journal::{Entry, Gone},
    error::{CliError, Exit, Outcome},
    printable::line,
};

/// What became of a deposit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// In no block yet; it still can be.
    Submitted,
    /// In a block, so many blocks deep; credited at k.
    Waiting {
        /// Blocks since it was first seen in one.
        depth: u64,
    },
    /// Credited on the sidechain.
    Credited {
        /// In which block of the sidechain.
        height: u64,
        /// Whether it is in the vault already.
        swept: bool,
    },
    /// Seen, and never credited.
    Refused {
        /// Why, in the chain's words.
        reason: String,
    },
    /// In a block of a chain that lost: an input of it is spent otherwise, k blocks deep, and the sidechain has observed that without a credit.
    Lost,
    /// In no block in time, so it never will be.
    Expired,
    /// Not on Cardano any more, since what it spends is spent: by another transaction on a chain that won, or it was swept after its credit. Which of both
    /// is not known yet.
    Gone {
        /// Blocks since that was first seen.
        depth: u64,
        /// Whether a node of the sidechain answered, and knows of no credit so far.
        is_asked: bool,
    },
}

impl State {
    /// Its name in JSON.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            State::Submitted => "submitted",
            State::Waiting { .. } => "waiting",
            State::Credited { .. } => "credited",
            State::Refused { .. } => "refused",
            State::Lost => "lost",
            State::Expired => "expired",
            State::Gone { .. } => "gone",
        }
    }

    /// Whether nothing more will happen to it.
    pub(crate) fn is_final(&self) -> bool {
        !matches!(
            self,
            State::Submitted | State::Waiting { .. } | State::Gone { .. }
        )
    }
}

/// What Cardano says of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OnCardano {
    /// The last block.
    pub(crate) tip: Tip,
    /// Whether the deposit is unspent.
    pub(crate) is_there: bool,
    /// Whether all that it spends is unspent.
    pub(crate) inputs_are_there: bool,
}

/// Asks Cardano, all in one ledger state.
pub(crate) async fn on_cardano(node: &Node, entry: &Entry) -> Result<OnCardano, NodeError> {
    let mut session = node.connect().await?;
    let none = NodeError::Answer {
        asked: "the tip",
        reason: "no block".into(),
    };
    let tip = session.tip().await?.ok_or(none)?;
    let parse = |text: &String| text.parse::<OutputReference>().ok();
    let output = session
        .utxos(&parse(&entry.output).into_iter().collect::<Vec<_>>())
        .await?;
    let inputs: Vec<_> = entry.inputs.iter().filter_map(parse).collect();
    let unspent = session.utxos(&inputs).await?;
    Ok(OnCardano {
        tip,
        is_there: !output.is_empty(),
        inputs_are_there: unspent.len() == entry.inputs.len(),
    })
}

/// What the sidechain says of a deposit's credit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nobody was asked, or nobody answers.
    None,
    /// It is neither credited nor refused, and the asked node sees it in no block of Cardano.
    Unknown {
        /// The slot up to which the sidechain has observed Cardano: a credit from a block before it would be known.
        observed: Option<u64>,
    },
    /// It is neither credited nor refused yet, and in a block of Cardano as the asked node follows it.
    Seen {
        /// Blocks on top of that one.
        depth: u64,
    },
    /// It is credited.
    Credited {
        /// In which block of the sidechain.
        height: u64,
        /// Whether it is in the vault already.
        swept: bool,
    },
    /// It never will be.
    Refused {
        /// Why.
        reason: String,
    },
}

/// Asks the sidechain for one deposit. A chain without a bridge knows of none.
pub(crate) fn credited(api: &Api, output: &str) -> Outcome<Answer> {
    let output = output.parse::<OutputReference>();
    let OutputReference {
        transaction_id,
        index,
    } = output.map_err(|error| CliError::new(Exit::Unexpected, error.to_string()))?;
    let status = match api.client().deposit(&transaction_id, index.into()) {
        Err(error) if error.is_not_found() => return Ok(Answer::None),
        status => status?,
    };
    Ok(match status {
        DepositStatus::Unknown { observed } => Answer::Unknown {
            observed: observed.map(|point| point.slot.0),
        },
        DepositStatus::Seen { depth } => Answer::Seen { depth },
        DepositStatus::Credited { height, swept, .. } => Answer::Credited {
            height: height.0,
            swept,
        },
        DepositStatus::Refused { reason, .. } => Answer::Refused {
            reason: line(&reason),
        },
    })
}

/// Puts both together, and remembers in `entry` when the deposit was first seen in a block. `answer` is what the sidechain's node says of
/// its credit; [`Answer::None`] where none answers.
pub(crate) fn judge(entry: &mut Entry, cardano: &OnCardano, answer: &Answer) -> State {
    match answer {
        Answer::Credited { height, swept } => {
            let (height, swept) = (*height, *swept);
            return State::Credited { height, swept };
        }
        Answer::Refused { reason } => {
            let reason = reason.clone();
            return State::Refused { reason };
        }
        Answer::None | Answer::Unknown { .. } | Answer::Seen { .. } => {}
    }
    let tip = cardano.tip;
    if cardano.is_there {
        entry.gone = None;
        let seen = *entry.seen_block.get_or_insert(tip.block_number);
        let own = tip.block_number.saturating_sub(seen);
        // Who looks late counts too little; a node of the sidechain follows every block.
        let depth = match answer {
            Answer::Seen { depth } => own.max(*depth),
            _ => own,
        };
        return State::Waiting { depth };
    }
    if cardano.inputs_are_there {
        (entry.seen_block, entry.gone) = (None, None);
        return if tip.point.slot.0 >= entry.valid_until {
            State::Expired
        } else {
            State::Submitted
        };
    }
    gone(entry, tip, answer)
}

/// An input is spent and the deposit is not there: another transaction spent it, or a sweep took the deposit. Only what is credited is swept, so a chain that
/// has observed what spent it, and knows of no credit, tells the two apart; before that it may only be behind. And what spent it is final when it is k deep.
fn gone(entry: &mut Entry, tip: Tip, answer: &Answer) -> State {
    let now = Gone {
        block_number: tip.block_number,
        slot: tip.point.slot.0,
    };
    // After a rollback to before it, it counts from now.
    let first = entry
        .gone
        .filter(|gone| gone.block_number <= tip.block_number);
    let first = *entry.gone.insert(first.unwrap_or(now));
    let depth = tip.block_number.saturating_sub(first.block_number);
    let is_observed =
        matches!(answer, Answer::Unknown { observed: Some(slot) } if *slot >= first.slot);
    if is_observed && depth >= entry.security_parameter {
        return State::Lost;
    }
    let is_asked = *answer != Answer::None;
    State::Gone { depth, is_asked }
}

/// The state for people and programs.
pub(crate) fn to_json(entry: &Entry, state: &State) -> Value {
    let mut value = json!({
        "tx": entry.tx, "output": entry.output, "lovelace": base_units(entry.lovelace), "account": entry.account,
        "state": state.name(), "depth_needed": entry.security_parameter,
    });
    match state {
        State::Waiting { depth } => value["depth"] = (*depth).into(),
        State::Credited { height, swept } => {
            value["credited_height"] = (*height).into();
            value["swept"] = (*swept).into();
        }
        State::Refused { reason } => value["reason"] = reason.as_str().into(),
        State::Gone { depth, .. } => value["spent_depth"] = (*depth).into(),
        _ => {}
    }
    value
}

/// The state in words.
pub(crate) fn words(entry: &Entry, state: &State) -> String {
    let k = entry.security_parameter;
    match state {
        State::Submitted => "submitted, in no block yet".into(),
        State::Waiting { depth } => format!("{depth} of {k} blocks deep"),
        State::Credited {
            height,
            swept: false,
        } => format!("credited in block {height}"),
        State::Credited {
            height,
            swept: true,
        } => format!("credited in block {height}, in the vault"),
        State::Refused { reason } => format!("never credited: {reason}"),
        State::Lost => {
            "lost to a fork: its input was spent otherwise, and it was never credited".into()
        }
        State::Expired => "in no block in time; nothing was spent".into(),
        State::Gone { depth, is_asked: true } => format!(
            "not on Cardano any more, what it spent is spent ({depth} of {k} blocks deep), and no credit is known yet: credited or lost, \
             which is known when that is {k} deep and the sidechain has observed it"
        ),
        State::Gone { .. } => {
            "not on Cardano any more; whether it was credited a node of the sidechain says, and none was asked or answers (--api-url)".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{CardanoPoint, Hash, Slot};

    use super::*;

    fn entry() -> Entry {
        Entry {
            bridge_id: String::new(),
            tx: "t".into(),
            output: "t#0".into(),
            inputs: vec!["u#0".into()],
            spent: vec![],
            cbor: String::new(),
            lovelace: 5,
            account: String::new(),
            valid_until: 100,
            seen_block: None,
            gone: None,
            security_parameter: 12,
        }
    }

    fn at(block_number: u64, is_there: bool, inputs_are_there: bool) -> OnCardano {
        let (slot, hash) = (Slot(block_number), Hash::ZERO);
        let point = CardanoPoint { slot, hash };
        OnCardano {
            tip: Tip {
                point,
                block_number,
            },
            is_there,
            inputs_are_there,
        }
    }

    /// A node that knows of no credit, and whose chain has observed Cardano up to that slot.
    fn up_to(slot: u64) -> Answer {
        let observed = Some(slot);
        Answer::Unknown { observed }
    }

    fn unsure(depth: u64) -> State {
        let is_asked = true;
        State::Gone { depth, is_asked }
    }

    #[test]
    fn a_deposit_goes_its_way_and_a_fork_takes_it() {
        let mut entry = entry();
        for (cardano, observed, expected) in [
            (at(5, false, true), 0, State::Submitted),
            (at(6, true, false), 0, State::Waiting { depth: 0 }),
            (at(9, true, false), 0, State::Waiting { depth: 3 }),
            (at(10, false, true), 0, State::Submitted),
            (at(11, true, false), 0, State::Waiting { depth: 0 }),
            // Gone at 12, which is no end before it is twelve deep.
            (at(12, false, false), 12, unsure(0)),
            (at(23, false, false), 23, unsure(11)),
            (at(24, false, false), 12, State::Lost),
        ] {
            let answer = up_to(observed);
            assert_eq!(judge(&mut entry, &cardano, &answer), expected);
        }
    }

    #[test]
    fn a_node_that_is_behind_makes_no_credited_deposit_a_lost_one() {
        let mut entry = entry();
        judge(&mut entry, &at(20, true, false), &up_to(8));
        // Credited and swept while this node caught up.
        for (block, observed) in [(40, 9), (60, 39), (90, 39)] {
            let state = judge(&mut entry, &at(block, false, false), &up_to(observed));
            assert_eq!(state, unsure(block - 40));
            assert!(!state.is_final());
            let told = words(&entry, &state);
            assert!(told.contains("no credit is known yet"), "{told}");
        }
        let unobserved = Answer::Unknown { observed: None };
        let state = judge(&mut entry, &at(91, false, false), &unobserved);
        assert_eq!(state, unsure(51));
        let seen = Answer::Seen { depth: 3 };
        assert_eq!(
            judge(&mut entry, &at(92, false, false), &seen),
            unsure(52),
            "the node follows another fork"
        );
        let (height, swept) = (7, true);
        let credited = Answer::Credited { height, swept };
        let state = judge(&mut entry, &at(93, false, false), &credited);
        assert_eq!(state, State::Credited { height, swept });
    }

    #[test]
    fn how_deep_its_end_lies_is_counted_anew_after_a_rollback() {
        let mut entry = entry();
        for (cardano, expected) in [
            (at(20, false, false), unsure(0)),
            (at(30, false, false), unsure(10)),
            // Back to where it was not spent; and then spent again.
            (at(19, false, true), State::Submitted),
            (at(31, false, false), unsure(0)),
            // Back to a chain on which it is spent earlier.
            (at(29, false, false), unsure(0)),
            (at(40, false, false), unsure(11)),
            (at(41, false, false), State::Lost),
        ] {
            assert_eq!(judge(&mut entry, &cardano, &up_to(99)), expected);
        }
    }

    #[test]
    fn a_node_that_follows_every_block_counts_better_than_a_wallet_that_looks_late() {
        let mut entry = entry();
        let there = at(20, true, false);
        let seen = Answer::Seen { depth: 9 };
        assert_eq!(
            judge(&mut entry, &there, &seen),
            State::Waiting { depth: 9 }
        );
        let behind = Answer::Seen { depth: 1 };
        let later = at(25, true, false);
        assert_eq!(
            judge(&mut entry, &later, &behind),
            State::Waiting { depth: 5 }
        );
    }

    #[test]
    fn the_sidechains_credit_outweighs_and_without_its_word_nothing_is_called_lost() {
        let mut entry = entry();
        judge(&mut entry, &at(1, true, false), &Answer::None);
        let gone = at(20, false, false);
        judge(&mut entry, &gone, &Answer::None);
        let state = judge(&mut entry, &at(60, false, false), &Answer::None);
        let (depth, is_asked) = (40, false);
        assert_eq!(state, State::Gone { depth, is_asked });
        let (height, swept) = (7, true);
        let credited = Answer::Credited { height, swept };
        let expected = State::Credited { height, swept };
        assert_eq!(judge(&mut entry, &gone, &credited), expected);
    }

    #[test]
    fn what_the_chain_refuses_is_final_and_says_why() {
        let mut entry = entry();
        let reason = "it has no datum".to_owned();
        let refused = Answer::Refused {
            reason: reason.clone(),
        };
        let state = judge(&mut entry, &at(20, true, false), &refused);
        assert_eq!(state, State::Refused { reason });
        assert!(state.is_final());
        assert_eq!(words(&entry, &state), "never credited: it has no datum");
        assert_eq!(to_json(&entry, &state)["reason"], "it has no datum");
    }

    /// A node that answers every question alike, and how often it was asked for what.
    fn node(answer: &'static str) -> (Api, std::sync::mpsc::Receiver<String>) {
        use std::io::{BufRead, BufReader, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let api = Api::new(&format!("http://{}", listener.local_addr().unwrap()));
        let (asked, questions) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head = lines.map_while(Result::ok);
                let head: Vec<String> = head.take_while(|line| !line.is_empty()).collect();
                asked.send(head[0].clone()).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        (api, questions)
    }

    #[test]
    fn one_question_tells_of_one_deposit_however_many_there_are() {
        let id = Hash([7; 32]);
        let (api, questions) = node(
            "HTTP/1.1 200 x\r\nconnection: close\r\n\r\n\
             {\"state\":\"credited\",\"deposit\":{\"index\":123456,\"credited_height\":7,\"swept\":false}}",
        );
        let told = credited(&api, &format!("{id}#3")).unwrap();
        let (height, swept) = (7, false);
        assert_eq!(told, Answer::Credited { height, swept });
        drop(api);
        let asked: Vec<String> = questions.try_iter().collect();
        assert_eq!(asked, [format!("GET /v1/deposits/{id}/3 HTTP/1.1")]);
    }

    #[test]
    fn a_chain_without_a_bridge_says_nothing_of_a_deposit() {
        let (api, _questions) = node("HTTP/1.1 404 x\r\nconnection: close\r\n\r\n{}");
        let told = credited(&api, &format!("{}#0", Hash([7; 32])));
        assert_eq!(told.unwrap(), Answer::None);
    }

    #[test]
    fn what_comes_too_late_never_comes() {
        let late = judge(&mut entry(), &at(100, false, true), &up_to(100));
        assert_eq!(late, State::Expired);
    }
}
