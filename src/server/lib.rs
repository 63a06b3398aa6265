//! The HTTP layer: it translates between HTTP and the use cases, and decides nothing.
//!
//! A request meets, in this order: an id (`middleware`), a row of the one table of routes (`routes`), an extractor that
//! says who asks and what (`extract`), an endpoint (`api`, one file each), and, whatever went wrong, the one table of
//! problems (`problem`). What leaves is a `representation`; no secret and nothing personal is ever logged, counted or
//! explained in a problem.

mod answer;
mod api;
mod compatibility;
mod config;
mod control;
pub mod export;
mod extract;
mod health;
mod limits;
mod metrics;
mod middleware;
mod oauth;
mod openapi;
pub mod pages;
mod payloads;
mod problem;
mod proxy;
mod representation;
mod routes;
mod service;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod verifications;

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use actix_web::{App as HttpApp, HttpServer, middleware::from_fn, web};
use app::App;
use projections::Views;

pub use compatibility::CompatibilityConfig;
pub use config::{ServerConfig, Settings};
pub use control::ControlSocket;
pub use limits::LimitsConfig;
pub use metrics::Metrics;
pub use openapi::document as openapi_document;
pub use proxy::{ForwardedHeader, Network, ProxyConfig};
pub use representation::Difference;
pub use tls::{Certificates, TlsConfig, TlsError};

use crate::service::Service;

/// A server whose sockets are taken.
pub struct Server {
    server: actix_web::dev::Server,
    address: Option<SocketAddr>,
    service: web::Data<Service>,
    _control: Option<control::SocketFile>,
}

impl Server {
    /// Takes the address and starts the workers; from here on connections are answered, those of the control socket too.
    /// Must be called on a Tokio runtime, and [`run_until`](Self::run_until) must follow.
    ///
    /// # Errors
    /// When the address cannot be taken.
    pub fn bind(
        settings: Settings,
        certificates: Option<Arc<Certificates>>,
        control: Option<ControlSocket>,
        app: App,
        views: Arc<Views>,
        metrics: Metrics,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.server.listen)?;
        Self::start(settings, Some((listener, certificates)), control, app, views, metrics)
    }

    /// The same without an address: only who is at the host is answered.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn bind_control(
        settings: Settings,
        control: ControlSocket,
        app: App,
        views: Arc<Views>,
        metrics: Metrics,
    ) -> io::Result<Self> {
        Self::start(settings, None, Some(control), app, views, metrics)
    }

    fn start(
        settings: Settings,
        listener: Option<(TcpListener, Option<Arc<Certificates>>)>,
        control: Option<ControlSocket>,
        app: App,
        views: Arc<Views>,
        metrics: Metrics,
    ) -> io::Result<Self> {
        let address = listener.as_ref().map(|(listener, _)| listener.local_addr()).transpose()?;
        let config = settings.server.clone();
        let workers = match config.workers {
            Some(workers) => workers.get(),
            None => std::thread::available_parallelism()?.get(),
        };
        let ServerConfig { max_body_bytes, keep_alive_seconds, shutdown_timeout_seconds, .. } = config;
        let client_timeout = Duration::from_secs(config.client_timeout_seconds);
        metrics.started(app.log().now());
        let listens_on = address.unwrap_or(config.listen);
        let service = web::Data::new(Service::new(settings, listens_on, app, views, metrics));
        let shared = web::Data::clone(&service);
        let mut server = HttpServer::new(move || {
            HttpApp::new()
                .app_data(web::Data::clone(&shared))
                .app_data(web::PayloadConfig::new(max_body_bytes))
                .configure(routes::register)
                .default_service(web::to(routes::no_such_route))
                // The last one meets a request first.
                .wrap(from_fn(middleware::anonymous::limit))
                .wrap(from_fn(middleware::problems::write))
                .wrap(from_fn(middleware::security_headers::add))
                .wrap(from_fn(middleware::observation::observe))
                .wrap(from_fn(middleware::request_id::identify))
        })
        .workers(workers)
        .keep_alive(Duration::from_secs(keep_alive_seconds))
        .max_connections(config.max_connections.get().div_ceil(workers))
        .client_request_timeout(client_timeout)
        .tls_handshake_timeout(client_timeout)
        .client_disconnect_timeout(client_timeout)
        .shutdown_timeout(shutdown_timeout_seconds)
        .on_connect(control::note_peer)
        .disable_signals();
        if let Some((listener, certificates)) = listener {
            server = match certificates {
                Some(certificates) => server.listen_rustls_0_23(listener, certificates.server_config()?)?,
                None => server.listen(listener)?,
            };
        }
        let mut file = None;
        if let Some(control) = control {
            let (listener, kept) = control.into_parts();
            server = server.listen_uds(listener)?;
            file = Some(kept);
        }
        Ok(Self { server: server.run(), address, service, _control: file })
    }

    /// Where it listens; with the port that was given for port 0. None for a server of the host alone.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Serves until `shutdown` is ready. Then no connection is accepted any more, and what is in flight is finished,
    /// for as long as [`ServerConfig::shutdown_timeout_seconds`] allows.
    ///
    /// # Errors
    /// When a worker cannot go on.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let handle = self.server.handle();
        let mut server = pin!(self.server);
        tokio::select! {
            ended = &mut server => return ended,
            () = shutdown => {}
        }
        self.service.stop();
        tokio::join!(handle.stop(true), server).1
    }
}
