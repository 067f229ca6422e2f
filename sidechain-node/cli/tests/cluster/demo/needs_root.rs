//! What runs containers, for which it must be root.

use nix::sys::signal::{Signal, killpg};

use super::{Demo, books, leftovers, nupeer, orphans, said};

#[test]
fn the_story_comes_true_in_time_and_goes_on_running_until_it_is_asked_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(folder.path(), &[]);
    demo.until_said("Everything goes on running");
    let report = demo.report();
    books::check(&report);
    books::in_time(&report);
    // Before whatever ends clears up.
    orphans::assert_none(&demo.data, &report);
    let down = demo.down();
    assert_eq!(down.status.code(), Some(0), "{}", said(&down));
    assert_eq!(demo.ends(), Some(0), "{}", demo.text);
    leftovers::assert_none(&demo.before, &demo.data, Some(&report));
}

#[test]
#[allow(clippy::print_stdout)] // the seed, to repeat a failure with
fn the_story_comes_true_to_the_lovelace_though_any_process_or_all_are_killed_twenty_times() {
    let seed = std::env::var("NUPEER_TEST_SEED");
    let seed = seed.unwrap_or_else(|_| rand::random::<u32>().to_string());
    println!("NUPEER_TEST_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(folder.path(), &["--havoc", &seed]);
    demo.until_said("Everything goes on running");
    let report = demo.report();
    books::under_havoc(&report, &seed);
    books::check(&report);
    orphans::assert_none(&demo.data, &report);
    let down = demo.down();
    assert_eq!(down.status.code(), Some(0), "{}", said(&down));
    assert_eq!(demo.ends(), Some(0), "{}", demo.text);
    leftovers::assert_none(&demo.before, &demo.data, Some(&report));
}

#[test]
fn a_second_demo_says_what_runs_and_ctrl_c_ends_all_that_the_first_started() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(folder.path(), &[]);
    demo.until_said("[8/11]  workload       ok");

    let mut second = nupeer(&["demo", "--once", "--data"]);
    let second = second.arg(&demo.data).output().unwrap();
    assert_eq!(second.status.code(), Some(11), "{}", said(&second));
    let running = format!("the demo is running already (process {})", demo.pid());
    assert!(said(&second).contains(&running), "{}", said(&second));
    let ends = format!("nupeer down --data {}", demo.data.display());
    assert!(said(&second).contains(&ends), "{}", said(&second));
    // What is looked for below is seen while it is there.
    assert!(leftovers::cgroups(&demo.data).is_some_and(|all| !all.is_empty()));
    let seen = leftovers::processes(&demo.data, None);
    assert!(seen.iter().any(|tied| tied.namespace.is_some()), "{seen:?}");

    // As a terminal does: to everybody in the foreground.
    killpg(demo.pid(), Signal::SIGINT).unwrap();
    assert_eq!(demo.ends(), Some(130), "{}", demo.text);
    let last = "interrupted; what was started is ended";
    assert!(demo.text.contains(last), "{}", demo.text);
    leftovers::assert_none(&demo.before, &demo.data, None);
}

#[test]
fn nupeer_down_ends_a_demo_in_the_middle_of_its_story() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Demo::start(folder.path(), &["--once"]);
    demo.until_said("[4/11]  deposits       ..");
    let down = demo.down();
    assert_eq!(down.status.code(), Some(0), "{}", said(&down));
    assert_eq!(demo.ends(), Some(130), "{}", demo.text);
    leftovers::assert_none(&demo.before, &demo.data, None);
    let again = demo.down();
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&again.stdout),
        "nothing runs there\n"
    );
}
