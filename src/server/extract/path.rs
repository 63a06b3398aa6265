//! What a path names. A segment that cannot be an id is the id of nothing: 404.

use std::str::FromStr;

use actix_web::HttpRequest;
use domain::{
    ClientId, EnvironmentName, LegalHoldId, MemberId, PersonId, RoleName, SecretId, VerificationId,
};
use store::Position;

use crate::problem::{Kind, Problem};

/// The environment.
pub(crate) fn environment(http: &HttpRequest) -> Result<EnvironmentName, Problem> {
    EnvironmentName::parse(http.match_info().query("environment")).map_err(|_| not_found("environment"))
}

/// The client.
pub(crate) fn client_id(http: &HttpRequest) -> Result<ClientId, Problem> {
    segment(http, "client_id", "client")
}

/// The member.
pub(crate) fn member_id(http: &HttpRequest) -> Result<MemberId, Problem> {
    segment(http, "member_id", "member")
}

/// The person.
pub(crate) fn person_id(http: &HttpRequest) -> Result<PersonId, Problem> {
    segment(http, "person_id", "person")
}

/// The legal hold.
pub(crate) fn legal_hold_id(http: &HttpRequest) -> Result<LegalHoldId, Problem> {
    segment(http, "legal_hold_id", "legal_hold")
}

/// The verification.
pub(crate) fn verification_id(http: &HttpRequest) -> Result<VerificationId, Problem> {
    segment(http, "verification_id", "verification")
}

/// The event.
pub(crate) fn position(http: &HttpRequest) -> Result<Position, Problem> {
    let number: u64 = segment(http, "position", "event")?;
    if number == 0 { Err(not_found("event")) } else { Ok(Position::new(number)) }
}

/// The role.
pub(crate) fn role(http: &HttpRequest) -> Result<RoleName, Problem> {
    RoleName::parse(http.match_info().query("role")).map_err(|_| not_found("role"))
}

/// Whether every id and name in the path can be one.
pub(super) fn check(http: &HttpRequest) -> Result<(), Problem> {
    for (name, _) in http.match_info().iter() {
        match name {
            "environment" => drop(environment(http)?),
            "client_id" => drop(client_id(http)?),
            "member_id" => drop(member_id(http)?),
            "person_id" => drop(person_id(http)?),
            "legal_hold_id" => drop(legal_hold_id(http)?),
            "position" => drop(position(http)?),
            "role" => drop(role(http)?),
            _ => {}
        }
    }
    Ok(())
}

/// The secret or token.
pub(crate) fn secret_id(http: &HttpRequest, name: &str) -> SecretId {
    SecretId(http.match_info().query(name).to_owned())
}

/// A name of the catalog, whatever it is.
pub(crate) fn name(http: &HttpRequest) -> String {
    http.match_info().query("name").to_owned()
}

/// A scheme, whatever it is.
pub(crate) fn scheme(http: &HttpRequest) -> String {
    http.match_info().query("scheme").to_owned()
}

/// There is no such thing.
pub(crate) fn not_found(what: &'static str) -> Problem {
    Problem::new(Kind::NotFound).member("resource", what)
}

fn segment<T: FromStr>(http: &HttpRequest, name: &str, what: &'static str) -> Result<T, Problem> {
    http.match_info().query(name).parse().map_err(|_| not_found(what))
}
