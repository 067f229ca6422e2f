//! Plutus data in an arena, with the few shapes that contexts are made of.

use amaru_uplc::arena::Arena;
use amaru_uplc::bumpalo::Bump;
use amaru_uplc::data::PlutusData;

pub(super) type Data<'a> = &'a PlutusData<'a>;

/// Builds Plutus data whose parts all live as long as the arena.
#[derive(Clone, Copy)]
pub(super) struct Build<'a> {
    pub(super) arena: &'a Arena,
    pub(super) slices: &'a Bump,
}

impl<'a> Build<'a> {
    pub(super) fn constr(self, tag: u64, fields: &[Data<'a>]) -> Data<'a> {
        PlutusData::constr(self.arena, tag, self.slices.alloc_slice_copy(fields))
    }

    pub(super) fn list(self, items: &[Data<'a>]) -> Data<'a> {
        PlutusData::list(self.arena, self.slices.alloc_slice_copy(items))
    }

    pub(super) fn map(self, pairs: &[(Data<'a>, Data<'a>)]) -> Data<'a> {
        PlutusData::map(self.arena, self.slices.alloc_slice_copy(pairs))
    }

    pub(super) fn bytes(self, bytes: &[u8]) -> Data<'a> {
        PlutusData::byte_string(self.arena, self.slices.alloc_slice_copy(bytes))
    }

    pub(super) fn integer(self, value: impl Into<i128>) -> Data<'a> {
        PlutusData::integer_from(self.arena, value.into())
    }

    /// `False` or `True`.
    pub(super) fn boolean(self, value: bool) -> Data<'a> {
        self.constr(u64::from(value), &[])
    }

    /// `Just` or `Nothing`.
    pub(super) fn maybe(self, value: Option<Data<'a>>) -> Data<'a> {
        match value {
            Some(value) => self.constr(0, &[value]),
            None => self.constr(1, &[]),
        }
    }

    /// Data that came as CBOR.
    pub(super) fn cbor(self, bytes: &[u8]) -> Result<Data<'a>, String> {
        PlutusData::from_cbor(self.arena, bytes).map_err(|error| format!("Plutus data: {error}"))
    }
}
