//! What the service counts, in the text format of Prometheus. Labels are names of our own making, so that their number
//! is bounded.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use actix_web::{HttpResponse, http::header, web::Data};
use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::{
    openapi::Operation,
    problem::{Kind, Problem},
    service::Service,
};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the histogram's buckets, in seconds: a cached read takes tens of microseconds, a durable write some
/// milliseconds, an Argon2id computation tens of them.
const BUCKETS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The service's metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Timed, Histogram>,
    commands: Family<Command, Counter>,
    authentication_failures: Family<AuthenticationFailure, Counter>,
    client_authentications: Family<ClientAuthentication, Counter>,
    log_head: Gauge,
    activity_head: Gauge,
    projection_positions: Family<Projection, Gauge>,
    projections_halted: Family<Projection, Gauge>,
    rebuilds: Family<Rebuild, Counter>,
    process_start: Gauge<f64, AtomicU64>,
}

/// What a request is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) route: &'static str,
    /// `2xx` and the like.
    pub(crate) status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    method: &'static str,
    route: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Command {
    command: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AuthenticationFailure {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClientAuthentication {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Projection {
    projection: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rebuild {
    result: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let mut inner = Inner {
            registry: Registry::default(),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            commands: Family::default(),
            authentication_failures: Family::default(),
            client_authentications: Family::default(),
            log_head: Gauge::default(),
            activity_head: Gauge::default(),
            projection_positions: Family::default(),
            projections_halted: Family::default(),
            rebuilds: Family::default(),
            process_start: Gauge::default(),
        };
        let registry = &mut inner.registry;
        registry.register("http_requests", "Requests answered", inner.requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time from request to answer",
            inner.durations.clone(),
        );
        registry.register("commands", "Commands answered", inner.commands.clone());
        registry.register(
            "authentication_failures",
            "Requests with a token that is none of ours or no longer works",
            inner.authentication_failures.clone(),
        );
        registry.register(
            "client_authentications",
            "Clients that presented a secret, by what became of it",
            inner.client_authentications.clone(),
        );
        registry.register(
            "activity_head_position",
            "Position of the last record of activity",
            inner.activity_head.clone(),
        );
        registry.register("log_head_position", "Position of the last event", inner.log_head.clone());
        registry.register("projection_position", "Last event folded", inner.projection_positions.clone());
        registry.register(
            "projection_halted",
            "1 if the view cannot go on",
            inner.projections_halted.clone(),
        );
        registry.register("views_rebuilds", "Rebuilds of the views", inner.rebuilds.clone());
        registry.register(
            "process_start_time_seconds",
            "When the service began to serve",
            inner.process_start.clone(),
        );
        Self(Arc::new(inner))
    }

    pub(crate) fn started(&self, at: Timestamp) {
        self.0.process_start.set(at.as_duration().as_secs_f64());
    }

    pub(crate) fn request(&self, request: Request, took: Duration) {
        self.0.requests.get_or_create(&request).inc();
        let Request { method, route, status: _ } = request;
        self.0.durations.get_or_create(&Timed { method, route }).observe(took.as_secs_f64());
    }

    pub(crate) fn command(&self, command: &'static str, result: &'static str) {
        self.0.commands.get_or_create(&Command { command, result }).inc();
    }

    pub(crate) fn authentication_failure(&self, reason: &'static str) {
        self.0.authentication_failures.get_or_create(&AuthenticationFailure { reason }).inc();
    }

    pub(crate) fn rebuild(&self, result: &'static str) {
        self.0.rebuilds.get_or_create(&Rebuild { result }).inc();
    }

    pub(crate) fn client_authentication(&self, result: &'static str) {
        self.0.client_authentications.get_or_create(&ClientAuthentication { result }).inc();
    }

    /// Brings what is not counted but looked at up to date.
    async fn look(&self, service: &Service) {
        if let Ok(head) = service.app.log().head().await {
            self.0.log_head.set(gauge(head.get()));
        }
        if let Ok(head) = service.app.activity().head().await {
            self.0.activity_head.set(gauge(head.get()));
        }
        for checkpoint in service.views.checkpoints().iter() {
            let projection = Projection { projection: checkpoint.projection };
            self.0.projection_positions.get_or_create(&projection).set(gauge(checkpoint.position.get()));
            self.0.projections_halted.get_or_create(&projection).set(i64::from(checkpoint.halt.is_some()));
        }
    }
}

fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `GET /metrics`, in [`endpoint::handle`].
pub(crate) mod endpoint {
    use super::{CONTENT_TYPE, Data, HttpResponse, Kind, Operation, Problem, Service, encode, header};

    pub(crate) fn document(operation: Operation) -> Operation {
        operation.summary("Metrics for Prometheus").text(&[CONTENT_TYPE], "What the service counts")
    }

    pub(crate) async fn handle(service: Data<Service>) -> Result<HttpResponse, Problem> {
        service.metrics.look(&service).await;
        let mut text = String::new();
        encode(&mut text, &service.metrics.0.registry)
            .map_err(|error| Problem::new(Kind::Internal).because(error))?;
        Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).body(text))
    }
}
