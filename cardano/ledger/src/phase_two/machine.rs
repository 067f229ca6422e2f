//! Running one Plutus script: decoding, the machine with the protocol's cost model and a budget, and what came of it.
//!
//! The evaluator decodes and discharges by recursion, so that everything here runs on a thread of its own with a stack that the
//! deepest program the protocol allows cannot exhaust; a panic inside the evaluator becomes an error.

use super::build::Build;
use super::{bls, strings};
use crate::cbor::Reader;
use crate::script::PlutusVersion;
use crate::tx::ExUnits;
use amaru_uplc::arena::Arena;
use amaru_uplc::binder::{DeBruijn, Eval};
use amaru_uplc::bumpalo::Bump;
use amaru_uplc::data::PlutusData;
use amaru_uplc::flat;
use amaru_uplc::machine::{self, ExBudget, MachineError};
use amaru_uplc::program::Program;
use amaru_uplc::term::Term;

/// Address space for the evaluator's stack, in bytes; only what is used becomes memory.
///
/// A program of 200 KiB (the protocol's limit on reference scripts) nests at most 2 × 200 Ki terms.
const STACK_BYTES: usize = 512 * 1024 * 1024;

/// The most of a script's traces that is kept, in bytes.
const LOG_BYTES_MAX: usize = 64 * 1024;

/// Runs a closure on a thread with a deep stack. An evaluator that panics gives an error.
pub(crate) fn with_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("phase two".to_owned())
            .stack_size(STACK_BYTES);
        let handle = thread
            .spawn_scoped(scope, work)
            .map_err(|error| format!("no thread for the evaluator: {error}"))?;
        handle
            .join()
            .map_err(|_| "the evaluator panicked".to_owned())
    })
}

/// Whether a script can be decoded under this protocol version.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_well_formed(
    version: PlutusVersion,
    script: &[u8],
    protocol_version: u16,
) -> Result<(), String> {
    with_deep_stack(|| {
        let (arena, slices) = (Arena::new(), Bump::new());
        let build = Build {
            arena: &arena,
            slices: &slices,
        };
        decode(build, version, script, protocol_version).map(|_| ())
    })?
}

/// Decodes a script: a CBOR byte string around a flat-encoded program that fills it.
pub(super) fn decode<'a>(
    build: Build<'a>,
    version: PlutusVersion,
    script: &[u8],
    protocol_version: u16,
) -> Result<&'a Program<'a, DeBruijn>, String> {
    let mut reader = Reader::new(script);
    let flat = reader
        .bytes("a flat-encoded program")
        .map_err(|error| error.to_string())?;
    // Until V3, bytes after the string were ignored.
    if version == PlutusVersion::V3 {
        reader
            .finish("a Plutus script")
            .map_err(|error| error.to_string())?;
    }
    let strictly = |flat: &[u8]| {
        let (version, protocol_version) = (plutus(version), u32::from(protocol_version));
        flat::decode_strict::<DeBruijn>(build.arena, flat, version, protocol_version)
            .map_err(|error| error.to_string())
    };
    let program = match strictly(flat) {
        Ok(program) => program,
        Err(reason) => bls::decode(build, flat, strictly).unwrap_or(Err(reason))?,
    };
    if !program.version.is_valid_version() {
        return Err("an unknown version of Plutus Core".to_owned());
    }
    Ok(program)
}

fn plutus(version: PlutusVersion) -> machine::PlutusVersion {
    match version {
        PlutusVersion::V1 => machine::PlutusVersion::V1,
        PlutusVersion::V2 => machine::PlutusVersion::V2,
        PlutusVersion::V3 => machine::PlutusVersion::V3,
    }
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) ex_units: ExUnits,
    /// Whether the ledger would charge exactly that; see `strings`.
    pub(super) is_exact: bool,
    pub(super) logs: Vec<String>,
    pub(super) failure: Option<String>,
}

impl Run {
    pub(super) fn failed(reason: String) -> Self {
        Self {
            ex_units: ExUnits::default(),
            is_exact: true,
            logs: Vec::new(),
            failure: Some(reason),
        }
    }
}

