//! Each limit is exceeded from inside, and the kernel is seen to refuse.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use crate::common::{Site, ample, limits, program};
use nupeer_paas_drivers::image::make::{Files, Recipe};
use nupeer_paas_drivers::{Driver, DriverError, ResourceLimits};

#[test]
fn memory_beyond_the_limit_gets_the_workload_killed() {
    let site = Site::new();
    let image = site.image(&Files::new(), &Recipe::default());
    // A string that doubles until there is no more memory.
    let spec = site.spec_of(
        image,
        &[
            "/bin/busybox",
            "awk",
            "BEGIN { s = \"x\"; while (1) s = s s }",
        ],
        ample(),
    );
    let (exit, output) = site.outcome_of(&spec);
    assert_eq!((exit.code, exit.signal), (None, Some(9)), "{output}");
    assert!(exit.oom_kills >= 1, "{exit:?}");
    let usage = site.driver.usage(&spec.id).unwrap();
    assert!(
        usage.memory_peak_bytes <= limits().memory_bytes,
        "{usage:?}"
    );
    assert!(
        usage.memory_peak_bytes > limits().memory_bytes / 2,
        "{usage:?}"
    );
}

#[test]
fn files_written_count_as_memory_and_end_with_it() {
    let site = Site::new();
    let script = "dd if=/dev/zero of=/big bs=1M count=20 && echo first; dd if=/dev/zero of=/bigger bs=1M count=200 && echo second";
    let (_, output) = site.outcome(script, ample());
    assert!(
        output.contains("first") && !output.contains("second"),
        "{output}"
    );
}

#[test]
fn processes_beyond_the_limit_are_not_made() {
    let site = Site::new();
    // A shell that cannot fork ends, so it is an inner one.
    let script = "(i=0; while [ $i -lt 40 ]; do sleep 60 & i=$((i+1)); done); exec sleep 60";
    let spec = site.spec(
        script,
        ResourceLimits {
            pids_max: 8,
            ..ample()
        },
    );
    let id = site.run(&spec);
    site.wait_for_output(&id, "can't fork: Resource temporarily unavailable");
    let usage = site.driver.usage(&id).unwrap();
    assert!((5..=8).contains(&usage.pids), "{usage:?}");
}

#[test]
fn the_limits_that_are_told_are_the_kernels_own_and_those_that_were_asked_for() {
    let site = Site::new();
    let spec = site.spec("sleep 1000", limits());
    site.driver.prepare(&spec).unwrap();
    assert!(matches!(
        site.driver.limits(&spec.id),
        Err(DriverError::NotRunning(_))
    ));
    site.driver.start(&spec.id).unwrap();
    assert_eq!(site.driver.limits(&spec.id).unwrap(), limits());
}

#[test]
fn cpu_beyond_the_quota_is_not_given() {
    let site = Site::new();
    let id = site.run(&site.spec("while :; do :; done", limits()));
    let (start, before) = (Instant::now(), site.driver.usage(&id).unwrap());
    std::thread::sleep(Duration::from_secs(3));
    let (wall, after) = (start.elapsed(), site.driver.usage(&id).unwrap());
    let share = (after.cpu_ns - before.cpu_ns) as f64 / wall.as_nanos() as f64;
    // 20 % and a period's quota more at most; how much less depends on what else the machine does.
    assert!((0.05..0.25).contains(&share), "{share} of a CPU");
    assert!(
        after.throttled_periods > before.throttled_periods
            && after.throttled_ns > before.throttled_ns,
        "{after:?}"
    );
}

/// An address of this machine that is not the loopback's, if it has one.
fn outward_address() -> Option<Ipv4Addr> {
    // Connecting a datagram socket chooses a route and sends nothing. 192.0.2.1 is for documentation (RFC 5737).
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    match socket.local_addr().ok()? {
        SocketAddr::V4(address) if !address.ip().is_loopback() => Some(*address.ip()),
        _ => None,
    }
}

#[test]
fn nothing_outside_can_be_connected_to() {
    let site = Site::new();
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for (address, expected) in [
        (Some(Ipv4Addr::LOCALHOST), "Connection refused"),
        (outward_address(), "Network is unreachable"),
        (Some(Ipv4Addr::new(192, 0, 2, 1)), "Network is unreachable"),
    ] {
        let Some(address) = address else { continue };
        // Not wget: Debian's statically linked one crashes over its own name look-up.
        let script = format!("nc -w 5 {address} {port} < /dev/null");
        let (exit, output) = site.outcome(&script, ample());
        assert_eq!(exit.code, Some(1), "{exit:?} {output}");
        assert!(output.contains(expected), "{address}: {output}");
        site.driver.remove(&crate::common::id(1)).unwrap();
    }
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "somebody came through"
    );
}

