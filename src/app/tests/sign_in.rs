//! Signing in, sessions, and how guesses are stopped.

use crypto::{CHALLENGE_BYTES, PasskeyAssertion, RelyingParty, TestAuthenticator};
use domain::{MemberId, SecretId};
use store::{ActivityFilter, ActivityLog, ActivityPage};

use super::*;

const PASSWORD: &str = "a password of hers";
const EMAIL: &str = "ada@members.example";
const HERE: &str = "203.0.113.7";
const ELSEWHERE: &str = "198.51.100.7";

impl Node {
    async fn enrol(&self, email: &str, password: Option<&str>) -> MemberId {
        let request = CreateMemberRequest {
            name: Personal::new("Ada Lovelace".into()),
            email: Personal::new(email.into()),
            roles: vec![RoleRequest { role: "administrator".into(), environments: None }],
            password: password.map(SecretString::from),
        };
        self.app.create_member(host(), request).await.expect("a member").member_id
    }

    async fn first_step(&self, address: &str, email: &str, password: &str) -> Result<SignedIn, SignInError> {
        let attempt = SignInAttempt {
            email: Personal::new(email.into()),
            password: password.into(),
            request_id: "r-1".into(),
            source: Some(Source { address: Personal::new(address.into()), user_agent: None }),
        };
        self.app.sign_in(attempt).await
    }

    async fn sign_in_from(
        &self,
        address: &str,
        email: &str,
        password: &str,
    ) -> Result<NewSession, SignInError> {
        match self.first_step(address, email, password).await? {
            SignedIn::Complete(session) => Ok(session),
            SignedIn::SecondFactor(pending) => panic!("asked for a second factor: {pending:?}"),
        }
    }

    /// The id of the verifier of a member's password.
    async fn password_of(&self, member_id: MemberId) -> String {
        let member = self.app.member(&host(), member_id).await.expect("a member");
        member.membership.password.expect("a password").id.to_string()
    }

    async fn signed_in(&self) -> NewSession {
        self.sign_in_from(HERE, EMAIL, PASSWORD).await.expect("a session")
    }

    async fn session(&self, signed_in: &NewSession) -> Option<Session> {
        self.app.session(signed_in.session.expose_secret()).await.expect("an answer")
    }

    /// Whether a session works.
    async fn session_of(&self, session: &Session) -> bool {
        self.app.inner.is_session_live(&session.id).await.expect("an answer")
    }

    /// Kind, reason and credential of each record, oldest first.
    async fn deeds(&self) -> Vec<(String, Option<String>, Option<String>)> {
        let page = ActivityPage { ascending: true, after: Position::ORIGIN, before: None, limit: 1_000 };
        let records = self.activity.read(&ActivityFilter::default(), page).await.expect("the activity");
        let deed = |record: store::RecordedActivity| {
            let store::Activity { kind, reason, credential, .. } = record.activity;
            (kind, reason, credential)
        };
        records.into_iter().map(deed).collect()
    }
}

