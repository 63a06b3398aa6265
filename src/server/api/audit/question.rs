//! A question to the audit: how it is put to views and log, and what is recorded of it.

use std::{borrow::Cow, net::IpAddr};

use app::{AuditQuery, Context};
use domain::{Client, Permission};
use projections::audit_trail::{AuditFilter, AuditFound, AuditItem, AuditPage, Order};
use store::{Outcome, Position, RecordedEvent, TokenPage};

use crate::{problem::Problem, service::Service};

/// Events of an address that one page looks at.
const MOST_OF_ADDRESS: usize = 1_000;

/// What is asked of the audit. Everything given must hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Question {
    /// What the view can tell.
    pub(crate) filter: AuditFilter,
    /// Where it was caused from. Personal: no view has it, only keyed tokens beside the log.
    pub(crate) address: Option<IpAddr>,
}

impl Question {
    /// Whether it asks for the whole log.
    pub(crate) fn is_empty(&self) -> bool {
        self.filter.is_empty() && self.address.is_none()
    }

    /// What must be held beside what the route demands; a refusal is recorded.
    pub(crate) async fn demand(&self, service: &Service, context: &Context) -> Result<(), Problem> {
        if self.address.is_some() {
            service.app.demand(context.clone(), Permission::AuditReadPrivate).await?;
        }
        Ok(())
    }

    /// Refuses what names nothing there is: before it is recorded, for it may be anything.
    pub(crate) async fn check(&self, service: &Service) -> Result<(), Problem> {
        if self.filter.event_types.is_empty() && self.filter.environment.is_none() {
            return Ok(());
        }
        let asked = self.filter.clone();
        match service.views.read(move |reader| asked.unknown(reader)).await? {
            Some(unknown) => Err(unknown.into()),
            None => Ok(()),
        }
    }

    /// The events that it finds. The search by address is a search among some of its events: a page can end where those
    /// do, and the next one goes on behind them.
    pub(crate) async fn search(
        &self,
        service: &Service,
        context: &Context,
        page: AuditPage,
    ) -> Result<(Vec<AuditItem>, AuditFound), Problem> {
        let Some(address) = self.address else {
            return Ok(service.views.audit(self.filter.clone(), page).await??);
        };
        let ascending = page.order == Order::Ascending;
        let until = page.before.map_or(u64::MAX, |before| before.get().saturating_sub(1));
        let (after, until) = (page.after.unwrap_or_default(), Position::new(until));
        let span = TokenPage { ascending, after, until, limit: MOST_OF_ADDRESS };
        let mut among = service.app.audit_positions_of_address(context, address, span).await?;
        let more_behind = among.last().copied().filter(|_| among.len() == MOST_OF_ADDRESS);
        if !ascending {
            among.reverse();
        }
        let filter = AuditFilter { among: Some(among), ..self.filter.clone() };
        let (items, mut found) = service.views.audit(filter, page).await??;
        // What the view does not know yet was not looked at.
        let looked_at = more_behind.filter(|last| !ascending || *last < found.end);
        found.rest = found.rest.or(looked_at);
        Ok((items, found))
    }

    /// The filter for events that were read from the log itself, one after the other.
    pub(crate) async fn filter_of(
        &self,
        service: &Service,
        context: &Context,
        events: &[RecordedEvent],
    ) -> Result<Cow<'_, AuditFilter>, Problem> {
        let (Some(address), Some(first), Some(last)) = (self.address, events.first(), events.last()) else {
            return Ok(Cow::Borrowed(&self.filter));
        };
        let after = Position::new(first.position.get() - 1);
        let span = TokenPage { ascending: true, after, until: last.position, limit: events.len() };
        let among = service.app.audit_positions_of_address(context, address, span).await?;
        Ok(Cow::Owned(AuditFilter { among: Some(among), ..self.filter.clone() }))
    }

    /// The question as it is recorded: put to `what`, which may be one stream.
    pub(crate) fn recorded_as(&self, what: &'static str, about: Option<&str>) -> AuditQuery {
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
        } = &self.filter;
        let subject = subject.as_deref().filter(|subject| about != Some(subject));
        let client = subject.and_then(|subject| subject.strip_prefix(Client::CATEGORY)?.strip_prefix('-'));
        let query = AuditQuery::of(what)
            .id("actor", actor.as_ref())
            .id("client", client)
            .stream("subject", subject.filter(|_| client.is_none()))
            .filter("type", (!event_types.is_empty()).then(|| event_types.join(",")))
            .filter("environment", environment.as_ref())
            .id("responsible", responsible.as_ref())
            .filter("from", *from)
            .filter("to", *to)
            .filter("outcome", outcome.map(Outcome::as_str))
            .filter("ticket", ticket.as_ref())
            .id("request_id", request_id.as_ref())
            .id("correlation_id", correlation_id.as_ref())
            .private_filter("q", q.clone())
            .private_filter("address", self.address.map(|address| address.to_canonical().to_string()));
        match about {
            Some(stream) => query.about(stream.to_owned()),
            None => query,
        }
    }
}
