//! Uploads that try to write, read or link outside their root, or to use up the machine.

#[path = "common/upload.rs"]
#[allow(dead_code, reason = "shared with other test programs")]
mod upload;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;

use flate2::Compression;
use flate2::write::GzEncoder;
use nupeer_paas_drivers::image::make::{Files, Node, Recipe, from_files};
use nupeer_paas_drivers::image::{ImageDigest, ImageError, Limits, Options, parse_layout};
use nupeer_primitives::Numbered;
use tar::EntryType;
use upload::{
    Entry, Ground, INDEX, LAYER, LAYER_GZIP, MANIFEST, archive, blob, dir, entry, file, hard_link,
    layer, options, symlink, wrap,
};

#[test]
fn each_way_out_of_the_root_is_refused_by_its_own_number() {
    let up = "../treasure/gold";
    for (what, entries, code) in [
        ("absolute path", vec![file("/treasure/gold")], 8024),
        ("absolute directory", vec![dir("/treasure")], 8024),
        ("path that goes up", vec![file(up)], 8025),
        (
            "path that goes down and up",
            vec![file("a/../../treasure/gold")],
            8025,
        ),
        ("symbolic link out", vec![symlink("link", up)], 8028),
        (
            "symbolic link out from below",
            vec![symlink("a/b/link", "../../../treasure")],
            8028,
        ),
        (
            "absolute symbolic link that goes up",
            vec![symlink("link", "/../treasure")],
            8028,
        ),
        ("hard link out", vec![hard_link("link", up)], 8028),
        (
            "absolute hard link",
            vec![hard_link("link", "/etc/passwd")],
            8028,
        ),
        (
            "file through a link to outside",
            vec![symlink("link", "/etc"), file("link/evil")],
            8027,
        ),
        (
            "file through a link inside",
            vec![dir("a"), symlink("link", "a"), file("link/evil")],
            8027,
        ),
        (
            "directory through a link",
            vec![symlink("link", "/tmp"), dir("link/evil")],
            8027,
        ),
        (
            "link through a link",
            vec![symlink("link", "/tmp"), symlink("link/evil", "x")],
            8027,
        ),
        (
            "hard link through a link",
            vec![symlink("link", "/etc"), hard_link("copy", "link/passwd")],
            8027,
        ),
        (
            "hard link to a link",
            vec![symlink("link", "/etc/passwd"), hard_link("copy", "link")],
            8029,
        ),
        (
            "hard link to nothing",
            vec![hard_link("copy", "nothing")],
            8029,
        ),
        (
            "hard link to itself",
            vec![file("a"), hard_link("a", "a")],
            8029,
        ),
        (
            "hard link to a directory",
            vec![dir("a"), hard_link("b", "a")],
            8029,
        ),
        ("file below a file", vec![file("a"), file("a/b")], 8027),
        (
            "whiteout through a link",
            vec![symlink("link", "/etc"), file("link/.wh.passwd")],
            8027,
        ),
        (
            "link where /proc is mounted",
            vec![symlink("proc", "etc")],
            8031,
        ),
        (
            "link where /dev is mounted",
            vec![symlink("dev", "/tmp")],
            8031,
        ),
        ("file where /sys is mounted", vec![file("sys")], 8031),
        ("the root as a file", vec![file(".")], 8026),
        (
            "an entry of an unknown kind",
            vec![entry(EntryType::new(b'Z'), "x", "")],
            8030,
        ),
        (
            "a sparse file",
            vec![entry(EntryType::GNUSparse, "x", "")],
            8030,
        ),
    ] {
        let ground = Ground::new();
        let error = ground
            .unpack(&archive(&[(LAYER, layer(&entries))]))
            .expect_err(what);
        assert_eq!(error.code().0, code, "{what}: {error}");
        assert!(!ground.root().exists(), "{what}: something was left");
        assert!(ground.is_untouched(), "{what}");
    }
}

#[test]
fn a_link_of_a_lower_layer_is_not_followed_either() {
    let lower = layer(&[symlink("link", "/etc")]);
    for upper in [
        file("link/evil"),
        file("link/.wh.passwd"),
        hard_link("copy", "link/passwd"),
    ] {
        let ground = Ground::new();
        let error = ground
            .unpack(&archive(&[
                (LAYER, lower.clone()),
                (LAYER, layer(&[upper])),
            ]))
            .unwrap_err();
        assert_eq!(error.code().0, 8027, "{error}");
    }
}

