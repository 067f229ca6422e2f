//! How long a workload really ran, and the notes about it.
//!
//! Running time is what lies between two looks at the same run of the workload on the same boot of the machine, both while the chain
//! had the lease active: whatever else may have happened between two looks is not counted. It does not matter who looked, so
//! a restarted agent goes on counting. A note says the running time, or what the lease's own clock shows if that is less.
//!
//! A note is kept before it is signed ([`Meter::offer`], then the caller saves, then signs), so that no crash makes the next one say less.

use minicbor::{Decode, Encode};
use nupeer_lease::usage::evidence;
use nupeer_lease::{LeaseId, Usage};
use nupeer_primitives::{Hash, cbor};
use serde::{Deserialize, Serialize};

/// What the kernel and the proxy counted, as evidence beside the time. Both sides keep it; its hash is in the note.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Counters {
    /// Running time that the note is for, in ms.
    #[n(0)]
    pub metered_ms: u64,
    /// CPU time of the last run, in ns.
    #[n(1)]
    pub cpu_ns: u64,
    /// The most memory of the last run, in bytes.
    #[n(2)]
    pub memory_peak_bytes: u64,
    /// Time spent waiting because of the CPU limit, in ns.
    #[n(3)]
    pub throttled_ns: u64,
    /// Processes killed because the memory limit was reached.
    #[n(4)]
    pub oom_kills: u64,
    /// Bytes that went in through the published port since the agent's start.
    #[n(5)]
    pub ingress_bytes: u64,
    /// Bytes that came out of it.
    #[n(6)]
    pub egress_bytes: u64,
}

impl Counters {
    /// What a note of `lease` says of these ([`evidence`] of their canonical CBOR).
    pub fn evidence(&self, lease: &LeaseId) -> Hash {
        evidence(lease, &cbor::encode(self))
    }
}

/// A look at a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Which boot of the machine.
    pub boot: [u8; 32],
    /// When, by the machine's clock, in ms.
    pub at_ms: u64,
    /// The run that goes on and is to be paid; none where nothing runs, where it is paused, or where the lease is not active.
    pub run: Option<u64>,
}

/// What is kept of a lease's running time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meter {
    /// Running time that was seen, in ms.
    pub ran_ms: u64,
    /// The last look.
    pub look: Option<Look>,
    /// What the last note says; none before the first.
    pub offered: Option<Counters>,
    /// The most that the tenant has signed for, in ms.
    pub acked_ms: u64,
    /// That note with both signatures: canonical CBOR in hexadecimal.
    pub acked: Option<String>,
}

impl Meter {
    /// Takes a look. Returns whether it must be kept on disk: where nothing but time went by, the next look says as much. It is for the caller
    /// to remember what could not be kept: the next look is compared with this one.
    pub fn observe(&mut self, now: Look) -> bool {
        let last = self.look.replace(now);
        let Some(last) = last else { return true };
        let same = last.boot == now.boot && last.run == now.run;
        if same && now.run.is_some() {
            let passed_ms = now.at_ms.saturating_sub(last.at_ms);
            self.ran_ms = self.ran_ms.saturating_add(passed_ms);
        }
        !same
    }

    /// Running time that can be paid by a lease whose clock shows `clock_ms`.
    pub fn metered_ms(&self, clock_ms: u64) -> u64 {
        self.ran_ms.min(clock_ms)
    }

    /// Running time that nobody signed for yet, in ms. `settled_ms` is what the chain knows to be signed.
    pub fn unsigned_ms(&self, clock_ms: u64, settled_ms: u64) -> u64 {
        let signed_ms = self.acked_ms.max(settled_ms);
        self.metered_ms(clock_ms).saturating_sub(signed_ms)
    }

