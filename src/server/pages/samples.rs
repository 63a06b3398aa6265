//! Every page with something on it, hostile names among it: what the tests of this crate read, and what a browser is shown.

#![expect(clippy::expect_used, reason = "only tests are shown samples")]

use std::{io, net::SocketAddr};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::Server, http::StatusCode, web};
use domain::{
    EnvironmentName,
    oauth::{RedirectMismatch, RedirectUri},
};
use jiff::Timestamp;

use super::{
    Allowed, AllowedGrant, AskedScope, Consent, Contact, Done, ErrorPage, Factor, Moment, NewPasskey,
    PasskeyRequest, PasskeyRow, Person, Place, Question, RecoveryCodes, RedirectFault, Registration,
    SecondFactor, SecondFactors, SignIn, SignInRefusal, SignOut, SignedOut, TotpEnrolment, assets,
};

/// Whatever somebody may call themselves.
pub const HOSTILE: &str = "\"><script>alert(1)</script> & 'O’Neill' \u{5d0}\u{5d1}";
const CALLBACK: &str = "https://app.castellan.example/callback";
const MEMBER: Person<'_> = Person { name: "Ines Duarte", email: "ines.duarte@northgate.example" };
const QUERY: &str = "client_id=0199b3f2&scope=matters%3Aread&state=%22%3E%3Cscript%3E";

