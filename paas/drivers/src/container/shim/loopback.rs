//! A container's network: the loopback device, up, and nothing else.
//!
//! No virtual cable, no bridge and no firewall rule: a namespace that has no device but `lo` has no way out that a rule
//! could forget. Connections come in because the agent makes their sockets inside (`ingress.rs`).

use std::fs::{self, File};

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use std::os::fd::AsRawFd;

use super::Reason;

/// The first device of every network namespace.
const LOOPBACK: i32 = 1;
/// Ports below 1024 need a capability, which containers lack; in a namespace of one's own they need none.
const FIRST_FREE_PORT: (&str, &str) = ("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");

/// Brings the loopback up in the network namespace of process `pid`. The caller has one thread, which is back in its
/// own namespace afterwards.
pub(super) fn bring_up(pid: i32) -> Result<(), Reason> {
    let open = |path: &str| {
        File::open(path).map_err(|error| format!("opening a network namespace: {error}"))
    };
    let own = open("/proc/self/ns/net")?;
    let inside = open(&format!("/proc/{pid}/ns/net"))?;
    let enter = |to: File| {
        setns(to, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| format!("entering a network namespace: {errno}"))
    };
    enter(inside)?;
    let done = up()
        .map_err(|errno| format!("bringing the loopback up: {errno}"))
        .and_then(|()| {
            fs::write(FIRST_FREE_PORT.0, FIRST_FREE_PORT.1)
                .map_err(|error| format!("freeing the low ports: {error}"))
        });
    enter(own)?;
    done
}

/// rtnetlink(7): `RTM_NEWLINK` that sets `IFF_UP`, acknowledged.
fn up() -> nix::Result<()> {
    let netlink = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    send(netlink.as_raw_fd(), &request(), MsgFlags::empty())?;
    let mut answer = [0u8; 1024];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    acknowledged(&answer[..length])
}

fn request() -> [u8; 32] {
    const RTM_NEWLINK: u16 = 16;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 0x1 | 0x4;
    const IFF_UP: u32 = 1;
    let mut message = [0u8; 32];
    // struct nlmsghdr: length, type, flags, sequence, port.
    message[0..4].copy_from_slice(&32u32.to_ne_bytes());
    message[4..6].copy_from_slice(&RTM_NEWLINK.to_ne_bytes());
    message[6..8].copy_from_slice(&REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    message[8..12].copy_from_slice(&1u32.to_ne_bytes());
    // struct ifinfomsg: family, padding, type, index, flags, which flags to change.
    message[20..24].copy_from_slice(&LOOPBACK.to_ne_bytes());
    message[24..28].copy_from_slice(&IFF_UP.to_ne_bytes());
    message[28..32].copy_from_slice(&IFF_UP.to_ne_bytes());
    message
}

/// struct nlmsgerr behind the header: a negated error number, zero for success.
fn acknowledged(answer: &[u8]) -> nix::Result<()> {
    let error = answer
        .get(16..20)
        .and_then(|bytes| bytes.try_into().ok())
        .map(i32::from_ne_bytes);
    match error {
        Some(0) => Ok(()),
        Some(number) => Err(nix::Error::from_raw(number.saturating_neg())),
        None => Err(nix::Error::EBADMSG),
    }
}
