//! The outputs that carry the scripts, so that transactions need not.

use nupeer_cardano_client::{
    Output, ProtocolParameters, TransactionBuilder, Utxo, Value,
    builder::{Change, minimum_lovelace},
};
use nupeer_contracts::{BridgeScripts, Validator};
use nupeer_primitives::AssetId;
use pallas_addresses::Address;

use super::TransactionError;
use crate::deployment::{REFERENCED, client_script, script_address};

/// One output for each script that transactions run, in the order of [`REFERENCED`], then change. They lie at the genesis script, which lets
/// nothing go: neither who deploys nor anybody else can take them away.
pub fn build(
    scripts: &BridgeScripts,
    submitter: &Address,
    funds: impl IntoIterator<Item = Utxo>,
    parameters: &ProtocolParameters,
) -> Result<TransactionBuilder, TransactionError> {
    let mut builder = TransactionBuilder::new(Change::to(submitter.clone())).available(funds);
    for validator in REFERENCED {
        let at = script_address(scripts, Validator::Genesis);
        let mut output =
            Output::new(at, Value::default()).with_script(client_script(scripts, validator));
        let lovelace = minimum_lovelace(&output, parameters)?;
        output.value.set(AssetId::Ada, lovelace);
        builder = builder.pay(output);
    }
    Ok(builder)
}
