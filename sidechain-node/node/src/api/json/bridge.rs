//! The bridge in JSON: outputs as `transaction#index`, Plutus data as hexadecimal CBOR.

use nupeer_bridge::{
    Credited, Event, LeafId, Refused, ShardRecord, Withdrawal, WithdrawalId, WithdrawalState,
    address,
    view::{self, AnchorView, Overview, Settled, Solvency},
};
use nupeer_ledger::{
    StateRead,
    invariants::conservation,
    totals::{Total, total},
};
use nupeer_outbox::{Anchor, OutputReference, anchor::AssetTotals, value};
use nupeer_primitives::{Amount, AssetId, CardanoNetwork, Numbered, TimeMs};
use serde_json::{Value, json};

/// An output's name.
pub fn output(at: &OutputReference) -> String {
    format!("{}#{}", at.transaction_id, at.index)
}

/// Amounts of several assets.
pub fn value(value: &value::Value) -> Value {
    let each = value.entries();
    each.map(|(asset, amount)| json!({ "asset": asset.to_string(), "amount": amount.to_string() }))
        .collect()
}

/// The bridge at a glance; `totals` are the caller's to add.
pub fn overview(bridge: &Overview) -> Value {
    let status = &bridge.status;
    let signing = bridge
        .signing
        .map(|(seq, signatures_count)| json!({ "seq": seq, "signatures_count": signatures_count }));
    json!({
        "bridge_id": bridge.settings.bridge_id.to_string(),
        "halted": status.halted.as_ref().map(|reason| reason.to_string()),
        "halted_code": status.halted.as_ref().map(|reason| reason.code().to_string()),
        "observed_point": status.observed.to_string(),
        "committee": {
            "epoch": bridge.committee.epoch(),
            "keys": bridge.committee.keys().iter().map(|key| key.to_string()).collect::<Vec<_>>(),
            "quorum": bridge.committee.quorum(),
        },
        "head": output(&status.head),
        "anchors": {
            "last_on_cardano_seq": status.last_anchor,
            "certified": bridge.certified.as_ref().map(anchor),
            "signing": signing,
        },
        "shards": bridge.shards.iter().map(shard).collect::<Vec<_>>(),
        "deposits": { "credited": status.credited_count, "refused": status.refused_count },
        "withdrawals": status.withdrawal_count,
        "deposit_min_lovelace": bridge.settings.params.deposit_min_lovelace.to_string(),
        "withdrawal_min_lovelace": bridge.settings.params.withdrawal_min_lovelace.to_string(),
    })
}

/// Of one asset, what is owed, where it lies on Cardano, and what entered and left.
pub fn totals(state: &dyn StateRead, row: &Solvency, totals: &AssetTotals, pots: Amount) -> Value {
    let asset = &row.asset;
    json!({
        "asset": asset.to_string(),
        "liabilities": totals.liabilities.to_string(),
        "paid": totals.paid.to_string(),
        "swept": totals.swept.to_string(),
        "unswept": totals.unswept.to_string(),
        "vault": row.vault.to_string(),
        "credited": total(state, Total::Credited, asset).to_string(),
        "paid_out": total(state, Total::PaidOut, asset).to_string(),
        "pots": pots.to_string(),
    })
}

/// What must hold at `now`, the last block's time, and whether it does. `held` is the sum of all purses, one by one.
pub fn invariants(state: &dyn StateRead, now: TimeMs) -> Value {
    let conservation = conservation(state);
    let conservation: Vec<Value> = conservation
        .iter()
        .map(|row| {
            json!({
                "asset": row.asset.to_string(),
                "credited": row.credited.to_string(),
                "paid_out": row.paid_out.to_string(),
                "held": row.held.to_string(),
                "holds": row.holds(),
            })
        })
        .collect();
    let solvency = view::solvency(state);
    let solvency: Vec<Value> = solvency
        .iter()
        .map(|row| {
            json!({
                "asset": row.asset.to_string(),
                "vault": row.vault.to_string(),
                "unswept": row.unswept.to_string(),
                "liabilities": row.liabilities.to_string(),
                "holds": row.holds(),
            })
        })
        .collect();
    let of_bridge = nupeer_bridge::invariants::standing(state);
    let of_market = nupeer_lease::invariants::violations(state, now);
    let sentence =
        |v: &nupeer_bridge::invariants::Violation| format!("not so: {}: {}", v.invariant, v.of);
    let violations = of_bridge.iter().map(sentence);
    let violations = violations.chain(of_market.iter().map(|violation| violation.to_string()));
    json!({
        "conservation": conservation,
        "solvency": solvency,
        "violations": violations.collect::<Vec<_>>(),
    })
}

