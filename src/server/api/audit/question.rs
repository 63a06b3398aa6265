//! What is recorded of a question to the audit.

use app::AuditQuery;
use domain::Client;
use projections::audit_trail::AuditFilter;
use store::Outcome;

/// The question that a filter puts to `what`, which may be one stream.
pub(crate) fn question(what: &'static str, about: Option<&str>, filter: &AuditFilter) -> AuditQuery {
    let AuditFilter {
        actor,
        subject,
        event_types,
        environment,
        from,
        to,
        outcome,
        ticket,
        request_id,
        correlation_id,
        responsible,
        q,
        among: _,
    } = filter;
    let subject = subject.as_deref().filter(|subject| about != Some(subject));
    let client = subject.and_then(|subject| subject.strip_prefix(Client::CATEGORY)?.strip_prefix('-'));
    let query = AuditQuery::of(what)
        .filter("actor", actor.as_ref())
        .filter("client", client)
        .filter("subject", subject.filter(|_| client.is_none()))
        .filter("type", (!event_types.is_empty()).then(|| event_types.join(",")))
        .filter("environment", environment.as_ref())
        .filter("responsible", responsible.as_ref())
        .filter("from", *from)
        .filter("to", *to)
        .filter("outcome", outcome.map(outcome_name))
        .filter("ticket", ticket.as_ref())
        .filter("request_id", request_id.as_ref())
        .filter("correlation_id", correlation_id.as_ref())
        .private_filter("q", q.clone());
    match about {
        Some(stream) => query.about(stream.to_owned()),
        None => query,
    }
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Refused => "refused",
    }
}
