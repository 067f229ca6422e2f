//! The help pages: commands in groups, and examples.

use clap::{Command, CommandFactory};

use crate::args::Args;

/// Columns of a terminal that nobody widened.
const WIDTH: usize = 80;

/// Commands by what people want to do.
const GROUPS: [(&str, &[&str]); 6] = [
    (
        "Getting started",
        &["demo", "up", "down", "status", "doctor", "explain"],
    ),
    ("Money", &["wallet", "deposit", "withdraw", "account", "tx"]),
    (
        "Machines and leases",
        &["lease", "offer", "image", "machine", "agent"],
    ),
    ("Running a node", &["genesis", "node", "block"]),
    ("Cardano", &["deploy", "relayer", "devnet", "ledger"]),
    ("Developer", &["completions"]),
];

/// Examples by command; the first stand on the first page.
const EXAMPLES: [(&str, &[(&str, &str)]); 17] = [
    (
        "",
        &[
            ("nupeer demo --once", "all of it, in two minutes (as root)"),
            ("nupeer wallet new", "a wallet of 24 words"),
            ("nupeer up --credit ADDRESS=100ADA", "a chain of your own"),
            (
                "nupeer explain NP2001",
                "what an error means, and what to do",
            ),
        ],
    ),
    (
        "demo",
        &[
            ("nupeer demo", "the story; then everything goes on running"),
            (
                "nupeer demo --once --json report.json",
                "ends with it; writes figures",
            ),
            (
                "nupeer demo --once --havoc 7",
                "kills processes all the while",
            ),
        ],
    ),
    (
        "up",
        &[
            ("nupeer up", "four validators in ./cluster"),
            ("nupeer up --validators 1 --data one", "one, elsewhere"),
        ],
    ),
    ("down", &[("nupeer down --data demo", "ends a demo, too")]),
    (
        "account",
        &[
            ("nupeer account ADDRESS", "what the node says"),
            (
                "nupeer account ADDRESS --prove genesis.json",
                "what nobody can fake",
            ),
        ],
    ),
    (
        "machine show",
        &[(
            "nupeer machine show ID --prove genesis.json",
            "what nobody can fake",
        )],
    ),
    (
        "lease show",
        &[(
            "nupeer lease show ID --prove genesis.json",
            "what nobody can fake",
        )],
    ),
    (
        "ledger check-scenarios",
        &[(
            "nupeer ledger check-scenarios tx-scenarios",
            "as its last line: N passed, N failed",
        )],
    ),
    (
        "tx send",
        &[
            (
                "nupeer tx send --to ADDRESS --amount 5ADA --dry-run",
                "shows it",
            ),
            (
                "nupeer tx send --to ADDRESS --amount 5ADA",
                "asks, sends, waits",
            ),
        ],
    ),
    (
        "deposit",
        &[
            (
                "nupeer deposit 100ADA --wait",
                "follows it until it is credited",
            ),
            ("nupeer wallet funds", "shows later where it is"),
        ],
    ),
    (
        "withdraw",
        &[(
            "nupeer withdraw 10ADA --wait",
            "follows it until it is paid",
        )],
    ),
    (
        "lease order",
        &[(
            "nupeer lease order --image sha256:DIGEST --cpu 0.5 --memory 64MiB --price-max 1ADA/h --escrow 5ADA --duration 1h",
            "",
        )],
    ),
    (
        "lease logs",
        &[("nupeer lease logs 2d46", "the beginning of an id is enough")],
    ),
    (
        "agent init",
        &[(
            "nupeer agent init --owner ADDRESS --price 0.8ADA",
            "by the hour",
        )],
    ),
    (
        "devnet faucet",
        &[("nupeer devnet faucet ADDRESS 100ADA", "ADA at once")],
    ),
    (
        "devnet fork",
        &[(
            "nupeer devnet fork --depth 3",
            "another chain outgrows this one",
        )],
    ),
    (
        "completions",
        &[("nupeer completions bash", "source what it prints")],
    ),
];

/// The command line with its help pages.
pub(crate) fn command() -> Command {
    let mut command = Args::command();
    for (path, examples) in EXAMPLES {
        let mut place = Some(&mut command);
        for word in path.split_whitespace() {
            place = place.and_then(|command| command.find_subcommand_mut(word));
        }
        if let Some(found) = place {
            let mut text = shown(examples);
            if path.is_empty() {
                text.push_str("\nnupeer COMMAND --help says more of each.");
            }
            *found = std::mem::take(found).after_help(text);
        }
    }
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{}Options:\n{{options}}{{after-help}}",
        groups(&command)
    );
    command.help_template(template)
}

