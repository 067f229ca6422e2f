//! What strangers and bad tenants send.

use std::io::Write;
use std::time::Duration;

use nupeer_lease::{CloseReason, LeaseId, LeaseState, ProviderNote, SignedUsage, Usage};
use nupeer_ledger::{Grant, Scope};
use nupeer_primitives::{AccountId, Amount, Hash, TimeMs};

use crate::stage::{
    CHAIN, LEASE, MACHINE, Stage, active, head, image, key, lease, operator, path, provisioning,
    public, sign, signed, spec, tenant,
};

const OTHER: LeaseId = LeaseId(Hash([0x55; 32]));

/// Status and number of what the agent refuses.
fn refused(answer: (u16, Vec<u8>)) -> (u16, String) {
    Stage::refusal(answer)
}

fn expect(answer: (u16, Vec<u8>), status: u16, code: &str) {
    assert_eq!(refused(answer), (status, code.to_owned()));
}

#[test]
fn only_the_tenant_is_answered() {
    let stage = Stage::new();
    stage.lease(provisioning());
    let show = path("");
    assert_eq!(stage.ask("GET", &show, b"").0, 200);
    // Unsigned, or signed with something that is no request.
    let unsigned = format!("GET {show} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    expect(stage.send(&unsigned, |_| Ok(())), 401, "NP8035");
    expect(stage.ask_as("zz", "GET", &show, b""), 401, "NP4080");
    // Another tenant.
    let other = signed(&key(3), "GET", &show, b"", |_| {});
    let other = other.to_header();
    expect(stage.ask_as(&other, "GET", &show, b""), 403, "NP8037");
    // A signature of something else.
    let mut forged = signed(&tenant(), "GET", &show, b"", |_| {});
    forged.signature = sign(&tenant(), &Hash::ZERO);
    expect(
        stage.ask_as(&forged.to_header(), "GET", &show, b""),
        401,
        "NP4084",
    );
}

#[test]
fn what_no_route_takes_is_refused_by_its_number() {
    let stage = Stage::new();
    for (method, asked, header, status, code) in [
        ("GET", "/v1/nothing", "x", 404, "NP8082"),
        ("DELETE", "/v1/status", "x", 405, "NP8083"),
        ("GET", &path("") as &str, "é", 400, "NP8084"),
    ] {
        let asked = head(method, asked, header, None);
        expect(stage.send(&asked, |_| Ok(())), status, code);
    }
}

#[test]
fn a_request_holds_for_one_lease_method_path_and_time() {
    let stage = Stage::new();
    stage.lease(provisioning());
    let show = path("");
    for (header, code) in [
        (
            signed(&tenant(), "GET", &path("/logs"), b"", |_| {}),
            "NP4081",
        ),
        (signed(&tenant(), "PUT", &show, b"", |_| {}), "NP4081"),
        (
            signed(&tenant(), "GET", &show, b"", |r| {
                r.lease = LeaseId(Hash::ZERO)
            }),
            "NP4081",
        ),
        (
            signed(&tenant(), "GET", &show, b"", |r| r.expires = TimeMs(1)),
            "NP4082",
        ),
        (
            signed(&tenant(), "GET", &show, b"", |r| r.expires.0 += 600_000),
            "NP4083",
        ),
    ] {
        expect(
            stage.ask_as(&header.to_header(), "GET", &show, b""),
            401,
            code,
        );
    }
    // A query that was not signed for.
    let logs = signed(&tenant(), "GET", &path("/logs"), b"", |_| {}).to_header();
    expect(
        stage.ask_as(&logs, "GET", &path("/logs?from=5"), b""),
        401,
        "NP4081",
    );
    assert_eq!(
        stage.ask("GET", &path("/logs?from=5"), b"").1,
        b"what it wrote"
    );
    // A lease that this machine does not have.
    let unknown = LeaseId(Hash([8; 32]));
    let target = format!("/v1/leases/{unknown}");
    let header = signed(&tenant(), "GET", &target, b"", |r| r.lease = unknown);
    expect(
        stage.ask_as(&header.to_header(), "GET", &target, b""),
        404,
        "NP8036",
    );
}

#[test]
fn a_session_key_may_what_it_is_granted_for_as_long() {
    let stage = Stage::new();
    stage.lease(provisioning());
    let show = path("");
    let ask = |n: u8| {
        let header = signed(&key(n), "GET", &show, b"", |_| {}).to_header();
        refused(stage.ask_as(&header, "GET", &show, b""))
    };
    let grant = |n: u8, scope, expires| {
        let grant = Grant {
            scope,
            budget_lovelace: Amount::new(1),
            expires: TimeMs(expires),
        };
        let hash = public(&key(n)).hash();
        stage.chain.grants.lock().unwrap().insert(hash, grant);
    };
    grant(5, Scope::LEASE, u64::MAX);
    grant(6, Scope::SPEND.and(Scope::MACHINE), u64::MAX);
    grant(7, Scope::LEASE, 1);
    assert_eq!(ask(5).0, 200);
    assert_eq!(ask(6), (403, "NP8037".into()));
    assert_eq!(ask(7), (403, "NP8037".into()));
    // Nobody can be asked about a key: neither let in nor told that it may not.
    *stage.chain.desired.lock().unwrap() = None;
    assert_eq!(ask(8), (503, "NP8070".into()));
}

#[test]
fn what_changes_something_is_taken_once() {
    let stage = Stage::new();
    stage.lease(provisioning());
    let (to, body) = (path("/manifest"), spec().to_bytes());
    let header = signed(&tenant(), "PUT", &to, &body, |_| {}).to_header();
    assert_eq!(stage.ask_as(&header, "PUT", &to, &body).0, 200);
    expect(stage.ask_as(&header, "PUT", &to, &body), 409, "NP8038");
    let again = signed(&tenant(), "PUT", &to, &body, |r| r.expires.0 += 1);
    assert_eq!(stage.ask_as(&again.to_header(), "PUT", &to, &body).0, 200);
}

#[test]
fn only_what_the_lease_is_for_is_taken() {
    let stage = Stage::new();
    stage.lease(provisioning());
    let mut other = spec();
    other.argv = vec!["/bin/sh".into()];
    expect(
        stage.ask("PUT", &path("/manifest"), &other.to_bytes()),
        422,
        "NP4108",
    );
    expect(stage.ask("PUT", &path("/manifest"), b"\xff"), 422, "NP1002");
    // An archive that is none, and one of another image.
    expect(
        stage.ask("PUT", &path("/image"), b"no archive"),
        422,
        "NP8011",
    );
    let made = nupeer_paas_drivers::image::make::from_files(
        &Default::default(),
        &nupeer_paas_drivers::image::make::Recipe::default(),
    );
    let answer = stage.ask("PUT", &path("/image"), &made.unwrap().archive);
    expect(answer, 422, "NP8021");
    let record = stage.site.records.get(&LEASE).unwrap();
    let record = record.lock().unwrap();
    assert!(record.manifest.is_none() && record.image.is_none());
    assert_eq!(stage.scratch_files(), 0);
}

#[test]
fn an_archive_with_a_link_out_of_its_root_is_refused_and_leaves_nothing() {
    use nupeer_paas_drivers::image::make::{Files, Node, Recipe, from_files};
    let mut files = Files::new();
    files.insert("out".into(), Node::Symlink(b"../../../etc".to_vec()));
    let made = from_files(&files, &Recipe::default()).unwrap();
    let stage = Stage::new();
    let mut wanted = provisioning();
    wanted.image = Hash(made.digest.0);
    stage.lease(wanted);
    expect(
        stage.ask("PUT", &path("/image"), &made.archive),
        422,
        "NP8028",
    );
    assert_eq!(stage.site.engine.images().list().unwrap(), []);
    assert_eq!(stage.scratch_files(), 0);
}

#[test]
fn nobody_runs_an_image_that_another_tenant_uploaded_without_having_it() {
    let stage = Stage::new();
    stage.lease(provisioning());
    assert_eq!(stage.ask("PUT", &path("/image"), &image().archive).0, 200);
    stage.site.records.drop_uploads(&LEASE).unwrap();
    // The image is still there; its name is on the chain for all to read.
    expect(stage.ask("PUT", &path("/image"), b""), 422, "NP8015");
    let record = stage.site.records.get(&LEASE).unwrap();
    assert!(record.lock().unwrap().image.is_none());
}

#[test]
fn bodies_are_bounded_in_size() {
    let stage = Stage::with(|config| config.image_bytes_max = 1_000);
    stage.lease(provisioning());
    expect(
        stage.ask("PUT", &path("/image"), &[0; 1_001]),
        413,
        "NP8041",
    );
    let long = vec![0; nupeer_paas::spec::SPEC_BYTES_MAX + 1];
    expect(stage.ask("PUT", &path("/manifest"), &long), 413, "NP8041");
    expect(stage.ask("POST", &path("/usage"), &[0; 513]), 413, "NP8041");
    // Without a length nothing is read at all.
    let to = path("/image");
    let header = signed(&tenant(), "PUT", &to, b"", |_| {}).to_header();
    let chunked = format!(
        "{}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        head("PUT", &to, &header, None)
            .trim_end_matches("\r\n")
            .to_owned()
            + "\r\n"
    );
    expect(stage.send(&chunked, |_| Ok(())), 411, "NP8040");
    assert_eq!(stage.scratch_files(), 0);
}

#[test]
fn a_body_other_than_the_signed_one_is_refused() {
    let stage = Stage::new();
    stage.lease(provisioning());
    let (to, body) = (path("/manifest"), spec().to_bytes());
    let header = signed(&tenant(), "PUT", &to, b"another", |_| {}).to_header();
    expect(stage.ask_as(&header, "PUT", &to, &body), 400, "NP4085");
}

#[test]
fn a_body_that_stands_still_is_given_up_and_frees_its_place() {
    let stage = Stage::with(|config| config.uploads_max = 1);
    let mut other = provisioning();
    other.tenant = AccountId::of_key(public(&key(5)).hash());
    stage.chain.say([(LEASE, provisioning()), (OTHER, other)]);
    stage.round().unwrap();
    let to = path("/image");
    let archive = image().archive;
    let header = signed(&tenant(), "PUT", &to, &archive, |_| {}).to_header();
    let head = head("PUT", &to, &header, Some(archive.len()));
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            stage.send(&head, |stream| {
                stream.write_all(&archive[..10])?;
                stream.flush()
            })
        });
        // Whoever comes meanwhile is told so at once, if the first is already being read.
        while stage.scratch_files() == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        expect(stage.ask("PUT", &to, &archive), 429, "NP8085");
        // Another lease, while there is but one place.
        let (target, theirs) = (format!("/v1/leases/{OTHER}/image"), key(5));
        let theirs = signed(&theirs, "PUT", &target, &archive, |r| r.lease = OTHER);
        let theirs = stage.ask_as(&theirs.to_header(), "PUT", &target, &archive);
        expect(theirs, 503, "NP8044");
        expect(slow.join().unwrap(), 408, "NP8042");
    });
    assert_eq!(stage.scratch_files(), 0);
    assert_eq!(stage.ask("PUT", &to, &archive).0, 200);
}

