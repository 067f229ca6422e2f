//! What an offer asks: lovelace per hour, for the whole or by the resource.

use minicbor::{Decode, Encode};

use crate::resources::Resources;

const GIB: u128 = 1 << 30;

/// A price in lovelace per hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Price {
    /// One price, however much of the offer a lease takes.
    #[n(0)]
    Whole {
        /// Lovelace per hour.
        #[n(0)]
        lovelace_per_hour: u64,
    },
    /// By the resource.
    #[n(1)]
    Vector {
        /// For each CPU (1000 thousandths), lovelace per hour.
        #[n(0)]
        cpu_lovelace_per_hour: u64,
        /// For each GiB of memory, lovelace per hour.
        #[n(1)]
        memory_gib_lovelace_per_hour: u64,
        /// For each GiB of disk, lovelace per hour.
        #[n(2)]
        disk_gib_lovelace_per_hour: u64,
        /// For each published port, lovelace per hour.
        #[n(3)]
        port_lovelace_per_hour: u64,
    },
}

impl Price {
    /// What `resources` cost, in lovelace per hour. Each resource's part is rounded **up**, so that no share of one is
    /// free. `None` where the sum leaves 64 bits.
    pub fn for_resources(&self, resources: &Resources) -> Option<u64> {
        let part = |price: u64, count: u128, unit: u128| (u128::from(price) * count).div_ceil(unit);
        match *self {
            Price::Whole { lovelace_per_hour } => Some(lovelace_per_hour),
            Price::Vector {
                cpu_lovelace_per_hour,
                memory_gib_lovelace_per_hour,
                disk_gib_lovelace_per_hour,
                port_lovelace_per_hour,
            } => {
                // Four parts, of which none exceeds 2^128 / 1000.
                let sum = part(cpu_lovelace_per_hour, resources.cpu_milli.into(), 1_000)
                    + part(
                        memory_gib_lovelace_per_hour,
                        resources.memory_bytes.into(),
                        GIB,
                    )
                    + part(disk_gib_lovelace_per_hour, resources.disk_bytes.into(), GIB)
                    + part(port_lovelace_per_hour, resources.ports.into(), 1);
                u64::try_from(sum).ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_follow_the_resources_and_never_round_to_nothing() {
        let vector = |cpu, memory, disk, port| Price::Vector {
            cpu_lovelace_per_hour: cpu,
            memory_gib_lovelace_per_hour: memory,
            disk_gib_lovelace_per_hour: disk,
            port_lovelace_per_hour: port,
        };
        let small = Resources {
            cpu_milli: 200,
            memory_bytes: 64 << 20,
            disk_bytes: 1,
            pids: 32,
            ports: 1,
        };
        let most = Resources {
            cpu_milli: u32::MAX,
            memory_bytes: u64::MAX,
            disk_bytes: u64::MAX,
            pids: u32::MAX,
            ports: u16::MAX,
        };
        for (price, resources, expected) in [
            (
                Price::Whole {
                    lovelace_per_hour: 7,
                },
                most,
                Some(7),
            ),
            (vector(1_000_000, 0, 0, 0), small, Some(200_000)),
            (vector(0, 160, 0, 0), small, Some(10)),
            (vector(0, 0, 1, 0), small, Some(1)),
            (vector(0, 0, 0, 5), small, Some(5)),
            (vector(1_000_000, 160, 1, 5), small, Some(200_016)),
            (
                vector(u64::MAX, u64::MAX, u64::MAX, u64::MAX),
                Resources::default(),
                Some(0),
            ),
            (vector(u64::MAX, u64::MAX, u64::MAX, u64::MAX), most, None),
        ] {
            assert_eq!(price.for_resources(&resources), expected, "{price:?}");
        }
    }
}