/// Applies a script to its arguments and runs it within the budget. V3 must return unit (CIP-117), V1 and V2 anything.
///
/// The application is wrapped: for V3 as `chooseUnit script ()`, for V1 and V2 as `(λ_. ()) script`. So the script's result is never turned
/// back into a term, which for a function over shared environments would take time that no budget counts, and another result
/// than V3's unit fails in the built-in. What the wrapping costs is measured with the same cost model and is not the script's.
pub(super) fn run<'a>(
    arena: &'a Arena,
    version: PlutusVersion,
    program: &'a Program<'a, DeBruijn>,
    arguments: &[&'a PlutusData<'a>],
    cost_model: &[i64],
    budget: ExUnits,
) -> Run {
    if !is_closed(program.term) {
        return Run::failed("the program has free variables".to_owned());
    }
    let eval = |term, cost_model: &[i64], budget| {
        Program::new(arena, program.version, term).eval_with_params(
            arena,
            plutus(version),
            cost_model,
            budget,
        )
    };
    let cost = |term| eval(term, cost_model, ExBudget::max()).info.consumed_budget;
    let unit = Term::unit(arena);
    let overhead = cost(wrap(arena, version, unit)) - cost(unit);
    let applied = arguments.iter().fold(program.term, |term, data| {
        term.apply(arena, Term::data(arena, data))
    });
    let wrapped = wrap(arena, version, applied);
    let limit = with_overhead(budget, overhead);
    let result = eval(wrapped, cost_model, limit);
    let consumed = result.info.consumed_budget;
    let is_exact = !strings::are_named(program.term)
        || eval(wrapped, &strings::dearer(version, cost_model), limit)
            .info
            .consumed_budget
            == consumed;
    Run {
        ex_units: ExUnits {
            memory: u64::try_from(consumed.mem.saturating_sub(overhead.mem)).unwrap_or(0),
            cpu: u64::try_from(consumed.cpu.saturating_sub(overhead.cpu)).unwrap_or(0),
        },
        is_exact,
        logs: bounded(result.info.logs),
        failure: result.term.err().map(|error| describe(&error)),
    }
}

fn wrap<'a>(
    arena: &'a Arena,
    version: PlutusVersion,
    term: &'a Term<'a, DeBruijn>,
) -> &'a Term<'a, DeBruijn> {
    let unit = Term::unit(arena);
    match version {
        PlutusVersion::V1 | PlutusVersion::V2 => {
            unit.lambda(arena, DeBruijn::zero(arena)).apply(arena, term)
        }
        PlutusVersion::V3 => Term::choose_unit(arena)
            .force(arena)
            .apply(arena, term)
            .apply(arena, unit),
    }
}

/// Keeps the first traces that fit, and says how many it left out: a script may trace the same long text thousands of times.
fn bounded(logs: Vec<String>) -> Vec<String> {
    let total = logs.len();
    let mut left = LOG_BYTES_MAX;
    let fits = |entry: &String| {
        let fits = entry.len() <= left;
        left = left.saturating_sub(entry.len());
        fits
    };
    let mut kept: Vec<String> = logs.into_iter().take_while(fits).collect();
    if kept.len() < total {
        kept.push(format!("… {} more", total - kept.len()));
    }
    kept
}

fn with_overhead(budget: ExUnits, overhead: ExBudget) -> ExBudget {
    let signed = |units: u64| i64::try_from(units).unwrap_or(i64::MAX);
    ExBudget {
        mem: signed(budget.memory).saturating_add(overhead.mem),
        cpu: signed(budget.cpu).saturating_add(overhead.cpu),
    }
}

fn describe(error: &MachineError<'_, DeBruijn>) -> String {
    match error {
        MachineError::OutOfExError(left) => {
            format!("out of budget: memory {}, cpu {} left", left.mem, left.cpu)
        }
        other => other.to_string(),
    }
}

