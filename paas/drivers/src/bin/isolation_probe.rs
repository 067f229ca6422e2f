//! Tries, from inside a container, what the kernel must refuse, and prints a line `name errno` for each attempt (0 for
//! success). Each attempt but the last ones would succeed, or fail otherwise, in an ordinary process of the same user. Then
//! how many of what the kernel also counts for the machine's root.
#![allow(
    unsafe_code,
    reason = "system calls without wrappers, made with arguments that are harmless if they succeed"
)]

use std::io::{self, Write};

use nix::libc::{
    AF_ALG, AF_INET, AF_PACKET, AF_UNIX, AF_VSOCK, CLONE_NEWNET, CLONE_NEWUSER, SIGCHLD,
    SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, SYS_add_key, SYS_bpf, SYS_chroot, SYS_clone, SYS_clone3,
    SYS_exit_group, SYS_fsopen, SYS_inotify_init1, SYS_io_uring_setup, SYS_keyctl, SYS_mount,
    SYS_open_by_handle_at, SYS_open_tree, SYS_perf_event_open, SYS_personality, SYS_pivot_root,
    SYS_process_vm_readv, SYS_ptrace, SYS_setns, SYS_socket, SYS_unshare, SYS_userfaultfd, c_long,
};

/// What is tried: name, number of the system call, its first three arguments. Pointers are null throughout.
const ATTEMPTS: [(&str, c_long, [c_long; 3]); 24] = [
    ("mount", SYS_mount, [0, 0, 0]),
    ("fsopen", SYS_fsopen, [0, 0, 0]),
    ("open_tree", SYS_open_tree, [-1, 0, 0]),
    ("pivot_root", SYS_pivot_root, [0, 0, 0]),
    ("chroot", SYS_chroot, [0, 0, 0]),
    ("setns", SYS_setns, [-1, 0, 0]),
    ("unshare_user", SYS_unshare, [CLONE_NEWUSER as c_long, 0, 0]),
    ("unshare_net", SYS_unshare, [CLONE_NEWNET as c_long, 0, 0]),
    // KEYCTL_GET_KEYRING_ID of the session's keyring.
    ("keyctl", SYS_keyctl, [0, -3, 0]),
    ("add_key", SYS_add_key, [0, 0, 0]),
    ("bpf", SYS_bpf, [0, 0, 0]),
    ("perf_event_open", SYS_perf_event_open, [0, 0, 0]),
    ("userfaultfd", SYS_userfaultfd, [0, 0, 0]),
    ("io_uring_setup", SYS_io_uring_setup, [1, 0, 0]),
    // PTRACE_TRACEME, which anyone may.
    ("ptrace", SYS_ptrace, [0, 0, 0]),
    ("process_vm_readv", SYS_process_vm_readv, [0, 0, 0]),
    ("open_by_handle_at", SYS_open_by_handle_at, [-1, 0, 0]),
    // READ_IMPLIES_EXEC.
    ("personality", SYS_personality, [0x0040_0000, 0, 0]),
    (
        "socket_vsock",
        SYS_socket,
        [AF_VSOCK as c_long, SOCK_STREAM as c_long, 0],
    ),
    (
        "socket_alg",
        SYS_socket,
        [AF_ALG as c_long, SOCK_STREAM as c_long, 0],
    ),
    (
        "socket_packet",
        SYS_socket,
        [AF_PACKET as c_long, SOCK_RAW as c_long, 0],
    ),
    (
        "socket_raw",
        SYS_socket,
        [AF_INET as c_long, SOCK_RAW as c_long, 1],
    ),
    (
        "socket_unix",
        SYS_socket,
        [AF_UNIX as c_long, SOCK_STREAM as c_long, 0],
    ),
    (
        "socket_inet",
        SYS_socket,
        [AF_INET as c_long, SOCK_DGRAM as c_long, 0],
    ),
];

fn main() -> io::Result<()> {
    let mut out = io::stdout();
    for (name, number, arguments) in ATTEMPTS {
        writeln!(out, "{name} {}", attempt(number, arguments))?;
    }
    writeln!(out, "clone3 {}", attempt(SYS_clone3, [0, 0, 0]))?;
    writeln!(out, "clone_user {}", clone(CLONE_NEWUSER))?;
    writeln!(out, "clone {}", clone(0))?;
    writeln!(out, "inotify_instances {}", inotify_instances())
}

/// How many inotify instances one can have at a time; those made stay open.
fn inotify_instances() -> usize {
    let made = std::iter::repeat_with(|| attempt(SYS_inotify_init1, [0, 0, 0]));
    made.take(1000).take_while(|errno| *errno == 0).count()
}

/// The error number of a system call, or 0.
fn attempt(number: c_long, [first, second, third]: [c_long; 3]) -> i32 {
    // SAFETY: no argument is a valid pointer, so the kernel writes nothing into this process.
    let result = unsafe { nix::libc::syscall(number, first, second, third, 0, 0) };
    if result < 0 {
        nix::Error::last_raw()
    } else {
        0
    }
}

/// The error number of forking with `flags`, or 0.
fn clone(flags: i32) -> i32 {
    // SAFETY: a fork of a process with one thread; the child does nothing but end, without running any destructor.
    match unsafe { nix::libc::syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0) } {
        ..0 => nix::Error::last_raw(),
        0 => {
            // SAFETY: ends the child.
            unsafe { nix::libc::syscall(SYS_exit_group, 0) };
            0
        }
        _ => 0,
    }
}
