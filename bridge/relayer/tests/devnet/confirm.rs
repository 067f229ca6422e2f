//! Confirmation by cardano-serialization-lib, an independent implementation.

use cardano_serialization_lib as csl;
use nupeer_cardano_client::{ProtocolParameters, SignedTransaction};

/// Its id and its script data hash are what another implementation makes of the same bytes.
pub(crate) fn confirm(signed: &SignedTransaction, parameters: &ProtocolParameters) {
    let fixed = csl::FixedTransaction::from_bytes(signed.cbor.clone()).unwrap();
    assert_eq!(fixed.transaction_hash().to_bytes(), signed.id.0, "id");
    let tx = csl::Transaction::from_bytes(signed.cbor.clone()).unwrap();
    let made = tx.body().script_data_hash();
    let Some(redeemers) = tx.witness_set().redeemers() else {
        assert!(made.is_none());
        return;
    };
    let mut model = csl::CostModel::new();
    for (operation, cost) in parameters.cost_model_v3.iter().enumerate() {
        let cost = csl::Int::new_i32(i32::try_from(*cost).unwrap());
        model.set(operation, &cost).unwrap();
    }
    let mut models = csl::Costmdls::new();
    models.insert(&csl::Language::new_plutus_v3(), &model);
    let expected = csl::hash_script_data(&redeemers, &models, None);
    assert_eq!(made, Some(expected), "script data hash");
}
