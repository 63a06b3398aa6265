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
