//! How the server is set up.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{CompatibilityConfig, LimitsConfig, ProxyConfig, TlsConfig};

/// Everything about the HTTP side.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where and how to listen.
    pub server: ServerConfig,
    /// Which proxies are believed.
    pub proxy: ProxyConfig,
    /// How much one caller may ask.
    pub limits: LimitsConfig,
    /// Which certificate is shown.
    pub tls: TlsConfig,
    /// Where the compatibility API acts.
    pub compatibility: CompatibilityConfig,
}

impl Settings {
    /// How the service is reached from outside, without a slash at the end: what is set, or else where it listens.
    #[must_use]
    pub fn public_url(&self, address: SocketAddr) -> String {
        let scheme = if self.tls.is_wanted() { "https" } else { "http" };
        let set = self.server.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
        set.unwrap_or_else(|| format!("{scheme}://{address}"))
    }
}

/// The server's section of the configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Where to listen; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// How the service is reached from outside, which the endpoints in its answers are made of; `None` is
    /// `http://<listen>`.
    pub public_url: Option<Url>,
    /// Threads that answer requests; `None` is one a processor.
    pub workers: Option<NonZeroUsize>,
    /// Connections at a time; who comes then waits until one ends.
    pub max_connections: NonZeroUsize,
    /// The longest body of a request.
    pub max_body_bytes: usize,
    /// How long an idle connection is kept.
    pub keep_alive_seconds: u64,
    /// How long a client may take to send the head of a request, and once more for its body.
    pub client_timeout_seconds: u64,
    /// How long requests in flight may take once the server is to stop.
    pub shutdown_timeout_seconds: u64,
    /// How long an answer waits for the views.
    pub views_wait_milliseconds: u64,
}

/// Each takes a few kilobytes, and a descriptor.
const MOST_CONNECTIONS: NonZeroUsize = match NonZeroUsize::new(10_000) {
    Some(most) => most,
    None => NonZeroUsize::MIN,
};

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: None,
            workers: None,
            max_connections: MOST_CONNECTIONS,
            max_body_bytes: 65_536,
            keep_alive_seconds: 75,
            client_timeout_seconds: 10,
            shutdown_timeout_seconds: 30,
            views_wait_milliseconds: 2_000,
        }
    }
}
