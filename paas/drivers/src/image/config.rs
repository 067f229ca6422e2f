//! What an image says should run in it.

use oci_spec::image::ImageConfiguration;
use serde::{Deserialize, Serialize};

use super::ImageError;

/// Longest argument list or environment, in bytes: what Linux takes for both together is 128 KiB at least.
const WORDS_BYTES_MAX: usize = 96 << 10;
/// Most arguments or variables.
const WORDS_MAX: usize = 1024;
/// Where programs are looked for when the image does not say.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The part of an image's configuration that a driver obeys; the rest is ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunConfig {
    /// Entry point and command, one after the other. Empty when the image leaves it to whoever starts it.
    pub argv: Vec<String>,
    /// `NAME=value` each; always with a `PATH`.
    pub env: Vec<String>,
    /// Absolute, inside the image.
    pub working_dir: String,
    /// As the image writes it: `user`, `uid`, `user:group` or `uid:gid`; empty for root.
    pub user: String,
    /// TCP ports that the image says it listens on, ascending.
    pub ports: Vec<u16>,
    /// Signal that asks the workload to end, e.g. `SIGTERM`.
    pub stop_signal: String,
}

impl RunConfig {
    pub(super) fn from_image(image: &ImageConfiguration) -> Result<Self, ImageError> {
        let config = image.config().clone().unwrap_or_default();
        let mut argv = config.entrypoint().clone().unwrap_or_default();
        argv.extend(config.cmd().clone().unwrap_or_default());
        let mut env = config.env().clone().unwrap_or_default();
        if !env.iter().any(|variable| variable.starts_with("PATH=")) {
            env.push(PATH.to_owned());
        }
        let working_dir = config.working_dir().clone().unwrap_or_default();
        let run = RunConfig {
            argv,
            env,
            working_dir: if working_dir.is_empty() {
                "/".to_owned()
            } else {
                working_dir
            },
            user: config.user().clone().unwrap_or_default(),
            ports: ports(config.exposed_ports().as_deref().unwrap_or_default()),
            stop_signal: config
                .stop_signal()
                .clone()
                .unwrap_or_else(|| "SIGTERM".to_owned()),
        };
        run.check()?;
        Ok(run)
    }

    /// Refuses what no process can be started with. Also for what a lease adds to an image's own words.
    ///
    /// # Errors
    /// [`ImageError::Config`].
    pub fn check(&self) -> Result<(), ImageError> {
        words("arguments", &self.argv)?;
        words("variables", &self.env)?;
        if self
            .env
            .iter()
            .any(|variable| variable.find('=').is_none_or(|place| place == 0))
        {
            return refuse("a variable is not NAME=value");
        }
        if !self.working_dir.starts_with('/')
            || self.working_dir.split('/').any(|name| name == "..")
        {
            return refuse("the working directory is not absolute");
        }
        for text in [&self.working_dir, &self.user, &self.stop_signal] {
            if text.len() > 4096 || text.contains('\0') {
                return refuse("a field is too long or holds a zero byte");
            }
        }
        Ok(())
    }
}

fn refuse(reason: &str) -> Result<(), ImageError> {
    Err(ImageError::Config(reason.to_owned()))
}

fn words(what: &str, words: &[String]) -> Result<(), ImageError> {
    let bytes: usize = words.iter().map(|word| word.len().saturating_add(1)).sum();
    if words.len() > WORDS_MAX || bytes > WORDS_BYTES_MAX {
        return refuse(&format!(
            "more {what} than {WORDS_MAX}, or more than {WORDS_BYTES_MAX} bytes of them"
        ));
    }
    if words.iter().any(|word| word.contains('\0')) {
        return refuse(&format!("a zero byte among the {what}"));
    }
    Ok(())
}

/// `8080/tcp` and `8080` name TCP ports; whatever else is written there publishes nothing.
fn ports(exposed: &[String]) -> Vec<u16> {
    let port = |text: &String| {
        text.strip_suffix("/tcp")
            .unwrap_or(text)
            .parse()
            .ok()
            .filter(|port| *port != 0)
    };
    let mut ports: Vec<u16> = exposed.iter().filter_map(port).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<RunConfig, ImageError> {
        RunConfig::from_image(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn entry_point_and_command_become_one_argument_list() {
        let run = parse(
            r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},
                "config":{"Entrypoint":["/e"],"Cmd":["c","d"],"ExposedPorts":{"80/tcp":{},"53/udp":{},"8080":{}}}}"#,
        )
        .unwrap();
        assert_eq!(run.argv, ["/e", "c", "d"]);
        assert_eq!(run.ports, [80, 8080]);
        assert_eq!(
            (run.working_dir.as_str(), run.stop_signal.as_str()),
            ("/", "SIGTERM")
        );
        assert_eq!(run.env, [PATH]);
    }

    #[test]
    fn what_no_process_can_start_with_is_refused() {
        for config in [
            r#"{"Cmd":["a\u0000b"]}"#,
            r#"{"Env":["NOVALUE"]}"#,
            r#"{"Env":["=x"]}"#,
            r#"{"WorkingDir":"relative"}"#,
            r#"{"WorkingDir":"/a/../../b"}"#,
            r#"{"User":"a\u0000"}"#,
        ] {
            let image = format!(
                r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[]}},"config":{config}}}"#
            );
            assert!(
                matches!(parse(&image), Err(ImageError::Config(_))),
                "{config}"
            );
        }
    }
}
