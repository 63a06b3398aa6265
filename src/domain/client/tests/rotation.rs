use super::{
    secrets::{revoke, rotate, rotated, states, was_issued, was_issued_as, was_revoked},
    *,
};

fn complete(name: &str) -> ClientCommand {
    ClientCommand::CompleteRotation(EndRotation { secret_id: id(name), allow_lockout: false })
}

fn cancel(name: &str) -> ClientCommand {
    ClientCommand::CancelRotation(EndRotation { secret_id: id(name), allow_lockout: false })
}

/// A rotation to `new` at second 10 that ends at second 110.
fn under_way(before: &[(u32, ClientEvent)]) -> Vec<(u32, ClientEvent)> {
    let rotation = event(given(before), 10, rotate(minted("new"), 100));
    before.iter().cloned().chain([(10, rotation)]).collect()
}

#[test]
fn o5_a_rotation_is_under_way_until_its_overlap_ends() {
    let since = under_way(&[]);
    let client = registration(&since);
    let rotation = client.rotation(after(109)).expect("a rotation");
    assert_eq!((&rotation.secret_id, rotation.ends_at), (&id("new"), after(110)));
    assert_eq!(rotation.replaces, [id("first")]);
    assert_eq!(client.rotation(after(110)), None);
    let at_once = rotated(event(given(&[]), 10, rotate(minted("new"), 0)));
    assert_eq!(registration(&[(10, ClientEvent::SecretRotated(at_once))]).rotation(after(10)), None);
    let ended = [since[0].clone(), was_revoked("first", 20)];
    assert_eq!(registration(&ended).rotation(after(20)), None, "nothing is left to replace");
}

#[test]
fn o5_a_rotation_is_completed_before_its_end() {
    let short = IssuedSecret { expires_at: Some(after(50)), ..issued("short", 1) };
    let since = under_way(&[was_issued_as(short, 1)]);
    let completed = event(given(&since), 20, complete("new"));
    let expected =
        RotationCompleted { secret_id: id("new"), ended: vec![id("first"), id("short")], lockout: false };
    assert_eq!(completed, ClientEvent::RotationCompleted(expected), "also what would end by itself");
    let since: Vec<_> = since.into_iter().chain([(20, completed)]).collect();
    let client = registration(&since);
    assert_eq!(client.live_secrets(after(20)).map(|secret| &secret.id).collect::<Vec<_>>(), [&id("new")]);
    assert_eq!(client.rotation(after(20)), None);
    assert_eq!(error(given(&since), 21, complete("new")), ClientError::NoRotation);
}

#[test]
fn o5_a_cancelled_rotation_gives_the_old_secrets_their_time_back() {
    let never = IssuedSecret { expires_at: None, ..issued("never", 1) };
    let since = under_way(&[was_issued_as(never, 1), was_issued("gone", 1)]);
    let since: Vec<_> = since.into_iter().chain([was_revoked("gone", 15)]).collect();
    let cancelled = event(given(&since), 20, cancel("new"));
    let restored = vec![
        ExpiryRestored { id: id("first"), old: after(110), new: Some(after(YEAR)) },
        ExpiryRestored { id: id("never"), old: after(110), new: None },
    ];
    let expected = RotationCancelled { secret_id: id("new"), restored, lockout: false };
    assert_eq!(cancelled, ClientEvent::RotationCancelled(expected), "what was revoked stays so");
    let since: Vec<_> = since.into_iter().chain([(20, cancelled)]).collect();
    assert_eq!(registration(&since).secrets[0].expires_at, Some(after(YEAR)));
    let active: Vec<_> =
        states(&since, 200).into_iter().filter(|(_, state)| *state == SecretState::Active).collect();
    assert_eq!(active.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), ["first", "never"]);
    assert_eq!(registration(&since).rotation(after(20)), None);
}

#[test]
fn o5_an_end_that_was_moved_since_stays_where_it_is() {
    let moved = ClientCommand::ChangeSecret(ChangeSecret {
        secret_id: id("first"),
        label: None,
        expires_at: Some(after(60)),
    });
    let since = under_way(&[]);
    let moved = event(given(&since), 15, moved);
    let since: Vec<_> = since.into_iter().chain([(15, moved)]).collect();
    let ClientEvent::RotationCancelled(cancelled) = event(given(&since), 20, cancel("new")) else {
        panic!("a cancellation")
    };
    assert_eq!(cancelled.restored, []);
}

#[test]
fn o5_a_rotation_that_is_over_is_neither_completed_nor_cancelled() {
    let since = under_way(&[]);
    for command in [complete, cancel] {
        assert_eq!(error(given(&since), 110, command("new")), ClientError::NoRotation);
        assert_eq!(error(given(&since), 20, command("first")), ClientError::NoRotation);
        assert_eq!(error(given(&since), 20, command("other")), ClientError::NoSuchSecret(id("other")));
        assert_eq!(error(given(&[]), 20, command("first")), ClientError::NoRotation);
    }
}

#[test]
fn o5_ending_a_rotation_locks_nobody_out_by_accident() {
    let pending = NewSecret { not_before: Some(after(50)), ..minted("new") };
    let since = [(10, event(given(&[]), 10, rotate(pending, 100)))];
    assert_eq!(error(given(&since), 20, complete("new")), ClientError::LastSecret(id("first")));
    assert!(decided(given(&since), 50, complete("new")).is_ok(), "the new one works by now");
    let meant = ClientCommand::CompleteRotation(EndRotation { secret_id: id("new"), allow_lockout: true });
    let ClientEvent::RotationCompleted(completed) = event(given(&since), 20, meant) else {
        panic!("a completion")
    };
    assert!(completed.lockout);
    let not_yet = was_issued_as(IssuedSecret { not_before: Some(after(90)), ..issued("late", 1) }, 1);
    let since = under_way(&[not_yet, was_revoked("first", 2)]);
    assert_eq!(error(given(&since), 20, cancel("new")), ClientError::LastSecret(id("new")));
    assert_eq!(error(given(&since), 20, revoke("new")), ClientError::LastSecret(id("new")));
}