fn shard(shard: &ShardRecord) -> Value {
    let holdings = shard.state.holdings.iter().map(|holding| {
        json!({
            "asset": holding.asset.to_string(),
            "amount": shard.value.of(&holding.asset).to_string(),
            "paid": holding.paid.to_string(),
            "swept": holding.swept.to_string(),
        })
    });
    json!({
        "shard": shard.state.shard,
        "output": output(&shard.output),
        "next_seq": shard.state.next_seq,
        "ordered_seq": shard.assigned_seq,
        "lovelace": shard.value.of(&AssetId::Ada).to_string(),
        "holdings": holdings.collect::<Vec<_>>(),
    })
}

/// An anchor, with what is needed to carry out what it says.
pub fn anchor(anchor: &AnchorView) -> Value {
    let record = &anchor.record;
    let signatures = record.signatures.iter();
    let signatures: Vec<Option<String>> = signatures
        .map(|signature| signature.map(|signature| signature.to_string()))
        .collect();
    json!({
        "seq": record.anchor.seq,
        "height": record.anchor.sidechain_height.0,
        "made_height": record.made.0,
        "datum_cbor": hex::encode(datum(&record.anchor)),
        "body_hash": record.anchor.body_hash().to_string(),
        "spends": output(&record.spends),
        "signatures": signatures,
        "leaves": anchor.leaves.iter().map(hex::encode).collect::<Vec<_>>(),
        "leaf_ids": record.leaves.iter().map(leaf).collect::<Vec<_>>(),
        "credited_count": record.credited_count,
        "published": record.published.as_ref().map(output),
        "cardano_tx": record.published.map(|output| output.transaction_id.to_string()),
    })
}

fn datum(anchor: &Anchor) -> Vec<u8> {
    anchor.to_data().to_cbor()
}

fn leaf(leaf: &LeafId) -> Value {
    json!({ "shard": leaf.shard, "seq": leaf.seq })
}

/// A credited deposit.
pub fn deposit(index: u64, deposit: &Credited, network: CardanoNetwork) -> Value {
    json!({
        "index": index,
        "output": output(&deposit.output),
        "account": deposit.account.to_bech32(network),
        "value": value(&deposit.value),
        "slot": deposit.slot.0,
        "credited_height": deposit.height.0,
        "swept": deposit.swept.is_some(),
        "sweep_tx": deposit.swept.map(|transaction| transaction.to_string()),
    })
}

/// A refused deposit.
pub fn refused(index: u64, refused: &Refused) -> Value {
    json!({
        "index": index,
        "output": output(&refused.output),
        "slot": refused.slot.0,
        "lovelace": refused.lovelace.to_string(),
        "reason": refused.reason.to_string(),
        "refused_height": refused.height.0,
    })
}

/// What became of the deposit in an output; `depth` is how deep it lies where no block has observed it yet, and this node sees it. How deep it has
/// to lie is the caller's to add.
pub fn deposit_status(
    at: &OutputReference,
    settled: Option<&Settled>,
    depth: Option<u64>,
    network: CardanoNetwork,
) -> Value {
    let (state, credited, refusal) = match (settled, depth) {
        (Some(Settled::Credited(index, row)), _) => {
            ("credited", Some(deposit(*index, row, network)), None)
        }
        (Some(Settled::Refused(index, row)), _) => ("refused", None, Some(refused(*index, row))),
        (None, Some(_)) => ("seen", None, None),
        (None, None) => ("unknown", None, None),
    };
    json!({
        "output": output(at),
        "state": state,
        "depth": depth,
        "deposit": credited,
        "refusal": refusal,
    })
}

/// A withdrawal.
pub fn withdrawal(id: &WithdrawalId, w: &Withdrawal, network: CardanoNetwork) -> Value {
    let leaf = w.state.leaf();
    let (payout, paid) = match w.state {
        WithdrawalState::Paid {
            transaction,
            height,
            ..
        } => (Some(transaction.to_string()), Some(height.0)),
        _ => (None, None),
    };
    let cancelled = match w.state {
        WithdrawalState::Cancelled { height } => Some(height.0),
        _ => None,
    };
    json!({
        "id": id.to_string(),
        "account": w.account.to_bech32(network),
        "address": address::to_bech32(&w.address, network),
        "asset": w.asset.to_string(),
        "amount": w.amount.to_string(),
        "lovelace_along": w.lovelace_along.to_string(),
        "state": w.state.word(),
        "shard": leaf.map(|leaf| leaf.shard),
        "seq": leaf.map(|leaf| leaf.seq),
        "anchor_seq": w.state.anchor_seq(),
        "payout_tx": payout,
        "requested_height": w.requested.0,
        "paid_height": paid,
        "cancelled_height": cancelled,
    })
}

