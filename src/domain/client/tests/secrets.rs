use super::*;

pub(super) fn issue(secret: NewSecret) -> ClientCommand {
    ClientCommand::IssueSecret(IssueSecret { secret, policy: policy() })
}

pub(super) fn rotate(secret: NewSecret, overlap_seconds: u32) -> ClientCommand {
    ClientCommand::RotateSecret(RotateSecret { secret, overlap_seconds, policy: policy() })
}

pub(super) fn revoke(name: &str) -> ClientCommand {
    ClientCommand::RevokeSecret(RevokeSecret { secret_id: id(name), allow_lockout: false })
}

fn revoke_even_the_last(name: &str) -> ClientCommand {
    ClientCommand::RevokeSecret(RevokeSecret { secret_id: id(name), allow_lockout: true })
}

pub(super) fn was_issued(name: &str, at: u32) -> (u32, ClientEvent) {
    (at, ClientEvent::SecretIssued(SecretIssued { secret: issued(name, at) }))
}

pub(super) fn was_issued_as(secret: IssuedSecret, at: u32) -> (u32, ClientEvent) {
    (at, ClientEvent::SecretIssued(SecretIssued { secret }))
}

pub(super) fn was_revoked(name: &str, at: u32) -> (u32, ClientEvent) {
    (at, ClientEvent::SecretRevoked(SecretRevoked { secret_id: id(name), lockout: false }))
}

pub(super) fn rotated(event: ClientEvent) -> SecretRotated {
    let ClientEvent::SecretRotated(rotated) = event else { panic!("not a rotation: {event:?}") };
    rotated
}

/// What the log says of a further secret that is asked for at second `at`.
fn issued_from(secret: NewSecret, at: u32) -> IssuedSecret {
    let event = event(given(&[]), at, issue(secret));
    let ClientEvent::SecretIssued(issued) = event else { panic!("not an issue: {event:?}") };
    issued.secret
}

pub(super) fn states(since: &[(u32, ClientEvent)], at: u32) -> Vec<(String, SecretState)> {
    registration(since)
        .secrets
        .iter()
        .map(|secret| (secret.id.to_string(), secret.state(after(at))))
        .collect()
}

fn state_of(since: &[(u32, ClientEvent)], name: &str, at: u32) -> SecretState {
    states(since, at).into_iter().find(|(id, _)| id == name).expect(name).1
}

#[test]
fn l4_a_secret_expires() {
    let secret = &registration(&[]).secrets[0];
    assert_eq!(secret.state(after(YEAR - 1)), SecretState::Active);
    assert_eq!(secret.state(after(YEAR)), SecretState::Expired, "from its end on, not after it");
    let never = Secret { expires_at: None, ..secret.clone() };
    assert_eq!(never.state(Timestamp::MAX), SecretState::Active);
}

#[test]
fn l4_a_further_secret_leaves_the_others_alone() {
    assert_eq!(event(given(&[]), 10, issue(minted("second"))), was_issued("second", 10).1);
    let since = [was_issued("second", 10)];
    assert_eq!(registration(&since).live_secrets(after(10)).count(), 2);
    assert_eq!(registration(&since).secrets[0], registration(&[]).secrets[0]);
    assert_eq!(registration(&since).secrets[1].created_at, after(10));
}

#[test]
fn l4_a_lifetime_is_within_the_policy() {
    let lives = |seconds| NewSecret { expires_in_seconds: Some(seconds), ..minted("second") };
    for seconds in [0, 2 * YEAR + 1] {
        assert_eq!(wrong(given(&[]), 1, issue(lives(seconds))), at("/expires_in_seconds", Rule::OutOfRange));
        assert_eq!(
            wrong(given(&[]), 1, rotate(lives(seconds), 0)),
            at("/expires_in_seconds", Rule::OutOfRange)
        );
    }
    assert_eq!(issued_from(lives(2 * YEAR), 1).expires_at, Some(after(1 + 2 * YEAR)));
}

