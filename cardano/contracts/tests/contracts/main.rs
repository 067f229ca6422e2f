//! The contracts under a machine: for each validator a healthy transaction and labelled attacks on it, as full V3
//! script contexts, under the cost model of protocol version 10. In the traced build every attack dies with its own
//! code; the silent build, which is the one that is deployed, must reject the same.

mod cases;
mod harness;

mod anchor;
mod birth;
mod codes;
mod costs;
mod misuse;
mod needs_aiken;
mod pay;
mod shard;
mod sweep;
mod tamper;
mod wire;