/// The pages, each by its name.
///
/// # Panics
/// If a sample is not what it should be.
#[must_use]
pub fn all() -> Vec<(&'static str, HttpResponse)> {
    let (production, sandbox) = (environment("production"), environment("sandbox"));
    let place = |environment| Place { host: "oauth.northgate.example", environment };
    let (wax, pencil) = (place(&production), place(&sandbox));
    let sign_in = SignIn {
        place: pencil,
        client_name: Some("Matter sync"),
        redirect_uri: Some(CALLBACK),
        continue_query: QUERY,
        next: "grants",
        csrf: "csrf",
        email: "",
        refusal: None,
    };
    let code = SecondFactor {
        place: wax,
        client_name: None,
        redirect_uri: None,
        continue_query: QUERY,
        next: "grants",
        csrf: "csrf",
        pending: "pending",
        has_authenticator: true,
        passkey: None,
        refusal: None,
    };
    let request = PasskeyRequest { challenge: "AAAA", party: "oauth.northgate.example", held: "AQ Ag" };
    let touch = SecondFactor { passkey: Some(request), client_name: Some("Matter sync"), ..code };
    let touch_alone = SecondFactor { has_authenticator: false, ..touch };
    let new_passkey = NewPasskey {
        place: pencil,
        member: MEMBER,
        member_id: "AQID",
        continue_query: QUERY,
        registration_id: "registration",
        request,
        csrf: "csrf",
    };
    let hostile_passkey = NewPasskey {
        member: Person { name: HOSTILE, email: HOSTILE },
        member_id: HOSTILE,
        continue_query: HOSTILE,
        registration_id: HOSTILE,
        request: PasskeyRequest { challenge: HOSTILE, party: HOSTILE, held: HOSTILE },
        csrf: HOSTILE,
        ..new_passkey
    };
    let consent = Consent {
        place: wax,
        client_name: "Matter sync",
        client_id: "0199b3f2-6c1e-7a40-9d55-3be1f0c2a871",
        contact: Some(Contact { name: "Castellan Software B.V.", email: "platform@castellan.example" }),
        registration: Registration {
            by: Some("Maren Okafor"),
            at: moment("2026-03-03T10:00:00Z"),
            by_itself: false,
        },
        member: MEMBER,
        scopes: scopes(),
        redirect_uri: CALLBACK,
        continue_query: QUERY,
        csrf: "csrf",
    };
    let hostile = Consent {
        place: pencil,
        client_name: HOSTILE,
        client_id: HOSTILE,
        contact: Some(Contact { name: HOSTILE, email: "a?cc=b&subject=\"<x@example.com" }),
        registration: Registration { by: Some(HOSTILE), ..consent.registration },
        member: Person { name: HOSTILE, email: HOSTILE },
        scopes: vec![AskedScope::new(HOSTILE, HOSTILE)],
        redirect_uri: HOSTILE,
        continue_query: HOSTILE,
        csrf: HOSTILE,
    };
    let stranger = Consent {
        client_name: "Night sync (c2a871)",
        contact: None,
        registration: Registration { by: None, by_itself: true, ..consent.registration },
        ..consent.clone()
    };
    let allowed = Allowed {
        place: wax,
        member: MEMBER,
        grants: vec![
            grant(
                "0199b3f2-0000-7000-8000-000000000001",
                "Matter sync",
                Some(moment("2026-10-06T09:38:00Z")),
            ),
            grant("0199b3f2-0000-7000-8000-000000000002", HOSTILE, None),
        ],
        withdrawn: None,
        withdrawing: None,
        csrf: "csrf",
    };
    let withdrawing = Allowed { withdrawing: Some(allowed.grants[0].id), ..allowed.clone() };
    let none = Allowed { place: pencil, grants: Vec::new(), withdrawn: Some(HOSTILE), ..allowed.clone() };
    let sign_out = SignOut {
        place: wax,
        member: MEMBER,
        client_name: Some("Matter sync"),
        redirect_uri: Some(CALLBACK),
        continue_query: QUERY,
        csrf: "csrf",
    };
    let registered = [RedirectUri::parse(CALLBACK).expect("a redirect URI")];
    let presented = "https://app.castellan.example:8443/callback/?<script>";
    let mismatch = RedirectMismatch::check(&registered, presented).expect_err("another URI");
    let error = ErrorPage {
        place: Some(wax),
        status: StatusCode::BAD_REQUEST,
        title: "Matter sync sent you here with an address that it has not registered",
        words: "Nothing was allowed, and you were not sent on. Go back, and tell whoever runs the application.",
        advice: "Register this redirect URI for the client, or send one of those that are, byte for byte.",
        redirect: Some(RedirectFault { presented, mismatch: &mismatch, called: "redirect URI" }),
        request_id: "0199b3f2-6c1e-7a40-9d55-000000000000",
    };
    let nowhere = ErrorPage {
        place: None,
        status: StatusCode::NOT_FOUND,
        title: "There is no such environment",
        words: "Nothing is asked for at this address.",
        advice: "Take the addresses from the metadata of the environment.",
        redirect: None,
        request_id: HOSTILE,
    };
    let totp = TotpEnrolment {
        place: wax,
        member: MEMBER,
        continue_query: QUERY,
        enrolment_id: "enrolment",
        otpauth: "otpauth://totp/Muniment:ines.duarte%40northgate.example?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Muniment",
        secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        csrf: "csrf",
        refusal: None,
    };
    let recovery = RecoveryCodes {
        place: pencil,
        member: MEMBER,
        codes: &["0f1e2d3c4b5a69788796", "a5b4c3d2e1f00f1e2d3c", "00112233445566778899"],
        next: "grants",
    };
    let first = SecondFactors {
        place: pencil,
        member: MEMBER,
        client_name: Some("Matter sync"),
        continue_query: QUERY,
        authenticator: None,
        passkeys: &[],
        offers_passkeys: false,
        recovery_codes: None,
        needs_password: false,
        question: None,
        done: None,
        refusal: None,
        csrf: "csrf",
    };
    let used = |used: Option<&str>| Factor {
        added_at: moment("2026-03-03T10:00:00Z"),
        last_used_at: used.map(moment),
    };
    let passkeys = [
        PasskeyRow { id: "0f1e2d3c", label: "Laptop", factor: used(Some("2026-10-05T08:12:00Z")) },
        PasskeyRow { id: "4b5a6978", label: HOSTILE, factor: used(None) },
    ];
    let factors = SecondFactors {
        passkeys: &passkeys,
        offers_passkeys: true,
        place: wax,
        client_name: None,
        continue_query: "",
        authenticator: Some(used(Some("2026-10-06T09:38:00Z"))),
        recovery_codes: Some(moment("2026-03-03T10:00:00Z")),
        needs_password: true,
        ..first
    };
    let removing = SecondFactors { question: Some(Question::RemoveAuthenticator), ..factors };
    let removing_passkey = SecondFactors { question: Some(Question::RemovePasskey("4b5a6978")), ..factors };
    let hostile_factors = SecondFactors {
        member: Person { name: HOSTILE, email: HOSTILE },
        client_name: Some(HOSTILE),
        continue_query: HOSTILE,
        csrf: HOSTILE,
        done: Some(Done::RemovedAuthenticator),
        ..first
    };
    let refused = |email, refusal| SignIn { place: wax, email, refusal: Some(refusal), ..sign_in };
    let wrong = Some(SignInRefusal::WrongCode);
    vec![
        ("sign_in", sign_in.respond()),
        ("sign_in_refused", refused(MEMBER.email, SignInRefusal::NoMatch).respond()),
        ("sign_in_hostile", refused(HOSTILE, SignInRefusal::StaleForm).respond()),
        ("sign_in_wait", refused(MEMBER.email, SignInRefusal::Wait { seconds: 60 }).respond()),
        ("second_factor", code.respond()),
        ("second_factor_refused", SecondFactor { refusal: wrong, ..code }.respond()),
        ("consent", consent.respond()),
        ("consent_hostile", hostile.respond()),
        ("consent_stranger", stranger.respond()),
        ("allowed", allowed.respond()),
        ("allowed_withdrawing", withdrawing.respond()),
        ("allowed_none", none.respond()),
        ("sign_out", sign_out.respond()),
        ("signed_out", SignedOut { place: pencil }.respond()),
        ("error", error.respond()),
        ("error_nowhere", nowhere.respond()),
        ("second_factors", factors.respond()),
        ("second_factors_first", first.respond()),
        ("second_factors_hostile", hostile_factors.respond()),
        (
            "second_factors_refused",
            SecondFactors { refusal: Some(SignInRefusal::WrongPassword), ..factors }.respond(),
        ),
        ("second_factors_removing", removing.respond()),
        ("second_factors_removing_passkey", removing_passkey.respond()),
        ("second_factor_passkey", touch.respond()),
        ("second_factor_passkey_alone", touch_alone.respond()),
        (
            "second_factor_passkey_refused",
            SecondFactor { refusal: Some(SignInRefusal::WrongPasskey), ..touch }.respond(),
        ),
        ("passkey", new_passkey.respond()),
        ("passkey_hostile", hostile_passkey.respond()),
        ("totp", totp.respond()),
        ("recovery_codes", recovery.respond()),
        ("totp_refused", TotpEnrolment { refusal: wrong, ..totp }.respond()),
    ]
}

