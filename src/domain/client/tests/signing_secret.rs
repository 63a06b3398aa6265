use super::*;

#[test]
fn o4_the_signing_secret_is_rotated_by_itself() {
    let rotated = ClientEvent::SigningSecretRotated(SigningSecretRotated {
        signing_secret: issued_signing("sign2"),
        replaced_id: id("sign1"),
        overlap_seconds: 0,
        replaced_expires_at: None,
    });
    assert_eq!(event(given(&[]), 1, rotate_signing("sign2", 0)), rotated);
    let now = registration(&[(1, rotated)]);
    assert_eq!((&now.signing_secret.id, now.signing_secret.created_at), (&id("sign2"), after(1)));
    assert_eq!(now.secrets, registration(&[]).secrets);
    assert_eq!(now.previous_signing_secret(after(1)), None);
}

#[test]
fn o4_each_reveal_is_an_event_and_changes_nothing() {
    let revealed =
        ClientEvent::SigningSecretRevealed(SigningSecretRevealed { signing_secret_id: id("sign1") });
    assert_eq!(event(given(&[]), 1, ClientCommand::RevealSigningSecret), revealed);
    assert_eq!(event(given(&[(1, revealed.clone())]), 2, ClientCommand::RevealSigningSecret), revealed);
    assert_eq!(registration(&[(1, revealed)]), registration(&[]));
}

#[test]
fn o4_a_rotated_signing_secret_verifies_until_its_overlap_ends() {
    let rotated = event(given(&[]), 10, rotate_signing("sign2", 100));
    let since = [(10, rotated)];
    let client = registration(&since);
    let previous = client.previous_signing_secret(after(109)).expect("the one before");
    assert_eq!((&previous.secret.id, previous.expires_at), (&id("sign1"), after(110)));
    assert_eq!(previous.secret.created_at, after(0));
    assert_eq!(client.previous_signing_secret(after(110)), None);
    let under_way = ClientError::RotationUnderWay { secret_id: id("sign2"), ends_at: after(110) };
    assert_eq!(error(given(&since), 20, rotate_signing("sign3", 1)), under_way);
    assert!(decided(given(&since), 110, rotate_signing("sign3", 1)).is_ok());
    let at_once = event(given(&since), 20, rotate_signing("sign3", 0));
    let since = [since[0].clone(), (20, at_once)];
    assert_eq!(registration(&since).previous_signing_secret(after(20)), None, "a leak ends both");
}

#[test]
fn o4_the_overlap_of_signing_secrets_is_within_the_policy_and_can_be_ended() {
    let too_long = rotate_signing("sign2", 90 * DAY + 1);
    assert_eq!(wrong(given(&[]), 1, too_long), at("/overlap_seconds", Rule::OutOfRange));
    let since = [(10, event(given(&[]), 10, rotate_signing("sign2", 100)))];
    let complete = || ClientCommand::CompleteSigningSecretRotation;
    let completed = event(given(&since), 20, complete());
    let expected = SigningSecretRotationCompleted { signing_secret_id: id("sign2"), ended_id: id("sign1") };
    assert_eq!(completed, ClientEvent::SigningSecretRotationCompleted(expected));
    let since = [since[0].clone(), (20, completed)];
    assert_eq!(registration(&since).previous_signing_secret(after(20)), None);
    assert_eq!(error(given(&since), 21, complete()), ClientError::NoRotation);
}
