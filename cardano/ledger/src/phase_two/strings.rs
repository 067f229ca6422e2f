//! Three built-ins whose price the evaluator does not know: `appendString`, `equalsString` and `encodeUtf8`.
//!
//! Until protocol version 10 the ledger charges them for a text's characters, from version 11 on for a quarter of its bytes (plutus-core,
//! `TextCostedByByteLength`). amaru-uplc 0.4.0 always does the latter, so that what it says of a script that calls one of them is too little
//! under version 10. Whether a script calls one is found out by running it again with these built-ins one step dearer.

use crate::script::PlutusVersion;
use amaru_uplc::binder::DeBruijn;
use amaru_uplc::builtin::DefaultFunction;
use amaru_uplc::term::Term;

/// Where a cost model has the fixed CPU costs of the three, by language (the order of the ledger's cost models).
fn positions(version: PlutusVersion) -> [usize; 4] {
    match version {
        PlutusVersion::V1 | PlutusVersion::V2 => [8, 55, 69, 70],
        PlutusVersion::V3 => [8, 60, 74, 75],
    }
}

/// The cost model with these built-ins one CPU step dearer.
pub(super) fn dearer(version: PlutusVersion, cost_model: &[i64]) -> Vec<i64> {
    let mut costs = cost_model.to_vec();
    for position in positions(version) {
        if let Some(cost) = costs.get_mut(position) {
            *cost = cost.saturating_add(1);
        }
    }
    costs
}

/// Whether a program names one of them at all.
pub(super) fn are_named<'a>(term: &'a Term<'a, DeBruijn>) -> bool {
    let mut pending = vec![term];
    while let Some(term) = pending.pop() {
        match term {
            Term::Builtin(
                DefaultFunction::AppendString
                | DefaultFunction::EqualsString
                | DefaultFunction::EncodeUtf8,
            ) => return true,
            Term::Var(_) | Term::Constant(_) | Term::Builtin(_) | Term::Error => {}
            Term::Lambda { body, .. } | Term::Delay(body) | Term::Force(body) => pending.push(body),
            Term::Apply { function, argument } => pending.extend([*function, *argument]),
            Term::Constr { fields, .. } => pending.extend(fields.iter()),
            Term::Case { constr, branches } => {
                pending.push(constr);
                pending.extend(branches.iter());
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::ProtocolParameters;
    use amaru_uplc::arena::Arena;
    use amaru_uplc::machine::{self, ExBudget};

    /// CPU steps of a program under its language's cost model and under the dearer one.
    fn steps(version: PlutusVersion, text: &str) -> (i64, i64) {
        let models = ProtocolParameters::conway_v10().cost_models;
        let costs = models.get(version).expect("a cost model");
        let arena = Arena::new();
        let program = amaru_uplc::syn::parse_program(&arena, text)
            .into_result()
            .expect("a program");
        let machine = match version {
            PlutusVersion::V1 => machine::PlutusVersion::V1,
            PlutusVersion::V2 => machine::PlutusVersion::V2,
            PlutusVersion::V3 => machine::PlutusVersion::V3,
        };
        let run = |costs: &[i64]| {
            program
                .eval_with_params(&arena, machine, costs, ExBudget::max())
                .info
                .consumed_budget
                .cpu
        };
        (run(costs), run(&dearer(version, costs)))
    }

    #[test]
    fn each_of_the_three_is_found_and_no_other() {
        let text = |body: &str| format!("(program 1.0.0 {body})");
        let cases = [
            (
                "[[(builtin appendString) (con string \"a\")] (con string \"b\")]",
                1,
            ),
            (
                "[[(builtin equalsString) (con string \"abcd\")] (con string \"abcd\")]",
                1,
            ),
            (
                "[[(builtin equalsString) (con string \"abcd\")] (con string \"a\")]",
                1,
            ),
            ("[(builtin encodeUtf8) (con string \"a\")]", 1),
            ("[(builtin decodeUtf8) (con bytestring #61)]", 0),
            (
                "[[(builtin appendByteString) (con bytestring #61)] (con bytestring #61)]",
                0,
            ),
            (
                "[[(builtin equalsByteString) (con bytestring #61)] (con bytestring #61)]",
                0,
            ),
        ];
        for version in [PlutusVersion::V2, PlutusVersion::V3] {
            for (body, difference) in cases {
                let (before, after) = steps(version, &text(body));
                assert_eq!(after - before, difference, "{version:?} {body}");
            }
        }
    }
}
