//! Measures what the project promises, each figure beside its bound in the same run, and prints JSON (`docs/bench.md`).

mod attended;
mod bound;
mod chain;
mod cluster;
mod container;
mod follow;
mod latency;
mod machine;
mod memory;
mod process;
mod samples;
mod throughput;

use std::io::Write;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use serde_json::{Map, Value, json};

/// Measure the product on this machine; JSON on standard output, progress on standard error.
#[derive(Parser)]
struct Args {
    /// Fewer samples: a minute or two in all
    #[arg(long, conflicts_with = "long")]
    quick: bool,
    /// Also a validator's memory after 10,000 blocks: ten minutes and more
    #[arg(long)]
    long: bool,
    /// Only these figures
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Figure>,
}

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Transactions final per second
    Throughput,
    /// Submit to final at light load
    Latency,
    /// Following Cardano
    Follow,
    /// A container's first byte
    Container,
    /// Memory of a validator and an agent
    Memory,
}

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Quick,
    Full,
    Long,
}

impl Extent {
    /// One of two amounts.
    fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Extent::Quick => quick,
            Extent::Full | Extent::Long => full,
        }
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    let extent = match (args.quick, args.long) {
        (true, _) => Extent::Quick,
        (_, true) => Extent::Long,
        _ => Extent::Full,
    };
    let wanted = |figure| args.only.is_empty() || args.only.contains(&figure);
    let machine = machine::describe();
    let mut figures = Map::new();
    // Alone first: `libcontainer` forks this program's child, and the quieter the machine, the better.
    if wanted(Figure::Container) {
        note("container: first byte");
        figures.insert("container".into(), container::measure(extent)?);
    }
    if wanted(Figure::Follow) {
        figures.insert("follow".into(), follow::measure(extent)?);
    }
    if wanted(Figure::Latency) || wanted(Figure::Throughput) {
        let chain = chain::BenchChain::new();
        let bound = wanted(Figure::Throughput).then(|| bound::measure(&chain, extent));
        let bound = bound.transpose()?;
        let running = cluster::Cluster::start(&chain)?;
        if wanted(Figure::Latency) {
            figures.insert(
                "latency".into(),
                latency::measure(&chain, &running, extent)?,
            );
        }
        if let Some(bound) = bound {
            let measured = throughput::measure(&chain, &running, &bound, extent)?;
            figures.insert("throughput".into(), measured);
        }
        running.stop()?;
    }
    if wanted(Figure::Memory) {
        figures.insert("memory".into(), memory::measure(extent)?);
    }
    print(&json!({ "schema": 1, "machine": machine, "figures": Value::Object(figures) }))
}

fn print(report: &Value) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{report:#}")?)
}

/// Progress, for whoever waits.
fn note(text: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(std::io::stderr(), "bench: {text}");
}
