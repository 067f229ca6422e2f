//! What must happen to a transaction.

use std::collections::BTreeSet;

use nupeer_contracts::Validator;
use nupeer_primitives::{Credential, plutus::Data};

use super::{
    Build, Tx, World,
    machine::{Died, Units, run},
    tx::Purpose,
};

/// A transaction that must be refused, by name, and the codes of the rules that must refuse it: one, or one for each
/// script that it offends.
pub(crate) struct Attack {
    pub(crate) claim: &'static str,
    pub(crate) codes: &'static [&'static str],
    pub(crate) tx: fn(&World) -> Tx,
}

/// One script's run.
pub(crate) struct Ran {
    pub(crate) validator: Validator,
    pub(crate) redeemer: Data,
    pub(crate) purpose: Purpose,
    pub(crate) outcome: Result<Units, Died>,
}

/// Runs every script of the bridge that the transaction calls. What is under strangers' scripts succeeds: they are the
/// attacker's own.
pub(crate) fn execute(world: &World, tx: &Tx) -> Vec<Ran> {
    let known = world.by_hash();
    let spends =
        tx.inputs
            .iter()
            .filter_map(|(reference, (out, redeemer))| match out.address.payment {
                Credential::Script(hash) => Some((
                    hash,
                    Purpose::Spend(*reference, out.datum.clone()),
                    redeemer.clone(),
                )),
                Credential::Key(_) => None,
            });
    let mints = tx
        .mint
        .iter()
        .map(|(policy, mint)| (*policy, Purpose::Mint(*policy), mint.redeemer.clone()));
    let withdrawals = tx
        .withdrawals
        .iter()
        .map(|(script, redeemer)| (*script, Purpose::Withdraw(*script), Some(redeemer.clone())));
    let runs = spends
        .chain(mints)
        .chain(withdrawals)
        .filter_map(|(hash, purpose, redeemer)| {
            let validator = *known.get(&hash)?;
            let redeemer =
                redeemer.unwrap_or_else(|| panic!("{validator:?} is called without a redeemer"));
            let outcome = run(
                world.scripts.script(validator),
                &tx.context(&purpose, &redeemer),
            );
            Some(Ran {
                validator,
                redeemer,
                purpose,
                outcome,
            })
        });
    runs.collect()
}

/// Asserts that every script of a healthy transaction succeeds, in both builds; returns what the silent one used.
pub(crate) fn accepted(claim: &str, tx: fn(&World) -> Tx) -> Units {
    let mut used = Units::default();
    for build in [Build::Traced, Build::Silent] {
        let world = World::of(build);
        let runs = execute(world, &tx(world));
        assert!(!runs.is_empty(), "{claim}: no script is called");
        used = Units::default();
        for ran in runs {
            let units = ran
                .outcome
                .unwrap_or_else(|died| panic!("{claim}: {:?} {build:?} {died:?}", ran.validator));
            used += units;
        }
    }
    used
}

/// Asserts that each attack dies with its own code and no other in the traced build, and of the same scripts in the
/// silent one.
pub(crate) fn refused(attacks: &[Attack]) {
    let faults: Vec<String> = attacks.iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn fault(attack: &Attack) -> Option<String> {
    let traced = failures(attack, Build::Traced);
    let codes: BTreeSet<_> = traced
        .iter()
        .map(|(_, died)| died.code.as_deref())
        .collect();
    if codes != attack.codes.iter().map(|code| Some(*code)).collect() {
        return Some(format!(
            "{}: expected {:?}, found {traced:?}",
            attack.claim, attack.codes
        ));
    }
    let silent = failures(attack, Build::Silent);
    let scripts = |failed: &[(Validator, Died)]| {
        failed
            .iter()
            .map(|(validator, _)| *validator)
            .collect::<Vec<_>>()
    };
    let same =
        scripts(&silent) == scripts(&traced) && silent.iter().all(|(_, died)| died.code.is_none());
    (!same).then(|| format!("{}: the silent build differs: {silent:?}", attack.claim))
}

fn failures(attack: &Attack, build: Build) -> Vec<(Validator, Died)> {
    let world = World::of(build);
    let runs = execute(world, &(attack.tx)(world)).into_iter();
    runs.filter_map(|ran| Some((ran.validator, ran.outcome.err()?)))
        .collect()
}