/// What they are called.
#[must_use]
pub fn names() -> Vec<&'static str> {
    all().into_iter().map(|(name, _)| name).collect()
}

/// Serves each at `/pages/<name>`, on a free port.
///
/// # Errors
/// When there is none.
pub fn serve() -> io::Result<(SocketAddr, Server)> {
    let server = HttpServer::new(|| {
        App::new()
            .route("/pages/{name}", web::get().to(one))
            .route("/assets/{asset}", web::get().to(assets::handle))
    });
    let server = server.workers(1).disable_signals().bind("127.0.0.1:0")?;
    let address = server.addrs().first().copied().ok_or(io::ErrorKind::AddrNotAvailable)?;
    Ok((address, server.run()))
}

async fn one(http: HttpRequest) -> HttpResponse {
    let named = all().into_iter().find(|(name, _)| *name == http.match_info().query("name"));
    named.map_or_else(|| HttpResponse::NotFound().finish(), |(_, page)| page)
}

fn environment(name: &str) -> EnvironmentName {
    EnvironmentName::parse(name).expect("a name")
}

fn moment(at: &str) -> Moment {
    let parsed = |text: &str| -> Timestamp { text.parse().expect("a time") };
    Moment { at: parsed(at), now: parsed("2026-10-06T09:41:00Z") }
}

fn scopes() -> Vec<AskedScope> {
    [
        ("openid", "Something else"),
        ("matters:read", "See your matters"),
        ("matters:write", "Create and change matters"),
        ("documents:read", "Read your documents"),
        ("identity:verify", "Verify national identity numbers"),
        ("offline_access", ""),
    ]
    .map(|(name, description)| AskedScope::new(name, description))
    .into()
}

fn grant<'a>(id: &'a str, client_name: &'a str, last_used_at: Option<Moment>) -> AllowedGrant<'a> {
    let given_at = moment("2026-03-03T10:00:00Z");
    AllowedGrant {
        id,
        client_name,
        client_id: "0199b3f2-6c1e-7a40",
        scopes: scopes(),
        given_at,
        last_used_at,
    }
}
