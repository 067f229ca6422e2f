//! Programs with constants of BLS types, which the evaluator's decoder (amaru-uplc 0.4.0) does not know.
//!
//! A flat-encoded program can name the types, but has no form for their values (plutus-core, the `Flat` instances of the BLS12-381 types), so
//! that all it can hold of them is empty lists. To have such a program decoded, the names of the types are replaced by that of integers, which
//! has as many bits, and afterwards the constants get their own types back.

use super::build::Build;
use super::flat::{Bits, Kind, Shape};
use amaru_uplc::arena::Arena;
use amaru_uplc::binder::DeBruijn;
use amaru_uplc::constant::Constant;
use amaru_uplc::program::Program;
use amaru_uplc::term::Term;
use amaru_uplc::typ::Type;

type Script<'a> = Program<'a, DeBruijn>;

/// Decodes a program whose constants name BLS types; nothing when it names none.
///
/// # Errors
/// What is wrong with it: a value of such a type, or whatever `decode` has to say.
pub(super) fn decode<'a>(
    build: Build<'a>,
    flat: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<&'a Script<'a>, String>,
) -> Option<Result<&'a Script<'a>, String>> {
    let shapes = match super::flat::constants(flat) {
        Ok(shapes) if shapes.iter().all(|shape| shape.bls.is_empty()) => return None,
        Ok(shapes) => shapes,
        Err(reason) => return Some(Err(reason)),
    };
    let mut flat = flat.to_vec();
    let names = shapes.iter().flat_map(|shape| &shape.bls);
    names.for_each(|position| Bits::clear(&mut flat, *position, Kind::WIDTH));
    Some(decode(&flat).map(|program| {
        let term = retyped(build, program.term, &mut shapes.iter());
        Program::new(build.arena, program.version, term)
    }))
}

/// The term with the types its constants had, given in the order in which flat encodes them.
fn retyped<'a>(
    build: Build<'a>,
    term: &'a Term<'a, DeBruijn>,
    shapes: &mut std::slice::Iter<'_, Shape>,
) -> &'a Term<'a, DeBruijn> {
    let arena = build.arena;
    match term {
        Term::Var(_) | Term::Builtin(_) | Term::Error => term,
        Term::Lambda { parameter, body } => retyped(build, body, shapes).lambda(arena, parameter),
        Term::Delay(body) => retyped(build, body, shapes).delay(arena),
        Term::Force(body) => retyped(build, body, shapes).force(arena),
        Term::Apply { function, argument } => {
            let function = retyped(build, function, shapes);
            function.apply(arena, retyped(build, argument, shapes))
        }
        Term::Constr { tag, fields } => {
            Term::constr(arena, *tag, all_retyped(build, fields, shapes))
        }
        Term::Case { constr, branches } => {
            let constr = retyped(build, constr, shapes);
            Term::case(arena, constr, all_retyped(build, branches, shapes))
        }
        Term::Constant(constant) => match shapes.next() {
            Some(shape) if !shape.bls.is_empty() => {
                Term::constant(arena, with_type(build, constant, shape, shape.root()))
            }
            _ => term,
        },
    }
}

fn all_retyped<'a>(
    build: Build<'a>,
    terms: &[&'a Term<'a, DeBruijn>],
    shapes: &mut std::slice::Iter<'_, Shape>,
) -> &'a [&'a Term<'a, DeBruijn>] {
    let terms: Vec<_> = terms
        .iter()
        .map(|term| retyped(build, term, shapes))
        .collect();
    build.slices.alloc_slice_copy(&terms)
}

fn with_type<'a>(
    build: Build<'a>,
    constant: &'a Constant<'a>,
    shape: &Shape,
    node: usize,
) -> &'a Constant<'a> {
    let arena = build.arena;
    let all = |items: &[&'a Constant<'a>], node| {
        let items = items.iter().map(|item| with_type(build, item, shape, node));
        &*build.slices.alloc_slice_copy(&items.collect::<Vec<_>>())
    };
    match (constant, shape.kind(node)) {
        (Constant::ProtoList(_, items), Kind::List(inner)) => {
            Constant::proto_list(arena, type_of(arena, shape, inner), all(items, inner))
        }
        (Constant::ProtoArray(_, items), Kind::Array(inner)) => {
            Constant::proto_array(arena, type_of(arena, shape, inner), all(items, inner))
        }
        (Constant::ProtoPair(_, _, first, second), Kind::Pair(one, two)) => Constant::proto_pair(
            arena,
            type_of(arena, shape, one),
            type_of(arena, shape, two),
            with_type(build, first, shape, one),
            with_type(build, second, shape, two),
        ),
        _ => constant,
    }
}

fn type_of<'a>(arena: &'a Arena, shape: &Shape, node: usize) -> &'a Type<'a> {
    match shape.kind(node) {
        Kind::Integer => Type::integer(arena),
        Kind::Bytes => Type::byte_string(arena),
        Kind::Text => Type::string(arena),
        Kind::Unit => Type::unit(arena),
        Kind::Boolean => Type::bool(arena),
        Kind::Data => Type::data(arena),
        Kind::Value => Type::value(arena),
        Kind::G1 => Type::g1(arena),
        Kind::G2 => Type::g2(arena),
        Kind::MlResult => Type::ml_result(arena),
        Kind::List(inner) => Type::list(arena, type_of(arena, shape, inner)),
        Kind::Array(inner) => Type::array(arena, type_of(arena, shape, inner)),
        Kind::Pair(one, two) => Type::pair(
            arena,
            type_of(arena, shape, one),
            type_of(arena, shape, two),
        ),
    }
}
