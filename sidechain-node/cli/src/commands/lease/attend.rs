//! `nupeer lease attend`: the tenant's side of metering. Each note of the provider is checked against the tenant's own clock and the
//! chain's, and signed only if it says no more than either and the workload answers at its published port.

use std::time::{Duration, Instant};

use nupeer_client::ClientError;
use nupeer_lease::{LeaseError, LeaseState, ProviderNote};
use serde_json::json;

use super::agent::{Place, at};
use crate::{
    api::Api,
    args_market::AtAgent,
    error::{CliError, Exit, Outcome},
    lease_file::LeaseFile,
    output::Printer,
    units::show_ms,
};

/// By how much block times may lead the tenant's clock, in ms: the drift that validators allow.
const DRIFT_MS: u64 = 2_000;

/// How long one note may take to become good where the node lags behind the agent's.
const NOTE_MAX: Duration = Duration::from_secs(5);

/// What the tenant's own clock grants: what the chain's showed when it was first looked at, and what went by since.
pub(super) struct OwnClock {
    since: Instant,
    base_ms: u64,
}

impl OwnClock {
    pub(super) fn start(clock_ms: u64) -> Self {
        OwnClock {
            since: Instant::now(),
            base_ms: clock_ms,
        }
    }

    fn granted_ms(&self) -> u64 {
        granted_ms(self.base_ms, self.since.elapsed())
    }
}

fn granted_ms(base_ms: u64, passed: Duration) -> u64 {
    let passed_ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
    base_ms.saturating_add(passed_ms).saturating_add(DRIFT_MS)
}

/// What became of a note.
pub(super) enum Noted {
    /// The agent has none that says more than was signed.
    Nothing,
    /// It was signed, and is kept on disk.
    Signed,
}

/// What is done beside checking a note by the clocks and signing it.
#[derive(Clone, Copy)]
pub(super) struct How {
    /// Give it to the agent.
    pub(super) tell: bool,
    /// Try the published port first.
    pub(super) probe: bool,
}

/// Asks for the latest note, checks it, signs it and keeps it.
pub(super) fn sign_latest(
    place: &Place<'_>,
    own: &OwnClock,
    file: &mut LeaseFile,
    how: How,
) -> Outcome<Noted> {
    let end = Instant::now() + NOTE_MAX;
    loop {
        let Some(note) = place.agent.usage()? else {
            return Ok(Noted::Nothing);
        };
        match check(place, own, file, &note) {
            Err(error) if is_ahead(&error) && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(200));
            }
            Err(error) => return Err(CliError::numbered(Exit::CheckFailed, &*error)),
            Ok(()) => {
                if how.probe && note.usage.metered_ms > file.signed_ms() {
                    answering(place, file)?;
                }
                return sign(place, file, &note, how.tell);
            }
        }
    }
}

/// Makes sure that a workload which publishes a port takes connections there.
fn answering(place: &Place<'_>, file: &LeaseFile) -> Outcome<()> {
    let publishes = file
        .manifest
        .as_ref()
        .is_some_and(|spec| spec.port.is_some());
    let address = place.agent.state()?.address;
    let (lease, _) = place.lease()?;
    match to_try(publishes, address, &lease.state) {
        Try::Nothing => Ok(()),
        Try::At(address) => Ok(nupeer_client::probe(&address)?),
        Try::NotThere => Err(ClientError::Silent {
            address: "its port".to_owned(),
            reason: "the agent publishes none".to_owned(),
        }
        .into()),
    }
}

/// Where a workload is tried.
#[derive(Debug, PartialEq, Eq)]
enum Try {
    /// It publishes no port: the clocks alone are gone by.
    Nothing,
    /// There.
    At(String),
    /// It should publish a port and does not.
    NotThere,
}

fn to_try(publishes: bool, address: Option<String>, state: &LeaseState) -> Try {
    match address {
        Some(address) => Try::At(address),
        // The chain's clock stands still while a lease is paused: what the note says ran before, and it runs on once that is signed.
        None if !publishes || matches!(state, LeaseState::Paused { .. }) => Try::Nothing,
        None => Try::NotThere,
    }
}

/// Two nodes may be a block apart.
fn is_ahead(error: &LeaseError) -> bool {
    matches!(error, LeaseError::UsageBeyondClock { .. })
}

fn check(
    place: &Place<'_>,
    own: &OwnClock,
    file: &LeaseFile,
    note: &ProviderNote,
) -> Result<(), Box<LeaseError>> {
    // Without an answer of the chain nothing is granted.
    let clock_ms = place
        .lease()
        .map_or(0, |(lease, time)| lease.clock_ms(time));
    let clock_ms = clock_ms.min(own.granted_ms());
    let operator = &place.machine.terms.operator;
    note.check(
        &place.chain,
        &place.id,
        operator,
        file.signed_ms(),
        clock_ms,
    )
    .map_err(Box::new)
}

