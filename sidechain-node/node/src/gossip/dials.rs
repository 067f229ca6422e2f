//! Which peers to call, and when again.

use std::time::{Duration, Instant};

use libp2p::{
    Multiaddr, PeerId,
    swarm::{ConnectionId, dial_opts::DialOpts},
};

const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Dial {
    address: Multiaddr,
    state: State,
    retry: Duration,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Due(Instant),
    Calling(ConnectionId),
    Connected(PeerId),
    /// It is this node's own address.
    Own,
}

/// The peers that the operator named. Each is called until it answers, and again when it was lost.
#[derive(Debug)]
pub(super) struct Dials(Vec<Dial>);

impl Dials {
    pub(super) fn new(addresses: Vec<Multiaddr>, now: Instant) -> Self {
        let dial = |address| Dial {
            address,
            state: State::Due(now),
            retry: RETRY_MIN,
        };
        Dials(addresses.into_iter().map(dial).collect())
    }

    /// The calls to make now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<DialOpts> {
        let due = self
            .0
            .iter_mut()
            .filter(|d| matches!(d.state, State::Due(at) if at <= now));
        let call = |dial: &mut Dial| {
            let call = DialOpts::unknown_peer_id()
                .address(dial.address.clone())
                .build();
            dial.state = State::Calling(call.connection_id());
            call
        };
        due.map(call).collect()
    }

    pub(super) fn connected(&mut self, connection: ConnectionId, peer: PeerId) {
        if let Some(dial) = self.calling(connection) {
            dial.state = State::Connected(peer);
            dial.retry = RETRY_MIN;
        }
    }

    /// A call failed; `own` if this node itself answered.
    pub(super) fn failed(&mut self, connection: ConnectionId, own: bool, now: Instant) {
        if let Some(dial) = self.calling(connection) {
            dial.state = if own {
                State::Own
            } else {
                State::Due(now + dial.retry)
            };
            dial.retry = (dial.retry * 2).min(RETRY_MAX);
        }
    }

    /// The last connection to a peer is gone.
    pub(super) fn lost(&mut self, peer: &PeerId, now: Instant) {
        let lost = self
            .0
            .iter_mut()
            .filter(|dial| dial.state == State::Connected(*peer));
        lost.for_each(|dial| dial.state = State::Due(now + dial.retry));
    }

    fn calling(&mut self, connection: ConnectionId) -> Option<&mut Dial> {
        self.0
            .iter_mut()
            .find(|dial| dial.state == State::Calling(connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_called_until_it_answers_and_again_when_lost() {
        let start = Instant::now();
        let mut dials = Dials::new(vec!["/ip4/127.0.0.1/tcp/1".parse().unwrap()], start);
        let first = dials.due(start).remove(0).connection_id();
        assert!(dials.due(start).is_empty(), "one call at a time");
        dials.failed(first, false, start);
        assert!(dials.due(start + RETRY_MIN / 2).is_empty());
        let second = dials.due(start + RETRY_MIN).remove(0).connection_id();
        let peer = PeerId::random();
        dials.connected(second, peer);
        assert!(dials.due(start + RETRY_MAX * 2).is_empty());
        dials.lost(&peer, start);
        assert_eq!(dials.due(start + RETRY_MIN).len(), 1);
    }

    #[test]
    fn an_own_address_is_not_called_again() {
        let start = Instant::now();
        let mut dials = Dials::new(vec!["/ip4/127.0.0.1/tcp/1".parse().unwrap()], start);
        let call = dials.due(start).remove(0).connection_id();
        dials.failed(call, true, start);
        assert!(dials.due(start + RETRY_MAX * 2).is_empty());
    }
}