#[test]
fn l4_a_label_is_trimmed_and_can_be_read() {
    let labelled = |label: &str| NewSecret { label: Some(label.into()), ..minted("second") };
    assert_eq!(issued_from(labelled("  build server\t"), 1).label.as_deref(), Some("build server"));
    for (label, rule) in
        [("  ", Rule::Required), ("a\nb", Rule::ControlCharacter), (&*"x".repeat(101), Rule::TooLong)]
    {
        assert_eq!(wrong(given(&[]), 1, issue(labelled(label))), at("/label", rule));
    }
}

#[test]
fn l4_a_secret_can_begin_later() {
    let later = NewSecret { not_before: Some(after(100)), ..minted("second") };
    let begun = event(given(&[]), 1, issue(later));
    let since = [(1, begun)];
    assert_eq!(state_of(&since, "second", 99), SecretState::Pending);
    assert_eq!(state_of(&since, "second", 100), SecretState::Active);
    assert_eq!(registration(&since).live_secrets(after(99)).count(), 1);
    assert!(registration(&since).secrets[1].usable(after(99)), "a revocation must be able to end it");
}

#[test]
fn l4_a_secret_begins_before_it_ends() {
    let begins =
        |at: u32| NewSecret { not_before: Some(after(at)), expires_in_seconds: Some(50), ..minted("second") };
    for start in [51, 52, YEAR] {
        assert_eq!(
            wrong(given(&[]), 1, issue(begins(start))),
            at("/not_before", Rule::Contradiction),
            "{start}"
        );
    }
    assert!(decided(given(&[]), 1, issue(begins(50))).is_ok());
    let by_default = NewSecret { not_before: Some(after(1 + YEAR)), ..minted("second") };
    assert_eq!(wrong(given(&[]), 1, issue(by_default)), at("/not_before", Rule::Contradiction));
    let both = NewSecret { not_before: Some(after(9)), expires_in_seconds: Some(0), ..minted("second") };
    assert_eq!(wrong(given(&[]), 1, issue(both)), at("/expires_in_seconds", Rule::OutOfRange));
}

#[test]
fn l4_a_start_that_has_passed_is_none_and_a_fine_one_is_cut() {
    let begins =
        |start| issued_from(NewSecret { not_before: Some(start), ..minted("second") }, 10).not_before;
    assert_eq!(begins(after(10)), None);
    assert_eq!(begins(Timestamp::MIN), None);
    assert_eq!(
        begins(after(11) + SignedDuration::from_nanos(999)),
        Some(after(11)),
        "as the log will give it back"
    );
}

#[test]
fn o5_a_rotation_without_overlap_stops_the_others_at_once() {
    let pending = was_issued_as(IssuedSecret { not_before: Some(after(500)), ..issued("pending", 1) }, 1);
    let before = [was_issued("second", 1), pending, was_issued("third", 1), was_revoked("third", 2)];
    let event = event(given(&before), 10, rotate(minted("new"), 0));
    let expected = SecretRotated {
        secret: issued("new", 10),
        overlap_seconds: 0,
        revoked: vec![id("first"), id("second"), id("pending")],
        expiring: vec![],
    };
    assert_eq!(event, ClientEvent::SecretRotated(expected));
    let since: Vec<_> = before.into_iter().chain([(10, event)]).collect();
    let live = registration(&since);
    assert_eq!(live.live_secrets(after(10)).map(|secret| secret.id.to_string()).collect::<Vec<_>>(), ["new"]);
    assert_eq!(live.secrets[0].revoked_at, Some(after(10)));
    assert_eq!(live.secrets[3].revoked_at, Some(after(2)), "what was revoked before keeps its time");
    assert_eq!(state_of(&since, "pending", 500), SecretState::Revoked);
}

#[test]
fn o5_a_rotation_with_overlap_lets_both_work_until_then() {
    let short = IssuedSecret { expires_at: Some(after(50)), ..issued("short", 1) };
    let never = IssuedSecret { expires_at: None, ..issued("never", 1) };
    let before = [was_issued_as(short, 1), was_issued_as(never, 1)];
    let rotation = rotated(event(given(&before), 10, rotate(minted("new"), 100)));
    assert_eq!(rotation.revoked, []);
    assert_eq!(
        rotation.expiring,
        [
            ExpiryMoved { id: id("first"), old: Some(after(YEAR)), new: after(110) },
            ExpiryMoved { id: id("never"), old: None, new: after(110) },
        ],
        "what ends before the overlap does keeps its own end"
    );
    let since: Vec<_> = before.into_iter().chain([(10, ClientEvent::SecretRotated(rotation))]).collect();
    assert_eq!(registration(&since).live_secrets(after(49)).count(), 4);
    assert_eq!(registration(&since).live_secrets(after(109)).count(), 3);
    assert_eq!(registration(&since).live_secrets(after(110)).count(), 1);
    assert_eq!(registration(&since).secrets[1].expires_at, Some(after(50)));
}

