//! The protocol's parameters as `GetCurrentPParams` answers them: an array of 31 in the order of the ledger's `ConwayPParams`.

use pallas_codec::minicbor::{Encoder, data::Tag, encode::Error};

use super::answer::encoded;
use nupeer_cardano_ledger::{
    DRepVotingThresholds, PoolVotingThresholds, ProtocolParameters, Ratio,
};

type Writer<'a> = Encoder<&'a mut Vec<u8>>;
type Written = Result<(), Error<std::convert::Infallible>>;

pub(crate) fn encode(p: &ProtocolParameters) -> Vec<u8> {
    encoded(|e| drop(write(e, p)))
}

fn write(e: &mut Writer<'_>, p: &ProtocolParameters) -> Written {
    e.array(31)?;
    e.u64(p.fee_per_byte_lovelace)?
        .u64(p.fee_constant_lovelace)?;
    e.u64(p.max_block_body_size_bytes)?
        .u64(p.max_tx_size_bytes)?
        .u64(p.max_block_header_size_bytes)?;
    e.u64(p.stake_credential_deposit_lovelace)?
        .u64(p.stake_pool_deposit_lovelace)?;
    e.u64(p.stake_pool_retirement_epoch_bound)?
        .u16(p.desired_number_of_stake_pools)?;
    ratios(
        e,
        &[
            p.stake_pool_pledge_influence,
            p.monetary_expansion,
            p.treasury_expansion,
        ],
    )?;
    e.array(2)?
        .u16(p.protocol_version.major)?
        .u16(p.protocol_version.minor)?;
    e.u64(p.min_stake_pool_cost_lovelace)?
        .u64(p.lovelace_per_utxo_byte)?;
    cost_models(e, p)?;
    e.array(2)?;
    ratios(e, &[p.execution_prices.memory, p.execution_prices.cpu])?;
    for units in [p.max_tx_ex_units, p.max_block_ex_units] {
        e.array(2)?.u64(units.memory)?.u64(units.cpu)?;
    }
    e.u64(p.max_value_size_bytes)?
        .u64(p.collateral_percent)?
        .u64(p.max_collateral_inputs)?;
    pool_thresholds(e, &p.stake_pool_voting_thresholds)?;
    drep_thresholds(e, &p.drep_voting_thresholds)?;
    e.u16(p.constitutional_committee_min_size)?
        .u64(p.constitutional_committee_max_term_epochs)?;
    e.u64(p.governance_action_lifetime_epochs)?
        .u64(p.governance_action_deposit_lovelace)?;
    e.u64(p.drep_deposit_lovelace)?
        .u64(p.drep_max_idle_epochs)?;
    ratios(e, &[p.reference_script_price.base])
}

fn ratios(e: &mut Writer<'_>, ratios: &[Ratio]) -> Written {
    for ratio in ratios {
        e.tag(Tag::new(30))?
            .array(2)?
            .u64(ratio.numerator)?
            .u64(ratio.denominator)?;
    }
    Ok(())
}

fn cost_models(e: &mut Writer<'_>, p: &ProtocolParameters) -> Written {
    let models = [&p.cost_models.v1, &p.cost_models.v2, &p.cost_models.v3];
    let known: Vec<_> = (0u8..)
        .zip(models)
        .filter_map(|(language, model)| Some((language, model.as_ref()?)))
        .collect();
    e.map(known.len() as u64)?;
    for (language, model) in known {
        e.u8(language)?.array(model.len() as u64)?;
        for cost in model {
            e.i64(*cost)?;
        }
    }
    Ok(())
}

fn pool_thresholds(e: &mut Writer<'_>, t: &PoolVotingThresholds) -> Written {
    e.array(5)?;
    let committee = &t.constitutional_committee;
    let thresholds = [
        t.no_confidence,
        committee.default,
        committee.state_of_no_confidence,
        t.hard_fork_initiation,
        t.protocol_parameters_update.security,
    ];
    ratios(e, &thresholds)
}

fn drep_thresholds(e: &mut Writer<'_>, t: &DRepVotingThresholds) -> Written {
    e.array(10)?;
    let (committee, groups) = (&t.constitutional_committee, &t.protocol_parameters_update);
    let thresholds = [
        t.no_confidence,
        committee.default,
        committee.state_of_no_confidence,
        t.constitution,
        t.hard_fork_initiation,
        groups.network,
        groups.economic,
        groups.technical,
        groups.governance,
        t.treasury_withdrawals,
    ];
    ratios(e, &thresholds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pallas_codec::minicbor;
    use pallas_network::miniprotocols::localstate::queries_v16::ProtocolParam;

    #[test]
    fn a_client_reads_the_parameters_it_is_given() {
        let parameters = ProtocolParameters::conway_v10();
        let read: ProtocolParam = minicbor::decode(&encode(&parameters)).expect("decodes");
        assert_eq!(read.minfee_a, Some(44));
        assert_eq!(read.max_transaction_size, Some(16_384));
        assert_eq!(read.protocol_version, Some((10, 0)));
        let thresholds = read.drep_voting_thresholds.expect("thresholds");
        let last = parameters.drep_voting_thresholds.treasury_withdrawals;
        assert_eq!(thresholds.treasury_withdrawal.numerator, last.numerator);
        let v3 = read
            .cost_models_for_script_languages
            .and_then(|models| models.plutus_v3);
        assert_eq!(v3, parameters.cost_models.v3);
        let price = read.minfee_refscript_cost_per_byte.expect("a price");
        assert_eq!((price.numerator, price.denominator), (15, 1));
    }
}
