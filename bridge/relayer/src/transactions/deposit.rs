//! What somebody brings to the sidechain: an ordinary payment with a datum.

use nupeer_cardano_client::{Output, TransactionBuilder, Utxo, Value, builder::Change};
use nupeer_contracts::Validator;
use nupeer_outbox::Deposit;
use nupeer_primitives::Slot;
use pallas_addresses::Address;

use crate::Bridge;

/// The deposit's place among the outputs.
pub const DEPOSIT_INDEX: u16 = 0;

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
