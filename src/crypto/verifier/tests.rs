use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use super::*;

const ONE: NonZeroUsize = NonZeroUsize::MIN;
/// Cheap enough to run in a test: `password`, `somesalt`, from the test vectors of the reference
/// implementation.
const REFERENCE: &str =
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
const REFERENCE_2_LANES: &str =
    "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc";
/// More memory than a thread's own buffer; as above.
const REFERENCE_64_MIB: &str =
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

/// Polls once: a request takes its place, or is refused, in its first poll.
fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn a_hash_is_a_phc_string_that_verifies_its_secret_alone() {
    let pool = Argon2Pool::new(ONE, 1).unwrap();
    let phc = pool.hash(secret("correct horse"), *b"0123456789abcdef").await.unwrap();
    assert_eq!(
        phc,
        "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$rk2Mi3E4dgRMg0fHaYaptWVZRKqs//6b6k3/nntqGJk"
    );
    assert_eq!(pool.verify(secret("correct horse"), phc.clone()).await, Ok(true));
    assert_eq!(pool.verify(secret("correct horsf"), phc).await, Ok(false));
}

#[tokio::test]
async fn verifiers_with_other_costs_are_computed_at_their_own() {
    let pool = Argon2Pool::new(ONE, 1).unwrap();
    for phc in [REFERENCE, REFERENCE_2_LANES, REFERENCE_64_MIB] {
        assert_eq!(pool.verify(secret("password"), phc.to_owned()).await, Ok(true), "{phc}");
    }
    assert_eq!(pool.verify(secret("passwore"), REFERENCE.to_owned()).await, Ok(false));
}

#[test]
fn a_hostile_verifier_is_refused_before_it_costs_anything() {
    use UnsupportedVerifier::{Algorithm, Malformed, ShortHash, TooCostly};
    let refusals = [
        (String::new(), Malformed),
        ("password".to_owned(), Malformed),
        ("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ".to_owned(), Malformed),
        (format!("{REFERENCE}{}", "A".repeat(300)), Malformed),
        (REFERENCE.replace("m=256", "m=7"), Malformed),
        (REFERENCE.replace("t=2", "t=0"), Malformed),
        (REFERENCE.replace("argon2id", "argon2i"), Algorithm),
        (REFERENCE.replace("argon2id", "scrypt"), Algorithm),
        (REFERENCE.replace("v=19", "v=16"), Algorithm),
        (REFERENCE.replace("$v=19", ""), Algorithm),
        (REFERENCE.replace("m=256", "m=65537"), TooCostly),
        (REFERENCE.replace("m=256", "m=4294967295"), TooCostly),
        (REFERENCE.replace("t=2", "t=11"), TooCostly),
        (REFERENCE.replace("p=1", "p=5"), TooCostly),
        ("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAA".to_owned(), ShortHash),
        (REFERENCE.replace("c29tZXNhbHQ", "c29t"), Malformed),
    ];
    for (phc, refusal) in refusals {
        assert_eq!(Verifier::parse(&phc).map(|_| ()), Err(refusal), "{phc}");
    }
}

#[tokio::test]
async fn a_full_pool_answers_busy_at_once_and_has_room_again_after() {
    let pool = Argon2Pool::new(ONE, 2).unwrap();
    let verify = || pool.verify(secret("password"), REFERENCE.to_owned());
    let taken = Arc::clone(&pool.places).try_acquire_many_owned(3).unwrap();
    assert_eq!(pool.places.available_permits(), 0);
    assert_eq!(poll_once(pin!(verify())), Poll::Ready(Err(VerifierError::Busy)));
    drop(taken);
    assert_eq!(verify().await, Ok(true));
}

#[tokio::test]
async fn who_has_an_answer_finds_room_for_the_next_request() {
    let pool = Argon2Pool::new(ONE, 0).unwrap();
    for _ in 0..50 {
        assert_eq!(pool.verify(secret("password"), REFERENCE.to_owned()).await, Ok(true));
    }
}

#[tokio::test]
async fn a_refused_verifier_takes_no_place() {
    let pool = Argon2Pool::new(ONE, 0).unwrap();
    let _taken = Arc::clone(&pool.places).try_acquire_owned().unwrap();
    let refusal = VerifierError::Unsupported(UnsupportedVerifier::Malformed);
    assert_eq!(pool.verify(secret("password"), "none".to_owned()).await, Err(refusal));
}

#[test]
fn dropping_the_pool_ends_its_threads_and_abandoned_requests() {
    let pool = Argon2Pool::new(NonZeroUsize::new(2).unwrap(), 8).unwrap();
    let places = Arc::clone(&pool.places);
    for _ in 0..10 {
        // Dropped as soon as it is queued.
        let _ = poll_once(pin!(pool.hash(secret("abandoned"), [0; 16])));
    }
    drop(pool);
    // Every job is gone, and no thread is left to hold one.
    assert_eq!((places.available_permits(), Arc::strong_count(&places)), (10, 1));
}
