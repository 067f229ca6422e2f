//! An image store whose process dies at any failpoint has each image whole or not at all once it is opened again, and takes it in anew.

use std::io::Cursor;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;

use nupeer_paas_drivers::image::make::{Files, MadeImage, Node, Recipe, from_files};
use nupeer_paas_drivers::image::{ImageError, ImageStore, Limits, Ownership};

use crate::{alone, dies_at};

/// In the order in which they are passed: opening, six of taking in, two of removing.
pub(crate) const FAILPOINTS: [&str; 9] = [
    "images-swept",
    "image-before-import",
    "image-begun",
    "image-unpacked",
    "image-described",
    "image-synced",
    "image-stored",
    "image-before-removal",
    "image-dying",
];

fn open(folder: &Path) -> ImageStore {
    ImageStore::open(folder, Limits::default(), Ownership::Unpacker).unwrap()
}

fn image() -> MadeImage {
    let mut files = Files::new();
    files.insert("bin".into(), Node::Directory);
    let program = Node::File {
        bytes: b"#!/bin/true".to_vec(),
        executable: true,
    };
    files.insert("bin/run".into(), program);
    let recipe = Recipe {
        argv: vec!["/bin/run".into()],
        ..Recipe::default()
    };
    from_files(&files, &recipe).unwrap()
}

fn import(store: &ImageStore, image: &MadeImage) {
    let mut archive = Cursor::new(&image.archive);
    store.import(&mut archive, &image.digest).unwrap();
}

/// The image is whole, or not there and taken in anew; nothing unfinished is left.
fn is_sound(folder: &Path, image: &MadeImage, failpoint: &str) -> bool {
    let store = open(folder);
    let was_there = store.list().unwrap() == [image.digest];
    if was_there {
        assert_eq!(store.get(&image.digest).unwrap().digest, image.digest);
    } else {
        assert_eq!(store.list().unwrap(), [], "{failpoint}");
        import(&store, image);
    }
    let program = std::fs::read(store.root(&image.digest).join("bin/run")).unwrap();
    assert_eq!(program, b"#!/bin/true", "{failpoint}");
    let unfinished = std::fs::read_dir(folder.join("unfinished")).unwrap();
    assert_eq!(unfinished.count(), 0, "{failpoint}");
    was_there
}

#[test]
fn an_image_is_whole_or_absent_wherever_taking_it_in_ends() {
    let _alone = alone();
    let image = image();
    for failpoint in &FAILPOINTS[1..7] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        assert!(dies_at(failpoint, || import(&store, &image)), "{failpoint}");
        let was_there = is_sound(folder.path(), &image, failpoint);
        assert_eq!(was_there, *failpoint == "image-stored", "{failpoint}");
        // The same image once more, which is there already.
        let store = open(folder.path());
        assert!(dies_at(failpoint, || import(&store, &image)), "{failpoint}");
        assert!(is_sound(folder.path(), &image, failpoint), "{failpoint}");
    }
}

#[test]
fn an_image_is_whole_or_absent_wherever_its_removal_ends() {
    let _alone = alone();
    let image = image();
    for failpoint in &FAILPOINTS[7..] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        import(&store, &image);
        let removing = || store.remove(&image.digest).unwrap();
        assert!(dies_at(failpoint, removing), "{failpoint}");
        let was_there = is_sound(folder.path(), &image, failpoint);
        assert_eq!(was_there, *failpoint == "image-before-removal");
    }
}

#[test]
fn a_store_that_dies_while_it_is_swept_is_swept_the_next_time() {
    let _alone = alone();
    let (folder, image) = (tempfile::tempdir().unwrap(), image());
    let store = open(folder.path());
    assert!(dies_at("image-unpacked", || import(&store, &image)));
    assert!(dies_at("images-swept", || drop(open(folder.path()))));
    assert!(!is_sound(folder.path(), &image, "images-swept"));
}

/// Each is told that it is there, and from then on it is: another upload takes nothing away from whoever runs from it.
#[test]
fn an_image_that_two_upload_at_once_is_there_for_both_and_stays() {
    let _alone = alone();
    let (folder, image) = (tempfile::tempdir().unwrap(), image());
    let store = open(folder.path());
    for round in 0..200 {
        // Both have unpacked it before either puts it into its place.
        let both = Arc::new(Barrier::new(2));
        let wait = move || {
            both.wait();
        };
        fail::cfg_callback("image-synced", wait).unwrap();
        let upload = || {
            import(&store, &image);
            let root = std::fs::metadata(store.root(&image.digest));
            root.map(|root| root.ino()).unwrap_or_default()
        };
        let (one, other) = thread::scope(|scope| {
            let (one, other) = (scope.spawn(upload), scope.spawn(upload));
            (one.join(), other.join())
        });
        fail::remove("image-synced");
        let (one, other) = (one.unwrap(), other.unwrap());
        assert!(one != 0 && one == other, "{round}: {one}, {other}");
        assert!(is_sound(folder.path(), &image, "none"), "{round}");
        store.remove(&image.digest).unwrap();
    }
}

/// What a power cut could leave before images were synced, or a disk that loses blocks.
#[test]
fn an_image_whose_description_is_damaged_is_taken_in_anew() {
    let (folder, image) = (tempfile::tempdir().unwrap(), image());
    let store = open(folder.path());
    import(&store, &image);
    let described = store.root(&image.digest).with_file_name("image.json");
    std::fs::write(&described, b"").unwrap();
    let error = store.get(&image.digest).unwrap_err();
    assert!(matches!(error, ImageError::Document { .. }), "{error}");
    import(&store, &image);
    assert!(is_sound(folder.path(), &image, "damaged"));
}