#[test]
fn o5_a_second_overlap_waits_for_the_first_and_names_it() {
    let before = [(10, event(given(&[]), 10, rotate(minted("new"), 100)))];
    let under_way = ClientError::RotationUnderWay { secret_id: id("new"), ends_at: after(110) };
    for overlap_seconds in [1, 30, 1_000] {
        assert_eq!(error(given(&before), 20, rotate(minted("newer"), overlap_seconds)), under_way);
    }
    assert!(decided(given(&before), 20, issue(minted("newer"))).is_ok(), "one beside them replaces nothing");
    let at_once = rotated(event(given(&before), 20, rotate(minted("newer"), 0)));
    assert_eq!(at_once.revoked, [id("first"), id("new")], "a leak ends them all");
    let next = rotated(event(given(&before), 110, rotate(minted("newer"), 30)));
    assert_eq!(
        next.expiring,
        [ExpiryMoved { id: id("new"), old: Some(after(10 + YEAR)), new: after(140) }],
        "what has ended gets no time back"
    );
}

#[test]
fn o5_a_stored_rotation_moves_no_end_later_and_no_revocation() {
    let moved = SecretRotated {
        secret: issued("new", 2),
        overlap_seconds: 1,
        revoked: vec![id("gone")],
        expiring: vec![ExpiryMoved { id: id("first"), old: Some(after(YEAR)), new: after(3 * YEAR) }],
    };
    let since = [was_issued("gone", 1), was_revoked("gone", 1), (2, ClientEvent::SecretRotated(moved))];
    assert_eq!(registration(&since).secrets[0].expires_at, Some(after(YEAR)));
    assert_eq!(registration(&since).secrets[1].revoked_at, Some(after(1)));
}

#[test]
fn o5_an_overlap_is_within_the_policy() {
    let too_long = 90 * DAY + 1;
    assert_eq!(
        wrong(given(&[]), 1, rotate(minted("new"), too_long)),
        at("/overlap_seconds", Rule::OutOfRange)
    );
    assert!(decided(given(&[]), 1, rotate(minted("new"), 90 * DAY)).is_ok());
    let unlabelled = NewSecret { label: Some(String::new()), ..minted("new") };
    assert_eq!(
        wrong(given(&[]), 1, rotate(unlabelled, too_long)),
        [("/label".to_owned(), Rule::Required), ("/overlap_seconds".to_owned(), Rule::OutOfRange)],
        "all of it at once"
    );
}

#[test]
fn o5_a_rotation_leaves_no_gap() {
    let begins = |at: u32| NewSecret { not_before: Some(after(at)), ..minted("new") };
    assert_eq!(wrong(given(&[]), 1, rotate(begins(2), 0)), at("/not_before", Rule::Contradiction));
    assert_eq!(wrong(given(&[]), 1, rotate(begins(12), 10)), at("/not_before", Rule::Contradiction));
    assert!(decided(given(&[]), 1, rotate(begins(11), 10)).is_ok());
    assert!(decided(given(&[]), 1, rotate(begins(1), 0)).is_ok());
    let nothing_works = [was_revoked("first", 1)];
    assert!(
        decided(given(&nothing_works), 2, rotate(begins(50), 0)).is_ok(),
        "there is nothing to interrupt"
    );
}

#[test]
fn o5_a_rotation_works_when_nothing_is_left() {
    let rotation = rotated(event(given(&[]), YEAR, rotate(minted("new"), 0)));
    assert_eq!(
        (rotation.revoked, rotation.expiring),
        (vec![], vec![]),
        "the expired one needs no revocation"
    );
}