#[test]
fn nothing_is_uploaded_to_what_is_over() {
    let stage = Stage::new();
    stage.lease(lease(LeaseState::Closing {
        reason: CloseReason::TenantClosed,
        until: TimeMs(u64::MAX),
    }));
    let body = spec().to_bytes();
    expect(stage.ask("PUT", &path("/manifest"), &body), 409, "NP8045");
}

/// A note of the agent's, signed by `by` for the tenant after `change`.
fn note(stage: &Stage, by: u8, change: impl FnOnce(&mut SignedUsage)) -> SignedUsage {
    let (status, bytes) = stage.ask("GET", &path("/usage"), b"");
    assert_eq!(status, 200);
    let note = ProviderNote::from_bytes(&bytes).unwrap();
    note.check(&CHAIN, &LEASE, &operator().public(), 0, u64::MAX)
        .unwrap();
    let key = key(by);
    let signature = sign(&key, &note.usage.signing_hash(&CHAIN));
    let mut signed = note.countersigned(public(&key), signature);
    change(&mut signed);
    signed
}

fn ran(stage: &Stage, ran_ms: u64) {
    let record = stage.site.records.of(&LEASE).unwrap();
    record.lock().unwrap().meter.ran_ms = ran_ms;
}

#[test]
fn there_is_no_note_before_anything_ran() {
    let stage = Stage::new();
    stage.lease(active());
    let answer = stage.ask("GET", &path("/usage"), b"");
    assert_eq!(answer, (200, vec![]));
}