/// Whether every variable is bound, as the ledger demands before it runs a program (Plutus Core, `checkScope`).
fn is_closed<'a>(term: &'a Term<'a, DeBruijn>) -> bool {
    let mut pending = vec![(term, 0_usize)];
    while let Some((term, depth)) = pending.pop() {
        match term {
            Term::Var(name) if name.index() == 0 || name.index() > depth => return false,
            Term::Var(_) | Term::Constant(_) | Term::Builtin(_) | Term::Error => {}
            Term::Lambda { body, .. } => pending.push((body, depth + 1)),
            Term::Delay(body) | Term::Force(body) => pending.push((body, depth)),
            Term::Apply { function, argument } => {
                pending.extend([(*function, depth), (*argument, depth)])
            }
            Term::Constr { fields, .. } => {
                pending.extend(fields.iter().map(|field| (*field, depth)))
            }
            Term::Case { constr, branches } => {
                pending.push((constr, depth));
                pending.extend(branches.iter().map(|branch| (*branch, depth)));
            }
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::ProtocolParameters;

    const BUDGET: ExUnits = ExUnits {
        memory: 14_000_000,
        cpu: 10_000_000_000,
    };

    /// Runs a program in Plutus Core's textual form, given a context of zero.
    fn run(text: &str, budget: ExUnits) -> Run {
        let models = ProtocolParameters::conway_v10().cost_models;
        let costs = models.get(PlutusVersion::V3).expect("a cost model");
        with_deep_stack(|| {
            let arena = Arena::new();
            let program = amaru_uplc::syn::parse_program(&arena, text)
                .into_result()
                .expect("a program");
            let context = PlutusData::integer_from(&arena, 0);
            super::run(
                &arena,
                PlutusVersion::V3,
                program,
                &[context],
                costs,
                budget,
            )
        })
        .expect("no panic")
    }

    #[test]
    fn a_script_that_returns_unit_costs_what_the_machine_charges_for_it_alone() {
        // Start-up, an application, a function, a variable's absence: 100 + 16,000 × 4 steps and 100 × 5 memory units.
        let run = run("(program 1.1.0 (lam x (con unit ())))", BUDGET);
        assert_eq!(run.failure, None);
        assert_eq!(
            run.ex_units,
            ExUnits {
                memory: 500,
                cpu: 64_100
            }
        );
    }

    #[test]
    fn a_budget_of_exactly_that_is_enough_and_one_less_is_not() {
        let text = "(program 1.1.0 (lam x (con unit ())))";
        assert_eq!(
            run(
                text,
                ExUnits {
                    memory: 500,
                    cpu: 64_100
                }
            )
            .failure,
            None
        );
        for budget in [
            ExUnits {
                memory: 499,
                cpu: 64_100,
            },
            ExUnits {
                memory: 500,
                cpu: 64_099,
            },
        ] {
            assert!(
                run(text, budget)
                    .failure
                    .is_some_and(|reason| reason.starts_with("out of budget")),
                "{budget:?}"
            );
        }
    }

    #[test]
    fn only_unit_is_success() {
        for text in [
            "(lam x x)",
            "(lam x (con bool True))",
            "(lam x (lam y y))",
            "(lam x (error))",
            "(lam x (delay x))",
        ] {
            assert!(
                run(&format!("(program 1.1.0 {text})"), BUDGET)
                    .failure
                    .is_some(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_free_variable_fails_even_where_nothing_evaluates_it() {
        let closed = |index| {
            let arena = Arena::new();
            let unused = Term::var(&arena, DeBruijn::new(&arena, index)).delay(&arena);
            let ignore = Term::unit(&arena).lambda(&arena, DeBruijn::zero(&arena));
            is_closed(
                ignore
                    .apply(&arena, unused)
                    .lambda(&arena, DeBruijn::zero(&arena)),
            )
        };
        assert_eq!([0, 1, 2].map(closed), [false, true, false]);
    }

    #[test]
    fn traces_are_kept_in_order() {
        let trace = |message: &str, then: &str| {
            format!("[[(force (builtin trace)) (con string \"{message}\")] {then}]")
        };
        // Arguments are evaluated before they are passed on.
        let body = trace("second", &trace("first", "(con unit ())"));
        assert_eq!(
            run(&format!("(program 1.1.0 (lam x {body}))"), BUDGET).logs,
            ["first", "second"]
        );
    }

    #[test]
    fn traces_are_kept_up_to_a_limit() {
        let logs = vec!["x".repeat(LOG_BYTES_MAX / 2); 3];
        let kept = bounded(logs);
        assert_eq!(
            kept.iter().map(String::len).collect::<Vec<_>>(),
            [LOG_BYTES_MAX / 2, LOG_BYTES_MAX / 2, "… 1 more".len()]
        );
        assert_eq!(bounded(vec!["a".to_owned()]), ["a"]);
    }

    #[test]
    fn a_result_that_would_unfold_exponentially_is_refused_at_once() {
        // Each level holds the previous one twice: turned back into a term it would have 2^60 leaves.
        let mut body = "(lam z z)".to_owned();
        for level in 0..60 {
            body = format!("[(lam v{level} (lam w [v{level} v{level}])) {body}]");
        }
        let run = run(&format!("(program 1.1.0 (lam x {body}))"), BUDGET);
        assert!(run.failure.is_some());
    }

    /// A function that gives a constant, whose type's names and whose values (in bits) are these.
    fn script_of_bls(names: &[u8], values: &str) -> Vec<u8> {
        let names: String = names.iter().map(|name| format!("1{name:04b}")).collect();
        // Version 1.1.0, a function, a constant.
        let mut bits = format!("00000001000000010000000000100100{names}0{values}");
        bits += &"0".repeat(7 - bits.len() % 8);
        bits += "1";
        let byte = |index| u8::from_str_radix(&bits[index..index + 8], 2).expect("bits");
        let flat: Vec<u8> = (0..bits.len()).step_by(8).map(byte).collect();
        crate::testing::bytes(&flat)
    }

    #[test]
    fn empty_lists_of_bls_types_are_constants_and_their_values_are_not() {
        for name in 9..=11 {
            let verdict = |names: &[u8], values| {
                let script = script_of_bls(names, values);
                check_well_formed(PlutusVersion::V3, &script, 10).is_ok()
            };
            assert!(verdict(&[7, 5, name], "0"), "{name}");
            assert!(verdict(&[7, 7, 6, 7, 5, name, 4], "01"), "{name}");
            assert!(!verdict(&[name], ""), "{name}");
            assert!(!verdict(&[name], "00000000"), "{name}");
            assert!(!verdict(&[7, 5, name], "1000000000"), "{name}");
            assert!(!verdict(&[7, 5, name, 0], "0"), "{name}");
        }
    }

    #[test]
    fn an_empty_list_of_a_bls_type_is_not_one_of_integers() {
        let text = |item: &str| {
            format!("(lam x [(lam unused (con unit ())) [[(force (builtin mkCons)) {item}] x]])")
        };
        let verdict = |name, item: &str| {
            let script = script_of_bls(&[7, 5, name], "0");
            with_deep_stack(|| {
                let (arena, slices) = (Arena::new(), Bump::new());
                let build = Build {
                    arena: &arena,
                    slices: &slices,
                };
                let program = decode(build, PlutusVersion::V3, &script, 10).expect("a program");
                let zero = amaru_uplc::data::PlutusData::integer_from(&arena, 0);
                let list = program.term.apply(&arena, Term::data(&arena, zero));
                let text = format!("(program 1.1.0 {})", text(item));
                let consumer: &Program<'_, DeBruijn> =
                    amaru_uplc::syn::parse_program(&arena, &text)
                        .into_result()
                        .expect("a program");
                let applied = consumer.term.apply(&arena, list);
                let models = ProtocolParameters::conway_v10().cost_models;
                Program::new(&arena, program.version, applied)
                    .eval_with_params(
                        &arena,
                        machine::PlutusVersion::V3,
                        models.get(PlutusVersion::V3).expect("a cost model"),
                        ExBudget::max(),
                    )
                    .term
                    .is_ok()
            })
            .expect("no panic")
        };
        let hash = |group| {
            format!(
                "[[(builtin bls12_381_{group}_hashToGroup) (con bytestring #)] (con bytestring #)]"
            )
        };
        assert!(verdict(9, &hash("G1")));
        assert!(verdict(10, &hash("G2")));
        assert!(!verdict(9, &hash("G2")));
        assert!(!verdict(9, "(con integer 0)"));
    }

    #[test]
    fn the_deepest_program_the_protocol_allows_neither_overflows_nor_panics() {
        // 200 KiB of `delay`, then end of input.
        let flat = [&[0x01, 0x01, 0x00], vec![0x11; 204_800].as_slice()].concat();
        let length = u32::try_from(flat.len()).expect("a length").to_be_bytes();
        let script = [&[0x5a], length.as_slice(), &flat].concat();
        assert!(check_well_formed(PlutusVersion::V3, &script, 10).is_err());
    }
}
