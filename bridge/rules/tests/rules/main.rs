//! The bridge's rules, from genesis on, against a Cardano that keeps to the bridge's scripts, and one that does not.

mod anchors;
mod cancellations;
mod deposits;
mod fairness;
mod golden;
mod properties;
mod queues;
mod settings;
mod shards;
mod standing;
mod withdrawals;
mod world;
