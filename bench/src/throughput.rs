//! Signed transactions that four validators make final in a second: each sender's first, signed before, submitted as fast as the mempools
//! take them.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use nupeer_node::{NodeHandle, SubmitError, mempool::MempoolError};
use nupeer_primitives::Height;
use serde_json::{Value, json};

use crate::{
    Extent,
    bound::Bound,
    chain::BenchChain,
    cluster::Cluster,
    note,
    samples::{millis, rounded},
};

/// Mempools are kept filled to here: below what they hold, above what a block takes.
const PENDING_MAX: usize = 12_000;
/// Longest that all of it may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// A block as a validator had it.
struct Decided {
    at: Duration,
    height: u64,
    transactions: usize,
}

pub(crate) fn measure(
    chain: &BenchChain,
    cluster: &Cluster,
    bound: &Bound,
    extent: Extent,
) -> Result<Value> {
    let count = extent.pick(15_000u32, 80_000);
    note(&format!("throughput: signing {count} transactions"));
    let signed = chain.transfers(0..count);
    let handles = cluster.handles();
    note("throughput: the clock starts");
    let (began, busy_before) = (Instant::now(), busy()?);
    let watching: Vec<_> = handles
        .iter()
        .cloned()
        .map(|handle| thread::spawn(move || watch(&handle, count as usize, began)))
        .collect();
    let share = signed.len().div_ceil(handles.len());
    let feeding: Vec<_> = signed
        .chunks(share)
        .zip(handles)
        .map(|(part, handle)| cluster.runtime.spawn(feed(handle, part.to_vec())))
        .collect();
    for fed in feeding {
        cluster.runtime.block_on(fed)??;
    }
    let submitted = began.elapsed();
    let mut blocks = Vec::new();
    for watched in watching {
        let seen = watched
            .join()
            .map_err(|_| anyhow::anyhow!("a watcher died"))?;
        blocks.push(seen?);
    }
    let busy = busy()?.saturating_sub(busy_before);
    Ok(report(count, submitted, busy, &blocks, bound))
}

/// What this process has used of all cores.
fn busy() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let time = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(time.num_microseconds().try_into()?))
}

fn report(
    count: u32,
    submitted: Duration,
    busy: Duration,
    blocks: &[Vec<Decided>],
    bound: &Bound,
) -> Value {
    let last = |blocks: &Vec<Decided>| blocks.last().map(|block| block.at).unwrap_or_default();
    let finished = blocks.iter().map(last).max().unwrap_or_default();
    let per_second = f64::from(count) / finished.as_secs_f64();
    let ratio = per_second / bound.per_second;
    let cpu_seconds_each = busy.as_secs_f64() / f64::from(count);
    let cpu_ratio = bound.cores / bound.per_second / cpu_seconds_each;
    let samples = |blocks: &Vec<Decided>| -> Vec<Value> {
        let sample = |block: &Decided| json!([millis(block.at), block.height, block.transactions]);
        blocks.iter().map(sample).collect()
    };
    json!({
        "transactions": count, "per_second": rounded(per_second),
        "cpu_us_per_transaction": rounded(cpu_seconds_each * 1e6), "cpu_ratio": rounded(cpu_ratio),
        "share_of_the_cores": rounded(busy.as_secs_f64() / finished.as_secs_f64() / bound.cores),
        "last_submitted_ms": millis(submitted), "final_on_all_ms": millis(finished),
        "blocks_of_first_validator_ms_height_transactions": blocks.first().map(samples),
        "bound": bound.json, "ratio": rounded(ratio), "ratio_min": 0.4, "met": ratio >= 0.4,
    })
}

/// Submits all of `part` through one validator.
async fn feed(handle: NodeHandle, part: Vec<Vec<u8>>) -> Result<()> {
    for (index, transaction) in part.into_iter().enumerate() {
        while index % 50 == 0 && handle.status()?.pending > PENDING_MAX {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        while let Err(error) = handle.submit(transaction.clone()).await {
            match error {
                SubmitError::Mempool(MempoolError::Full { .. }) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                error => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Blocks of a validator with transactions in them, until `count` are final there.
fn watch(handle: &NodeHandle, count: usize, began: Instant) -> Result<Vec<Decided>> {
    let (mut next, mut found, mut blocks) = (handle.status()?.tip.height.0 + 1, 0, Vec::new());
    while found < count {
        if began.elapsed() > PATIENCE {
            bail!(
                "{found} of {count} are final after {} s",
                PATIENCE.as_secs()
            );
        }
        let Some(block) = handle.block(Height(next))? else {
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        let (at, transactions) = (began.elapsed(), block.transactions.len());
        found += transactions;
        if transactions > 0 {
            let height = next;
            blocks.push(Decided {
                at,
                height,
                transactions,
            });
        }
        next += 1;
    }
    Ok(blocks)
}
