//! The head and the anchor policy.

use nupeer_contracts::Validator;
use nupeer_outbox::{Address, BridgeId, Head, Value, certificate::Statement};
use nupeer_primitives::{Amount, Credential, Hash, Hash28, TimeMs, plutus::Data};

use crate::{
    cases::anchor::{ANCHOR_OUT, Case, HEAD_OUT, tx},
    harness::{
        Attack, Datum, Tx, World, accepted,
        data::{field, inline, items},
        refused,
        tx::Mint,
        world::{COMMITTEE, HEAD, MINUTE_MS, NOW_MS, place, to_key, token},
    },
};

fn with(world: &World, change: fn(&mut Tx, &World)) -> Tx {
    let mut tx = tx(world);
    change(&mut tx, world);
    tx
}

/// Changes the signatures in the redeemer.
fn with_slots(world: &World, change: fn(&mut Vec<Data>, &World)) -> Tx {
    let mut tx = tx(world);
    let redeemer = tx
        .inputs
        .get_mut(&HEAD)
        .and_then(|input| input.1.as_mut())
        .expect("a redeemer");
    change(items(field(redeemer, 1)), world);
    tx
}

/// Signs something else than what the transaction does.
fn signed_over(world: &World, change: fn(&mut Statement)) -> Tx {
    let mut case = Case::healthy(world);
    change(&mut case.statement);
    case.signed(world, &[0, 1, 2]).tx(world)
}

/// Anchors something else, signed.
fn anchoring(world: &World, change: fn(&mut Case)) -> Tx {
    let mut case = Case::healthy(world);
    change(&mut case);
    case.statement.body_hash = case.anchor.body_hash();
    case.signed(world, &[0, 1, 2]).tx(world)
}

fn set_head(tx: &mut Tx, change: fn(&mut Head)) {
    let mut head = Head::from_data(inline(&mut tx.outputs[HEAD_OUT])).expect("a head");
    change(&mut head);
    tx.outputs[HEAD_OUT].datum = Datum::Inline(head.to_data());
}

