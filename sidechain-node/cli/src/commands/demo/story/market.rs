//! The machine, the lease and the workload.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{ATTENDED, BOND, GREETING, Story, millis};
use crate::{
    commands::demo::{
        person::{number, text},
        report::Limits,
    },
    error::Outcome,
};

/// What the tenant asks for.
const CPU: &str = "0.2";
const MEMORY: &str = "64MiB";
const PIDS: &str = "32";
const PORT: &str = "8080";
const PRICE_MAX: &str = "36ADA/h";
const ESCROW: &str = "8ADA";
/// What the tenant's session key may take in all.
const SESSION_BUDGET: &str = "10ADA";
/// What the owner asks for each hour of a lease.
const PRICE: &str = "30ADA";

/// The demo's one image is small, and the disk is that of whoever looks on.
const DISK_RESERVE: [(&str, &str); 2] = [
    ("NUPEER_AGENT_DISK_RESERVE_BYTES", "67108864"),
    ("NUPEER_AGENT_DISK_RESERVE_FILES", "1000"),
];

impl Story<'_> {
    /// 6. The owner's machine: measured, bonded, on offer.
    pub(super) fn machine(&mut self) -> Outcome<()> {
        self.stage.teller.chapter();
        let agent = self.stage.path("agent");
        let mut init = vec![
            "agent",
            "init",
            "--data",
            &agent,
            "--owner",
            &self.owner.account,
            "--bond",
            BOND,
            "--price",
            PRICE,
        ];
        let urls = self.told.api_urls.clone();
        for url in &urls {
            init.extend(["--node", url]);
        }
        let made = self.owner.does(&init)?;
        let operator = text(&made, "operator_key_hash")?;
        self.owner
            .does(&["machine", "allow", &operator, "--budget", "60ADA", "--yes"])?;
        let (config, log) = (text(&made, "config")?, self.stage.log("agent"));
        let room = DISK_RESERVE.map(|(name, value)| (name, value.to_owned()));
        self.stage
            .running
            .start("agent", &["agent", "run", "--config", &config], &room, &log)?;
        let owner = &self.owner;
        let mut offer = Value::Null;
        self.stage.wait_until("the machine is on offer", || {
            let offers = owner.does(&["offer", "list"]).unwrap_or_default();
            offer = offers["offers"][0].clone();
            !offer.is_null()
        })?;
        let machine = self.owner.does(&["machine", "list"])?["machines"][0].clone();
        let measured = format!(
            "{} cores, {} MiB measured; bond {BOND}",
            number(&machine, "capacity.cpu_milli")? / 1000,
            number(&machine, "capacity.memory_bytes")? >> 20,
        );
        self.stage.teller.done(&measured);
        Ok(())
    }

    /// 7. A request with an escrow, an offer, a match, a lease; signed by a session key.
    pub(super) fn order(&mut self) -> Outcome<()> {
        self.stage.teller.chapter();
        let image = self.tenant.file("image.tar");
        let made = self.tenant.does(&[
            "image",
            "make",
            "--out",
            &image,
            "--greeting",
            GREETING,
            "--port",
            PORT,
        ])?;
        let digest = text(&made, "digest")?;
        let session = self.tenant.file("session.json");
        self.tenant.does(&[
            "wallet",
            "session",
            "new",
            "--out",
            &session,
            "--scope",
            "lease",
            "--budget",
            SESSION_BUDGET,
            "--hours",
            "1",
            "--yes",
        ])?;
        self.ordered = Some(Instant::now());
        let ordered = self.tenant.does(&[
            "lease",
            "order",
            "--image",
            &digest,
            "--cpu",
            CPU,
            "--memory",
            MEMORY,
            "--pids",
            PIDS,
            "--port",
            PORT,
            "--price-max",
            PRICE_MAX,
            "--escrow",
            ESCROW,
            "--duration",
            "10m",
            "--wait",
            "1m",
            "--session",
            &session,
            "--yes",
        ])?;
        self.lease = text(&ordered, "lease")?;
        let lease = self.lease.get(..16).unwrap_or(&self.lease);
        self.stage.teller.done(&format!("lease {lease}…"));
        Ok(())
    }

    /// 8. The image goes to the agent; the workload answers; its logs are read.
    pub(super) fn workload(&mut self) -> Outcome<()> {
        self.stage.teller.chapter();
        let (image, session) = (
            self.tenant.file("image.tar"),
            self.tenant.file("session.json"),
        );
        let lease = self.lease.clone();
        self.tenant
            .does(&["lease", "upload", &lease, &image, "--session", &session])?;
        let address = self.find_port()?;
        self.published = address.clone();
        let mut answer = String::new();
        self.stage.wait_until("the workload answers", || {
            answer = get(&address).unwrap_or_default();
            answer.contains(GREETING)
        })?;
        let since_order = self.ordered.map_or(0, millis);
        self.told.report.lease.order_to_first_byte_ms = since_order;
        let tenant = &self.tenant;
        let mut lines = 0;
        self.stage.wait_until("the workload's log is read", || {
            let logs = tenant.does(&["lease", "logs", &lease, "--session", &session]);
            lines = logs.map_or(0, |logs| {
                text(&logs, "text").map_or(0, |t| t.lines().count())
            });
            lines > 0
        })?;
        self.held_to()?;
        let answers = format!("{address} answers; {lines} log lines");
        self.stage.teller.done(&answers);
        Ok(())
    }

    /// What runs the workload, and what the kernel holds it to.
    fn held_to(&mut self) -> Outcome<()> {
        let (lease, session) = (self.lease.clone(), self.tenant.file("session.json"));
        let tenant = &self.tenant;
        let (mut driver, mut limits) = (String::new(), Limits::default());
        self.stage.wait_until("the agent tells the limits", || {
            let shown = tenant.does(&["lease", "status", &lease, "--session", &session]);
            let shown = shown.unwrap_or_default();
            let held = |name: &str| number(&shown, &format!("limits.{name}"));
            let (cpu, memory, pids) = (held("cpu_milli"), held("memory_bytes"), held("pids_max"));
            let (Ok(cpu_milli), Ok(memory_bytes), Ok(pids_max)) = (cpu, memory, pids) else {
                return false;
            };
            limits = Limits {
                cpu_milli,
                memory_bytes,
                pids_max,
            };
            driver = text(&shown, "driver").unwrap_or_default();
            !driver.is_empty()
        })?;
        let report = &mut self.told.report.lease;
        (report.driver, report.limits) = (driver, limits);
        Ok(())
    }

    /// Where the workload's port is published.
    fn find_port(&mut self) -> Outcome<String> {
        let (lease, session) = (self.lease.clone(), self.tenant.file("session.json"));
        let tenant = &self.tenant;
        let mut address = String::new();
        self.stage
            .wait_until("the workload's port is published", || {
                let shown = tenant.does(&["lease", "status", &lease, "--session", &session]);
                address = shown
                    .ok()
                    .and_then(|s| s["published"].as_str().map(str::to_owned))
                    .unwrap_or_default();
                !address.is_empty()
            })?;
        Ok(address)
    }

    /// 9. Both sides sign for what ran; what nobody signs for is not paid and pauses; the lease is closed and settled.
    pub(super) fn settlement(&mut self) -> Outcome<()> {
        self.stage.teller.chapter();
        let (lease, session) = (self.lease.clone(), self.tenant.file("session.json"));
        let tenant = &self.tenant;
        let seconds = ATTENDED.as_secs().to_string();
        if let Some(havoc) = &self.havoc {
            tenant
                .cut_off
                .at("lease attend", Instant::now() + havoc.cuts.attend);
        }
        self.stage.teller.doing("both sign for what runs");
        tenant.does(&[
            "lease",
            "attend",
            &lease,
            "--session",
            &session,
            "--for",
            &seconds,
        ])?;
        tenant.cut_off.never();
        let teller = &self.stage.teller;
        teller.going("signed for; now the tenant looks away");
        let paused = |state: &str| state.starts_with("paused");
        self.lease_becomes("paused", paused)?;
        let teller = &self.stage.teller;
        teller.going("30 s unsigned: paused and not paid");
        let close = [
            "lease",
            "close",
            &lease,
            "--session",
            &session,
            "--without-note",
            "--yes",
        ];
        self.tenant.does(&close)?;
        self.nothing_is_left()?;
        let teller = &self.stage.teller;
        teller.done("closed; container, network, cgroups gone");
        Ok(())
    }

    /// What was left unsigned may still be signed for a while: the lease is settled when that is over. The owner need not wait for it.
    pub(super) fn settled(&mut self) -> Outcome<()> {
        let lease = self.lease.clone();
        self.lease_becomes("closed", |state| state == "closed")?;
        let closed = self.tenant.does(&["lease", "show", &lease])?;
        let report = &mut self.told.report.lease;
        report.id = lease;
        report.metered_s = number(&closed, "metered_ms")? as f64 / 1000.0;
        report.paid_lovelace = number(&closed, "paid_lovelace")?;
        report.protocol_fee_lovelace = number(&closed, "protocol_fee_lovelace")?;
        report.refund_lovelace = number(&closed, "refunded_lovelace")?;
        let line = format!(
            "{:.1} s metered, {} lovelace to the owner",
            report.metered_s, report.paid_lovelace
        );
        self.stage.teller.going(&line);
        Ok(())
    }

    /// The workload is gone from the machine, and its port with it.
    fn nothing_is_left(&mut self) -> Outcome<()> {
        let (address, config) = (self.published.clone(), self.stage.path("agent/agent.toml"));
        let owner = &self.owner;
        let gone = || {
            let status = owner.does(&["agent", "status", "--config", &config]);
            let leases = status
                .ok()
                .and_then(|status| status["leases"].as_array().cloned());
            let none = |leases: Vec<Value>| leases.iter().all(|lease| lease["workload"].is_null());
            leases.is_some_and(none) && TcpStream::connect(&address).is_err()
        };
        self.stage
            .wait_until("nothing of the workload is left", gone)
    }

    fn lease_becomes(&mut self, what: &str, is: impl Fn(&str) -> bool) -> Outcome<()> {
        let (lease, tenant) = (self.lease.clone(), &self.tenant);
        self.stage.wait_until(&format!("the lease is {what}"), || {
            let shown = tenant.does(&["lease", "show", &lease]).unwrap_or_default();
            shown["state"].as_str().is_some_and(&is)
        })
    }
}

/// One HTTP request, as any browser makes it.
fn get(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET / HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(64 << 10).read_to_string(&mut answer)?;
    Ok(answer)
}
