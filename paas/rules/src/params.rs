//! What the chain demands of container leases and of machines that serve them, as a genesis begins with it.

use nupeer_lease::{Kind, KindParams, Resources};
use nupeer_primitives::{Amount, AssetId};

/// The least that a container can be set up with: a CPU quota of 1 ms in 100 ms, memory and processes for its own start.
pub const MINIMUM: Resources = Resources {
    cpu_milli: 10,
    memory_bytes: 8 << 20,
    disk_bytes: 0,
    pids: 4,
    ports: 0,
};

/// The most: beyond what one machine has today, and below what the kernel counts (2^22 processes). What a container writes stays in its
/// memory, so it leases no disk; it publishes one port at most.
pub const MAXIMUM: Resources = Resources {
    cpu_milli: 1_024_000,
    memory_bytes: 16 << 40,
    disk_bytes: 0,
    pids: 1 << 22,
    ports: 1,
};

/// The bond of a machine that serves containers, in lovelace.
pub const BOND_LOVELACE: Amount = Amount::new(50_000_000);

/// The parameters of the kind, for a genesis to put into [`nupeer_lease::Params::kinds`].
pub fn kind_params() -> KindParams {
    KindParams {
        kind: Kind::Container,
        bond_asset: AssetId::Ada,
        bond_minimum: BOND_LOVELACE,
        minimum: MINIMUM,
        maximum: MAXIMUM,
    }
}

#[cfg(test)]
mod tests {
    use nupeer_lease::Params;

    use super::*;

    #[test]
    fn a_chain_can_begin_with_them() {
        let params = Params {
            kinds: vec![kind_params()],
            ..Params::default()
        };
        assert_eq!(params.check(), Ok(()));
    }
}
