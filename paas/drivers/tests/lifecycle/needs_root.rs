//! Containers from their making to their complete absence, through crashes of everything around them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{PATIENCE, Site, ample, id, limits, wait_until};
use nupeer_paas_drivers::image::make::{Files, Recipe};
use nupeer_paas_drivers::image::{ImageDigest, ImageError};
use nupeer_paas_drivers::{Driver, DriverError, ResourceLimits, WorkloadId, WorkloadState};

/// The inode of every network namespace that some process is in.
fn network_namespaces() -> BTreeSet<u64> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| fs::metadata(process.path().join("ns/net")).ok())
        .map(|data| data.ino())
        .collect()
}

fn number_in(file: std::path::PathBuf) -> i32 {
    let text = fs::read_to_string(file).unwrap();
    text.chars()
        .filter(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .unwrap()
}

/// The container's first process and its shim.
fn processes(site: &Site, id: &WorkloadId) -> (i32, i32) {
    let folder = site.config.folder.join("containers").join(id.as_str());
    (
        number_in(folder.join("init.json")),
        number_in(folder.join("lock")),
    )
}

fn is_there(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn removing_leaves_no_process_cgroup_namespace_mount_or_file() {
    let site = Site::new();
    let namespaces = network_namespaces();
    let id = site.run(&site.spec("sleep 1000 & sleep 1000 & echo up; wait", ample()));
    site.wait_for_output(&id, "up");
    let (first, shim) = processes(&site, &id);
    assert!(is_there(first) && is_there(shim));
    assert!(!site.traces().is_empty(), "there are cgroups to be removed");
    let own = fs::metadata(format!("/proc/{first}/ns/net")).unwrap().ino();
    assert!(
        !namespaces.contains(&own),
        "it has a network namespace of its own"
    );

    site.driver.remove(&id).unwrap();
    assert_eq!(site.driver.list().unwrap(), []);
    assert_eq!(site.traces(), BTreeSet::new());
    assert!(!network_namespaces().contains(&own));
    assert!(!is_there(first) && !is_there(shim));
    assert_eq!(
        fs::read_dir(site.config.folder.join("containers"))
            .unwrap()
            .count(),
        0
    );
    site.driver.remove(&id).unwrap();
}

#[test]
fn a_driver_that_was_just_opened_knows_what_runs() {
    let site = Site::new();
    let spec = site.spec(
        "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 1; done",
        ample(),
    );
    let id = site.run(&spec);
    site.wait_for_output(&id, "up");
    let later = site.reopened();
    let [found] = &later.list().unwrap()[..] else {
        panic!("one workload expected")
    };
    assert_eq!(
        (found.state, found.spec.as_ref()),
        (WorkloadState::Running, Some(&spec))
    );
    later.start(&id).unwrap();
    later.stop(&id, PATIENCE).unwrap();
    let WorkloadState::Exited { exit } = site.state(&id) else {
        panic!("{:?}", site.state(&id))
    };
    assert_eq!(
        (exit.code, exit.signal),
        (Some(7), None),
        "it was asked before it was killed"
    );
    assert_eq!(site.output(&id), "up\nbye\n");
}

#[test]
fn what_does_not_end_when_asked_is_killed() {
    let site = Site::new();
    let id = site.run(&site.spec("trap '' TERM; echo up; while :; do sleep 1; done", ample()));
    site.wait_for_output(&id, "up");
    site.driver.stop(&id, Duration::from_millis(50)).unwrap();
    let WorkloadState::Exited { exit } = site.state(&id) else {
        panic!("{:?}", site.state(&id))
    };
    assert_eq!((exit.code, exit.signal), (None, Some(9)));
    site.driver.stop(&id, Duration::ZERO).unwrap();
}

#[test]
fn a_paused_workload_uses_no_cpu_until_it_is_resumed() {
    let site = Site::new();
    let id = site.run(&site.spec("while :; do :; done", limits()));
    let cpu = || site.driver.usage(&id).unwrap().cpu_ns;
    site.driver.pause(&id).unwrap();
    site.driver.pause(&id).unwrap();
    assert_eq!(site.state(&id), WorkloadState::Paused);
    let paused_at = cpu();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(cpu(), paused_at);
    site.driver.resume(&id).unwrap();
    assert_eq!(site.state(&id), WorkloadState::Running);
    wait_until(
        || cpu() > paused_at + 10_000_000,
        || "it does not go on".to_owned(),
    );
}

#[test]
fn a_paused_workload_is_stopped_and_removed_without_running_again() {
    let site = Site::new();
    for (number, stop) in [(1, true), (2, false)] {
        let mut spec = site.spec(
            "trap 'echo ran on' TERM; echo up; while :; do sleep 0.01; done",
            ample(),
        );
        spec.id = id(number);
        let id = site.run(&spec);
        site.wait_for_output(&id, "up");
        site.driver.pause(&id).unwrap();
        if stop {
            site.driver.stop(&id, PATIENCE).unwrap();
            assert_eq!(site.output(&id), "up\n");
        }
        site.driver.remove(&id).unwrap();
    }
    assert_eq!(site.traces(), BTreeSet::new());
}

#[test]
fn a_workload_that_ended_says_how_and_can_be_started_again() {
    let site = Site::new();
    let spec = site.spec("echo out; echo err >&2; exit 3", ample());
    let (exit, output) = site.outcome_of(&spec);
    assert_eq!((exit.code, exit.signal, exit.oom_kills), (Some(3), None, 0));
    assert_eq!(output, "out\nerr\n");
    site.driver.start(&spec.id).unwrap();
    assert!(site.driver.wait(&spec.id, PATIENCE).unwrap());
    assert_eq!(site.output(&spec.id), "out\nerr\nout\nerr\n");
}

#[test]
fn output_is_kept_up_to_its_bound_and_read_from_any_byte() {
    let site = Site::with(|config| config.log_bytes_max = 32 << 10);
    let spec = site.spec("seq 1 20000", ample());
    let (exit, output) = site.outcome_of(&spec);
    assert_eq!(exit.code, Some(0));
    let whole: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
    assert!(whole.ends_with(&output), "the end is kept, without gaps");
    assert!(
        output.len() >= 16 << 10 && output.len() <= 32 << 10,
        "{} bytes",
        output.len()
    );
    let chunk = site.driver.logs(&spec.id, whole.len() as u64 - 6).unwrap();
    assert_eq!(
        (chunk.bytes.as_slice(), chunk.next),
        (&b"20000\n"[..], whole.len() as u64)
    );
}

#[test]
fn a_container_dies_with_its_shim() {
    let site = Site::new();
    let id = site.run(&site.spec("echo up; sleep 1000", ample()));
    site.wait_for_output(&id, "up");
    let (first, shim) = processes(&site, &id);
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(shim),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
    wait_until(|| !is_there(first), || "it outlived its shim".to_owned());
    wait_until(
        || site.state(&id) == WorkloadState::Broken,
        || format!("{:?}", site.state(&id)),
    );
    assert!(matches!(
        site.driver.start(&id),
        Err(DriverError::Broken(_))
    ));
    site.driver.remove(&id).unwrap();
    assert_eq!(site.traces(), BTreeSet::new());
}

#[test]
fn a_container_of_an_agent_that_takes_it_along_dies_with_the_agent() {
    // The shim takes the shell for its agent; the shell lives until it reads a line.
    let hold = tempfile::tempdir().unwrap();
    let fifo = hold.path().join("hold");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = format!(
        "{}; read line < {}",
        env!("CARGO_BIN_EXE_nupeer-container-shim"),
        fifo.display()
    );
    let site =
        Site::with(|config| config.shim = vec!["/bin/sh".into(), "-c".into(), script.into()]);
    let spec = site.spec("echo up; sleep 1000", ample());
    site.driver.prepare(&spec).unwrap();
    let lines = std::thread::scope(|scope| {
        let starting = scope.spawn(|| site.driver.start(&spec.id));
        wait_until(
            || {
                site.driver
                    .list()
                    .is_ok_and(|list| list[0].state == WorkloadState::Running)
            },
            || "it does not run".to_owned(),
        );
        site.wait_for_output(&spec.id, "up");
        let mut lines = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&fifo)
            .unwrap();
        // One for this shell, and for those of the shims that are kept ready.
        lines.write_all(&b"go\n".repeat(8)).unwrap();
        starting.join().unwrap().unwrap();
        lines
    });
    wait_until(
        || matches!(site.state(&spec.id), WorkloadState::Exited { .. }),
        || format!("{:?}", site.state(&spec.id)),
    );
    assert_eq!(
        site.traces().len(),
        site.traces()
            .iter()
            .filter(|path| path.ends_with(&site.config.name))
            .count()
    );
    // A driver waits for the process of its spare shim, which reads its line first.
    drop(site);
    drop(lines);
}

#[test]
fn what_a_crash_left_half_made_is_listed_and_removed() {
    let site = Site::new();
    // A folder whose laying out was cut off, and a cgroup with a process whose folder is gone.
    fs::create_dir_all(site.config.folder.join("containers").join(id(1).as_str())).unwrap();
    let cgroup = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].map(std::path::Path::new);
    let cgroup = cgroup
        .iter()
        .find(|folder| folder.join("cgroup.procs").exists())
        .unwrap();
    let cgroup = cgroup.join(&site.config.name).join(id(2).as_str());
    fs::create_dir_all(&cgroup).unwrap();
    let mut stray = Command::new("/bin/busybox")
        .args(["sleep", "1000"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    fs::write(cgroup.join("cgroup.procs"), stray.id().to_string()).unwrap();

    let found: Vec<_> = site
        .driver
        .list()
        .unwrap()
        .into_iter()
        .map(|workload| (workload.id, workload.state))
        .collect();
    assert_eq!(
        found,
        [
            (id(1), WorkloadState::Broken),
            (id(2), WorkloadState::Broken)
        ]
    );
    for number in [1, 2] {
        site.driver.remove(&id(number)).unwrap();
    }
    assert!(!stray.wait().unwrap().success(), "it was killed");
    assert_eq!(site.driver.list().unwrap(), []);
    assert_eq!(site.traces(), BTreeSet::new());
}

#[test]
fn what_cannot_start_says_why_and_leaves_nothing() {
    let site = Site::new();
    let image = site.image(&Files::new(), &Recipe::default());
    let spec = site.spec_of(image, &["/bin/no-such-program"], ample());
    site.driver.prepare(&spec).unwrap();
    let error = site.driver.start(&spec.id).unwrap_err();
    assert!(
        matches!(&error, DriverError::Start { reason, .. } if reason.contains("no-such-program")),
        "{error}"
    );
    assert_eq!(site.state(&spec.id), WorkloadState::Prepared);
    site.driver.remove(&spec.id).unwrap();
    assert_eq!(site.traces(), BTreeSet::new());
}

#[test]
fn verbs_refuse_what_is_not_there() {
    let site = Site::new();
    let image = site.image(&Files::new(), &Recipe::default());
    let unknown = ImageDigest([7; 32]);
    let prepare = |image, limits| {
        site.driver
            .prepare(&site.spec_of(image, &["/bin/true"], limits))
    };
    assert!(
        matches!(prepare(unknown, ample()), Err(DriverError::Image(ImageError::Unknown(digest))) if digest == unknown)
    );
    for (limits, what) in [
        (
            ResourceLimits {
                cpu_milli: 9,
                ..ample()
            },
            "CPU in thousandths",
        ),
        (
            ResourceLimits {
                cpu_milli: u32::MAX,
                ..ample()
            },
            "CPU in thousandths",
        ),
        (
            ResourceLimits {
                memory_bytes: 4096,
                ..ample()
            },
            "memory in bytes",
        ),
        (
            ResourceLimits {
                memory_bytes: u64::MAX,
                ..ample()
            },
            "memory in bytes",
        ),
        (
            ResourceLimits {
                pids_max: 0,
                ..ample()
            },
            "processes",
        ),
    ] {
        let error = prepare(image, limits).unwrap_err();
        assert!(
            matches!(error, DriverError::Limit { what: named, .. } if named == what),
            "{error}"
        );
    }
    let mut nothing = site.spec_of(image, &[], ample());
    assert!(matches!(
        site.driver.prepare(&nothing),
        Err(DriverError::NoCommand)
    ));
    assert!(matches!(
        site.driver.start(&id(1)),
        Err(DriverError::Unknown(_))
    ));
    assert!(matches!(
        site.driver.usage(&id(1)),
        Err(DriverError::NotRunning(_))
    ));
    assert!(matches!(
        site.driver.logs(&id(1), 0),
        Err(DriverError::Unknown(_))
    ));
    nothing.argv = vec!["/bin/sleep".into(), "1000".into()];
    nothing.port = None;
    site.driver.prepare(&nothing).unwrap();
    assert!(matches!(
        site.driver.pause(&id(1)),
        Err(DriverError::NotRunning(_))
    ));
    assert!(matches!(
        site.driver.ingress(&id(1)),
        Err(DriverError::NotRunning(_))
    ));
    site.driver.start(&id(1)).unwrap();
    assert!(matches!(
        site.driver.ingress(&id(1)),
        Err(DriverError::NoPort(_))
    ));
    assert!(matches!(
        site.driver.prepare(&nothing),
        Err(DriverError::Running(_))
    ));
}

#[test]
fn a_user_named_by_the_image_is_who_the_workload_runs_as() {
    use nupeer_paas_drivers::image::make::Node;
    let site = Site::new();
    let file = |text: &str| Node::File {
        bytes: text.as_bytes().to_vec(),
        executable: false,
    };
    let files = Files::from([
        (
            "etc/passwd".into(),
            file("root:x:0:0::/:/bin/sh\nweb:x:33:44::/:/bin/sh\n"),
        ),
        ("etc/group".into(), file("root:x:0:\nstaff:x:50:\n")),
    ]);
    for (number, user, expected) in [
        (1, "web", "33 44"),
        (2, "web:staff", "33 50"),
        (3, "12:34", "12 34"),
    ] {
        let image = site.image(
            &files,
            &Recipe {
                user: user.into(),
                ..Recipe::default()
            },
        );
        let script = "echo $(id -u) $(id -g); echo through > /dev/stderr";
        let mut spec = site.spec_of(image, &["/bin/sh", "-c", script], ample());
        spec.id = id(number);
        assert_eq!(
            site.outcome_of(&spec).1,
            format!("{expected}\nthrough\n"),
            "{user}"
        );
    }
    let image = site.image(
        &files,
        &Recipe {
            user: "nobody-knows".into(),
            ..Recipe::default()
        },
    );
    let error = site
        .driver
        .prepare(&site.spec_of(image, &["/bin/true"], ample()))
        .unwrap_err();
    assert!(
        matches!(error, DriverError::Image(ImageError::User(_))),
        "{error}"
    );
}

#[test]
fn many_containers_are_started_and_removed_side_by_side() {
    let site = Site::new();
    let spec = site.spec(
        "echo up; sleep 1000",
        ResourceLimits {
            cpu_milli: 500,
            memory_bytes: 16 << 20,
            pids_max: 8,
        },
    );
    std::thread::scope(|scope| {
        for number in 1..=8 {
            let (site, mut spec) = (&site, spec.clone());
            spec.id = id(number);
            scope.spawn(move || {
                let id = site.run(&spec);
                site.wait_for_output(&id, "up");
                site.driver.remove(&id).unwrap();
            });
        }
    });
    assert_eq!(site.driver.list().unwrap(), []);
    assert_eq!(site.traces(), BTreeSet::new());
}

#[test]
fn a_flood_of_output_slows_the_workload_and_not_the_machine() {
    let site = Site::new();
    let id = site.run(&site.spec("yes", ample()));
    let (start, mut next) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(2) {
        next = site.driver.logs(&id, u64::MAX).unwrap().next;
        std::thread::sleep(Duration::from_millis(50));
    }
    let speed = next / start.elapsed().as_secs().max(1);
    assert!(next > 0 && speed < 16 << 20, "{speed} bytes per second");
}