#[test]
fn l5_a_single_secret_is_revoked() {
    let before = [was_issued("second", 1)];
    let revoked = ClientEvent::SecretRevoked(SecretRevoked { secret_id: id("first"), lockout: false });
    assert_eq!(event(given(&before), 2, revoke("first")), revoked);
    let since = [was_issued("second", 1), (2, revoked)];
    assert_eq!(
        states(&since, 2),
        [("first".into(), SecretState::Revoked), ("second".into(), SecretState::Active)]
    );
    assert_eq!(error(given(&since), 3, revoke("first")), ClientError::SecretNotUsable(id("first")));
    assert_eq!(error(given(&[]), YEAR, revoke("first")), ClientError::SecretNotUsable(id("first")));
    assert_eq!(error(given(&[]), 1, revoke("other")), ClientError::NoSuchSecret(id("other")));
}

#[test]
fn l5_the_last_secret_is_revoked_only_if_that_is_meant() {
    assert_eq!(error(given(&[]), 1, revoke("first")), ClientError::LastSecret(id("first")));
    let locked_out = ClientEvent::SecretRevoked(SecretRevoked { secret_id: id("first"), lockout: true });
    assert_eq!(event(given(&[]), 1, revoke_even_the_last("first")), locked_out);
    let inactive = [(1, ClientEvent::Deactivated(status(Status::Active, Status::Inactive)))];
    assert_eq!(error(given(&inactive), 2, revoke("first")), ClientError::LastSecret(id("first")));
    let two = [was_issued("second", 1), inactive[0].clone()];
    assert!(decided(given(&two), 2, revoke("first")).is_ok(), "the other one works once the client does");
}

#[test]
fn l5_a_secret_that_does_not_work_yet_is_no_substitute() {
    let pending = was_issued_as(IssuedSecret { not_before: Some(after(500)), ..issued("pending", 1) }, 1);
    assert_eq!(
        error(given(std::slice::from_ref(&pending)), 2, revoke("first")),
        ClientError::LastSecret(id("first"))
    );
    assert!(decided(given(std::slice::from_ref(&pending)), 2, revoke("pending")).is_ok());
    assert!(decided(given(&[pending]), 500, revoke("first")).is_ok());
    let short = was_issued_as(IssuedSecret { expires_at: Some(after(5)), ..issued("short", 1) }, 1);
    assert_eq!(error(given(&[short]), 5, revoke("first")), ClientError::LastSecret(id("first")));
}

#[test]
fn l4_a_client_has_at_most_ten_usable_secrets() {
    let ten: Vec<_> = (1..10).map(|n| was_issued(&format!("s{n}"), n)).collect();
    let too_many = ClientError::TooManySecrets { most: 10 };
    assert!(decided(given(&ten[..8]), 20, issue(minted("new"))).is_ok());
    assert_eq!(error(given(&ten), 20, issue(minted("new"))), too_many);
    assert_eq!(error(given(&ten), 20, rotate(minted("new"), 1)), too_many, "all of them would go on working");
    assert_eq!(rotated(event(given(&ten), 20, rotate(minted("new"), 0))).revoked.len(), 10);
    let fewer: Vec<_> = ten.iter().cloned().chain([was_revoked("s3", 15)]).collect();
    assert!(decided(given(&fewer), 20, issue(minted("new"))).is_ok());
    assert!(decided(given(&ten), YEAR, issue(minted("new"))).is_ok(), "the first one has expired");
}

#[test]
fn l2_a_public_client_gets_no_secrets() {
    let public = || given_created(public(), &[]);
    assert_eq!(error(public(), 1, issue(minted("new"))), ClientError::PublicClient);
    assert_eq!(error(public(), 1, rotate(minted("new"), 0)), ClientError::PublicClient);
    assert_eq!(error(public(), 1, revoke_even_the_last("first")), ClientError::NoSuchSecret(id("first")));
    assert!(decided(public(), 1, rotate_signing("sign2", 0)).is_ok());
}

#[test]
fn o6_an_inactive_client_can_be_given_new_secrets() {
    let inactive = [(1, ClientEvent::Deactivated(status(Status::Active, Status::Inactive)))];
    for command in [issue(minted("new")), rotate(minted("new"), 0), rotate_signing("s", 0)] {
        assert!(
            decided(given(&inactive), 2, command).is_ok(),
            "a leak is mended before the client is enabled again"
        );
    }
}

