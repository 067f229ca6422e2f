//! Random uploads: whatever the sequence of entries, nothing outside the root is touched.

#[path = "common/upload.rs"]
#[allow(dead_code, reason = "shared with other test programs")]
mod upload;

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use nupeer_paas_drivers::image::{Limits, parse_layout};
use nupeer_primitives::Numbered;
use proptest::prelude::*;
use tar::EntryType;
use upload::{Entry, Ground, LAYER, archive, entry, file, layer};

fn names() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[abc]".prop_map(String::from),
        1 => Just("..".to_owned()),
        1 => Just(".".to_owned()),
        1 => Just(".wh.a".to_owned()),
        1 => Just(".wh..wh..opq".to_owned()),
        1 => Just("treasure".to_owned()),
        1 => Just("gold".to_owned()),
    ];
    (prop::bool::weighted(0.1), prop::collection::vec(part, 1..5)).prop_map(|(absolute, parts)| {
        format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"))
    })
}

fn hostile_entry() -> impl Strategy<Value = Entry> {
    let kinds = prop_oneof![
        3 => Just(EntryType::Regular),
        2 => Just(EntryType::Directory),
        3 => Just(EntryType::Symlink),
        2 => Just(EntryType::Link),
        1 => Just(EntryType::Char),
        1 => Just(EntryType::Fifo),
    ];
    (kinds, names(), names(), 0u32..0o10000).prop_map(|(kind, path, target, mode)| {
        let mut entry = entry(kind, &path, &target);
        entry.mode = mode | 0o700;
        entry
    })
}

/// Nothing below `root` is a device, has privileged bits, or is the treasure by another name.
fn is_harmless(root: &Path) -> bool {
    let Ok(entries) = fs::read_dir(root) else {
        return true;
    };
    entries.map(Result::unwrap).all(|entry| {
        let data = fs::symlink_metadata(entry.path()).unwrap();
        let kind = data.file_type();
        let plain = kind.is_file() || kind.is_dir() || kind.is_symlink();
        let privileged = !kind.is_symlink() && data.permissions().mode() & 0o6000 != 0;
        let treasure =
            kind.is_file() && fs::read_to_string(entry.path()).is_ok_and(|text| text == "mine");
        let device = kind.is_char_device() || kind.is_block_device() || kind.is_fifo();
        plain
            && !privileged
            && !treasure
            && !device
            && (!kind.is_dir() || is_harmless(&entry.path()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_entries_reaches_outside_the_root(
        layers in prop::collection::vec(prop::collection::vec(hostile_entry(), 0..8), 1..4),
    ) {
        let ground = Ground::new();
        let layers: Vec<(&str, Vec<u8>)> = layers.iter().map(|entries| (LAYER, layer(entries))).collect();
        let outcome = ground.unpack(&archive(&layers));
        prop_assert!(ground.is_untouched());
        prop_assert!(is_harmless(&ground.root()));
        if let Err(error) = outcome {
            prop_assert!(error.code().0 != 8010, "a refusal, and no accident: {}", error);
            prop_assert!(!ground.root().exists());
        }
    }

    #[test]
    fn no_altered_archive_makes_the_layout_panic(place in any::<prop::sample::Index>(), value: u8, cut in any::<prop::sample::Index>()) {
        let mut bytes = archive(&[(LAYER, layer(&[file("a")]))]);
        let place = place.index(bytes.len());
        bytes[place] = value;
        let _ = parse_layout(&bytes, &Limits::default());
        bytes.truncate(cut.index(bytes.len()));
        let _ = parse_layout(&bytes, &Limits::default());
        let ground = Ground::new();
        let _ = ground.unpack(&bytes);
        prop_assert!(ground.is_untouched());
    }
}
