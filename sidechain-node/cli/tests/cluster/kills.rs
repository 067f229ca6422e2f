//! Any process, or all, killed at random moments: the cluster goes on, and the books are those of an uninterrupted run.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::validators::{Validators, transfer, wait_until};

const ADA: u128 = 1_000_000;
const KILLS: usize = 20;
const SENDERS: u8 = 4;

/// Transfers of one ADA to account 9 go on while validators die; each is submitted again until it is final.
#[test]
#[allow(clippy::print_stdout)] // the seed, to repeat a failure with
fn nothing_is_lost_and_nothing_happens_twice_whoever_is_killed_and_when() {
    let seed = std::env::var("NUPEER_TEST_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(rand::random::<u64>);
    println!("NUPEER_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let credits: Vec<(u8, u64)> = (1..=SENDERS).map(|n| (n, 1_000)).collect();
    let mut validators = Validators::new(&credits);
    validators.start_all();
    (0..4).for_each(|index| validators.wait_for_height(index, 1));

    let mut sent = Vec::new();
    for round in 0..KILLS {
        let sender = 1 + (round as u8 % SENDERS);
        let transaction = transfer(
            &validators.chain,
            sender,
            9,
            (round / usize::from(SENDERS)) as u64,
            ADA,
        );
        let through = random.gen_range(0..4);
        validators.submit(through, &transaction);
        sent.push(transaction);
        std::thread::sleep(Duration::from_millis(random.gen_range(0..400)));
        let all = random.gen_bool(0.2);
        let victims: Vec<usize> = if all {
            (0..4).collect()
        } else {
            vec![random.gen_range(0..4)]
        };
        victims.iter().for_each(|index| validators.kill(*index));
        std::thread::sleep(Duration::from_millis(random.gen_range(0..300)));
        victims.iter().for_each(|index| validators.start(*index));
    }

    for transaction in &sent {
        let id = transaction.transaction.id().to_string();
        wait_until(&format!("{id} is final"), || {
            // Again to all: harmless where it is known, and what was only in a killed memory is not lost.
            (0..4).for_each(|index| {
                validators.submit(index, transaction);
            });
            (0..4).any(|index| validators.is_final(index, &id))
        });
    }
    let height = (0..4)
        .filter_map(|index| validators.height(index))
        .max()
        .unwrap();
    (0..4).for_each(|index| validators.wait_for_height(index, height));
    let each: u128 = KILLS as u128 / u128::from(SENDERS);
    for index in 0..4 {
        assert_eq!(
            validators.lovelace(index, 9),
            KILLS as u128 * ADA,
            "validator {index}"
        );
        for sender in 1..=SENDERS {
            let left = validators.lovelace(index, sender);
            let spent = 1_000 * ADA - left;
            // One ADA each, and a fee each that is far below one.
            assert!(
                spent > each * ADA && spent < (each + 1) * ADA,
                "validator {index}, account {sender}: {spent}"
            );
        }
    }
    let block = |index: usize| {
        validators
            .get(index, &format!("/v1/blocks/{height}"))
            .unwrap()
    };
    for index in 1..4 {
        assert_eq!(block(index)["id"], block(0)["id"]);
        assert_eq!(block(index)["state_root"], block(0)["state_root"]);
    }
}
