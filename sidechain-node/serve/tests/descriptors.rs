//! Raising the limit of open files. A program of its own: the limit is one for the whole process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nupeer_serve::{Limits, OPEN_FILES_WANTED, raise_open_files};

#[test]
fn the_soft_limit_rises_as_far_as_it_may_and_the_bound_on_connections_follows() {
    let files = Resource::RLIMIT_NOFILE;
    let (_, hard) = getrlimit(files).unwrap();
    setrlimit(files, 200.min(hard), hard).unwrap();
    assert_eq!(Limits::new(512).connections_max, 50);
    let risen = hard.min(OPEN_FILES_WANTED);
    assert_eq!(raise_open_files().unwrap(), risen);
    assert_eq!(getrlimit(files).unwrap(), (risen, hard));
    assert_eq!(
        raise_open_files().unwrap(),
        risen,
        "a second time changes nothing"
    );
    assert_eq!(Limits::new(4).connections_max, 4);
}
