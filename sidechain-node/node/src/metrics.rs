//! What a node tells Prometheus: its own figures, then those of consensus.

use std::fmt::Write;

use nupeer_primitives::TimeMs;

use crate::handle::Status;

/// All figures in Prometheus' text format.
pub fn text(status: &Status, now: TimeMs) -> String {
    let mut out = String::new();
    let gauges = [
        (
            "nupeer_height",
            "Height of the last decided block.",
            status.tip.height.0,
        ),
        (
            "nupeer_last_block_age_milliseconds",
            "Time since the last decided block.",
            status.tip.time.until(now),
        ),
        (
            "nupeer_mempool_transactions",
            "Transactions waiting.",
            status.pending as u64,
        ),
        (
            "nupeer_mempool_bytes",
            "Bytes of transactions waiting.",
            status.pending_bytes as u64,
        ),
        (
            "nupeer_gossip_peers",
            "Nodes that transactions are exchanged with.",
            status.gossip.peers as u64,
        ),
        (
            "nupeer_accusations",
            "Pairs of contradicting signatures seen since the start.",
            status.accusations as u64,
        ),
        (
            "nupeer_halted",
            "1 while consensus waits for an operator.",
            u64::from(status.halted.is_some()),
        ),
        (
            "nupeer_bridge_halted",
            "1 while this node takes no part in bridge actions.",
            u64::from(status.cardano.halted.is_some()),
        ),
        (
            "nupeer_cardano_connected",
            "1 while the Cardano node answers; 0 also on a chain that follows none.",
            u64::from(status.cardano.connected),
        ),
    ];
    for (name, help, value) in gauges {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}"
        );
    }
    out.push_str(&nupeer_consensus::metrics());
    out
}