#[test]
fn the_only_network_device_is_the_loopback_and_it_is_up() {
    let site = Site::new();
    let (_, output) = site.outcome(
        "ls /sys/class/net; cat /sys/class/net/lo/operstate; cat /proc/net/route",
        ample(),
    );
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], "lo", "{output}");
    // "unknown" is what an interface without carrier detection says when it is up.
    assert_eq!(lines[1], "unknown", "{output}");
    assert_eq!(lines.len(), 3, "no route but the table's heading: {output}");
}

#[test]
fn there_are_no_capabilities_no_new_privileges_and_a_filter() {
    let site = Site::new();
    let (_, output) = site.outcome("cat /proc/self/status /proc/self/uid_map", ample());
    let value = |name: &str| {
        let line = output
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {name} in {output}"))
            .trim()
            .to_owned()
    };
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(value(set), "0".repeat(16), "{set}");
    }
    assert_eq!(
        (value("NoNewPrivs").as_str(), value("Seccomp").as_str()),
        ("1", "2")
    );
    assert_eq!(value("NSpid").split_whitespace().count(), 1);
    let map: Vec<&str> = output.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(
        map,
        ["0", "1879048192", "65536"],
        "root is nobody on this machine"
    );
}

#[test]
fn dangerous_system_calls_are_refused_and_ordinary_ones_are_not() {
    let site = Site::new();
    let files = program(env!("CARGO_BIN_EXE_nupeer-isolation-probe"), "probe");
    let image = site.image(&files, &Recipe::default());
    let mut spec = site.spec_of(image, &["/bin/probe"], ample());
    spec.env = vec!["LD_LIBRARY_PATH=/lib".to_owned()];
    let (exit, output) = site.outcome_of(&spec);
    assert_eq!(exit.code, Some(0), "{output}");
    let (eperm, enosys) = ("1", "38");
    let mut tried = 0;
    for line in output.lines() {
        let (name, errno) = line.split_once(' ').unwrap();
        let expected = match name {
            "socket_unix" | "socket_inet" | "clone" => "0",
            "clone3" => enosys,
            // Of which the machine's root has 128, together with all containers.
            "inotify_instances" => "8",
            _ => eperm,
        };
        assert_eq!(errno, expected, "{name}");
        tried += 1;
    }
    assert_eq!(tried, 28, "{output}");
}

#[test]
fn the_kernel_cannot_be_written_to_and_tells_little() {
    let site = Site::new();
    let script = "
        for file in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/power/state /proc/self/oom_score_adj.x; do
            (echo x > $file) 2>/dev/null && echo wrote $file
        done
        (mount -t tmpfs none /tmp) 2>/dev/null && echo mounted
        (unshare -r true) 2>/dev/null && echo unshared
        (mknod /tmp/null c 1 3) 2>/dev/null && echo made a device
        wc -c < /proc/keys
        ls /sys/firmware /sys/fs/cgroup | wc -w
        ps | wc -l
        hostname
        touch /written && echo written
    ";
    let (_, output) = site.outcome(script, ample());
    assert!(
        output
            .lines()
            .all(|line| !["wrote", "mounted", "unshared", "made"]
                .iter()
                .any(|word| line.starts_with(word))),
        "{output}"
    );
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], "0", "keyrings are masked: {output}");
    assert_eq!(
        lines[1], "2",
        "both folders are empty, so that only their names are listed: {output}"
    );
    assert!(
        lines[2].parse::<u32>().unwrap() < 6,
        "only its own processes: {output}"
    );
    assert_eq!(lines[3], "00000000", "{output}");
    assert_eq!(
        lines[4], "written",
        "its own root is its to write: {output}"
    );
}

#[test]
fn what_one_container_writes_no_other_sees() {
    let site = Site::new();
    let first = site.spec("echo secret > /tmp/note; cat /tmp/note", ample());
    assert_eq!(site.outcome_of(&first).1, "secret\n");
    let mut second = site.spec("ls /tmp | wc -l", ample());
    second.id = crate::common::id(2);
    assert_eq!(site.outcome_of(&second).1, "0\n");
    // Not even the same container when it is started again.
    site.driver.start(&first.id).unwrap();
    assert!(
        site.driver
            .wait(&first.id, crate::common::PATIENCE)
            .unwrap()
    );
    assert_eq!(site.output(&first.id), "secret\nsecret\n");
}