fn sign(
    place: &Place<'_>,
    file: &mut LeaseFile,
    note: &ProviderNote,
    tell: bool,
) -> Outcome<Noted> {
    let is_new = note.usage.metered_ms > file.signed_ms();
    let signed = match &file.signed {
        // What was signed once is given again as it was: two different notes of one time would be two words.
        Some(kept) if !is_new => kept.clone(),
        _ => place.agent.countersign(note),
    };
    if is_new {
        // On disk before it is out.
        file.signed = Some(signed.clone());
        file.save()?;
    }
    if tell && file.told_ms < signed.usage.metered_ms {
        match place.agent.acknowledge(&signed) {
            // The agent has this one, or a later one: nothing to add.
            Err(ClientError::Refused { .. }) if !is_new => {}
            told => told?,
        }
        file.told_ms = signed.usage.metered_ms;
    }
    Ok(if is_new {
        Noted::Signed
    } else {
        Noted::Nothing
    })
}

/// How a lease is attended.
pub(super) struct Pace {
    /// How long, where not until it closes.
    pub(super) seconds: Option<u64>,
    /// Time between two notes, in ms.
    pub(super) every_ms: u64,
    /// Whether the published port is tried before each note.
    pub(super) probe: bool,
}

/// `nupeer lease attend`.
pub(super) fn attend(args: &AtAgent, pace: &Pace, api: &Api, printer: &Printer) -> Outcome<()> {
    at(args, api, |place| {
        let (lease, time) = place.lease()?;
        let own = OwnClock::start(lease.clock_ms(time));
        let mut file = LeaseFile::open(&args.leases.folder, place.id, place.chain)?;
        let how = How {
            tell: true,
            probe: pace.probe,
        };
        let end = pace
            .seconds
            .map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let mut watch = Watch::default();
        let state = loop {
            watch.round(place, &own, &mut file, how, printer);
            match place.lease() {
                Ok((lease, _)) if is_over(&lease.state) => break lease.state.name(),
                Ok((lease, _)) if end.is_some_and(|end| Instant::now() >= end) => {
                    break lease.state.name();
                }
                Err(error) if end.is_some_and(|end| Instant::now() >= end) => return Err(error),
                _ => std::thread::sleep(Duration::from_millis(pace.every_ms)),
            }
        };
        let value = json!({
            "lease": place.id.to_string(),
            "state": state,
            "signed_ms": file.signed_ms(),
            "notes": watch.notes,
        });
        let line = format!("lease is {state}; signed for {}", show_ms(file.signed_ms()));
        printer.result(value, &[line]);
        Ok(())
    })
}

pub(super) fn is_over(state: &LeaseState) -> bool {
    matches!(
        state,
        LeaseState::Closing { .. } | LeaseState::Closed { .. }
    )
}

/// What was seen while attending.
#[derive(Default)]
struct Watch {
    notes: u64,
    trouble: Option<String>,
}

impl Watch {
    /// One look. Trouble is told once and looked past: the lease may run on, and time unsigned is unpaid.
    fn round(
        &mut self,
        place: &Place<'_>,
        own: &OwnClock,
        file: &mut LeaseFile,
        how: How,
        printer: &Printer,
    ) {
        let trouble = match sign_latest(place, own, file, how) {
            Ok(Noted::Nothing) => None,
            Ok(Noted::Signed) => {
                self.notes += 1;
                printer.note(&format!("signed for {}", show_ms(file.signed_ms())));
                None
            }
            Err(error) => Some(format!("not signed: {}", told(&error))),
        };
        if trouble != self.trouble {
            trouble.iter().for_each(|trouble| printer.note(trouble));
            self.trouble = trouble;
        }
    }
}

/// An error in one line.
pub(super) fn told(error: &CliError) -> String {
    match &error.code {
        Some(code) => format!("{} ({code})", error.what),
        None => error.what.clone(),
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::TimeMs;

    use super::*;

    #[test]
    fn a_port_is_tried_where_one_is_published_and_missed_where_one_should_be() {
        use nupeer_lease::PauseReason::Unsigned;
        let at = || Some("127.0.0.1:1".to_owned());
        let active = LeaseState::Active { since: TimeMs(0) };
        let paused = LeaseState::Paused {
            reason: Unsigned,
            until: TimeMs(0),
        };
        for (publishes, address, state, expected) in [
            (true, at(), &active, Try::At("127.0.0.1:1".into())),
            (false, at(), &active, Try::At("127.0.0.1:1".into())),
            (true, at(), &paused, Try::At("127.0.0.1:1".into())),
            (true, None, &active, Try::NotThere),
            (true, None, &paused, Try::Nothing),
            (false, None, &active, Try::Nothing),
        ] {
            assert_eq!(to_try(publishes, address, state), expected);
        }
    }

    #[test]
    fn the_own_clock_grants_what_went_by_and_the_drift() {
        assert_eq!(granted_ms(1_000, Duration::from_millis(500)), 3_500);
        assert_eq!(granted_ms(u64::MAX, Duration::from_secs(1)), u64::MAX);
    }
}
