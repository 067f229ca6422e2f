//! One file for each verb: the action, its check, its execution, its tests.

mod cancel_withdrawal;
mod sign_anchor;
mod withdraw;

pub use cancel_withdrawal::CancelWithdrawal;
pub use sign_anchor::SignAnchor;
pub use withdraw::Withdraw;
