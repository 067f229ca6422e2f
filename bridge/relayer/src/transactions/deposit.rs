//! What somebody brings to the sidechain: an ordinary payment with a datum.

use nupeer_cardano_client::{Output, TransactionBuilder, Utxo, Value, builder::Change};
use nupeer_contracts::Validator;
use nupeer_outbox::Deposit;
use nupeer_primitives::Slot;
use pallas_addresses::Address;

use crate::{Bridge, state::inline};

/// The deposit's place among the outputs.
pub const DEPOSIT_INDEX: u16 = 0;

/// What a deposit's output asks for; `None` where its datum is none, or nothing that is ever credited.
pub fn read(output: &Output) -> Option<Deposit> {
    Deposit::from_data(&inline(output)?).ok()
}

/// A deposit of `value`. It is valid before the slot until which it would be credited, so that it lands in time or not
/// at all.
pub fn build(
    bridge: &Bridge,
    deposit: &Deposit,
    value: Value,
    depositor: &Address,
    funds: impl IntoIterator<Item = Utxo>,
) -> TransactionBuilder {
    let Slot(before) = deposit.credit_before;
    let output = Output::new(bridge.address(Validator::Deposit), value)
        .with_inline_datum(&deposit.to_data());
    TransactionBuilder::new(Change::to(depositor.clone()))
        .available(funds)
        .valid_until(Slot(before))
        .pay(output)
}

#[cfg(test)]
mod tests {
    use nupeer_cardano_client::Datum;
    use nupeer_primitives::{AccountId, Hash, Hash28, plutus::Data};

    use super::*;

    #[test]
    fn a_deposit_is_read_as_it_was_written_and_nothing_else_is_one() {
        let to = Address::from_hex(&format!("70{}", "05".repeat(28))).unwrap();
        let (refund, _) = nupeer_outbox::Address::from_bytes(&to.to_vec()).unwrap();
        let deposit = Deposit {
            recipient: AccountId::of_key(Hash28([3; 28])),
            refund,
            nonce: 7,
            credit_before: Slot(100),
        };
        let output = Output::new(to, Value::lovelace(5_000_000));
        let written = output.clone().with_inline_datum(&deposit.to_data());
        assert_eq!(read(&written), Some(deposit));
        assert_eq!(read(&output), None);
        let by_hash = Output {
            datum: Some(Datum::Hash(Hash([1; 32]))),
            ..output.clone()
        };
        assert_eq!(read(&by_hash), None);
        let other = output.with_inline_datum(&Data::Int(1.into()));
        assert_eq!(read(&other), None);
    }
}
