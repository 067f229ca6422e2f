//! Whole clusters: validators as processes of their own, asked over HTTP and by the command line.

mod acknowledging;
mod agent;
mod asking;
mod attending;
mod cardano;
mod closing;
mod command_line;
mod demo;
#[path = "../../../node/tests/node/support/described.rs"]
mod described;
mod flood;
mod http;
mod kills;
mod lying;
mod market;
mod market_commands;
mod ordering;
#[path = "../../../client/tests/client/played.rs"]
mod played;
mod played_lease;
mod preparing;
mod preprod;
#[allow(unreachable_pub, reason = "the node's tests have it, too")]
#[path = "../../../node/tests/node/support/replay.rs"]
mod replay;
mod up;
mod validators;
mod wallet_js;
