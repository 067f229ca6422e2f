use nupeer_primitives::Hash;

use super::*;

const LEASE: LeaseId = LeaseId(Hash([7; 32]));

fn spec() -> ContainerSpec {
    crate::played::spec(Hash([1; 32]), Some(8080))
}

#[test]
fn what_was_kept_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let records = Records::open(folder.path()).unwrap();
    {
        let record = records.of(&LEASE).unwrap();
        let mut record = hold(&record);
        record.set_manifest(spec()).unwrap();
        record.set_image(ImageDigest([1; 32])).unwrap();
        record.set_port(4242).unwrap();
        record.meter.ran_ms = 99;
        record.save_meter().unwrap();
    }
    let again = Records::open(folder.path()).unwrap();
    assert_eq!(again.ids(), [LEASE]);
    assert_eq!(again.images(), [ImageDigest([1; 32])]);
    let record = again.get(&LEASE).unwrap();
    let record = hold(&record);
    assert_eq!(
        (record.manifest.clone(), record.meter.ran_ms, record.port),
        (Some(spec()), 99, 4242)
    );
}

#[test]
fn forgetting_goes_in_two_steps() {
    let folder = tempfile::tempdir().unwrap();
    let records = Records::open(folder.path()).unwrap();
    let record = records.of(&LEASE).unwrap();
    hold(&record).set_image(ImageDigest([1; 32])).unwrap();
    hold(&record).meter.ran_ms = 99;
    hold(&record).save_meter().unwrap();
    records.drop_uploads(&LEASE).unwrap();
    assert_eq!(records.images(), []);
    let again = Records::open(folder.path()).unwrap();
    assert_eq!(hold(&again.get(&LEASE).unwrap()).meter.ran_ms, 99);
    records.forget(&LEASE).unwrap();
    records.forget(&LEASE).unwrap();
    assert_eq!(Records::open(folder.path()).unwrap().ids(), []);
}

fn path(folder: &tempfile::TempDir, file: &str) -> PathBuf {
    folder.path().join(LEASE.to_string()).join(file)
}

/// What a record says, and what is set aside of it.
fn opened(folder: &tempfile::TempDir) -> (Records, Vec<String>) {
    let records = Records::open(folder.path()).unwrap();
    let told = records.problems().into_iter();
    let told = told
        .map(|(_, problem)| format!("{}: {problem}", problem.code()))
        .collect();
    (records, told)
}

/// A folder with a whole record of a lease.
fn whole() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let records = Records::open(folder.path()).unwrap();
    let record = records.of(&LEASE).unwrap();
    let mut record = hold(&record);
    record.set_manifest(spec()).unwrap();
    record.set_image(ImageDigest([1; 32])).unwrap();
    record.set_port(4711).unwrap();
    record.meter.ran_ms = 99;
    record.save_meter().unwrap();
    drop(record);
    folder
}

#[test]
fn what_is_damaged_of_an_upload_is_set_aside_until_it_is_uploaded_again() {
    let upload = |records: &Records, part: Part| {
        let record = records.get(&LEASE).unwrap();
        let mut record = hold(&record);
        match part {
            Part::Manifest => record.set_manifest(spec()).unwrap(),
            Part::Image => record.set_image(ImageDigest([1; 32])).unwrap(),
            Part::Meter => panic!("nobody uploads that"),
        }
    };
    for (part, has) in [
        (Part::Manifest, (false, true)),
        (Part::Image, (true, false)),
    ] {
        let folder = whole();
        fs::write(path(&folder, part.file()), "no such thing").unwrap();
        // A second start knows no more than the first.
        for _ in 0..2 {
            let (records, told) = opened(&folder);
            let remedy = part.remedy();
            let expected = format!(
                "NP8067: the {part} kept of lease {LEASE} is damaged and set aside: {remedy}"
            );
            assert_eq!(told, [expected]);
            let record = records.get(&LEASE).unwrap();
            let record = hold(&record);
            assert_eq!((record.manifest.is_some(), record.image.is_some()), has);
            assert_eq!((record.meter.ran_ms, record.port), (99, 4711));
        }
        let (records, _) = opened(&folder);
        upload(&records, part);
        assert!(records.problems().is_empty());
        let (records, told) = opened(&folder);
        assert_eq!(told, [""; 0]);
        records.drop_uploads(&LEASE).unwrap();
        records.forget(&LEASE).unwrap();
        assert_eq!(Records::open(folder.path()).unwrap().ids(), []);
    }
}

