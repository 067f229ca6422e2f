//! From submitting to final at light load: single transactions at times that have nothing to do with the blocks'.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use nupeer_node::{NodeHandle, TransactionStatus};
use serde_json::{Value, json};

use crate::{
    Extent,
    chain::{ACCOUNTS, BLOCK_TARGET_MS, BenchChain},
    cluster::Cluster,
    note,
    samples::{median, millis, percentile, rounded},
};

/// From one transaction to the next, in ms: prime to the block target, so that all parts of it are met.
const SPACING_MS: u64 = 373;
/// What nothing takes.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn measure(chain: &BenchChain, cluster: &Cluster, extent: Extent) -> Result<Value> {
    let count = extent.pick(20, 160);
    note(&format!(
        "latency: {count} transactions, one each {SPACING_MS} ms"
    ));
    // The last accounts: the first are the load's.
    let signed = chain.transfers(ACCOUNTS - count..ACCOUNTS);
    let handles = cluster.handles();
    let samples = cluster.runtime.block_on(async {
        let mut waiting = Vec::new();
        for (transaction, handle) in signed.into_iter().zip(handles.into_iter().cycle()) {
            waiting.push(tokio::spawn(until_final(handle, transaction)));
            tokio::time::sleep(Duration::from_millis(SPACING_MS)).await;
        }
        let mut samples = Vec::new();
        for sample in waiting {
            samples.push(sample.await??);
        }
        anyhow::Ok(samples)
    })?;
    let target = BLOCK_TARGET_MS as f64;
    let (p50, p95) = (median(&samples), percentile(&samples, 0.95));
    Ok(json!({
        "block_target_ms": BLOCK_TARGET_MS, "samples_ms": samples,
        "p50_ms": p50, "p95_ms": p95,
        "p50_ratio": rounded(p50 / target), "p50_ratio_max": 1.6,
        "p95_ratio": rounded(p95 / target), "p95_ratio_max": 2.5,
        "met": p50 <= 1.6 * target && p95 <= 2.5 * target,
    }))
}

/// How long until the validator that took it says that it is final, in ms.
async fn until_final(handle: NodeHandle, transaction: Vec<u8>) -> Result<f64> {
    let began = Instant::now();
    let id = handle.submit(transaction).await?;
    while began.elapsed() < PATIENCE {
        if let TransactionStatus::Final(_) = handle.transaction_status(&id)? {
            return Ok(millis(began.elapsed()));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    bail!("{id} is not final after {} s", PATIENCE.as_secs())
}
