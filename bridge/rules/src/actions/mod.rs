//! One file for each verb: the action, its check, its execution, its tests.

mod sign_anchor;
mod withdraw;

pub use sign_anchor::SignAnchor;
pub use withdraw::Withdraw;
