//! The ledger's phase 2 for whoever builds transactions, against whichever node: it needs nothing but the outputs that a
//! transaction refers to, the figures that the node reports, and the network's clock.

use crate::{
    Network, ProtocolParameters, Utxo,
    builder::{Evaluate, RedeemerError, RedeemerIndex},
    parameters::{ExUnits, Rational},
};
use nupeer_primitives::CardanoNetwork;

use nupeer_cardano_ledger::{
    CostModels, Evaluation, ExUnits as LedgerUnits, ExecutionPrices, Ledger,
    ProtocolParameters as LedgerParameters, ProtocolVersion, Ratio, RedeemerKey, RedeemerTag,
    Settings, SlotClock, TxIn,
};

/// Runs Plutus V3 scripts in this process, with the cost model, the limits and the protocol version that the node
/// reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerEvaluator {
    clock: SlotClock,
    network: u8,
}

impl LedgerEvaluator {
    /// The evaluator of a network: scripts see its slots as Unix time. Slots of a Byron era have none.
    pub fn new(network: &Network) -> Self {
        let zero = network.slot_start(network.shelley_start_slot);
        LedgerEvaluator {
            clock: SlotClock {
                zero_slot: network.shelley_start_slot.0,
                zero_time_ms: zero.map_or(u64::MAX, |time| time.0),
                slot_length_ms: network.slot_length_ms,
                zero_epoch: network
                    .epoch_of(network.shelley_start_slot)
                    .map_or(0, |epoch| epoch.0),
                epoch_length_slots: network.epoch_length_slots,
                stability_window_slots: network.stability_window_slots(),
            },
            network: u8::from(network.kind == CardanoNetwork::Mainnet),
        }
    }

    fn ledger(&self, resolved: &[Utxo], reported: &ProtocolParameters) -> Result<Ledger, String> {
        let settings = Settings {
            parameters: parameters(reported)?,
            network: self.network,
            clock: self.clock,
        };
        let outputs = resolved.iter().map(|utxo| {
            let reference = TxIn {
                tx_id: utxo.reference.transaction_id.0,
                index: utxo.reference.index,
            };
            (reference, utxo.output.to_cbor())
        });
        Ledger::genesis(settings, outputs).map_err(|error| error.to_string())
    }
}

impl Evaluate for LedgerEvaluator {
    fn evaluate(
        &self,
        transaction: &[u8],
        resolved: &[Utxo],
        parameters: &ProtocolParameters,
    ) -> Result<Vec<(RedeemerIndex, ExUnits)>, RedeemerError> {
        let whole = |reason: String| RedeemerError {
            index: None,
            reason,
        };
        let ledger = self.ledger(resolved, parameters).map_err(whole)?;
        let runs = ledger.evaluate(transaction);
        let runs = runs.map_err(|error| whole(error.to_string()))?;
        runs.into_iter().map(outcome).collect()
    }
}

/// What phase 2 reads is the node's; what it does not read is the committed set's.
fn parameters(reported: &ProtocolParameters) -> Result<LedgerParameters, String> {
    let (major, minor) = reported.protocol_version;
    let version = |number: u64| u16::try_from(number).map_err(|_| format!("version {number}"));
    let units = |units: ExUnits| LedgerUnits {
        memory: units.memory,
        cpu: units.steps,
    };
    Ok(LedgerParameters {
        fee_per_byte_lovelace: reported.fee_per_byte_lovelace,
        fee_constant_lovelace: reported.fee_constant_lovelace,
        lovelace_per_utxo_byte: reported.utxo_cost_per_byte_lovelace,
        max_tx_size_bytes: reported.transaction_bytes_max,
        max_value_size_bytes: reported.value_bytes_max,
        collateral_percent: reported.collateral_percent,
        max_collateral_inputs: reported.collateral_inputs_max,
        execution_prices: ExecutionPrices {
            memory: ratio(reported.memory_price)?,
            cpu: ratio(reported.step_price)?,
        },
        max_tx_ex_units: units(reported.transaction_units_max),
        max_block_ex_units: units(reported.block_units_max),
        protocol_version: ProtocolVersion {
            major: version(major)?,
            minor: version(minor)?,
        },
        // The builder writes no other language.
        cost_models: CostModels {
            v1: None,
            v2: None,
            v3: Some(reported.cost_model_v3.clone()),
        },
        ..LedgerParameters::conway_v10()
    })
}

fn ratio(rational: Rational) -> Result<Ratio, String> {
    let Rational {
        numerator,
        denominator,
    } = rational;
    if denominator == 0 {
        return Err("a price with denominator 0".into());
    }
    Ok(Ratio {
        numerator,
        denominator,
    })
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
    let failed = |reason| RedeemerError {
        index: Some(index),
        reason,
    };
    match run.failure {
        Some(failure) => Err(failed([run.logs, vec![failure]].concat().join("; "))),
        None if !run.is_exact => Err(failed(
            "it calls a text built-in, whose cost under this protocol version is not known here"
                .into(),
        )),
        None => Ok((
            index,
            ExUnits {
                memory: run.ex_units.memory,
                steps: run.ex_units.cpu,
            },
        )),
    }
}
