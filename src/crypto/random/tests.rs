use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::*;

#[test]
fn one_seed_gives_one_sequence_and_another_seed_another() {
    let (first, again, other) = (SeededEntropy::new(7), SeededEntropy::new(7), SeededEntropy::new(8));
    let draw = |source: &dyn Entropy| (source.array::<5>().unwrap(), source.array::<64>().unwrap());
    assert_eq!(draw(&first), draw(&again));
    assert_ne!(draw(&first), draw(&other));
}

#[test]
fn the_systems_entropy_does_not_repeat() {
    let system: &dyn Entropy = &SystemEntropy;
    assert_ne!(system.array::<32>().unwrap(), system.array::<32>().unwrap());
}

#[test]
fn buffered_bytes_are_the_sources_each_once_and_in_order() {
    let buffered = BufferedEntropy::new(Arc::new(SeededEntropy::new(7)));
    let mut expected = [0; 3 * 4_096];
    SeededEntropy::new(7).fill(&mut expected).unwrap();
    let mut given = Vec::new();
    // 13 does not divide a page: what is left of one is dropped, never filled up.
    for _ in 0..3 * (4_096 / 13) {
        given.extend((&buffered as &dyn Entropy).array::<13>().unwrap());
    }
    let whole = expected.chunks(4_096).flat_map(|page| &page[..4_096 / 13 * 13]);
    assert!(given.iter().eq(whole));
}

#[test]
fn threads_share_a_buffer_and_no_bytes() {
    let buffered: Arc<dyn Entropy> = Arc::new(BufferedEntropy::new(Arc::new(SystemEntropy)));
    let draw =
        |buffered: Arc<dyn Entropy>| move || (0..2_000).map(|_| buffered.array::<16>().unwrap()).collect();
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw(Arc::clone(&buffered)))).collect();
    let drawn: Vec<Vec<[u8; 16]>> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let different: HashSet<_> = drawn.iter().flatten().collect();
    assert_eq!(different.len(), 8_000);
}

#[test]
fn a_source_that_fails_is_not_made_up_for() {
    struct Failing(Arc<AtomicBool>);
    impl Entropy for Failing {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.fill(1);
            if self.0.load(Ordering::SeqCst) { Err(EntropyError { reason: "a test".into() }) } else { Ok(()) }
        }
    }
    let fails = Arc::new(AtomicBool::new(false));
    let buffered = BufferedEntropy::new(Arc::new(Failing(Arc::clone(&fails))));
    let buffered: &dyn Entropy = &buffered;
    assert_eq!(buffered.array::<16>().unwrap(), [1; 16]);
    fails.store(true, Ordering::SeqCst);
    for _ in 0..(4_096 - 16) / 16 {
        assert_eq!(buffered.array::<16>().unwrap(), [1; 16], "drawn before");
    }
    buffered.array::<16>().unwrap_err();
    buffered.array::<16>().unwrap_err();
    fails.store(false, Ordering::SeqCst);
    assert_eq!(buffered.array::<16>().unwrap(), [1; 16]);
}
