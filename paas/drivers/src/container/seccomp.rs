//! Which system calls a container may make: everything ordinary programs use, by name; the rest fails with `EPERM`.
//!
//! Left out, beside what needs capabilities anyway: new namespaces and mounts (`unshare`, `setns`, `mount`, `clone` with
//! namespace flags), the kernel's keyrings, `bpf`, `perf_event_open`, `userfaultfd`, `io_uring`, `ptrace` and reading
//! other processes' memory, modules, kexec, clocks. Sockets may be local, internet or routing ones: `AF_VSOCK` would
//! reach the hypervisor past every network namespace, `AF_ALG` and the rest are attack surface.

use oci_spec::OciSpecError;
use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder, LinuxSeccompBuilder,
    LinuxSeccompOperator, LinuxSyscall, LinuxSyscallBuilder,
};

/// What fails, fails as if a capability were missing.
const EPERM: u32 = 1;
/// `clone3` hides its flags from a filter, so it is "not there": the C library falls back to `clone`.
const ENOSYS: u32 = 38;
/// `CLONE_NEWNS|NEWCGROUP|NEWUTS|NEWIPC|NEWUSER|NEWPID|NEWNET` (linux/sched.h); `clone` cannot make a time namespace.
const CLONE_NAMESPACES: u64 = 0x7e02_0000;
/// Address families (linux/socket.h): local, IPv4, IPv6, netlink.
const SOCKET_FAMILIES: [u64; 4] = [1, 2, 10, 16];
/// `personality` values (linux/personality.h): Linux, 32 bit, their uname-2.6 forms, and the query.
const PERSONALITIES: [u64; 5] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Names that libseccomp or the machine does not know are skipped by `libcontainer`.
const ALLOWED: &str = "
    _llseek _newselect accept accept4 access alarm arch_prctl bind brk cachestat capget capset chdir chmod chown
    clock_getres clock_gettime clock_nanosleep close close_range connect copy_file_range creat dup dup2 dup3
    epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit
    exit_group faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl
    fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex futex_requeue
    futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64
    getegid geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom
    getresgid getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr
    inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents
    io_setup io_submit ioctl ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset
    landlock_restrict_self lchown lgetxattr link linkat listen listxattr llistxattr lremovexattr lseek lsetxattr lstat
    madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mlock mlock2 mlockall mmap
    mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv
    msgsnd msync munlock munlockall munmap nanosleep newfstatat open openat openat2 pause pidfd_open
    pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64
    process_mrelease pselect6 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg
    recvmsg remap_file_pages removexattr rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction
    rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo
    sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
    sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select
    semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address
    setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit
    setsid setsockopt setuid setxattr shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 socketpair
    splice stat statfs statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create
    timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times
    tkill truncate umask uname unlink unlinkat utime utimensat utimes vfork vmsplice wait4 waitid waitpid write
    writev";

/// The profile.
///
/// # Errors
/// None that a fixed profile can have; `oci-spec` builds by the same fallible way whatever it is given.
pub(super) fn profile() -> Result<LinuxSeccomp, OciSpecError> {
    let mut rules = vec![
        rule(
            ALLOWED.split_whitespace(),
            LinuxSeccompAction::ScmpActAllow,
            None,
        )?
        .build()?,
        rule(["clone3"], LinuxSeccompAction::ScmpActErrno, Some(ENOSYS))?.build()?,
        allow_if("clone", none_of(CLONE_NAMESPACES)?)?,
    ];
    for family in SOCKET_FAMILIES {
        rules.push(allow_if("socket", equal(family)?)?);
    }
    for persona in PERSONALITIES {
        rules.push(allow_if("personality", equal(persona)?)?);
    }
    LinuxSeccompBuilder::default()
        .default_action(LinuxSeccompAction::ScmpActErrno)
        .default_errno_ret(EPERM)
        .syscalls(rules)
        .build()
}

fn rule<'n>(
    names: impl IntoIterator<Item = &'n str>,
    action: LinuxSeccompAction,
    errno: Option<u32>,
) -> Result<LinuxSyscallBuilder, OciSpecError> {
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let rule = LinuxSyscallBuilder::default().names(names).action(action);
    Ok(match errno {
        Some(errno) => rule.errno_ret(errno),
        None => rule,
    })
}

fn allow_if(name: &str, argument: LinuxSeccompArg) -> Result<LinuxSyscall, OciSpecError> {
    rule([name], LinuxSeccompAction::ScmpActAllow, None)?
        .args(vec![argument])
        .build()
}

fn equal(value: u64) -> Result<LinuxSeccompArg, OciSpecError> {
    LinuxSeccompArgBuilder::default()
        .index(0usize)
        .value(value)
        .op(LinuxSeccompOperator::ScmpCmpEq)
        .build()
}

fn none_of(bits: u64) -> Result<LinuxSeccompArg, OciSpecError> {
    // The OCI specification has the mask in `value` and what must remain in `valueTwo`; libcontainer 0.7 reads them the
    // other way round. Were it to change, every fork in a container would fail, which the isolation tests would see.
    LinuxSeccompArgBuilder::default()
        .index(0usize)
        .value(0u64)
        .value_two(bits)
        .op(LinuxSeccompOperator::ScmpCmpMaskedEq)
        .build()
}
