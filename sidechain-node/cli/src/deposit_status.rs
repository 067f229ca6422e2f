//! Where a deposit is, as Cardano and the sidechain say: no word of either is taken for the other's.

use nupeer_cardano_client::{Node, OutputReference, Tip, node::NodeError};
use serde_json::{Value, json};

use crate::{
    amount::base_units,
    api::Api,
    deposit_journal::Entry,
    error::{CliError, Exit, Outcome},
};

/// A page of credited deposits.
const PAGE: u64 = 100;

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
    /// In a block of a chain that lost: an input of it is spent otherwise, so it never will be.
    Lost,
    /// In no block in time, so it never will be.
    Expired,
    /// Not on Cardano any more, and no node of the sidechain says why.
    Gone,
}

impl State {
    /// Its name in JSON.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            State::Submitted => "submitted",
            State::Waiting { .. } => "waiting",
            State::Credited { .. } => "credited",
            State::Lost => "lost",
            State::Expired => "expired",
            State::Gone => "gone",
        }
    }

    /// Whether nothing more will happen to it.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, State::Credited { .. } | State::Lost | State::Expired)
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
    /// It is not among those credited.
    NotCredited,
    /// It is credited.
    Credited(Value),
}

/// Looks through the sidechain's list of credited deposits, in pages.
pub(crate) fn credited(api: &Api, output: &str) -> Outcome<Answer> {
    let mut after: Option<u64> = None;
    loop {
        let from = after.map_or_else(String::new, |after| format!("&after={after}"));
        let page = api.get(&format!("/v1/bridge/deposits?limit={PAGE}{from}"))?;
        let deposits = page["deposits"].as_array().or_else(|| page.as_array());
        let deposits = deposits.ok_or_else(|| {
            CliError::new(
                Exit::Unexpected,
                "the node's list of deposits is not understood",
            )
        })?;
        if let Some(found) = deposits.iter().find(|deposit| deposit["output"] == output) {
            return Ok(Answer::Credited(found.clone()));
        }
        match deposits.last().and_then(|last| last["index"].as_u64()) {
            Some(last) if after.is_none_or(|after| last > after) => after = Some(last),
            _ => return Ok(Answer::NotCredited),
        }
    }
}

/// Puts both together, and remembers in `entry` when the deposit was first seen in a block. `answer` is what the sidechain's node says of
/// its credit; [`Answer::None`] where none answers.
pub(crate) fn judge(entry: &mut Entry, cardano: &OnCardano, answer: &Answer) -> State {
    if let Answer::Credited(credited) = answer {
        return State::Credited {
            height: credited["credited_height"].as_u64().unwrap_or_default(),
            swept: credited["swept"].as_bool().unwrap_or_default(),
        };
    }
    let tip = cardano.tip;
    if cardano.is_there {
        let seen = *entry.seen_block.get_or_insert(tip.block_number);
        let depth = tip.block_number.saturating_sub(seen);
        return State::Waiting { depth };
    }
    if cardano.inputs_are_there {
        entry.seen_block = None;
        return if tip.point.slot.0 >= entry.valid_until {
            State::Expired
        } else {
            State::Submitted
        };
    }
    // An input is spent and the deposit is not there: another transaction spent it, or a sweep took the deposit. Only what is credited is
    // swept, so a node that knows of no credit tells the two apart.
    match answer {
        Answer::NotCredited => State::Lost,
        _ => State::Gone,
    }
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
        State::Lost => {
            "lost to a fork: its input was spent otherwise, and it was never credited".into()
        }
        State::Expired => "in no block in time; nothing was spent".into(),
        State::Gone => {
            "not on Cardano any more; ask a node of the sidechain whether it was credited".into()
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

    #[test]
    fn a_deposit_goes_its_way_and_a_fork_takes_it() {
        let mut entry = entry();
        for (cardano, expected) in [
            (at(5, false, true), State::Submitted),
            (at(6, true, false), State::Waiting { depth: 0 }),
            (at(9, true, false), State::Waiting { depth: 3 }),
            (at(10, false, true), State::Submitted),
            (at(11, true, false), State::Waiting { depth: 0 }),
            (at(12, false, false), State::Lost),
        ] {
            assert_eq!(judge(&mut entry, &cardano, &Answer::NotCredited), expected);
        }
    }

    #[test]
    fn the_sidechains_credit_outweighs_and_without_its_word_nothing_is_called_lost() {
        let mut entry = entry();
        judge(&mut entry, &at(1, true, false), &Answer::None);
        let gone = at(20, false, false);
        assert_eq!(judge(&mut entry, &gone, &Answer::None), State::Gone);
        let credited = Answer::Credited(json!({ "credited_height": 7, "swept": true }));
        let (height, swept) = (7, true);
        let expected = State::Credited { height, swept };
        assert_eq!(judge(&mut entry, &gone, &credited), expected);
    }

    #[test]
    fn what_comes_too_late_never_comes() {
        let late = judge(&mut entry(), &at(100, false, true), &Answer::NotCredited);
        assert_eq!(late, State::Expired);
    }
}