/// The commands, a line each.
fn groups(command: &Command) -> String {
    let mut text = String::new();
    for (title, names) in GROUPS {
        text.push_str(&format!("{title}:\n"));
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {name:<13}{about}\n"));
        }
        text.push('\n');
    }
    text
}

fn shown(examples: &[(&str, &str)]) -> String {
    let width = examples.iter().map(|(line, _)| line.len()).max();
    let width = width.unwrap_or(0);
    let mut text = String::from("Examples:\n");
    for (line, what) in examples {
        let whole = format!("  {line:<width$}  {what}");
        match whole.trim_end().len() <= WIDTH {
            true => text.push_str(whole.trim_end()),
            false => text.push_str(&folded(line)),
        }
        text.push('\n');
    }
    text
}

/// A long command on several lines, as a shell takes it.
fn folded(line: &str) -> String {
    let mut text = String::new();
    let mut column = 0;
    for (place, part) in line.split(" --").enumerate() {
        let part = if place == 0 {
            part.to_owned()
        } else {
            format!("--{part}")
        };
        let is_full = column + part.len() + 3 > WIDTH;
        text.push_str(match (place, is_full) {
            (0, _) => "  ",
            (_, true) => " \\\n      ",
            _ => " ",
        });
        column = if is_full || place == 0 { 6 } else { column + 1 } + part.len();
        text.push_str(&part);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_stands_in_one_group_and_every_line_fits() {
        let mut command = command();
        let grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        let known: BTreeSet<String> = command
            .get_subcommands()
            .map(|below| below.get_name().to_owned())
            .collect();
        let listed: BTreeSet<String> = grouped.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(listed, known);
        assert_eq!(grouped.len(), known.len());
        let page = command.render_help().to_string();
        let wide: Vec<&str> = page
            .lines()
            .filter(|line| line.chars().count() > WIDTH)
            .collect();
        assert_eq!(wide, Vec::<&str>::new());
        for (title, _) in GROUPS {
            assert!(page.contains(&format!("\n{title}:\n")), "{page}");
        }
    }

    /// Every command of ours, by its words.
    fn all() -> Vec<(String, Command)> {
        let mut root = command();
        root.build();
        let (mut left, mut found) = (vec![("nupeer".to_owned(), root)], Vec::new());
        while let Some((words, command)) = left.pop() {
            let below = command.get_subcommands();
            for below in below.filter(|below| below.get_name() != "help") {
                left.push((format!("{words} {}", below.get_name()), below.clone()));
            }
            found.push((words, command));
        }
        found
    }

    #[test]
    fn every_page_says_what_each_word_is_for_in_eighty_columns() {
        let pages = all();
        assert!(pages.len() > 60, "{}", pages.len());
        for (words, mut command) in pages {
            let about = command.get_about().map(ToString::to_string);
            let about = about.unwrap_or_default();
            assert!(about.split(' ').count() >= 2, "{words}: {about:?}");
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string);
                let (name, help) = (argument.get_id(), help.unwrap_or_default());
                assert!(!help.is_empty(), "{words} {name}");
                let is_amount = help.starts_with("How much");
                assert!(!is_amount || help.contains("ADA"), "{words} {name}: {help}");
            }
            let page = command.render_help().to_string();
            // How a command is written stands in one line, however long.
            let wide: Vec<&str> = page
                .lines()
                .filter(|line| line.chars().count() > WIDTH && !line.starts_with("Usage:"))
                .collect();
            assert_eq!(wide, Vec::<&str>::new(), "{words}");
            let own = page.find("--help").unwrap_or_default();
            let common = page.find("With every command:");
            assert!(
                words == "nupeer" || common.is_some_and(|at| own < at),
                "{page}"
            );
        }
    }

    #[test]
    fn examples_are_understood_and_stand_on_the_page_of_their_command() {
        for (path, examples) in EXAMPLES {
            let mut found = command();
            for word in path.split_whitespace() {
                found = found.find_subcommand(word).unwrap().clone();
            }
            let page = found.render_help().to_string();
            assert!(page.contains("Examples:\n"), "{path}: {page}");
            for (line, _) in examples {
                let line = line
                    .replace("ADDRESS", "stake_test1uq")
                    .replace("DIGEST", &"0".repeat(64));
                let words = line.split_whitespace().map(Into::into).collect();
                let parsed = command().try_get_matches_from(Args::read_json_file(words));
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn a_long_example_is_folded_as_a_shell_reads_it() {
        let (_, examples) = EXAMPLES
            .iter()
            .find(|(path, _)| *path == "lease order")
            .unwrap();
        let text = shown(examples);
        assert!(text.contains(" \\\n"), "{text}");
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        let whole = text.replace(" \\\n     ", "");
        assert!(whole.contains(examples[0].0), "{whole}");
    }
}
