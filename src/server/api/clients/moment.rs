//! Moments of the past that a query names.

use app::{App, Fault};
use domain::{ClientId, EnvironmentName};
use projections::as_of::{self, Moment};

use crate::{extract::path, problem::Problem};

/// The moment in a parameter: a position if it is a number, else a time. One that has not been is refused: an answer
/// would pass what is for what was.
pub(crate) async fn past(app: &App, parameter: &'static str, text: &str) -> Result<Moment, Problem> {
    let moment = parse(parameter, text)?;
    let (head, now) = (app.log().head().await.map_err(Fault::from)?, app.log().now());
    match moment {
        Moment::Position(position) if position > head => {
            Err(Problem::in_query(parameter, "out_of_range", format!("the log ends at position {head}")))
        }
        Moment::Time(time) if time > now => {
            Err(Problem::in_query(parameter, "out_of_range", "is in the future"))
        }
        Moment::Position(_) | Moment::Time(_) => Ok(moment),
    }
}

/// Why there was no such client at a moment: it came later, or there is none in this environment.
pub(crate) async fn not_yet(
    app: &App,
    environment: &EnvironmentName,
    client_id: ClientId,
) -> Result<Problem, Problem> {
    let now = Moment::Time(app.log().now());
    let row = as_of::client_as_of(app.log().as_ref(), client_id, now).await?;
    let problem = path::not_found("client");
    Ok(match row.filter(|row| row.client.environment == *environment) {
        Some(row) => problem
            .detail("it was not there at that moment: see `created_at`")
            .member("created_at", domain::time::to_wire(row.client.created_at)),
        None => problem,
    })
}

fn parse(parameter: &'static str, text: &str) -> Result<Moment, Problem> {
    // A `+` of an offset that was not percent-encoded has become a blank.
    let needed = "must be a time like 2026-11-20T22:13:25.123456Z, or a position";
    text.replace(' ', "+").parse().map_err(|_| Problem::in_query(parameter, "malformed", needed))
}

#[cfg(test)]
mod tests {
    use store::Position;

    use super::{Moment, parse};

    #[test]
    fn a6_a_moment_is_a_position_or_a_time() {
        let time = "2026-11-20T22:13:25.123456Z".parse().map(Moment::Time).unwrap();
        assert_eq!(parse("at", "42").unwrap(), Moment::Position(Position::new(42)));
        assert_eq!(parse("at", "2026-11-20T22:13:25.123456Z").unwrap(), time);
        assert_eq!(parse("at", "2026-11-20T23:13:25.123456 01:00").unwrap(), time);
        for text in ["", "yesterday", "-1", "2026-11-20"] {
            assert!(parse("at", text).is_err(), "{text}");
        }
    }
}
