//! How long from wanting a container to the first byte of its answer, against `libcontainer` alone with the same image.
//! Prints JSON with the raw samples. Takes the number of rounds (20), or `serve` to measure when it is told to. Needs root and `/bin/busybox`.
//!
//! Alone: the bundle lies ready; no user namespace, filter, own cgroup limits, shim or proxy. Ours: from a specification,
//! through preparing, starting and the proxy. Rounds alternate, so that other load on the machine falls on both.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::sched::{CloneFlags, setns};
use nupeer_paas_drivers::container::{ContainerConfig, ContainerDriver};
use nupeer_paas_drivers::image::make::{MadeImage, web_server};
use nupeer_paas_drivers::image::{Limits, Options, Ownership, unpack};
use nupeer_paas_drivers::proxy::{Proxy, ProxyConfig};
use nupeer_paas_drivers::{Driver, ResourceLimits, WorkloadSpec};
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn Error>>;

const LIMITS: ResourceLimits = ResourceLimits {
    cpu_milli: 1000,
    memory_bytes: 64 << 20,
    pids_max: 32,
};

fn main() -> Outcome<()> {
    let folder = std::env::temp_dir().join(format!("nupeer-bench-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let measured = match std::env::args().nth(1).as_deref() {
        Some("serve") => serve(&folder),
        rounds => rounds
            .map_or(Ok(20), str::parse)
            .map_err(Into::into)
            .and_then(|rounds| report(rounds, &folder)),
    };
    fs::remove_dir_all(&folder)?;
    measured
}

/// As many rounds, and what they say.
fn report(rounds: usize, folder: &Path) -> Outcome<()> {
    let mut bench = Bench::new(folder)?;
    let (mut alone, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        alone.push(millis(bench.alone()?));
        ours.push(millis(bench.ours()?));
    }
    let ratio = median(&ours) / median(&alone);
    let report = json!({
        "libcontainer_alone_ms": alone, "ours_ms": ours,
        "libcontainer_alone_median_ms": median(&alone), "ours_median_ms": median(&ours), "ratio": ratio,
    });
    Ok(writeln!(io::stdout(), "{report:#}")?)
}

/// A measurement for each line: `alone` or `ours` in, milliseconds out. For who measures something else in between.
fn serve(folder: &Path) -> Outcome<()> {
    let mut bench = Bench::new(folder)?;
    for line in io::stdin().lines() {
        let time = match line?.as_str() {
            "alone" => bench.alone()?,
            "ours" => bench.ours()?,
            other => return Err(format!("{other:?} is neither alone nor ours").into()),
        };
        writeln!(io::stdout(), "{}", millis(time))?;
    }
    Ok(())
}

/// An image, unpacked for both.
struct Bench<'a> {
    folder: &'a Path,
    bundle: PathBuf,
    made: MadeImage,
    driver: ContainerDriver,
    rounds: usize,
}

impl<'a> Bench<'a> {
    fn new(folder: &'a Path) -> Outcome<Self> {
        let made = web_server(Path::new("/bin/busybox"), "first byte")?;
        let bundle = folder.join("bundle");
        lay_out_alone(&made, &bundle)?;
        let shim = std::env::current_exe()?.with_file_name("nupeer-container-shim");
        let name = format!("nupeer-bench-{}", std::process::id());
        let mut config = ContainerConfig::new(folder.join("agent"), name, vec![shim.into()]);
        config.with_agent = true;
        let driver = ContainerDriver::open(config)?;
        driver
            .images()
            .import(&mut Cursor::new(&made.archive), &made.digest)?;
        Ok(Bench {
            folder,
            bundle,
            made,
            driver,
            rounds: 0,
        })
    }

    fn alone(&mut self) -> Outcome<Duration> {
        settle();
        self.rounds += 1;
        run_alone(&self.bundle, self.folder, self.rounds)
    }

    fn ours(&mut self) -> Outcome<Duration> {
        // As a reconciler does before it acts.
        self.driver.list()?;
        settle();
        run_ours(&self.driver, &self.made)
    }
}

