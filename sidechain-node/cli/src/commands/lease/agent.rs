//! `nupeer lease status`, `upload` and `logs`: what the machine's agent is asked for a lease.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use nupeer_client::{AgentClient, AgentLease, Client, ClientError, Logs, Signer};
use nupeer_lease::{Lease, LeaseId, Machine};
use nupeer_paas::ContainerSpec;
use nupeer_primitives::Hash;
use serde_json::{Value, json};

use crate::{
    acting::{lease_id, signer},
    api::Api,
    args_market::AtAgent,
    error::{CliError, Exit, Outcome},
    lease_file::LeaseFile,
    output::{Printer, table},
    printable,
    units::{show_bytes, show_cpu, show_ms},
};

/// How long an agent that does not know a new lease yet is asked again: until its node has told it.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a workload may take to answer after its image is there.
const START_MAX: Duration = Duration::from_secs(60);

/// Most bytes of output that one command reads: eight times what agents keep unless they are told to keep more.
const LOG_BYTES_MAX: u64 = 16 << 20;

/// Where a lease runs, and how to ask there.
pub(super) struct Place<'a> {
    pub(super) id: LeaseId,
    pub(super) chain: Hash,
    pub(super) machine: Machine,
    pub(super) agent: AgentClient<'a>,
    client: &'a Client,
}

impl<'a> Place<'a> {
    /// The agent of the lease's machine, or the one at `url`.
    pub(super) fn of(
        id: LeaseId,
        url: Option<&str>,
        signer: &'a Signer,
        api: &'a Api,
    ) -> Outcome<Self> {
        let client = api.client();
        let lease = found(client, &id)?;
        let machine = client.machine(&lease.machine)?;
        let (machine, _) = machine.ok_or_else(|| {
            let what = format!("machine {} is forgotten by the chain", lease.machine);
            CliError::new(Exit::NotFound, what)
        })?;
        let chain = client.chain()?.1.id;
        let url = url.unwrap_or(&machine.terms.endpoint).to_owned();
        Ok(Place {
            id,
            chain,
            machine,
            agent: AgentClient::new(&url, chain, id, signer),
            client,
        })
    }

    /// The lease as the chain knows it now, and its block time.
    pub(super) fn lease(&self) -> Outcome<(Lease, nupeer_primitives::TimeMs)> {
        let found = self.client.lease(&self.id)?;
        found.ok_or_else(|| unknown(&self.id))
    }

    /// Gives the agent the specification and the image.
    pub(super) fn upload(&self, spec: &ContainerSpec, image: &Path) -> Outcome<()> {
        patiently(|| self.agent.put_manifest(&spec.to_bytes()))?;
        patiently(|| self.agent.put_image(image))
    }

    /// Waits until the workload runs, and where it publishes a port, until that answers; returns where that is.
    pub(super) fn published(&self, publishes: bool) -> Outcome<Option<String>> {
        let end = Instant::now() + START_MAX;
        loop {
            let state = self.agent.state()?;
            let runs = state.workload.as_deref() == Some("running");
            if state.address.is_some() || (runs && !publishes) {
                return Ok(state.address);
            }
            if Instant::now() >= end {
                let problem = state.problem.unwrap_or("the agent names no problem".into());
                let problem = printable::line(&problem);
                let what = format!("the workload does not answer yet: {problem}");
                let next = format!("nupeer lease status {}   looks again", self.id);
                return Err(CliError::new(Exit::Waited, what).next(next));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn unknown(id: &LeaseId) -> CliError {
    CliError::new(Exit::NotFound, format!("the chain knows no lease {id}"))
        .next("nupeer lease list   lists yours")
}

fn found(client: &Client, id: &LeaseId) -> Outcome<Lease> {
    let found = client.lease(id)?;
    found.map(|(lease, _)| lease).ok_or_else(|| unknown(id))
}

/// Asks again while the agent does not know the lease: it learns of a new one within a block or two.
fn patiently<T>(ask: impl Fn() -> Result<T, ClientError>) -> Outcome<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Err(error) if error.is_not_found() && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(200));
            }
            answered => return Ok(answered?),
        }
    }
}