fn deed(kind: &str, reason: Option<&str>, credential: &str) -> (String, Option<String>, Option<String>) {
    let credential = (!credential.is_empty()).then(|| credential.to_owned());
    (kind.to_owned(), reason.map(str::to_owned), credential)
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_member_signs_in_acts_and_signs_out_and_all_of_it_is_recorded() {
    let node = Node::start().await;
    let ada = node.enrol(EMAIL, Some(PASSWORD)).await;
    let password = node.password_of(ada).await;
    let signed_in = node.sign_in_from(HERE, " Ada@Members.example ", PASSWORD).await.expect("a session");
    assert!(signed_in.session.expose_secret().starts_with("mse_"));
    let session = node.session(&signed_in).await.expect("it works");
    assert_eq!((session.member_id, &session.id), (ada, &signed_in.session_id));
    assert_eq!(session.methods, [AuthenticationMethod::Password]);
    assert_eq!(session.principal.rights.permissions().len(), Permission::ALL.len());

    let context = Context { actor: Actor::Member(session.principal.clone()), ..host() };
    let created = node.app.create_client(context.clone(), sandbox(), request("Matter sync")).await;
    let client = created.expect("a client").client.client_id;
    let events = node.log.read_stream(&stream(client), Revision::NONE, 10).await.expect("its events");
    let actor = events[0].envelope().expect("an entry").actor;
    assert_eq!(actor.via.as_deref(), Some(format!("session:{}", session.id).as_str()));

    node.app.sign_out(&session, None, "r-2".into(), None).await.expect("an end");
    assert!(node.session(&signed_in).await.is_none());
    // What was on its way leaves nothing behind.
    let late = node.app.create_client(context, sandbox(), request("Too late")).await.expect_err("it is over");
    assert_eq!(late.slug(), "unauthenticated");
    let expected = [
        deed("sign_in", None, &password),
        deed("sign_out", None, ""),
        deed("member_authentication", Some("not_live"), ""),
    ];
    assert_eq!(node.deeds().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_whatever_is_wrong_is_one_answer_after_the_same_work() {
    let node = Node::start().await;
    let ada = node.enrol(EMAIL, Some(PASSWORD)).await;
    let bob = node.enrol("bob@members.example", Some(PASSWORD)).await;
    node.enrol("eve@members.example", None).await;
    node.app.deactivate_member(host(), bob).await.expect("a deactivation");
    let (of_ada, of_bob) = (node.password_of(ada).await, node.password_of(bob).await);
    let mut expected = Vec::new();
    for (email, password, reason, credential) in [
        (EMAIL, "another password", "wrong_password", of_ada.as_str()),
        (EMAIL, "", "wrong_password", &of_ada),
        ("nobody@members.example", PASSWORD, "unknown_member", ""),
        ("", "", "unknown_member", ""),
        ("eve@members.example", PASSWORD, "no_password", ""),
        ("bob@members.example", PASSWORD, "member_inactive", &of_bob),
        ("bob@members.example", "another password", "wrong_password", &of_bob),
    ] {
        let before = node.app.argon2_verifications();
        let refused = node.sign_in_from(HERE, email, password).await.expect_err(reason);
        assert!(matches!(refused, SignInError::Refused), "{email}: {refused:?}");
        assert_eq!(node.app.argon2_verifications() - before, 1, "{email}: {reason}");
        expected.push(deed("sign_in", Some(reason), credential));
    }
    assert_eq!(node.deeds().await, expected);
    // However it is composed, it is the same password.
    node.app.enable_member(host(), bob).await.expect("an end of it");
    let request = SetPasswordRequest { password: "caf\u{e9} au lait".into(), current_password: None };
    node.app.set_password(host(), bob, request).await.expect("a password");
    node.sign_in_from(HERE, "bob@members.example", "cafe\u{301} au\u{a0}lait").await.expect("a session");
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_session_ends_with_its_time_its_password_and_its_member() {
    let node = Node::start().await;
    let ada = node.enrol(EMAIL, Some(PASSWORD)).await;
    let set = async |password: &str| {
        let request = SetPasswordRequest { password: password.into(), current_password: None };
        node.app.set_password(host(), ada, request).await.expect("a password");
    };

    // Idle for too long; used in time; and at the end of its life.
    let idle = node.signed_in().await;
    node.clock.advance(SignedDuration::from_secs(2 * 3_600 - 1));
    assert!(node.session(&idle).await.is_some());
    node.clock.advance(SignedDuration::from_secs(2 * 3_600 - 1));
    assert!(node.session(&idle).await.is_some(), "it was used in the meantime");
    node.clock.advance(SignedDuration::from_secs(2 * 3_600));
    assert!(node.session(&idle).await.is_none());
    let used = node.signed_in().await;
    for _ in 0..11 {
        node.clock.advance(SignedDuration::from_hours(1));
        assert!(node.session(&used).await.is_some());
    }
    node.clock.advance(SignedDuration::from_hours(1));
    assert!(node.session(&used).await.is_none(), "twelve hours");

    // Another password, or none.
    let before = node.signed_in().await;
    set("another password of hers").await;
    assert!(node.session(&before).await.is_none());
    set(PASSWORD).await;
    assert!(node.session(&before).await.is_none(), "the same one is another one");
    let before = node.signed_in().await;
    node.app.remove_password(host(), ada, None).await.expect("none");
    assert!(node.session(&before).await.is_none());

    // A member who cannot act, and what it may do.
    set(PASSWORD).await;
    let signed_in = node.signed_in().await;
    let roles = vec![RoleRequest { role: "auditor".into(), environments: None }];
    node.app.change_roles(host(), ada, Some(IfMatch::Any), roles).await.expect("another role");
    let session = node.session(&signed_in).await.expect("still signed in");
    assert!(!session.principal.allows(Permission::MembersWrite, None), "roles are read anew");
    node.app.deactivate_member(host(), ada).await.expect("a deactivation");
    assert!(node.session(&signed_in).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_session_outlives_a_restart_and_what_ended_stays_ended() {
    let node = Node::start().await;
    node.enrol(EMAIL, Some(PASSWORD)).await;
    let (stays, ends) = (node.signed_in().await, node.signed_in().await);
    let session = node.session(&ends).await.expect("it works");
    node.app.sign_out(&session, None, "r-2".into(), None).await.expect("an end");
    for _ in 0..10 {
        node.sign_in_from(ELSEWHERE, EMAIL, "wrong").await.expect_err("wrong");
    }
    let node = node.reopened().await;
    assert!(node.session(&stays).await.is_some());
    assert!(node.session(&ends).await.is_none());
    let counted = node.sign_in_from(ELSEWHERE, EMAIL, PASSWORD).await.expect_err("too many");
    assert!(matches!(counted, SignInError::Throttled { .. }), "{counted:?}");
    // Whoever finds one reports it, and it ends.
    let found = node.signed_in().await;
    let text = SecretString::from(found.session.expose_secret());
    node.app.report_leaked_secrets(host(), vec![text]).await.expect("thanks");
    assert!(node.session(&found).await.is_none());
    // Not ours, another kind, altered, and of another key.
    let secret = stays.session.expose_secret();
    let other = if &secret[40..41] == "a" { "b" } else { "a" };
    let altered = format!("{}{other}{}", &secret[..40], &secret[41..]);
    let token = node.token.expose_secret();
    for text in ["", "mse_", "let me in", token, altered.as_str()] {
        assert!(node.app.session(text).await.expect("an answer").is_none(), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_who_guesses_is_stopped_and_locks_nobody_out_from_elsewhere() {
    let node = Node::start().await;
    node.enrol(EMAIL, Some(PASSWORD)).await;
    node.enrol("bob@members.example", Some(PASSWORD)).await;
    // A crowd at one moment is no more than one after another.
    let mut guesses = tokio::task::JoinSet::new();
    for number in 0..40 {
        let attempt = SignInAttempt {
            email: Personal::new(EMAIL.into()),
            password: format!("guess number {number}").into(),
            request_id: "r-1".into(),
            source: Some(Source { address: Personal::new(format!("203.0.113.{number}")), user_agent: None }),
        };
        let app = node.app.clone();
        guesses.spawn(async move { app.sign_in(attempt).await });
    }
    let mut refused = 0;
    for answer in guesses.join_all().await {
        match answer.expect_err("wrong") {
            SignInError::Refused => refused += 1,
            SignInError::Throttled { retry_after_seconds } => assert!(retry_after_seconds > 0),
            error @ (SignInError::Over | SignInError::Failed(_)) => panic!("{error}"),
        }
    }
    assert!(refused <= 10, "{refused}");
    while let Err(SignInError::Refused) = node.sign_in_from(HERE, EMAIL, "another guess").await {}
    let before = node.app.argon2_verifications();
    let throttled = node.sign_in_from(HERE, EMAIL, PASSWORD).await.expect_err("right, and too late");
    assert!(matches!(throttled, SignInError::Throttled { retry_after_seconds: 1..=900 }), "{throttled:?}");
    assert_eq!(node.app.argon2_verifications(), before, "a guess that is not tried costs nothing");
    // The honest member is elsewhere, and so is everybody else.
    node.sign_in_from(ELSEWHERE, EMAIL, PASSWORD).await.expect("from elsewhere");
    node.sign_in_from(HERE, "bob@members.example", PASSWORD).await.expect("somebody else");
    // A network that tries one name after another is stopped, too.
    for number in 0..90 {
        let email = format!("nobody{number}@members.example");
        node.sign_in_from(HERE, &email, "a guess").await.expect_err("nobody");
    }
    let throttled = node.sign_in_from(HERE, "bob@members.example", PASSWORD).await.expect_err("too many");
    assert!(matches!(throttled, SignInError::Throttled { .. }), "{throttled:?}");
    node.clock.advance(SignedDuration::from_mins(15));
    node.signed_in().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_the_current_password_is_guessed_no_more_often_than_at_a_sign_in() {
    let node = Node::start().await;
    node.enrol(EMAIL, Some(PASSWORD)).await;
    let session = node.session(&node.signed_in().await).await.expect("it works");
    let change = async |current: &str| {
        let source = Some(Source { address: Personal::new(HERE.into()), user_agent: None });
        let context = Context { actor: Actor::Member(session.principal.clone()), source, ..host() };
        let request = SetPasswordRequest {
            password: "another password of hers".into(),
            current_password: Some(current.into()),
        };
        node.app.set_password(context, session.member_id, request).await
    };
    for _ in 0..10 {
        assert_eq!(change("a guess").await.expect_err("wrong").slug(), "invalid_request");
    }
    assert_eq!(change(PASSWORD).await.expect_err("too many").slug(), "rate_limited");
    node.clock.advance(SignedDuration::from_mins(15));
    change(PASSWORD).await.expect("another password");
    assert!(change("another password of hers").await.is_err(), "the session ended with the password");
}

/// A device of a member, and the member's recovery codes.
struct Device {
    secret: SecretString,
    codes: Vec<SecretString>,
}

impl Node {
    fn shown_by(&self, secret: &SecretString) -> String {
        let now = u64::try_from(store::Clock::now(self.clock.as_ref()).as_second()).expect("a time");
        crypto::totp_code(secret, now).expect("a code")
    }

    async fn enrol_device(&self, member_id: MemberId) -> Device {
        let begun = self.app.begin_totp(host(), member_id, None).await.expect("an enrolment");
        let code = self.shown_by(&begun.secret);
        let request = ConfirmTotpRequest { enrolment_id: begun.enrolment_id.to_string(), code };
        let issued = self.app.confirm_totp(host(), member_id, request).await.expect("a device");
        Device { secret: begun.secret, codes: issued.codes.expect("codes") }
    }

    async fn pending(&self) -> PendingSignIn {
        match self.first_step(HERE, EMAIL, PASSWORD).await.expect("a first step") {
            SignedIn::SecondFactor(pending) => pending,
            SignedIn::Complete(session) => panic!("asked for nothing else: {session:?}"),
        }
    }

    async fn second_step(&self, pending: &PendingSignIn, code: &str) -> Result<NewSession, SignInError> {
        let attempt = SecondFactorAttempt {
            pending: pending.pending.expose_secret().into(),
            proof: SecondFactorProof::Code(code.into()),
            request_id: "r-1".into(),
            source: Some(Source { address: Personal::new(HERE.into()), user_agent: None }),
        };
        self.app.second_factor(attempt).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_member_with_a_device_signs_in_with_its_code_and_each_code_counts_once() {
    let node = Node::start().await;
    let ada = node.enrol(EMAIL, Some(PASSWORD)).await;
    let before = node.signed_in().await;
    let device = node.enrol_device(ada).await;
    assert!(
        node.session(&before).await.is_none(),
        "who began with the password alone could be who knows just that"
    );

    let pending = node.pending().await;
    assert!(node.app.session(pending.pending.expose_secret()).await.expect("an answer").is_none());
    // The code that proved the device is used up.
    let used = node.second_step(&pending, &node.shown_by(&device.secret)).await.expect_err("used");
    assert!(matches!(used, SignInError::Refused), "{used:?}");
    node.clock.advance(SignedDuration::from_secs(60));
    let code = node.shown_by(&device.secret);
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    let session = node.second_step(&pending, &spaced).await.expect("a session");
    let session = node.session(&session).await.expect("it works");
    assert_eq!(session.methods.iter().map(|method| method.as_str()).collect::<Vec<_>>(), ["pwd", "otp"]);
    let again = node.second_step(&pending, &code).await.expect_err("the first step is used up");
    assert!(matches!(again, SignInError::Over), "{again:?}");
    let again = node.second_step(&node.pending().await, &code).await.expect_err("the code is used up");
    assert!(matches!(again, SignInError::Refused), "{again:?}");

    // A code of half a minute ago counts, an older one does not.
    node.clock.advance(SignedDuration::from_secs(60));
    let pending = node.pending().await;
    let code = node.shown_by(&device.secret);
    node.clock.advance(SignedDuration::from_secs(90));
    node.second_step(&pending, &code).await.expect_err("too old");
    let code = node.shown_by(&device.secret);
    node.clock.advance(SignedDuration::from_secs(30));
    node.second_step(&pending, &code).await.expect("half a minute");

    // Waiting too long, and another password in between.
    let pending = node.pending().await;
    node.clock.advance(SignedDuration::from_mins(5));
    let over = node.second_step(&pending, &node.shown_by(&device.secret)).await.expect_err("too long");
    assert!(matches!(over, SignInError::Over), "{over:?}");
    let pending = node.pending().await;
    let request = SetPasswordRequest { password: PASSWORD.into(), current_password: None };
    node.app.set_password(host(), ada, request).await.expect("a password");
    let over = node.second_step(&pending, &node.shown_by(&device.secret)).await.expect_err("another one");
    assert!(matches!(over, SignInError::Over), "{over:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_recovery_code_counts_once_and_guesses_are_stopped() {
    let node = Node::start().await;
    let ada = node.enrol(EMAIL, Some(PASSWORD)).await;
    let device = node.enrol_device(ada).await;
    assert_eq!(device.codes.len(), 10);
    let code = device.codes[3].expose_secret().to_uppercase();
    node.second_step(&node.pending().await, &code).await.expect("a session");
    let node = node.reopened().await;
    let again = node.second_step(&node.pending().await, &code).await.expect_err("used");
    assert!(matches!(again, SignInError::Refused), "{again:?}");
    // Others in their place: of the old ones none counts.
    let others = node.app.issue_recovery_codes(host(), ada, None).await.expect("codes");
    let old = node.second_step(&node.pending().await, device.codes[4].expose_secret()).await;
    assert!(matches!(old, Err(SignInError::Refused)), "{old:?}");
    let new = others.codes.expect("codes");
    node.second_step(&node.pending().await, new[0].expose_secret()).await.expect("a session");
    // Two at one moment are one.
    let (one, other) = (node.pending().await, node.pending().await);
    let code = new[1].expose_secret();
    let (one, other) = tokio::join!(node.second_step(&one, code), node.second_step(&other, code));
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1, "{one:?} {other:?}");

    let pending = node.pending().await;
    while let Err(SignInError::Refused) = node.second_step(&pending, "000000").await {}
    let throttled = node.second_step(&pending, new[2].expose_secret()).await.expect_err("too many");
    assert!(matches!(throttled, SignInError::Throttled { .. }), "{throttled:?}");
    // Without the device, the password is enough again; nothing of it is left in the vault.
    node.app.remove_totp(host(), ada, None).await.expect("none");
    node.sign_in_from(ELSEWHERE, EMAIL, PASSWORD).await.expect("a session");
    let stored = node.log.credential_ids().await.expect("the vault");
    assert_eq!(stored.len(), 2, "the first admin's token and her password: {stored:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_device_is_enrolled_only_by_its_own_code_and_in_time() {
    let node = Node::start().await;
    let ada = node.enrol(EMAIL, Some(PASSWORD)).await;
    let bob = node.enrol("bob@members.example", None).await;
    let none = node.app.begin_totp(host(), bob, None).await.expect_err("it would be the only factor");
    assert_eq!(none.slug(), "no_password");
    let begun = node.app.begin_totp(host(), ada, None).await.expect("an enrolment");
    assert!(begun.uri.expose_secret().starts_with("otpauth://totp/"));
    let code = node.shown_by(&begun.secret);
    let other = if code == "000000" { "000001" } else { "000000" };
    for (member, id, code) in [
        (ada, begun.enrolment_id.to_string(), other),
        (ada, "0123".to_owned(), &code),
        (bob, begun.enrolment_id.to_string(), &code),
    ] {
        let request = ConfirmTotpRequest { enrolment_id: id, code: code.to_owned() };
        let refused = node.app.confirm_totp(host(), member, request).await.expect_err("wrong");
        assert_eq!(refused.slug(), "invalid_request");
    }
    node.signed_in().await;
    node.clock.advance(SignedDuration::from_mins(10));
    let code = node.shown_by(&begun.secret);
    let request = ConfirmTotpRequest { enrolment_id: begun.enrolment_id.to_string(), code };
    node.app.confirm_totp(host(), ada, request).await.expect_err("too late");
    // A member over itself has to know its password, unless it has just entered it.
    let session = node.session(&node.signed_in().await).await.expect("it works");
    let context = || Context { actor: Actor::Member(session.principal.clone()), ..host() };
    node.app.begin_totp(context(), ada, None).await.expect("an enrolment");
    node.clock.advance(SignedDuration::from_mins(10));
    assert!(!session.is_recent(node.log.now()));
    for current in [None, Some("wrong".into())] {
        let refused = node.app.begin_totp(context(), ada, current).await.expect_err("not proved");
        assert_eq!(refused.slug(), "invalid_request");
    }
    node.app.begin_totp(context(), ada, Some(PASSWORD.into())).await.expect("an enrolment");
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_who_enrols_a_device_by_a_session_has_proved_it_and_the_old_session_is_over() {
    let node = Node::start().await;
    let ada = node.enrol(EMAIL, Some(PASSWORD)).await;
    let signed_in = node.signed_in().await;
    let before = node.session(&signed_in).await.expect("it works");
    assert!(!node.app.second_factors(&before).await.expect("an answer").any());
    let context = || Context { actor: Actor::Member(before.principal.clone()), ..host() };
    let begun = node.app.begin_totp(context(), ada, None).await.expect("an enrolment");
    let id = begun.enrolment_id.to_string();
    let shown = node.app.totp_enrolment(&before, &id).await.expect("an answer").expect("it is begun");
    assert_eq!(shown.uri.expose_secret(), begun.uri.expose_secret());
    let request = ConfirmTotpRequest { enrolment_id: id.clone(), code: node.shown_by(&begun.secret) };
    let issued = node.app.confirm_totp(context(), ada, request).await.expect("a device");
    let after = node.session(&issued.session.expect("another session")).await.expect("it works");
    assert_eq!(after.methods, [AuthenticationMethod::Password, AuthenticationMethod::OneTimePassword]);
    assert_eq!(
        (after.authenticated_at, after.ends_at),
        (before.authenticated_at, before.ends_at),
        "it lives no longer for that"
    );
    assert!(node.session(&signed_in).await.is_none());
    assert!(node.app.totp_enrolment(&after, &id).await.expect("an answer").is_none());
    let held = node.app.second_factors(&after).await.expect("an answer");
    assert!(held.any() && held.totp.expect("a device").last_used_at.is_some());
    // Who enrols one for somebody else has proved nothing.
    let begun = node.app.begin_totp(host(), ada, None).await.expect("an enrolment");
    let code = node.shown_by(&begun.secret);
    let request = ConfirmTotpRequest { enrolment_id: begun.enrolment_id.to_string(), code };
    let issued = node.app.confirm_totp(host(), ada, request).await.expect("a device");
    assert!(issued.session.is_none() && node.session_of(&after).await);
    let replaced = node.session(&signed_in).await;
    assert!(replaced.is_none(), "what was proved by the device that she had counts no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_session_is_believed_as_long_as_the_member_has_what_it_was_proved_with() {
    let node = Node::start().await;
    let ada = node.enrol(EMAIL, Some(PASSWORD)).await;
    let device = node.enrol_device(ada).await;
    let lost = TestAuthenticator::new(b"on the ring that she lost");
    node.register(ada, &lost).await.expect("a passkey");
    let by_passkey = node.touch(&lost).await.expect("a session");
    node.clock.advance(SignedDuration::from_secs(60));
    let by_device =
        node.second_step(&node.pending().await, &node.shown_by(&device.secret)).await.expect("one");
    let code = device.codes[0].expose_secret();
    let by_code = node.second_step(&node.pending().await, code).await.expect("a session");
    let held =
        node.app.second_factors(&node.session(&by_code).await.expect("it works")).await.expect("an answer");
    let used = |factor: &HeldFactor| factor.last_used_at;
    let of_device = held.totp.as_ref().and_then(used).expect("when it was used");
    let of_codes = held.recovery_codes.as_ref().and_then(used).expect("when one was used");
    assert!(of_codes >= of_device, "a recovery code is no use of the device");

    node.app.remove_passkey(host(), ada, held.passkeys[0].id.clone(), None).await.expect("a removal");
    assert!(node.session(&by_passkey).await.is_none(), "whoever found the ring is out");
    let session = node.session(&by_device).await.expect("that was proved by something else");
    assert_eq!(session.amr(), ["pwd", "otp", "mfa"]);
    node.app.issue_recovery_codes(host(), ada, None).await.expect("other codes");
    assert!(node.session(&by_code).await.is_none(), "whoever found the codes is out");
    // Whoever takes the last of them away goes on by the password alone, and claims nothing beside it; nobody else goes on.
    node.clock.advance(SignedDuration::from_secs(60));
    let pending = node.pending().await;
    let elsewhere = node.second_step(&pending, &node.shown_by(&device.secret)).await.expect("a session");
    let by_session = Context { actor: Actor::Member(session.principal.clone()), ..host() };
    node.app.remove_totp(by_session, ada, Some(PASSWORD.into())).await.expect("a removal");
    let session = node.session(&by_device).await.expect("it works");
    assert_eq!(session.amr(), ["pwd"]);
    assert!(!session.has_second_factor());
    assert!(node.session(&elsewhere).await.is_none(), "whoever found the device is out");
    let another = node.enrol_device(ada).await;
    node.clock.advance(SignedDuration::from_secs(60));
    let pending = node.pending().await;
    node.second_step(&pending, &node.shown_by(&another.secret)).await.expect("a session");
    assert!(node.session(&elsewhere).await.is_none(), "and does not come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_device_that_is_confirmed_twice_at_once_is_enrolled_once_and_its_codes_work() {
    let node = Node::start().await;
    let ada = node.enrol(EMAIL, Some(PASSWORD)).await;
    let begun = node.app.begin_totp(host(), ada, None).await.expect("an enrolment");
    let confirm = || {
        let code = node.shown_by(&begun.secret);
        let request = ConfirmTotpRequest { enrolment_id: begun.enrolment_id.to_string(), code };
        node.app.confirm_totp(host(), ada, request)
    };
    let (one, other) = tokio::join!(confirm(), confirm());
    let (issued, refused) = match (one, other) {
        (Ok(issued), Err(refused)) | (Err(refused), Ok(issued)) => (issued, refused),
        both => panic!("one of them: {both:?}"),
    };
    assert_eq!(refused.slug(), "invalid_request");
    let codes = issued.codes.expect("codes");
    node.second_step(&node.pending().await, codes[9].expose_secret()).await.expect("a session");
}

impl Node {
    /// Has an authenticator make a passkey for a member.
    async fn register(
        &self,
        member_id: MemberId,
        authenticator: &TestAuthenticator,
    ) -> Result<IssuedRecoveryCodes, CommandError> {
        let begun = self.app.begin_passkey(host(), member_id, None).await.expect("a challenge");
        let request = RegisterPasskeyRequest {
            registration_id: begun.registration_id.to_string(),
            party: party(),
            label: Personal::new("Key on her ring".into()),
            creation: authenticator.create(&party(), &begun.challenge),
        };
        self.app.register_passkey(host(), member_id, request).await
    }

    async fn challenge(&self, pending: &PendingSignIn) -> [u8; CHALLENGE_BYTES] {
        let choice = self.app.second_factor_choice(&pending.pending).await.expect("an answer");
        choice.expect("it waits").challenge
    }

    async fn present(
        &self,
        pending: &PendingSignIn,
        party: RelyingParty,
        assertion: PasskeyAssertion,
    ) -> Result<NewSession, SignInError> {
        let attempt = SecondFactorAttempt {
            pending: pending.pending.expose_secret().into(),
            proof: SecondFactorProof::Passkey(party, assertion),
            request_id: "r-1".into(),
            source: Some(Source { address: Personal::new(HERE.into()), user_agent: None }),
        };
        self.app.second_factor(attempt).await
    }

    /// Signs in by the password and this authenticator.
    async fn touch(&self, authenticator: &TestAuthenticator) -> Result<NewSession, SignInError> {
        let pending = self.pending().await;
        let challenge = self.challenge(&pending).await;
        self.present(&pending, party(), authenticator.sign(&party(), &challenge)).await
    }

    /// Why the newest second step was refused, if it was.
    async fn newest_refusal(&self) -> Option<String> {
        let deeds = self.deeds().await;
        deeds.into_iter().rfind(|(kind, ..)| kind == "second_factor").and_then(|(_, reason, _)| reason)
    }
}

fn party() -> RelyingParty {
    RelyingParty { id: "oauth.example.com".into(), origin: "https://oauth.example.com".into() }
}

fn is_refused(result: &Result<NewSession, SignInError>) -> bool {
    matches!(result, Err(SignInError::Refused))
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_member_with_a_passkey_signs_in_with_it_and_with_no_other() {
    let node = Node::start().await;
    let ada = node.enrol(EMAIL, Some(PASSWORD)).await;
    let authenticator = TestAuthenticator::new(b"of her laptop");
    let issued = node.register(ada, &authenticator).await.expect("a passkey");
    assert_eq!(issued.codes.expect("codes with the first").len(), 10);
    let twice = node.register(ada, &authenticator).await.expect_err("it is one that she has");
    assert_eq!(twice.slug(), "invalid_request");
    let other = TestAuthenticator::new(b"on her ring");
    assert!(node.register(ada, &other).await.expect("another").codes.is_none(), "she has codes");

    let pending = node.pending().await;
    let choice = node.app.second_factor_choice(&pending.pending).await.expect("an answer").expect("it waits");
    assert!(!choice.totp);
    assert_eq!(choice.passkeys, [b"of her laptop".to_vec(), b"on her ring".to_vec()]);
    let answer = authenticator.sign(&party(), &choice.challenge);
    let elsewhere = RelyingParty { origin: "https://oauth.example.net".into(), ..party() };
    assert!(is_refused(&node.present(&pending, elsewhere, answer.clone()).await));
    let mut of_other = answer.clone();
    of_other.credential_id = b"on her ring".to_vec();
    assert!(is_refused(&node.present(&pending, party(), of_other).await));
    let unknown = TestAuthenticator::new(b"of nobody").sign(&party(), &choice.challenge);
    assert!(is_refused(&node.present(&pending, party(), unknown).await));
    assert_eq!(node.newest_refusal().await.as_deref(), Some("wrong_passkey"));
    let session = node.present(&pending, party(), answer.clone()).await.expect("a session");
    let session = node.session(&session).await.expect("it works");
    assert_eq!(session.amr(), ["pwd", "pop", "mfa"]);
    // The first step is used up, and another one has another challenge.
    let again = node.present(&pending, party(), answer.clone()).await.expect_err("used up");
    assert!(matches!(again, SignInError::Over), "{again:?}");
    assert!(is_refused(&node.present(&node.pending().await, party(), answer).await));

    // One that was removed meanwhile is none.
    let held = node.app.second_factors(&session).await.expect("an answer").passkeys;
    assert_eq!(held[0].label.as_ref().map(Personal::expose).map(String::as_str), Some("Key on her ring"));
    assert!(held[0].held.last_used_at.is_some() && held[1].held.last_used_at.is_none());
    let pending = node.pending().await;
    let challenge = node.challenge(&pending).await;
    node.app.remove_passkey(host(), ada, held[0].id.clone(), None).await.expect("a removal");
    let gone = node.app.remove_passkey(host(), ada, held[0].id.clone(), None).await.expect_err("it is gone");
    assert_eq!(gone.slug(), "no_such_passkey");
    let removed = node.present(&pending, party(), authenticator.sign(&party(), &challenge)).await;
    assert!(is_refused(&removed), "{removed:?}");
    node.present(&pending, party(), other.sign(&party(), &challenge)).await.expect("the other one");
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_copy_of_a_passkey_is_told_from_it_by_its_count() {
    let node = Node::start().await;
    let ada = node.enrol(EMAIL, Some(PASSWORD)).await;
    let mut authenticator = TestAuthenticator { sign_count: 7, ..TestAuthenticator::new(b"counts") };
    node.register(ada, &authenticator).await.expect("a passkey");
    for (count, refusal) in [
        (7, Some("passkey_cloned")),
        (0, Some("passkey_cloned")),
        (8, None),
        (8, Some("passkey_cloned")),
        (12, None),
        (9, Some("passkey_cloned")),
    ] {
        authenticator.sign_count = count;
        let touched = node.touch(&authenticator).await;
        assert_eq!(
            (is_refused(&touched), node.newest_refusal().await.as_deref()),
            (refusal.is_some(), refusal)
        );
    }
    let node = node.reopened().await;
    authenticator.sign_count = 12;
    assert!(is_refused(&node.touch(&authenticator).await), "that is kept");
    // Of two at one moment that have counted as far, one is not hers.
    authenticator.sign_count = 13;
    let (one, other) = tokio::join!(node.touch(&authenticator), node.touch(&authenticator));
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1, "{one:?} {other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_passkey_that_is_damaged_in_the_vault_keeps_nobody_from_the_others_and_can_be_removed() {
    let node = Node::start().await;
    let ada = node.enrol(EMAIL, Some(PASSWORD)).await;
    let (one, other) = (TestAuthenticator::new(b"of her laptop"), TestAuthenticator::new(b"on her ring"));
    node.register(ada, &one).await.expect("a passkey");
    node.register(ada, &other).await.expect("another");
    let held = node.app.member(&host(), ada).await.expect("a member").membership.passkeys;
    let raw = rusqlite::Connection::open(node.folder.path().join("data/log.db")).expect("the file");
    let gone = raw.execute("DELETE FROM credentials WHERE id = ?1", [&held[0].id.0]).expect("one less");
    assert_eq!(gone, 1);

    assert!(is_refused(&node.touch(&one).await));
    let session = node.touch(&other).await.expect("a session");
    let session = node.session(&session).await.expect("it works");
    let shown = node.app.second_factors(&session).await.expect("an answer").passkeys;
    assert!(shown[0].label.is_none() && shown[1].label.is_some());
    node.app.remove_passkey(host(), ada, held[0].id.clone(), None).await.expect("a removal");
    node.app.begin_passkey(host(), ada, None).await.expect("room for another");
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_passkey_is_registered_by_the_answer_to_its_own_challenge_once_and_in_time() {
    let node = Node::start().await;
    let ada = node.enrol(EMAIL, Some(PASSWORD)).await;
    let bob = node.enrol("bob@members.example", Some(PASSWORD)).await;
    let eve = node.enrol("eve@members.example", None).await;
    let none = node.app.begin_passkey(host(), eve, None).await.expect_err("it would be the only factor");
    assert_eq!(none.slug(), "no_password");
    let authenticator = TestAuthenticator::new(b"of her laptop");
    let begun = node.app.begin_passkey(host(), ada, None).await.expect("a challenge");
    let later = node.app.begin_passkey(host(), ada, None).await.expect("another one");
    assert_ne!(begun.challenge, later.challenge);
    let of = |id: &SecretId, challenge, label: &str| RegisterPasskeyRequest {
        registration_id: id.to_string(),
        party: party(),
        label: Personal::new(label.into()),
        creation: authenticator.create(&party(), challenge),
    };
    let id = &begun.registration_id;
    for (member, request, pointer) in [
        (ada, of(id, &later.challenge, "Laptop"), "/credential"),
        (bob, of(id, &begun.challenge, "Laptop"), "/registration_id"),
        (ada, of(id, &begun.challenge, " "), "/label"),
        (ada, of(id, &begun.challenge, "two\nlines"), "/label"),
        (ada, of(id, &begun.challenge, &"x".repeat(65)), "/label"),
    ] {
        match node.app.register_passkey(host(), member, request).await {
            Err(CommandError::Invalid(wrong)) => assert_eq!(wrong[0].pointer, pointer),
            other => panic!("{pointer}: {other:?}"),
        }
    }
    node.app.register_passkey(host(), ada, of(id, &begun.challenge, "Laptop")).await.expect("a passkey");
    node.clock.advance(SignedDuration::from_mins(10));
    let another = TestAuthenticator::new(b"on her ring");
    for (id, challenge) in [(id, &begun.challenge), (&later.registration_id, &later.challenge)] {
        let mut request = of(id, challenge, "Ring");
        request.creation = another.create(&party(), challenge);
        let late = node.app.register_passkey(host(), ada, request).await.expect_err("used up, and too late");
        assert_eq!(late.slug(), "invalid_request");
    }
    // Who is erased leaves nothing of them.
    node.app.deactivate_member(host(), ada).await.expect("a deactivation");
    let credentials = node.log.credential_ids().await.expect("ids").len();
    node.app.erase_person(host(), domain::PersonId(ada.0)).await.expect("an erasure");
    let left = node.log.credential_ids().await.expect("ids").len();
    assert_eq!(credentials - left, 3, "password, passkey and recovery codes");
}