fn change(label: Option<Option<&str>>, expires_at: Option<u32>) -> ClientCommand {
    ClientCommand::ChangeSecret(ChangeSecret {
        secret_id: id("first"),
        label: label.map(|label| label.map(str::to_owned)),
        expires_at: expires_at.map(after),
    })
}

#[test]
fn l5_a_secret_gets_another_label_or_an_earlier_end() {
    let changed = ClientEvent::SecretChanged(SecretChanged {
        secret_id: id("first"),
        label: Some(Change::new(None, Some("blue".into()))),
        expires_at: Some(ExpiryChanged { old: Some(after(YEAR)), new: after(100) }),
    });
    assert_eq!(event(given(&[]), 1, change(Some(Some(" blue ")), Some(100))), changed);
    let since = [(1, changed)];
    let secret = &registration(&since).secrets[0];
    assert_eq!((secret.label.as_deref(), secret.expires_at), (Some("blue"), Some(after(100))));
    assert_eq!(decided(given(&since), 2, change(Some(Some("blue")), Some(100))), Ok(vec![]), "as it is");
    let ClientEvent::SecretChanged(unnamed) = event(given(&since), 2, change(Some(None), None)) else {
        panic!("a change")
    };
    assert_eq!(unnamed.label, Some(Change::new(Some("blue".into()), None)));
}

#[test]
fn l5_a_secret_never_gets_more_time_and_is_not_ended_by_its_expiry() {
    for end in [YEAR + 1, 1, 0] {
        let broken = wrong(given(&[]), 1, change(None, Some(end)));
        assert_eq!(broken, at("/expires_at", Rule::OutOfRange), "{end}");
    }
    assert_eq!(wrong(given(&[]), 1, change(Some(Some("")), None)), at("/label", Rule::Required));
    let pending = IssuedSecret { not_before: Some(after(500)), ..issued("pending", 1) };
    let command = ClientCommand::ChangeSecret(ChangeSecret {
        secret_id: id("pending"),
        label: None,
        expires_at: Some(after(500)),
    });
    let before = [was_issued_as(pending, 1)];
    assert_eq!(wrong(given(&before), 2, command), at("/expires_at", Rule::Contradiction));
    let ended = error(given(&[]), YEAR, change(Some(Some("blue")), None));
    assert_eq!(ended, ClientError::SecretNotUsable(id("first")));
}

#[test]
fn l4_a_leaked_secret_is_stopped_even_if_it_is_the_last() {
    let report = || ClientCommand::ReportLeakedSecret(id("first"));
    let events = decided(given(&[]), 1, report()).expect("events");
    let expected = [
        ClientEvent::SecretLeakReported(SecretLeakReported { secret_id: id("first") }),
        ClientEvent::SecretRevoked(SecretRevoked { secret_id: id("first"), lockout: true }),
    ];
    assert_eq!(events, expected);
    let since: Vec<_> = events.into_iter().map(|event| (1, event)).collect();
    assert_eq!(
        error(given(&since), 2, report()),
        ClientError::SecretNotUsable(id("first")),
        "once is enough"
    );
    let unknown = ClientCommand::ReportLeakedSecret(id("other"));
    assert_eq!(error(given(&[]), 1, unknown), ClientError::NoSuchSecret(id("other")));
}

#[test]
fn l4_of_the_secrets_that_ended_the_newest_are_kept() {
    let mut since = Vec::new();
    for number in 0..300 {
        let second = number + 1;
        let secret = issued(&format!("s{number}"), second);
        let revoked = vec![if number == 0 { id("first") } else { id(&format!("s{}", number - 1)) }];
        let rotation = SecretRotated { secret, overlap_seconds: 0, revoked, expiring: vec![] };
        since.push((second, ClientEvent::SecretRotated(rotation)));
    }
    let secrets = registration(&since).secrets;
    assert_eq!(secrets.len(), 201, "the one that works, and 200 that did");
    assert_eq!((&secrets[0].id, &secrets[200].id), (&id("s99"), &id("s299")));
}
