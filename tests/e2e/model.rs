//! Whole histories, drawn at random, held against a model of the registry.

#[test]
fn a1_a_registry_does_what_its_model_does_whatever_is_drawn() {
    tests::model::play(6, 40);
}
