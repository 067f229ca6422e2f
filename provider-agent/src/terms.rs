//! What is said of a machine, from what was measured of it.

use std::fs;
use std::path::Path;

use nupeer_lease::{MachineTerms, Metric, Resources, Score};
use nupeer_primitives::blake2b_256;

use crate::config::AgentConfig;
use crate::error::AgentError;
use crate::inventory::{self, Effort, Inventory};
use crate::key::OperatorKey;
use crate::records::write;

/// Where the last measurement is kept: the evidence behind what the chain was told.
pub const INVENTORY: &str = "inventory.json";
/// Shares of capacity and speed by which a machine must differ from what the chain was told, in percent.
const MATERIAL_PERCENT: u64 = 10;

/// The last measurement where it still fits the machine, else a new one, kept in `folder`.
///
/// # Errors
/// The machine cannot be measured, or the folder not written.
pub fn inventory(folder: &Path) -> Result<Inventory, AgentError> {
    let kept = fs::read(folder.join(INVENTORY)).ok();
    let kept = kept.and_then(|bytes| serde_json::from_slice::<Inventory>(&bytes).ok());
    if let Some(kept) = kept {
        let now = inventory::capacity(folder)?;
        let same = now.cores == kept.capacity.cores
            && now.cpu_model == kept.capacity.cpu_model
            && !differs(now.memory_bytes, kept.capacity.memory_bytes);
        if same {
            return Ok(kept);
        }
    }
    let measured = inventory::measure(folder, &Effort::default())?;
    write(folder, INVENTORY, &report(&measured))?;
    Ok(measured)
}

/// The raw report, whose hash the chain is told.
fn report(inventory: &Inventory) -> Vec<u8> {
    serde_json::to_vec(inventory).unwrap_or_default()
}

/// What the owner says of a machine that was measured so.
///
/// # Errors
/// [`AgentError::NothingToOffer`].
pub fn terms(
    config: &AgentConfig,
    inventory: &Inventory,
    operator: &OperatorKey,
    endpoint: String,
) -> Result<MachineTerms, AgentError> {
    let has = &inventory.capacity;
    let all_milli = has.cores.saturating_mul(1_000);
    let or = |chosen: u64, measured: u64| if chosen == 0 { measured } else { chosen };
    let memory_bytes = or(config.memory_bytes, has.memory_bytes / 4 * 3);
    // No more than is there, whatever was chosen: the driver could not enforce it.
    let cpu_milli = if config.cpu_milli == 0 {
        all_milli
    } else {
        config.cpu_milli.min(all_milli)
    };
    for (what, amount) in [
        ("CPU", u64::from(cpu_milli)),
        ("memory", memory_bytes),
        ("processes", config.pids.into()),
    ] {
        if amount == 0 {
            return Err(AgentError::NothingToOffer { what });
        }
    }
    let score = |metric, value| Score { metric, value };
    Ok(MachineTerms {
        operator: operator.public(),
        endpoint,
        capacity: Resources {
            cpu_milli,
            memory_bytes: memory_bytes.min(has.memory_bytes),
            disk_bytes: config.disk_bytes.min(has.disk_free_bytes),
            pids: config.pids,
            ports: config.ports,
        },
        scores: vec![
            score(Metric::CpuSingle, inventory.cpu.one_core.median()),
            score(Metric::CpuAll, inventory.cpu.all_cores.median()),
            score(Metric::DiskRead, inventory.disk.read.median()),
            score(Metric::DiskWrite, inventory.disk.write.median()),
        ],
        evidence: blake2b_256(&[&report(inventory)]),
    })
}

/// Whether a machine differs enough from what the chain was told to say so.
pub fn is_material(told: &MachineTerms, now: &MachineTerms) -> bool {
    let (a, b) = (&told.capacity, &now.capacity);
    told.operator != now.operator
        || told.endpoint != now.endpoint
        || (a.pids, a.ports) != (b.pids, b.ports)
        || differs(a.cpu_milli.into(), b.cpu_milli.into())
        || differs(a.memory_bytes, b.memory_bytes)
        || differs(a.disk_bytes, b.disk_bytes)
}

fn differs(a: u64, b: u64) -> bool {
    let gap = u128::from(a.abs_diff(b)) * 100;
    gap > u128::from(a.max(b)) * u128::from(MATERIAL_PERCENT)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::inventory::{Capacity, CpuSpeed, DiskSpeed, Samples};

    fn samples(speed: u64) -> Samples {
        Samples {
            bytes_per_s: vec![speed],
        }
    }

    fn measured() -> Inventory {
        Inventory {
            capacity: Capacity {
                cores: 2,
                memory_bytes: 8 << 30,
                memory_available_bytes: 4 << 30,
                disk_free_bytes: 100 << 30,
                cpu_model: "a CPU".into(),
            },
            cpu: CpuSpeed {
                one_core: samples(1),
                all_cores: samples(2),
                chain_end: String::new(),
            },
            disk: DiskSpeed {
                write: samples(3),
                read: samples(4),
                read_direct: true,
                sync_us: 5,
            },
        }
    }

    pub(crate) fn told(config: &AgentConfig) -> Result<MachineTerms, AgentError> {
        let operator = OperatorKey::from_bytes(&[1; 32]);
        terms(config, &measured(), &operator, "http://here".into())
    }

    #[test]
    fn what_is_leased_out_is_what_was_measured_or_less() {
        let of = |change: fn(&mut AgentConfig)| {
            let mut config = AgentConfig::default();
            change(&mut config);
            told(&config).unwrap().capacity
        };
        let default = of(|_| {});
        assert_eq!((default.cpu_milli, default.memory_bytes), (2_000, 6 << 30));
        let less = of(|c| (c.cpu_milli, c.memory_bytes) = (500, 1 << 30));
        assert_eq!((less.cpu_milli, less.memory_bytes), (500, 1 << 30));
        let more = of(|c| (c.cpu_milli, c.memory_bytes) = (9_000, 99 << 30));
        assert_eq!((more.cpu_milli, more.memory_bytes), (2_000, 8 << 30));
    }

    #[test]
    fn scores_ascend_and_name_what_was_measured() {
        let scores = told(&AgentConfig::default()).unwrap().scores;
        let values: Vec<u64> = scores.iter().map(|score| score.value).collect();
        assert_eq!(values, [1, 2, 4, 3]);
        assert!(
            scores
                .windows(2)
                .all(|pair| pair[0].metric < pair[1].metric)
        );
    }

    #[test]
    fn a_machine_that_cannot_run_anything_is_not_offered() {
        let config = AgentConfig {
            pids: 0,
            ..AgentConfig::default()
        };
        let refused = told(&config);
        assert!(matches!(
            refused,
            Err(AgentError::NothingToOffer { what: "processes" })
        ));
    }

    #[test]
    fn a_small_change_is_not_worth_a_transaction() {
        let before = told(&AgentConfig::default()).unwrap();
        let changed = |change: &dyn Fn(&mut MachineTerms)| {
            let mut now = before.clone();
            change(&mut now);
            is_material(&before, &now)
        };
        assert!(!changed(&|_| {}));
        assert!(!changed(&|t| t.capacity.memory_bytes -= 100 << 20));
        assert!(!changed(&|t| t.scores[0].value = 9));
        assert!(changed(&|t| t.capacity.memory_bytes -= 1 << 30));
        assert!(changed(&|t| t.capacity.cpu_milli = 1_000));
        assert!(changed(&|t| t.capacity.ports = 1));
        assert!(changed(&|t| t.endpoint = "http://there".into()));
    }
}