#[test]
fn a_folder_where_a_file_should_be_is_no_more_than_that_files_damage() {
    for part in [Part::Manifest, Part::Image, Part::Meter] {
        let folder = whole();
        fs::remove_file(path(&folder, part.file())).unwrap();
        fs::create_dir(path(&folder, part.file())).unwrap();
        let (records, told) = opened(&folder);
        assert!(
            told.len() == 1 && told[0].contains(&part.to_string()),
            "{told:?}"
        );
        assert!(
            !path(&folder, part.file()).exists(),
            "it is in nobody's way"
        );
        records.drop_uploads(&LEASE).unwrap();
        records.forget(&LEASE).unwrap();
        assert_eq!(Records::open(folder.path()).unwrap().ids(), []);
    }
}

#[test]
fn forgetting_uploads_forgets_that_they_were_damaged() {
    let folder = whole();
    for part in [Part::Manifest, Part::Image] {
        fs::write(path(&folder, part.file()), "no such thing").unwrap();
    }
    let (records, told) = opened(&folder);
    assert_eq!(told.len(), 2);
    records.drop_uploads(&LEASE).unwrap();
    assert!(records.problems().is_empty());
    assert_eq!(opened(&folder).1, [""; 0]);
}

#[test]
fn a_damaged_meter_is_kept_and_counts_nothing_rather_than_signing_backwards() {
    let folder = whole();
    let meter = path(&folder, Part::Meter.file());
    let before = fs::read(&meter).unwrap();
    fs::write(&meter, &before[..before.len() / 2]).unwrap();
    for _ in 0..2 {
        let (records, told) = opened(&folder);
        assert!(
            told.len() == 1 && told[0].starts_with("NP8067: the meter"),
            "{told:?}"
        );
        let record = records.get(&LEASE).unwrap();
        let mut record = hold(&record);
        assert!(!record.is_metered());
        assert!(record.manifest.is_some() && record.image.is_some());
        let refused = record.save_meter();
        let is_aside = |error: &RecordError| {
            matches!(
                error,
                RecordError::SetAside {
                    lease: LEASE,
                    part: Part::Meter,
                    ..
                }
            )
        };
        assert!(refused.as_ref().is_err_and(is_aside), "{refused:?}");
    }
    // Whoever has a copy puts it back.
    fs::write(&meter, &before).unwrap();
    let (records, told) = opened(&folder);
    assert_eq!(told, [""; 0]);
    assert_eq!(hold(&records.get(&LEASE).unwrap()).meter.ran_ms, 99);
}

#[test]
fn a_meter_of_a_lease_that_never_ran_begins_anew() {
    let folder = whole();
    fs::write(path(&folder, Part::Meter.file()), "").unwrap();
    let (records, _) = opened(&folder);
    let record = records.get(&LEASE).unwrap();
    hold(&record).begin_meter().unwrap();
    assert!(hold(&record).is_metered());
    let (records, told) = opened(&folder);
    assert_eq!(told, [""; 0]);
    assert_eq!(hold(&records.get(&LEASE).unwrap()).meter, Meter::default());
}

#[test]
fn a_damaged_port_stops_nobody_and_the_next_one_is_written_down() {
    for damaged in ["", "port", "70000", "-1"] {
        let folder = whole();
        fs::write(path(&folder, PORT), damaged).unwrap();
        let (records, told) = opened(&folder);
        assert_eq!(told, [""; 0]);
        let record = records.get(&LEASE).unwrap();
        assert_eq!(hold(&record).port, 0);
        hold(&record).set_port(4712).unwrap();
        assert_eq!(fs::read(path(&folder, PORT)).unwrap(), b"4712");
    }
    let folder = whole();
    fs::remove_file(path(&folder, PORT)).unwrap();
    fs::create_dir(path(&folder, PORT)).unwrap();
    let (records, _) = opened(&folder);
    let record = records.get(&LEASE).unwrap();
    hold(&record).set_port(4712).unwrap();
    assert_eq!(fs::read(path(&folder, PORT)).unwrap(), b"4712");
}
