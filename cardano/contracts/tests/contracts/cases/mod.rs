//! Healthy transactions, with parts that an attack can exchange before they are put together.

pub(crate) mod anchor;
pub(crate) mod birth;
pub(crate) mod pay;
pub(crate) mod sweep;