#[test]
fn a_note_is_taken_with_the_tenants_own_word_for_exactly_it() {
    let stage = Stage::new();
    stage.lease(active());
    ran(&stage, 5_000);
    let post = |signed: &SignedUsage| {
        let bytes = signed.to_bytes();
        refused(stage.ask("POST", &path("/usage"), &bytes))
    };
    // Of a key that nobody granted anything.
    let other = note(&stage, 3, |_| {});
    assert_eq!(post(&other), (403, "NP8037".into()));
    // Not what the agent said: a number changed, or its signature.
    let more = |signed: &mut SignedUsage| {
        signed.usage.metered_ms += 1;
        signed.tenant_signature = sign(&tenant(), &signed.usage.signing_hash(&CHAIN));
    };
    assert_eq!(post(&note(&stage, 1, more)), (400, "NP8046".into()));
    let elsewhere = |signed: &mut SignedUsage| {
        signed.usage = Usage {
            lease: LeaseId(Hash::ZERO),
            ..signed.usage
        };
    };
    assert_eq!(post(&note(&stage, 1, elsewhere)), (400, "NP8046".into()));
    // Not the tenant's signature.
    let unsigned = |signed: &mut SignedUsage| {
        signed.tenant_signature = sign(&tenant(), &Hash::ZERO);
    };
    assert_eq!(post(&note(&stage, 1, unsigned)), (400, "NP8048".into()));
    // As it should be, and not a second time.
    let good = note(&stage, 1, |_| {});
    assert_eq!(post(&good), (200, String::new()));
    std::thread::sleep(Duration::from_millis(2));
    assert_eq!(post(&good), (409, "NP8047".into()));
    let record = stage.site.records.get(&LEASE).unwrap();
    assert_eq!(record.lock().unwrap().meter.acked_ms, good.usage.metered_ms);
}

#[test]
fn anybody_may_know_how_the_agent_is_and_paths_are_what_they_are() {
    let stage = Stage::new();
    stage.lease(active());
    let get = |path: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stage.send(&head, |_| Ok(()))
    };
    let (status, body) = get("/v1/status");
    let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(status, 200);
    assert_eq!(value["machine"], MACHINE.to_string());
    assert_eq!(value["leases"][0]["state"], "active");
    assert_eq!(get("/v1/leases").0, 404);
    assert_eq!(get("/../../etc/passwd").0, 404);
    assert_eq!(stage.ask("DELETE", &path(""), b"").0, 405);
}
