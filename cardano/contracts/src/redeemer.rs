//! Redeemers, as the scripts read them (`lib/nupeer/bridge.ak`). Constructors that are reserved there are not written
//! here.

use nupeer_outbox::{Leaf, certificate::Certificate};
use nupeer_primitives::plutus::Data;

/// Head: publish an anchor. `committee_ix` is the committee's place among the reference inputs.
pub fn anchored(committee_ix: usize, certificate: &Certificate) -> Data {
    let slots = certificate.slots().iter();
    let slots =
        slots.map(|slot| slot.map_or(Data::bytes([]), |signature| Data::bytes(signature.0)));
    Data::Constr(0, vec![place(committee_ix), Data::List(slots.collect())])
}

/// Head as a policy: mint an anchor's token beside spending the head, which checks all.
pub fn anchor_mint() -> Data {
    Data::Constr(0, vec![])
}

/// Vault: pay a leaf. `anchor_ix` is the anchor's place among the reference inputs, `path` the leaf's packed siblings
/// (`merkle::Tree::proof`).
pub fn pay(anchor_ix: usize, leaf: &Leaf, path: &[u8]) -> Data {
    let fields = vec![
        place(anchor_ix),
        Data::Int(leaf.shard().into()),
        Data::Int(leaf.seq().into()),
        Data::Int(leaf.not_before().0.into()),
        leaf.totals().to_data(),
        Data::bytes(path),
    ];
    Data::Constr(0, fields)
}

/// Vault: take in deposits. `paths` are their proofs (`credited::pack`) in the order of the transaction's inputs.
pub fn absorb(anchor_ix: usize, paths: &[Vec<u8>]) -> Data {
    let paths = paths.iter().map(Data::bytes).collect();
    Data::Constr(1, vec![place(anchor_ix), Data::List(paths)])
}

/// Deposit: go into the shard that is the input at `shard_ix`.
pub fn sweep(shard_ix: usize) -> Data {
    Data::Constr(0, vec![place(shard_ix)])
}

fn place(ix: usize) -> Data {
    Data::Int(i128::try_from(ix).unwrap_or(i128::MAX))
}