fn mint_of<'a>(tx: &'a mut Tx, world: &World) -> &'a mut Mint {
    tx.mint
        .get_mut(&world.scripts.hash(Validator::Head))
        .expect("a mint")
}

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        claim: "fewer signatures than the quorum",
        codes: &["S04"],
        tx: |w| Case::healthy(w).signed(w, &[0, 3]).tx(w),
    },
    Attack {
        claim: "no signature at all",
        codes: &["S04"],
        tx: |w| with_slots(w, |slots, _| slots.clear()),
    },
    Attack {
        claim: "an outsider's signature",
        codes: &["S03"],
        tx: |w| {
            with_slots(w, |slots, w| {
                let outsider = ed25519_dalek::SigningKey::from_bytes(&[99; 32]);
                let digest = Case::healthy(w).statement.digest();
                let signature = ed25519_dalek::Signer::sign(&outsider, &digest.0);
                slots[2] = Data::bytes(signature.to_bytes());
            })
        },
    },
    Attack {
        claim: "one signer in two slots",
        codes: &["S03"],
        tx: |w| with_slots(w, |slots, _| slots[2] = slots[1].clone()),
    },
    Attack {
        claim: "one signer in a slot beyond the members",
        codes: &["S01"],
        tx: |w| {
            with_slots(w, |slots, _| {
                slots[2] = Data::bytes([]);
                slots.push(slots[0].clone());
            })
        },
    },
    Attack {
        claim: "signatures out of order",
        codes: &["S03"],
        tx: |w| with_slots(w, |slots, _| slots.swap(0, 1)),
    },
    Attack {
        claim: "a truncated signature",
        codes: &["S02"],
        tx: |w| with_slots(w, |slots, _| slots[1] = Data::bytes([7; 63])),
    },
    Attack {
        claim: "signed for another network",
        codes: &["S03"],
        tx: |w| signed_over(w, |statement| statement.network_magic = 1),
    },
    Attack {
        claim: "signed for another bridge",
        codes: &["S03"],
        tx: |w| signed_over(w, |statement| statement.bridge_id = BridgeId(Hash([9; 32]))),
    },
    Attack {
        claim: "signed for another epoch",
        codes: &["S03"],
        tx: |w| signed_over(w, |statement| statement.epoch = 1),
    },
    Attack {
        claim: "a certificate used before, of another head",
        codes: &["S03"],
        tx: |w| signed_over(w, |statement| statement.spent = place(0x34)),
    },
    Attack {
        claim: "signed over another anchor",
        codes: &["S03"],
        tx: |w| signed_over(w, |statement| statement.body_hash = Hash([9; 32])),
    },
    Attack {
        claim: "the anchor's datum swapped after signing",
        codes: &["S03"],
        tx: |w| {
            with(w, |tx, _| {
                *field(inline(&mut tx.outputs[ANCHOR_OUT]), 6) = Data::bytes([9; 32])
            })
        },
    },
    Attack {
        claim: "a committee at another script",
        codes: &["K01"],
        tx: |w| {
            with(w, |tx, w| {
                tx.referenced(&COMMITTEE).address = w.scripts.address(Validator::Vault)
            })
        },
    },
    Attack {
        claim: "a committee that somebody made up",
        codes: &["K02"],
        tx: |w| {
            with(w, |tx, _| {
                tx.referenced(&COMMITTEE).value = Value::lovelace(3_000_000)
            })
        },
    },
    Attack {
        claim: "a committee with the head's NFT",
        codes: &["K02"],
        tx: |w| {
            with(w, |tx, w| {
                let value = Value::lovelace(3_000_000).with(w.scripts.head_token(), Amount::new(1));
                tx.referenced(&COMMITTEE).value = value;
            })
        },
    },
    Attack {
        claim: "another bridge's committee",
        codes: &["K01"],
        tx: |w| {
            with(w, |tx, _| {
                let other = World::born(include_str!("../../plutus.json"), place(0x02), 4);
                let token = other.scripts.committee_token();
                let value = Value::lovelace(3_000_000).with(token, Amount::new(1));
                let theirs = other.committee().to_data();
                *tx.referenced(&COMMITTEE) = other.at(Validator::Committee, value, theirs);
            })
        },
    },
    Attack {
        claim: "another bridge's committee at our committee's address",
        codes: &["K02"],
        tx: |w| {
            with(w, |tx, w| {
                let other = World::born(include_str!("../../plutus.json"), place(0x02), 4);
                let token = other.scripts.committee_token();
                let value = Value::lovelace(3_000_000).with(token, Amount::new(1));
                let theirs = other.committee().to_data();
                *tx.referenced(&COMMITTEE) = w.at(Validator::Committee, value, theirs);
            })
        },
    },
    Attack {
        claim: "a committee without an inline datum",
        codes: &["K03"],
        tx: |w| {
            with(w, |tx, _| {
                tx.referenced(&COMMITTEE).datum = Datum::Hash(Hash([1; 32]))
            })
        },
    },
    Attack {
        claim: "a committee of another scheme",
        codes: &["K04"],
        tx: |w| {
            with(w, |tx, _| {
                *field(inline(tx.referenced(&COMMITTEE)), 4) = Data::Int(1)
            })
        },
    },
    Attack {
        claim: "no committee",
        codes: &["X01"],
        tx: |w| {
            with(w, |tx, _| {
                let redeemer = tx
                    .inputs
                    .get_mut(&HEAD)
                    .and_then(|input| input.1.as_mut())
                    .expect("a redeemer");
                *field(redeemer, 0) = Data::Int(99);
            })
        },
    },
    Attack {
        claim: "a malformed redeemer",
        codes: &["H01"],
        tx: |w| with(w, |tx, _| tx.redeem(&HEAD, Data::Constr(0, vec![]))),
    },
    Attack {
        claim: "a redeemer for something else",
        codes: &["H01", "M02"],
        tx: |w| with(w, |tx, _| tx.redeem(&HEAD, Data::Constr(1, vec![]))),
    },
    Attack {
        claim: "a head with a malformed datum",
        codes: &["H02"],
        tx: |w| with(w, |tx, _| *inline(tx.spent(&HEAD)) = Data::Int(41)),
    },
    Attack {
        claim: "a head without a datum",
        codes: &["H02"],
        tx: |w| with(w, |tx, _| tx.spent(&HEAD).datum = Datum::None),
    },
    Attack {
        claim: "a head that somebody made up",
        codes: &["H03", "M01"],
        tx: |w| {
            with(w, |tx, _| {
                tx.spent(&HEAD).value = Value::lovelace(3_000_000)
            })
        },
    },
    Attack {
        claim: "a head that somebody made up beside the true one",
        codes: &["H03"],
        tx: |w| {
            with(w, |tx, _| {
                let (mut fake, redeemer) = tx.inputs[&HEAD].clone();
                fake.value = Value::lovelace(3_000_000);
                tx.inputs.insert(place(0x35), (fake, redeemer));
            })
        },
    },
    Attack {
        claim: "a single output",
        codes: &["H04"],
        tx: |w| with(w, |tx, _| tx.outputs.truncate(ANCHOR_OUT)),
    },
    Attack {
        claim: "the head taken home",
        codes: &["H05"],
        tx: |w| with(w, |tx, _| tx.outputs[HEAD_OUT].address = to_key(1).address),
    },
    Attack {
        claim: "the head's staking part swapped",
        codes: &["H05"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[HEAD_OUT].address.stake = Some(Credential::Key(Hash28([1; 28])))
            })
        },
    },
    Attack {
        claim: "ADA taken out of the head",
        codes: &["H05"],
        tx: |w| {
            with(w, |tx, w| {
                let value = Value::lovelace(2_999_999).with(w.scripts.head_token(), Amount::new(1));
                tx.outputs[HEAD_OUT].value = value;
            })
        },
    },
    Attack {
        claim: "a token put into the head",
        codes: &["H05"],
        tx: |w| {
            with(w, |tx, _| {
                let value = tx.outputs[HEAD_OUT].value.clone();
                tx.outputs[HEAD_OUT].value = value.with(token(b"dust"), Amount::new(1));
            })
        },
    },
    Attack {
        claim: "a head that does not count",
        codes: &["H05"],
        tx: |w| with(w, |tx, _| set_head(tx, |head| head.last_anchor_seq -= 1)),
    },
    Attack {
        claim: "a head that lies about the time",
        codes: &["H05"],
        tx: |w| {
            with(w, |tx, _| {
                set_head(tx, |head| head.last_anchor_time = TimeMs(NOW_MS))
            })
        },
    },
    Attack {
        claim: "the head's datum swapped for a shard's",
        codes: &["H05"],
        tx: |w| {
            with(w, |tx, _| {
                let shard = crate::cases::pay::shard(0).to_data();
                tx.outputs[HEAD_OUT].datum = Datum::Inline(shard);
            })
        },
    },
    Attack {
        claim: "a head with a reference script",
        codes: &["H05"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[HEAD_OUT].script = Some(Hash28([1; 28]))
            })
        },
    },
    Attack {
        claim: "an anchor at another address",
        codes: &["H06"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[ANCHOR_OUT].address = to_key(1).address
            })
        },
    },
    Attack {
        claim: "an anchor with a staking part",
        codes: &["H06"],
        tx: |w| {
            with(w, |tx, w| {
                let payment = Credential::Script(w.scripts.hash(Validator::Anchor));
                let stake = Some(Credential::Key(Hash28([1; 28])));
                tx.outputs[ANCHOR_OUT].address = Address { payment, stake };
            })
        },
    },
    Attack {
        claim: "an anchor without its token",
        codes: &["H07"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[ANCHOR_OUT].value = Value::lovelace(3_000_000)
            })
        },
    },
    Attack {
        claim: "an anchor with a token smuggled in",
        codes: &["H07"],
        tx: |w| {
            with(w, |tx, _| {
                let value = tx.outputs[ANCHOR_OUT].value.clone();
                tx.outputs[ANCHOR_OUT].value = value.with(token(b"dust"), Amount::new(1));
            })
        },
    },
    Attack {
        claim: "an anchor with a reference script",
        codes: &["H08"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[ANCHOR_OUT].script = Some(Hash28([1; 28]))
            })
        },
    },
    Attack {
        claim: "an anchor without an inline datum",
        codes: &["H09"],
        tx: |w| {
            with(w, |tx, _| {
                tx.outputs[ANCHOR_OUT].datum = Datum::Hash(Hash([1; 32]))
            })
        },
    },
    Attack {
        claim: "an anchor with a malformed datum",
        codes: &["H09"],
        tx: |w| {
            with(w, |tx, _| {
                *field(inline(&mut tx.outputs[ANCHOR_OUT]), 4) = Data::List(vec![])
            })
        },
    },
    Attack {
        claim: "an anchor that skips a number",
        codes: &["H10"],
        tx: |w| anchoring(w, |case| case.anchor.seq += 1),
    },
    Attack {
        claim: "an anchor of an old number",
        codes: &["H10"],
        tx: |w| anchoring(w, |case| case.anchor.seq = case.before.last_anchor_seq),
    },
    Attack {
        claim: "two anchor tokens",
        codes: &["H11"],
        tx: |w| {
            with(w, |tx, w| {
                mint_of(tx, w).tokens.insert(Vec::new(), 2);
            })
        },
    },
    Attack {
        claim: "another token of the policy",
        codes: &["H11"],
        tx: |w| {
            with(w, |tx, w| {
                mint_of(tx, w).tokens.insert(b"forged".to_vec(), 1);
            })
        },
    },
    Attack {
        claim: "a stranger's token minted on the way",
        codes: &["H11"],
        tx: |w| {
            with(w, |tx, _| {
                let tokens = [(b"x".to_vec(), 1)].into();
                tx.mint.insert(
                    Hash28([0x99; 28]),
                    Mint {
                        tokens,
                        redeemer: None,
                    },
                );
            })
        },
    },
    Attack {
        claim: "an anchor token minted without the head",
        codes: &["M01"],
        tx: |w| with(w, |tx, _| drop(tx.inputs.remove(&HEAD))),
    },
    Attack {
        claim: "an anchor token minted under another NFT of the bridge",
        codes: &["M01"],
        tx: |w| {
            with(w, |tx, w| {
                tx.inputs.remove(&HEAD);
                let value =
                    Value::lovelace(3_000_000).with(w.scripts.shard_token(0), Amount::new(1));
                tx.inputs.insert(
                    place(0x36),
                    (crate::harness::Out { value, ..to_key(1) }, None),
                );
            })
        },
    },
    Attack {
        claim: "an anchor token minted under the head's NFT at a stranger's script",
        codes: &["M01"],
        tx: |w| {
            with(w, |tx, _| {
                tx.spent(&HEAD).address.payment = Credential::Script(Hash28([0x31; 28]));
            })
        },
    },
    Attack {
        claim: "no start of the validity range",
        codes: &["T01"],
        tx: |w| with(w, |tx, _| tx.valid.0 = None),
    },
    Attack {
        claim: "no end of the validity range",
        codes: &["T02"],
        tx: |w| with(w, |tx, _| tx.valid.1 = None),
    },
    Attack {
        claim: "a validity range that could put off an exit",
        codes: &["T03"],
        tx: |w| with(w, |tx, _| tx.valid.1 = Some(NOW_MS + 61 * MINUTE_MS)),
    },
];

#[test]
fn a_quorum_publishes_the_next_anchor() {
    accepted("anchor", tx);
}

#[test]
fn any_three_of_four_are_a_quorum_and_so_are_all_four() {
    accepted("without the first", |w| {
        Case::healthy(w).signed(w, &[1, 2, 3]).tx(w)
    });
    accepted("all", |w| Case::healthy(w).signed(w, &[0, 1, 2, 3]).tx(w));
}

#[test]
fn nothing_else_becomes_an_anchor() {
    refused(ATTACKS);
}