#[test]
fn devices_and_privileged_bits_do_not_get_in() {
    let mut setuid = file("bin/su");
    setuid.mode = 0o6755;
    let mut setgid = dir("shared");
    setgid.mode = 0o3777;
    let devices =
        [EntryType::Char, EntryType::Block, EntryType::Fifo].map(|kind| entry(kind, "node", ""));
    let ground = Ground::new();
    let mut entries = vec![setuid, setgid];
    entries.extend(devices);
    ground
        .unpack(&archive(&[(LAYER, layer(&entries))]))
        .unwrap();
    let mode = |path: &str| {
        fs::metadata(ground.root().join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    };
    assert_eq!((mode("bin/su"), mode("shared")), (0o755, 0o1777));
    assert!(!ground.root().join("node").exists());
    assert!(
        ["dev", "proc", "sys"]
            .iter()
            .all(|name| ground.root().join(name).is_dir())
    );
}

#[test]
fn layers_replace_and_hide_what_is_below_them() {
    let lower = [
        dir("a"),
        file("a/one"),
        file("a/two"),
        dir("b"),
        file("b/x"),
        dir("b/c"),
        file("b/c/y"),
        file("f"),
    ];
    let upper = [
        file("a/.wh.one"),
        file("a/three"),
        dir("b"),
        file("b/c/new"),
        file("b/.wh..wh..opq"),
        dir("f"),
        // What a layer brings it does not hide itself.
        file("a/.wh.three"),
        file(".wh.absent"),
    ];
    let ground = Ground::new();
    ground
        .unpack(&archive(&[(LAYER, layer(&lower)), (LAYER, layer(&upper))]))
        .unwrap();
    let is = |path: &str| ground.root().join(path).exists();
    for (path, there) in [
        ("a/one", false),
        ("a/two", true),
        ("a/three", true),
        ("b/x", false),
        ("b/c/y", false),
        ("b/c/new", true),
        ("f", true),
        (".wh.absent", false),
        ("a/.wh.one", false),
    ] {
        assert_eq!(is(path), there, "{path}");
    }
    assert!(ground.root().join("f").is_dir());
}

#[test]
fn replacing_a_hard_linked_file_leaves_its_other_name() {
    let mut changed = file("b");
    changed.bytes = b"changed".to_vec();
    let ground = Ground::new();
    ground
        .unpack(&archive(&[(
            LAYER,
            layer(&[file("a"), hard_link("b", "a"), changed]),
        )]))
        .unwrap();
    let text = |path: &str| fs::read_to_string(ground.root().join(path)).unwrap();
    assert_eq!(
        (text("a"), text("b")),
        ("new".to_owned(), "changed".to_owned())
    );
}

#[test]
fn a_decompression_bomb_is_stopped_at_the_limit() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let mut header = tar::Header::new_gnu();
    header.set_path("zeroes").unwrap();
    header.set_mode(0o644);
    header.set_size(1 << 30);
    header.set_cksum();
    encoder.write_all(header.as_bytes()).unwrap();
    for _ in 0..64 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let mut options = options();
    options.limits.unpacked_bytes_max = 8 << 20;
    let ground = Ground::new();
    let error = ground
        .unpack_with(&archive(&[(LAYER_GZIP, bomb)]), &options)
        .unwrap_err();
    assert!(
        matches!(error, ImageError::TooLarge { maximum, .. } if maximum == 8 << 20),
        "{error}"
    );
    assert!(!ground.root().exists());
}

#[test]
fn counts_and_sizes_are_bounded() {
    let many: Vec<Entry> = (0..100).map(|number| file(&format!("f{number}"))).collect();
    let one = || archive(&[(LAYER, layer(&[file("a")]))]);
    let limits = Limits::default();
    for (what, archive, limits, code) in [
        (
            "entries",
            archive(&[(LAYER, layer(&many))]),
            Limits {
                entries_max: 99,
                ..limits.clone()
            },
            8014,
        ),
        (
            "entries over layers",
            archive(&[(LAYER, layer(&many[..60])), (LAYER, layer(&many[40..]))]),
            Limits {
                entries_max: 110,
                ..limits.clone()
            },
            8014,
        ),
        (
            "layers",
            archive(&[(LAYER, layer(&[])), (LAYER, layer(&[]))]),
            Limits {
                layers_max: 1,
                ..limits.clone()
            },
            8014,
        ),
        (
            "archive",
            one(),
            Limits {
                archive_bytes_max: 4096,
                ..limits.clone()
            },
            8013,
        ),
        (
            "archive entries",
            one(),
            Limits {
                archive_entries_max: 2,
                ..limits.clone()
            },
            8014,
        ),
        (
            "documents",
            one(),
            Limits {
                json_bytes_max: 100,
                ..limits.clone()
            },
            8013,
        ),
        (
            "depth",
            archive(&[(LAYER, layer(&[file(&"d/".repeat(45))]))]),
            Limits {
                path_depth_max: 10,
                ..limits
            },
            8026,
        ),
    ] {
        let ground = Ground::new();
        let error = ground
            .unpack_with(
                &archive,
                &Options {
                    limits,
                    ..options()
                },
            )
            .expect_err(what);
        assert_eq!(error.code().0, code, "{what}: {error}");
    }
}

