//! The devnet's ledger as the builder's evaluator: it needs nothing but the outputs that a transaction refers to.

use nupeer_cardano_client::{
    ProtocolParameters, Utxo,
    builder::{Evaluate, RedeemerError, RedeemerIndex},
    parameters::ExUnits,
};
use nupeer_devnet::ledger::{
    Evaluation, Ledger, ProtocolParameters as LedgerParameters, RedeemerKey, RedeemerTag, Settings,
    SlotClock, TxIn,
};

pub(crate) struct LedgerEvaluator {
    pub(crate) clock: SlotClock,
}

impl Evaluate for LedgerEvaluator {
    fn evaluate(
        &self,
        transaction: &[u8],
        resolved: &[Utxo],
        _: &ProtocolParameters,
    ) -> Result<Vec<(RedeemerIndex, ExUnits)>, RedeemerError> {
        let whole = |reason: String| RedeemerError {
            index: None,
            reason,
        };
        let settings = Settings {
            parameters: LedgerParameters::conway_v10(),
            network: 0,
            clock: self.clock,
        };
        let outputs = resolved.iter().map(|utxo| {
            let reference = TxIn {
                tx_id: utxo.reference.transaction_id.0,
                index: utxo.reference.index,
            };
            (reference, utxo.output.to_cbor())
        });
        let ledger = Ledger::genesis(settings, outputs).map_err(|e| whole(e.to_string()))?;
        let runs = ledger
            .evaluate(transaction)
            .map_err(|e| whole(e.to_string()))?;
        runs.into_iter().map(outcome).collect()
    }
}

fn outcome(run: Evaluation) -> Result<(RedeemerIndex, ExUnits), RedeemerError> {
    let RedeemerKey { tag, index } = run.key;
    let index = match tag {
        RedeemerTag::Spend => RedeemerIndex::Spend(index),
        RedeemerTag::Mint => RedeemerIndex::Mint(index),
        other => {
            return Err(RedeemerError {
                index: None,
                reason: format!("a redeemer for {other:?}"),
            });
        }
    };
    match run.failure {
        Some(failure) => Err(RedeemerError {
            index: Some(index),
            reason: [run.logs, vec![failure]].concat().join("; "),
        }),
        None => Ok((
            index,
            ExUnits {
                memory: run.ex_units.memory,
                steps: run.ex_units.cpu,
            },
        )),
    }
}