/// Something the bridge did or saw.
pub fn event(event: &Event, network: CardanoNetwork) -> Value {
    match event {
        Event::DepositCredited {
            index,
            output: at,
            account,
            value: held,
        } => json!({
            "kind": "deposit_credited",
            "index": index,
            "output": output(at),
            "account": account.to_bech32(network),
            "value": value(held),
        }),
        Event::DepositRefused { output: at, reason } => {
            json!({ "kind": "deposit_refused", "output": output(at), "reason": reason.to_string() })
        }
        Event::DepositSwept {
            index,
            shard,
            transaction,
        } => {
            json!({ "kind": "deposit_swept", "index": index, "shard": shard, "transaction": transaction.to_string() })
        }
        Event::WithdrawalRequested {
            id,
            account,
            address: to,
            value: held,
        } => json!({
            "kind": "withdrawal_requested",
            "id": id.to_string(),
            "account": account.to_bech32(network),
            "address": address::to_bech32(to, network),
            "value": value(held),
        }),
        Event::WithdrawalAssigned { id, leaf } => {
            json!({ "kind": "withdrawal_assigned", "id": id.to_string(), "shard": leaf.shard, "seq": leaf.seq })
        }
        Event::WithdrawalPaid { id, transaction } => {
            json!({ "kind": "withdrawal_paid", "id": id.to_string(), "transaction": transaction.to_string() })
        }
        Event::WithdrawalCancelled {
            id,
            account,
            value: held,
        } => json!({
            "kind": "withdrawal_cancelled",
            "id": id.to_string(),
            "account": account.to_bech32(network),
            "value": value(held),
        }),
        of_anchors => anchor_event(of_anchors),
    }
}