#[test]
fn every_digest_is_checked() {
    let files = Files::from([(
        "a".into(),
        Node::File {
            bytes: vec![b'x'; 2000],
            executable: false,
        },
    )]);
    let made = from_files(&files, &Recipe::default()).unwrap();
    let mut counts = BTreeMap::new();
    // Changes one byte of each blob; whatever it was, the image is refused.
    let mut archive = tar::Archive::new(Cursor::new(made.archive.clone()));
    let places: Vec<(String, u64, u64)> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.path().unwrap().display().to_string(),
                entry.raw_file_position(),
                entry.size(),
            )
        })
        .collect();
    for (name, position, size) in places
        .into_iter()
        .filter(|(name, ..)| name.starts_with("blobs/"))
    {
        let mut altered = made.archive.clone();
        altered[(position + size / 2) as usize] ^= 1;
        let error = Ground::new().unpack(&altered).expect_err(&name);
        *counts.entry(error.code().0).or_insert(0) += 1;
    }
    assert_eq!(
        counts,
        BTreeMap::from([(8018, 3)]),
        "manifest, configuration and layer"
    );
    let other = Options {
        expected: Some(ImageDigest([1; 32])),
        ..options()
    };
    assert!(matches!(
        Ground::new().unpack_with(&made.archive, &other),
        Err(ImageError::NoManifest(_))
    ));
    let right = Options {
        expected: Some(made.digest),
        ..options()
    };
    Ground::new().unpack_with(&made.archive, &right).unwrap();
}

#[test]
fn layouts_that_lie_about_themselves_are_refused() {
    let limits = Limits::default();
    let index =
        |inner: &str| format!(r#"{{"schemaVersion":2,"manifests":[{inner}]}}"#).into_bytes();
    let absent = blob(MANIFEST, b"absent");
    let manifest = br#"{"schemaVersion":2}"#.to_vec();
    let wrong_size = blob(MANIFEST, &manifest).replace(&format!(":{}}}", manifest.len()), ":7}");
    // Indexes within indexes, deeper than anyone needs.
    let mut blobs = Vec::new();
    let mut nested = index("");
    for _ in 0..5 {
        let inner = blob(INDEX, &nested);
        blobs.push(nested);
        nested = index(&inner);
    }
    let crowd = index(&vec![absent.as_str(); 33].join(","));
    for (what, archive, code) in [
        ("nothing", Vec::new(), 8015),
        ("no tar", vec![7; 2000], 8011),
        ("no manifest", wrap(&index(""), &[]), 8021),
        ("an absent blob", wrap(&index(&absent), &[]), 8017),
        (
            "another size",
            wrap(&index(&wrong_size), std::slice::from_ref(&manifest)),
            8019,
        ),
        (
            "no manifest's content",
            wrap(
                &index(&blob(MANIFEST, &manifest)),
                std::slice::from_ref(&manifest),
            ),
            8016,
        ),
        ("no JSON", wrap(b"{", &[]), 8016),
        ("nested indexes", wrap(&nested, &blobs), 8014),
        ("a crowd of manifests", wrap(&crowd, &[]), 8014),
        (
            "two manifests",
            wrap(&index(&format!("{absent},{absent}")), &[]),
            8022,
        ),
        (
            "a weak digest",
            wrap(&index(&absent.replace("sha256:", "md5:")), &[]),
            8020,
        ),
        (
            "an unknown layer",
            archive(&[("application/vnd.oci.image.layer.v1.tar+zstd", Vec::new())]),
            8023,
        ),
    ] {
        let error = parse_layout(&archive, &limits).expect_err(what);
        assert_eq!(error.code().0, code, "{what}: {error}");
    }
}