    /// What the next note says: more than the last one where there is more, else the last one again; none before there is anything
    /// to sign. To be kept before it is signed. `settled_ms` is what the chain has already: a note that says no more is worth nothing.
    pub fn offer(
        &mut self,
        lease: &LeaseId,
        clock_ms: u64,
        settled_ms: u64,
        counters: Counters,
    ) -> Option<Usage> {
        let metered_ms = self.metered_ms(clock_ms);
        let said_ms = self.offered.map_or(0, |offered| offered.metered_ms);
        if metered_ms > said_ms.max(settled_ms) {
            self.offered = Some(Counters {
                metered_ms,
                ..counters
            });
        }
        self.offered.map(|offered| Usage {
            lease: *lease,
            metered_ms: offered.metered_ms,
            evidence: offered.evidence(lease),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEASE: LeaseId = LeaseId(Hash([7; 32]));

    fn look(boot: u8, at_ms: u64, run: Option<u64>) -> Look {
        Look {
            boot: [boot; 32],
            at_ms,
            run,
        }
    }

    #[test]
    fn only_time_between_two_looks_at_one_run_counts() {
        for (looks, ran_ms) in [
            (vec![look(1, 100, Some(1))], 0),
            (vec![look(1, 100, Some(1)), look(1, 350, Some(1))], 250),
            // Another run, however short the gap: when the first ended is not known.
            (vec![look(1, 100, Some(1)), look(1, 350, Some(2))], 0),
            // Paused or not active at one end.
            (vec![look(1, 100, Some(1)), look(1, 350, None)], 0),
            (vec![look(1, 100, None), look(1, 350, Some(1))], 0),
            (vec![look(1, 100, None), look(1, 350, None)], 0),
            // Another boot: its clock began anew.
            (vec![look(1, 100, Some(1)), look(2, 350, Some(1))], 0),
            // A clock that was set back, which this one never is, takes nothing away.
            (vec![look(1, 350, Some(1)), look(1, 100, Some(1))], 0),
        ] {
            let mut meter = Meter::default();
            for look in &looks {
                meter.observe(*look);
            }
            assert_eq!(meter.ran_ms, ran_ms, "{looks:?}");
        }
    }

    #[test]
    fn a_look_is_kept_when_more_than_time_changed() {
        let mut meter = Meter::default();
        let kept: Vec<bool> = [
            look(1, 0, None),
            look(1, 10, None),
            look(1, 20, Some(1)),
            look(1, 30, Some(1)),
            look(1, 40, Some(2)),
            look(2, 0, Some(2)),
        ]
        .map(|look| meter.observe(look))
        .to_vec();
        assert_eq!(kept, [true, false, true, false, true, true]);
    }

    #[test]
    fn a_note_says_the_lesser_of_running_time_and_clock_and_never_less_than_before() {
        let mut meter = Meter {
            ran_ms: 1_000,
            ..Meter::default()
        };
        let said = |meter: &mut Meter, clock_ms, settled_ms| {
            let counters = Counters::default();
            let usage = meter.offer(&LEASE, clock_ms, settled_ms, counters);
            usage.map(|usage| usage.metered_ms)
        };
        assert_eq!(said(&mut meter, 0, 0), None);
        assert_eq!(said(&mut meter, 400, 400), None);
        assert_eq!(said(&mut meter, 600, 0), Some(600));
        assert_eq!(said(&mut meter, 500, 0), Some(600));
        assert_eq!(said(&mut meter, 5_000, 0), Some(1_000));
        // What was counted is lost; what was said is not.
        meter.ran_ms = 0;
        assert_eq!(said(&mut meter, 5_000, 0), Some(1_000));
    }

    #[test]
    fn what_the_chain_has_settled_counts_as_signed() {
        let meter = Meter {
            ran_ms: 10_000,
            acked_ms: 3_000,
            ..Meter::default()
        };
        assert_eq!(meter.unsigned_ms(20_000, 0), 7_000);
        assert_eq!(meter.unsigned_ms(20_000, 8_000), 2_000);
        assert_eq!(meter.unsigned_ms(2_000, 0), 0);
    }

    #[test]
    fn evidence_is_pinned() {
        let counters = Counters {
            metered_ms: 1,
            cpu_ns: 2,
            memory_peak_bytes: 3,
            throttled_ns: 4,
            oom_kills: 5,
            ingress_bytes: 6,
            egress_bytes: 7,
        };
        assert_eq!(hex::encode(cbor::encode(&counters)), "8701020304050607");
        let other = Counters {
            egress_bytes: 8,
            ..counters
        };
        assert_ne!(counters.evidence(&LEASE), other.evidence(&LEASE));
        assert_ne!(
            counters.evidence(&LEASE),
            counters.evidence(&LeaseId(Hash::ZERO))
        );
    }

    /// What may happen to a workload and its agent.
    #[derive(Clone, Debug)]
    enum Event {
        /// Time goes by.
        Pass(u64),
        /// The workload starts, stops or is replaced.
        Run(Option<u64>),
        /// The agent looks.
        Look,
        /// The chain's clock follows, this far behind.
        Clock(u64),
        /// The tenant asks for a note.
        Note,
        /// The agent dies, and all that it had not kept.
        Crash,
        /// The machine reboots, which ends the workload.
        Reboot,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            (0u64..5_000).prop_map(Event::Pass),
            proptest::option::of(0u64..4).prop_map(Event::Run),
            Just(Event::Look),
            (0u64..3_000).prop_map(Event::Clock),
            Just(Event::Note),
            Just(Event::Crash),
            Just(Event::Reboot),
        ]
    }

    proptest! {
        /// Never backwards, never beyond the clock, never beyond what really ran; a note is on disk before it is out.
        #[test]
        fn notes_are_honest_through_crashes(events in proptest::collection::vec(event(), 1..120)) {
            let (mut meter, mut disk) = (Meter::default(), Meter::default());
            let (mut boot, mut time_ms, mut really_ms, mut clock_ms) = (0u8, 0u64, 0u64, 0u64);
            let (mut run, mut starts, mut last_ms) = (None, 0u64, 0u64);
            for event in events {
                match event {
                    Event::Pass(ms) => {
                        time_ms += ms;
                        really_ms += if run.is_some() { ms } else { 0 };
                    }
                    Event::Run(next) => {
                        // Each start has a number of its own, as files' times do.
                        starts += 1;
                        run = next.map(|_| starts);
                        // The agent that pauses or starts it looks before anything else.
                        let look = Look { boot: [boot; 32], at_ms: time_ms, run };
                        if meter.observe(look) { disk = meter.clone() }
                    }
                    Event::Look => {
                        let look = Look { boot: [boot; 32], at_ms: time_ms, run };
                        if meter.observe(look) { disk = meter.clone() }
                    }
                    Event::Clock(behind_ms) => clock_ms = clock_ms.max(really_ms.saturating_sub(behind_ms)),
                    Event::Note => {
                        let before = meter.clone();
                        if let Some(usage) = meter.offer(&LEASE, clock_ms, 0, Counters::default()) {
                            if meter != before { disk = meter.clone() }
                            prop_assert!(usage.metered_ms >= last_ms, "backwards");
                            prop_assert!(usage.metered_ms <= clock_ms, "beyond the clock");
                            prop_assert!(usage.metered_ms <= really_ms, "beyond what ran");
                            prop_assert_eq!(disk.offered.map(|c| c.metered_ms), Some(usage.metered_ms));
                            last_ms = usage.metered_ms;
                        }
                    }
                    Event::Crash => meter = disk.clone(),
                    Event::Reboot => {
                        boot = boot.wrapping_add(1);
                        (time_ms, run) = (0, None);
                        meter = disk.clone();
                    }
                }
            }
        }
    }
}