fn anchor_event(event: &Event) -> Value {
    match event {
        Event::AnchorMade { seq, digest } => {
            json!({ "kind": "anchor_made", "seq": seq, "digest": digest.to_string() })
        }
        Event::AnchorSigned { seq, key } => {
            json!({ "kind": "anchor_signed", "seq": seq, "key": key.to_string() })
        }
        Event::AnchorCertified { seq } => json!({ "kind": "anchor_certified", "seq": seq }),
        Event::AnchorPublished { seq, output: at } => {
            json!({ "kind": "anchor_published", "seq": seq, "output": output(at) })
        }
        Event::Halted { reason } => {
            json!({ "kind": "bridge_halted", "code": reason.code().to_string(), "reason": reason.to_string() })
        }
        // Those of deposits and withdrawals are told by the caller.
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use nupeer_bridge::{Action, Begin, End, Params, Settings, actions::Withdraw, block, genesis};
    use nupeer_ledger::{Context, memory::MemoryState};
    use nupeer_observe::{DepositDatum, DepositSeen, Observation, Scope};
    use nupeer_outbox::{Address, BridgeId, Deposit};
    use nupeer_primitives::{
        AccountId, CardanoPoint, Credential, Hash, Hash28, Height, PublicKey, Slot, TimeMs,
    };

    use super::*;
    use crate::{api::OPENAPI, described::differences};

    const NETWORK: CardanoNetwork = CardanoNetwork::Testnet;

    fn place(n: u8) -> OutputReference {
        OutputReference {
            transaction_id: Hash([n; 32]),
            index: 0,
        }
    }

    fn settings() -> Settings {
        let hash = |n| Hash28([n; 28]);
        Settings {
            bridge_id: BridgeId::derive(42, &place(1)),
            network_magic: 42,
            seed: place(1),
            birth: Hash([2; 32]),
            scope: Scope {
                genesis: hash(1),
                head: hash(2),
                anchor: hash(3),
                vault: hash(4),
                deposit: hash(5),
            },
            committee: hash(6),
            shards: 2,
            assets: vec![],
            params: Params::default(),
        }
    }

    fn account() -> AccountId {
        AccountId::of_key(Hash28([7; 28]))
    }

    fn deposit_at(n: u8, has_reference_script: bool) -> Observation {
        Observation::Deposit(DepositSeen {
            output: place(n),
            slot: Slot(5),
            value: value::Value::lovelace(100_000_000),
            datum: DepositDatum::WellFormed(Deposit {
                recipient: account(),
                refund: Address::enterprise(Credential::Key(Hash28([7; 28]))),
                nonce: 0,
                credit_before: Slot(1_000),
            }),
            has_reference_script,
            has_staking_part: false,
        })
    }

    /// A deposit credited, one refused, a withdrawal asked for, an anchor waiting for signatures; and the events of it.
    fn story() -> (MemoryState, Vec<Event>) {
        let mut state = MemoryState::default();
        let (height, hash) = (Height(1), Hash([3; 32]));
        let point = CardanoPoint {
            slot: Slot(9),
            hash,
        };
        genesis::init(&mut state, &settings(), point, vec![PublicKey([4; 32])]).unwrap();
        let seen = [deposit_at(8, false), deposit_at(9, true)];
        let mut events = block::begin(&mut state, &Begin { height, point }, &seen);
        let to = Address::enterprise(Credential::Key(Hash28([7; 28])));
        let withdraw = Withdraw::ada(to.to_bytes(NETWORK), Amount::from(5_000_000));
        let context = Context {
            sender: account(),
            signer: account().hash(),
            transaction: Hash([6; 32]),
            height,
            time: TimeMs(1),
        };
        let done = Action::Withdraw(withdraw).execute(&mut state, &context);
        events.extend(done.unwrap());
        let end = End {
            height,
            parent_state_root: hash,
        };
        events.extend(block::end(&mut state, &end));
        (state, events)
    }

    /// The height that an answer stands at is the caller's to add.
    fn assert_described(name: &str, mut answer: Value) {
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        let schema = &document["components"]["schemas"][name];
        let described = schema["properties"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        for stamp in ["at_height", "at_time_unix_ms"] {
            if described.contains_key(stamp) {
                answer[stamp] = 1.into();
            }
        }
        assert_eq!(
            differences(name, &answer, schema, &document),
            Vec::<String>::new()
        );
    }

    #[test]
    fn answers_are_as_openapi_describes_them() {
        let (state, _) = story();
        let bridge = view::overview(&state).unwrap();
        let mut answer = overview(&bridge);
        let rows = view::solvency(&state);
        let row = |row: &Solvency| totals(&state, row, &bridge.totals[&row.asset], Amount::ZERO);
        answer["totals"] = rows.iter().map(row).collect();
        assert_eq!(answer["anchors"]["signing"]["seq"], 1);
        assert_described("Bridge", answer);
        let (index, credited) = view::deposits(&state, None, 9).remove(0);
        assert_described("Deposit", deposit(index, &credited, NETWORK));
        let (index, row) = view::refused(&state, None, 9).remove(0);
        assert_described("RefusedDeposit", refused(index, &row));
        for (n, depth, expected) in [
            (7, None, "unknown"),
            (7, Some(3), "seen"),
            (8, None, "credited"),
            (9, None, "refused"),
        ] {
            let settled = view::settled(&state, &place(n));
            let mut answer = deposit_status(&place(n), settled.as_ref(), depth, NETWORK);
            answer["depth_needed"] = 12.into();
            answer["cardano"] = Value::Null;
            assert_eq!(answer["state"], expected);
            assert_described("DepositStatus", answer);
        }
        let (id, row) = view::withdrawals(&state, None, None, 9).remove(0);
        assert_described("Withdrawal", withdrawal(&id, &row, NETWORK));
        let height = Height(7);
        let cancelled = Withdrawal {
            state: WithdrawalState::Cancelled { height },
            ..row
        };
        let cancelled = withdrawal(&id, &cancelled, NETWORK);
        assert_eq!(cancelled["state"], "cancelled");
        assert_eq!(cancelled["cancelled_height"], 7);
        assert_described("Withdrawal", cancelled);
        assert_described("Invariants", invariants(&state, TimeMs(1)));
    }

    #[test]
    fn every_event_has_its_kind() {
        let (_, events) = story();
        let told: Vec<_> = events.iter().map(|e| event(e, NETWORK)).collect();
        told.iter()
            .for_each(|event| assert_described("Event", event.clone()));
        let kinds: Vec<_> = told.iter().map(|event| event["kind"].clone()).collect();
        assert_eq!(
            kinds,
            [
                "deposit_credited",
                "deposit_refused",
                "withdrawal_requested",
                "anchor_made"
            ]
        );
        let (seq, output) = (1, place(1));
        let leaf = LeafId { shard: 0, seq };
        let (id, transaction) = (WithdrawalId(Hash([6; 32])), Hash([5; 32]));
        let key = PublicKey([4; 32]);
        let reason = nupeer_bridge::Contradiction::UnknownShard { shard: 3 };
        for (told, kind) in [
            (
                Event::DepositSwept {
                    index: 0,
                    shard: 0,
                    transaction,
                },
                "deposit_swept",
            ),
            (
                Event::WithdrawalAssigned { id, leaf },
                "withdrawal_assigned",
            ),
            (Event::WithdrawalPaid { id, transaction }, "withdrawal_paid"),
            (
                Event::WithdrawalCancelled {
                    id,
                    account: account(),
                    value: value::Value::lovelace(1),
                },
                "withdrawal_cancelled",
            ),
            (Event::AnchorSigned { seq, key }, "anchor_signed"),
            (Event::AnchorCertified { seq }, "anchor_certified"),
            (Event::AnchorPublished { seq, output }, "anchor_published"),
            (Event::Halted { reason }, "bridge_halted"),
        ] {
            assert_eq!(event(&told, NETWORK)["kind"], kind);
            assert_described("Event", event(&told, NETWORK));
        }
    }
}