/// Runs `ask` with the place that `at` names.
pub(super) fn at<T>(
    at: &AtAgent,
    api: &Api,
    ask: impl FnOnce(&Place<'_>) -> Outcome<T>,
) -> Outcome<T> {
    let id = lease_id(&at.lease, api.client())?;
    let signer = signer(&at.who, api)?;
    let place = Place::of(id, at.agent.as_deref(), &signer, api)?;
    ask(&place)
}

/// `nupeer lease status`.
pub(super) fn status(args: &AtAgent, api: &Api, printer: &Printer) -> Outcome<()> {
    at(args, api, |place| {
        let (lease, time) = place.lease()?;
        let state = patiently(|| place.agent.state())?;
        let value = described(place, &lease, &state, lease.clock_ms(time));
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let rows = [
            vec!["lease".to_owned(), place.id.to_string()],
            vec!["state".to_owned(), lease.state.name().to_owned()],
            vec!["workload".to_owned(), text(&value["workload"])],
            vec!["published".to_owned(), text(&value["published"])],
            vec!["limits".to_owned(), limits(&state)],
            vec!["metered".to_owned(), show_ms(state.metered_ms)],
            vec!["signed".to_owned(), show_ms(state.signed_ms)],
            vec!["problem".to_owned(), text(&value["problem"])],
        ];
        printer.result(value, &table(&rows));
        Ok(())
    })
}

fn described(place: &Place<'_>, lease: &Lease, state: &AgentLease, clock_ms: u64) -> Value {
    json!({
        "lease": place.id.to_string(),
        "state": lease.state.name(),
        "agent_state": state.state,
        "workload": state.workload,
        "manifest": state.manifest,
        "image": state.image,
        "published": state.address,
        "problem": state.problem,
        "clock_ms": clock_ms,
        "metered_ms": state.metered_ms,
        "signed_ms": state.signed_ms,
        "driver": state.driver,
        "limits": state.limits.map(|held| json!({
            "cpu_milli": held.cpu_milli, "memory_bytes": held.memory_bytes, "pids_max": held.pids_max,
        })),
    })
}

/// What the kernel holds the workload to.
fn limits(state: &AgentLease) -> String {
    state.limits.map_or("-".to_owned(), |held| {
        let cpu = show_cpu(held.cpu_milli);
        let (memory, pids) = (show_bytes(held.memory_bytes), held.pids_max);
        format!("{cpu} CPU, {memory}, {pids} processes")
    })
}

/// `nupeer lease upload`.
pub(super) fn upload(args: &AtAgent, image: &Path, api: &Api, printer: &Printer) -> Outcome<()> {
    at(args, api, |place| {
        let file = LeaseFile::open(&args.leases.folder, place.id, place.chain)?;
        let spec = file.manifest.ok_or_else(|| {
            let folder = args.leases.folder.display();
            let what = format!("{folder} does not say what lease {} is to run", place.id);
            CliError::new(Exit::NotFound, what)
                .next("--leases DIR   names the folder that `lease request` wrote to")
        })?;
        place.upload(&spec, image)?;
        let line = format!("lease {}: image and specification are there", place.id);
        let value = json!({ "lease": place.id.to_string(), "uploaded": true });
        printer.result(value, &[line]);
        Ok(())
    })
}

/// `nupeer lease logs`. People read the output as it comes; JSON has it whole.
pub(super) fn logs(args: &AtAgent, from: u64, api: &Api, printer: &Printer) -> Outcome<()> {
    at(args, api, |place| {
        let (mut text, mut ends_line) = (String::new(), true);
        let read = read_out(
            (from, LOG_BYTES_MAX),
            |next| Ok(place.agent.logs(next)?),
            |part| match printer.is_json() {
                true => {
                    text.push_str(part);
                    Ok(())
                }
                false => {
                    ends_line = part.chars().next_back().map_or(ends_line, |c| c == '\n');
                    printer.part(part)
                }
            },
        );
        if !ends_line {
            printer.part("\n")?;
        }
        let (next, is_all) = read?;
        let value = json!({ "lease": place.id.to_string(), "text": text, "next": next });
        printer.result(value, &[]);
        if !is_all {
            let id = place.id;
            printer.note(&format!(
                "next  nupeer lease logs {id} --from {next}   goes on"
            ));
        }
        Ok(())
    })
}

/// Asks part by part and shows each, until there is no more or the bytes are more than `bytes_max`: an agent could go on for ever. Returns where the rest
/// begins, and whether that was all.
fn read_out(
    (from, bytes_max): (u64, u64),
    ask: impl Fn(u64) -> Outcome<Logs>,
    mut show: impl FnMut(&str) -> Outcome<()>,
) -> Outcome<(u64, bool)> {
    let (mut next, mut left, mut bytes) = (from, bytes_max, Vec::new());
    let is_all = loop {
        let part = ask(next)?;
        if part.bytes.is_empty() || part.next <= next {
            break true;
        }
        next = part.next;
        left = left.saturating_sub(part.bytes.len() as u64);
        bytes.extend(part.bytes);
        let whole = bytes.len().saturating_sub(unfinished(&bytes));
        let rest = bytes.split_off(whole);
        show(&String::from_utf8_lossy(&bytes))?;
        bytes = rest;
        if left == 0 {
            break false;
        }
    };
    show(&String::from_utf8_lossy(&bytes))?;
    Ok((next, is_all))
}

/// How many bytes at the end begin a character of UTF-8 that the next part may end.
fn unfinished(bytes: &[u8]) -> usize {
    for (place, byte) in (1usize..).zip(bytes.iter().rev().take(3)) {
        let length = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if length > place { place } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `output` in parts of `part_bytes`: what was shown, where the rest begins, and whether that was all.
    fn read(output: &[u8], part_bytes: usize, bytes_max: u64) -> (Vec<String>, u64, bool) {
        let ask = |from: u64| {
            let rest = output.get(from as usize..).unwrap_or_default();
            let bytes = rest[..rest.len().min(part_bytes)].to_vec();
            let next = from + bytes.len() as u64;
            Ok(Logs { bytes, next })
        };
        let mut shown = Vec::new();
        let show = |part: &str| {
            shown.push(part.to_owned());
            Ok(())
        };
        let (next, is_all) = read_out((0, bytes_max), ask, show).unwrap();
        (shown, next, is_all)
    }

    #[test]
    fn what_the_kernel_holds_a_workload_to_is_told_to_the_thousandth() {
        let held = |cpu_milli: u64| AgentLease {
            state: "running".into(),
            workload: None,
            manifest: true,
            image: true,
            address: None,
            problem: None,
            metered_ms: 0,
            signed_ms: 0,
            driver: None,
            limits: Some(nupeer_client::AgentLimits {
                cpu_milli,
                memory_bytes: 64 << 20,
                pids_max: 32,
            }),
        };
        assert_eq!(limits(&held(200)), "0.200 CPU, 64MiB, 32 processes");
        // Thousandths that no float of 64 bits holds.
        let odd = limits(&held(9_007_199_254_740_993));
        assert!(odd.starts_with("9007199254740.993 CPU"), "{odd}");
    }

    #[test]
    fn parts_cut_no_character_wherever_they_end() {
        let output = "a€ü🚀z".as_bytes();
        let damaged = [&b"\xf0\x9f"[..], output, b"\x80\xff\xe2\x82"].concat();
        for whole in [output, &damaged] {
            for part_bytes in 1..=whole.len() {
                let (shown, next, is_all) = read(whole, part_bytes, 1_000);
                assert_eq!(
                    shown.concat(),
                    String::from_utf8_lossy(whole),
                    "{part_bytes}"
                );
                assert_eq!((next, is_all), (whole.len() as u64, true));
            }
        }
    }

    #[test]
    fn an_agent_that_goes_on_for_ever_is_read_up_to_a_bound() {
        let endless = |from: u64| {
            assert!(from < 1_000, "it is asked for more than the bound");
            let (bytes, next) = (vec![b'x'; 64], from + 64);
            Ok(Logs { bytes, next })
        };
        let mut parts = 0;
        let show = |_: &str| {
            parts += 1;
            Ok(())
        };
        assert_eq!(read_out((0, 640), endless, show).unwrap(), (640, false));
        assert_eq!(parts, 11, "each part is shown as it comes");
        assert_eq!(read(&[b'x'; 64], 8, 32).1, 32);
    }

    #[test]
    fn an_agent_that_does_not_advance_is_asked_once_more_and_no_longer() {
        let stuck = |_: u64| {
            let (bytes, next) = (vec![b'x'; 8], 8);
            Ok(Logs { bytes, next })
        };
        assert_eq!(read_out((0, 640), stuck, |_| Ok(())).unwrap(), (8, true));
    }
}
