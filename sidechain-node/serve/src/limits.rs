//! How much a server takes on.

use std::time::Duration;

use crate::descriptors::open_files_max;

/// Connections that a server has at least, however few descriptors there are.
const CONNECTIONS_MIN: usize = 4;

/// Connections of one address: browsers have six, our own client three.
const PER_ADDRESS_MAX: usize = 32;

/// Longer than our own client keeps a connection that it does not use (ureq: 15 s), so that it is the client who ends it.
const HEADER_PATIENCE: Duration = Duration::from_secs(20);

/// The longest header is an agent's signed request, below 1 KiB; what is read and what is written is buffered up to as much again.
const HEADER_BYTES_MAX: usize = 32 << 10;

/// A body of 64 KiB, which is the longest that a node takes, at 2 KiB a second.
const BODY_PATIENCE: Duration = Duration::from_secs(32);

const WRITE_PATIENCE: Duration = Duration::from_secs(30);
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Bounds of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time. Further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// Connections of one address at a time; further ones are turned away.
    pub per_address_max: usize,
    /// As `per_address_max`, for each address of this machine: its owner's own programs, or a proxy that speaks for many.
    pub per_loopback_max: usize,
    /// How long a header may take to come, and how long a connection may stand without a next request.
    pub header_patience: Duration,
    /// The longest header, in bytes; less than 8 KiB counts as that much.
    pub header_bytes_max: usize,
    /// How long a whole body may take to come, from when it was first waited for.
    pub body_patience: Duration,
    /// How long an answer may wait for the asker to take some of it.
    pub write_patience: Duration,
    /// How long what is under way may take when the server ends; what takes longer is cut.
    pub end_patience: Duration,
}

impl Limits {
    /// Bounds for at most `connections_wanted` connections, fewer where they would be more than a quarter of the files that this process may have open.
    pub fn new(connections_wanted: usize) -> Self {
        Self::within(connections_wanted, open_files_max())
    }

    fn within(connections_wanted: usize, open_files_max: u64) -> Self {
        let quarter = usize::try_from(open_files_max / 4).unwrap_or(usize::MAX);
        let connections_max = connections_wanted.min(quarter).max(CONNECTIONS_MIN);
        let half = connections_max / 2;
        Limits {
            connections_max,
            per_address_max: PER_ADDRESS_MAX.min(half),
            per_loopback_max: half,
            header_patience: HEADER_PATIENCE,
            header_bytes_max: HEADER_BYTES_MAX,
            body_patience: BODY_PATIENCE,
            write_patience: WRITE_PATIENCE,
            end_patience: END_PATIENCE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_three_quarters_of_the_descriptors_and_no_address_has_more_than_half() {
        let table = [
            // wanted, open files; connections, one address', loopback's
            (512, 65_536, 512, 32, 256),
            (512, 1024, 256, 32, 128),
            (128, 65_536, 128, 32, 64),
            (512, 80, 20, 10, 10),
            (512, 0, 4, 2, 2),
            (512, u64::MAX, 512, 32, 256),
        ];
        for (wanted, open_files, all, address, loopback) in table {
            let limits = Limits::within(wanted, open_files);
            let shares = (
                limits.connections_max,
                limits.per_address_max,
                limits.per_loopback_max,
            );
            assert_eq!(shares, (all, address, loopback), "{wanted} of {open_files}");
        }
    }
}