/// The kernel takes namespaces down in the background, under locks that making new ones needs.
fn settle() {
    std::thread::sleep(Duration::from_millis(200));
}

fn run_ours(driver: &ContainerDriver, made: &MadeImage) -> Outcome<Duration> {
    let spec = WorkloadSpec {
        id: "0123456789abcdef".parse()?,
        image: made.digest,
        argv: Vec::new(),
        env: Vec::new(),
        limits: LIMITS,
        port: Some(8080),
    };
    let start = Instant::now();
    driver.prepare(&spec)?;
    driver.start(&spec.id)?;
    // A runtime per round: its threads must not be there when libcontainer forks this process in the next one.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let proxy = Proxy::start(
        driver.ingress(&spec.id)?,
        ProxyConfig::new(Ipv4Addr::LOCALHOST.into()),
    );
    let proxy = runtime.block_on(proxy)?;
    let address = proxy.address();
    let client = std::thread::spawn(move || first_byte(address));
    let answered = runtime.block_on(async {
        while !client.is_finished() {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        client.join()
    });
    answered.map_err(|_| "the client died")??;
    let time = start.elapsed();
    drop(proxy);
    runtime.shutdown_timeout(Duration::from_secs(5));
    driver.remove(&spec.id)?;
    Ok(time)
}

fn run_alone(bundle: &Path, folder: &Path, round: usize) -> Outcome<Duration> {
    let state = folder.join("state");
    fs::create_dir_all(&state)?;
    let start = Instant::now();
    let mut container = ContainerBuilder::new(format!("alone{round}"), SyscallType::default())
        .with_root_path(state)?
        .as_init(bundle)
        .with_systemd(false)
        .with_detach(true)
        .build()?;
    container.start()?;
    let pid = container.pid().ok_or("no process")?;
    let own = File::open("/proc/self/ns/net")?;
    setns(
        File::open(format!("/proc/{pid}/ns/net"))?,
        CloneFlags::CLONE_NEWNET,
    )?;
    let done = loopback_up().and_then(|()| first_byte((Ipv4Addr::LOCALHOST, 8080).into()));
    let time = start.elapsed();
    setns(own, CloneFlags::CLONE_NEWNET)?;
    container.delete(true)?;
    done?;
    Ok(time)
}

/// `libcontainer` leaves the loopback down; this is how its users bring it up.
fn loopback_up() -> io::Result<()> {
    let done = std::process::Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status()?;
    if done.success() {
        Ok(())
    } else {
        Err(io::Error::other("ip failed"))
    }
}

/// Asks for the page until something answers; returns when the first byte is there.
fn first_byte(address: SocketAddr) -> io::Result<()> {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match TcpStream::connect(address) {
            Err(error)
                if error.kind() == ErrorKind::ConnectionRefused && Instant::now() < until =>
            {
                std::thread::sleep(Duration::from_micros(500));
            }
            Err(error) => return Err(error),
            Ok(mut stream) => {
                stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
                return stream.read_exact(&mut [0u8; 1]);
            }
        }
    }
}

fn lay_out_alone(made: &MadeImage, bundle: &Path) -> Outcome<()> {
    fs::create_dir(bundle)?;
    let options = Options {
        limits: Limits::default(),
        ownership: Ownership::Unpacker,
        expected: None,
    };
    let image = unpack(
        &mut Cursor::new(&made.archive),
        &options,
        &bundle.join("rootfs"),
    )?;
    let namespaces = ["pid", "ipc", "uts", "mount", "network"].map(|kind| json!({ "type": kind }));
    let configuration = json!({
        "ociVersion": "1.0.2",
        "root": { "path": "rootfs" },
        "process": {
            "user": { "uid": 0, "gid": 0 }, "args": image.config.argv, "env": image.config.env, "cwd": "/",
        },
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs" },
        ],
        "linux": { "namespaces": namespaces, "cgroupsPath": format!("/nupeer-bench-alone-{}", std::process::id()) },
    });
    fs::write(
        bundle.join("config.json"),
        serde_json::to_vec(&configuration)?,
    )?;
    Ok(())
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}
