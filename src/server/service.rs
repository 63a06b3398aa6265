//! What every endpoint shares.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use app::App;
use crypto::{BufferedEntropy, Entropy, RelyingParty, SystemEntropy};
use domain::EnvironmentName;
use projections::Views;
use store::{Position, Revision, StreamName};
use tokio::sync::watch;
use url::{Host, Url};
use uuid::Uuid;

use crate::{
    CompatibilityConfig, ProxyConfig, Settings,
    limits::Limits,
    metrics::Metrics,
    problem::{Kind, Problem},
    verifications::Verifications,
};

/// What every endpoint shares.
pub(crate) struct Service {
    pub(crate) app: App,
    pub(crate) views: Arc<Views>,
    pub(crate) metrics: Metrics,
    /// Which proxies are believed about who asks.
    pub(crate) proxy: ProxyConfig,
    /// How much one caller may ask.
    pub(crate) limits: Limits,
    /// Where the compatibility API acts.
    pub(crate) compatibility: CompatibilityConfig,
    /// Whether a browser that was here once must not come back without TLS.
    pub(crate) only_tls: bool,
    /// The verifications of the audit that were asked for here.
    pub(crate) verifications: Arc<Verifications>,
    /// How long a client may take to send a body.
    pub(crate) client_timeout: Duration,
    /// Of ids.
    entropy: BufferedEntropy,
    /// How the service is reached from outside, without a slash at the end.
    public_url: String,
    views_wait: Duration,
    /// Whether the server is about to stop: answers that would never end do then.
    stopping: watch::Sender<bool>,
}

impl Service {
    pub(crate) fn new(
        settings: Settings,
        address: SocketAddr,
        app: App,
        views: Arc<Views>,
        metrics: Metrics,
    ) -> Self {
        let public_url = settings.public_url(address);
        let Settings { server: config, proxy, limits, compatibility, .. } = settings;
        Self {
            app,
            views,
            metrics,
            proxy,
            limits: Limits::new(&limits),
            compatibility,
            verifications: Arc::default(),
            only_tls: public_url.starts_with("https:"),
            client_timeout: Duration::from_secs(config.client_timeout_seconds),
            entropy: BufferedEntropy::new(Arc::new(SystemEntropy)),
            public_url,
            views_wait: Duration::from_millis(config.views_wait_milliseconds),
            stopping: watch::Sender::new(false),
        }
    }

    /// How the service is reached from outside, without a slash at the end.
    /// Whom browsers hold passkeys to; none if the service is reached by no name, but by an address: browsers make none for that.
    pub(crate) fn relying_party(&self) -> Option<RelyingParty> {
        let url = Url::parse(&self.public_url).ok()?;
        let Some(Host::Domain(host)) = url.host() else { return None };
        Some(RelyingParty { id: host.to_owned(), origin: url.origin().ascii_serialization() })
    }

    pub(crate) fn public_url(&self) -> &str {
        &self.public_url
    }

    /// Becomes true when the server is about to stop.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Lets answers that would never end know that the server is about to stop.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// The URL of an environment's OAuth endpoint.
    pub(crate) fn oauth_url(&self, environment: &EnvironmentName, endpoint: &str) -> String {
        format!("{}/{environment}/{endpoint}", self.public_url)
    }

    /// The issuer of an environment (RFC 8414 section 2).
    pub(crate) fn issuer(&self, environment: &EnvironmentName) -> String {
        format!("{}/{environment}", self.public_url)
    }

    /// Waits, bounded, until the views of this node have seen `position`; says whether they have.
    pub(crate) async fn views_at(&self, position: Position) -> bool {
        self.views.wait_for(position, self.views_wait).await
    }

    /// Whether the log has a stream of this category and id; no text that cannot be an id is one.
    pub(crate) async fn is_recorded(&self, category: &str, id: &str) -> Result<bool, Problem> {
        let Ok(stream) = StreamName::new(category, id) else { return Ok(false) };
        Ok(self.app.log().stream_revision(&stream).await? != Revision::NONE)
    }

    /// A new id, of RFC 9562 section 5.7, from the log's clock and the system's entropy.
    pub(crate) fn new_id(&self) -> Result<Uuid, Problem> {
        let mut random = [0; 10];
        self.entropy.fill(&mut random).map_err(|error| Problem::new(Kind::Unavailable).because(error))?;
        let millis = u64::try_from(self.app.log().now().as_millisecond()).unwrap_or_default();
        Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}
