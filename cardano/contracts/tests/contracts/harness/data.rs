//! Changing Plutus data in place, as an attacker would.

use nupeer_primitives::plutus::Data;

use super::{Datum, Out};

/// The inline datum of an output.
pub(crate) fn inline(out: &mut Out) -> &mut Data {
    match &mut out.datum {
        Datum::Inline(data) => data,
        other => panic!("no inline datum: {other:?}"),
    }
}

/// A field of a constructor, or an item of a list.
pub(crate) fn field(data: &mut Data, at: usize) -> &mut Data {
    match data {
        Data::Constr(_, items) | Data::List(items) => &mut items[at],
        other => panic!("no fields: {other:?}"),
    }
}

/// The items of a list.
pub(crate) fn items(data: &mut Data) -> &mut Vec<Data> {
    match data {
        Data::List(items) => items,
        other => panic!("no list: {other:?}"),
    }
}
