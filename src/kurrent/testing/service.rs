//! The calls of the protocol over HTTP/2.

use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::net::TcpListener;
use tonic::body::BoxBody;
use tonic::codec::ProstCodec;
use tonic::server::{ClientStreamingService, Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};
use tower_service::Service;

use super::Fault;
use super::protocol::{
    AppendContent, AppendReq, AppendResp, DeleteReq, DeleteResp, Empty, ReadReq, ReadResp, SupportedMethods,
    WriteOptions,
};
use super::streams::{Streams, exception};

/// The version that the server calls itself by.
const VERSION: &str = "24.6.0";

type Answer<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;
type Messages = tokio_stream::Iter<std::vec::IntoIter<Result<ReadResp, Status>>>;

/// What all calls share.
#[derive(Clone)]
struct Shared(Arc<Mutex<Streams>>);

impl Shared {
    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves until its runtime ends.
pub(super) async fn serve(listener: TcpListener, streams: Arc<Mutex<Streams>>) {
    let shared = Shared(streams);
    let server = Server::builder().add_service(StreamsService(shared)).add_service(FeaturesService);
    // Real servers do not wait for more before they send an answer either.
    let Ok(incoming) = TcpIncoming::from_listener(listener, true, None) else { return };
    if let Err(error) = server.serve_with_incoming(incoming).await {
        tracing::error!(%error, "serving the protocol of KurrentDB");
    }
}

struct Append(Shared);

impl ClientStreamingService<AppendReq> for Append {
    type Response = AppendResp;
    type Future = Answer<AppendResp>;

    fn call(&mut self, request: Request<Streaming<AppendReq>>) -> Self::Future {
        let shared = self.0.clone();
        Box::pin(async move {
            let mut messages = request.into_inner();
            let (mut options, mut batch) = (WriteOptions::default(), Vec::new());
            while let Some(message) = messages.message().await? {
                match message.content {
                    Some(AppendContent::Options(told)) => options = told,
                    Some(AppendContent::ProposedMessage(proposed)) => batch.push(proposed),
                    None => return Err(Status::invalid_argument("an empty message")),
                }
            }
            let name = options.stream_identifier.unwrap_or_default().stream_name;
            let expected =
                options.expected.ok_or_else(|| Status::invalid_argument("no revision is expected"))?;
            let fault = {
                let mut streams = shared.streams();
                let fault = streams.take(|fault| !is_of_reads(fault));
                refuse(fault, &streams).map_err(|status| *status)?;
                let result = streams.append(&name, &expected, batch).map_err(|status| *status)?;
                if fault.is_none() {
                    return Ok(Response::new(AppendResp { result: Some(result) }));
                }
                fault
            };
            if fault == Some(Fault::AppendThenSilence) {
                pending::<()>().await;
            }
            Err(Status::unavailable("a test wants no answer"))
        })
    }
}

fn is_of_reads(fault: Fault) -> bool {
    matches!(fault, Fault::ReadFailsAfter(_) | Fault::ReadEndsAfter(_) | Fault::ReadInSilence)
}

/// What is not even done.
fn refuse(fault: Option<Fault>, streams: &Streams) -> Result<(), Box<Status>> {
    match fault {
        Some(Fault::Unavailable) => Err(Box::new(Status::unavailable("a test wants it so"))),
        Some(Fault::Denied) => Err(Box::new(Status::permission_denied("a test wants it so"))),
        Some(Fault::NotLeader) => {
            let mut status = exception(Status::not_found("not the leader"), "not-leader");
            let (host, port) = (streams.leader.ip().to_string(), streams.leader.port().to_string());
            for (name, value) in [("leader-endpoint-host", host), ("leader-endpoint-port", port)] {
                if let Ok(value) = value.parse() {
                    status.metadata_mut().insert(name, value);
                }
            }
            Err(Box::new(status))
        }
        Some(
            Fault::AppendThenUnavailable
            | Fault::AppendThenSilence
            | Fault::ReadFailsAfter(_)
            | Fault::ReadEndsAfter(_)
            | Fault::ReadInSilence,
        )
        | None => Ok(()),
    }
}

struct Read(Shared);

impl ServerStreamingService<ReadReq> for Read {
    type Response = ReadResp;
    type ResponseStream = Messages;
    type Future = Answer<Messages>;

    fn call(&mut self, request: Request<ReadReq>) -> Self::Future {
        let shared = self.0.clone();
        Box::pin(async move {
            let options = request.into_inner().options.unwrap_or_default();
            let (found, fault) = {
                let mut streams = shared.streams();
                (streams.read(options).map_err(|status| *status)?, streams.take(is_of_reads))
            };
            let message = |content| ReadResp { content: Some(content) };
            let mut messages: Vec<_> = found.into_iter().map(message).collect();
            let mut failure = None;
            match fault {
                Some(Fault::ReadFailsAfter(count)) => {
                    messages.truncate(count);
                    failure = Some(Status::unavailable("a test wants it so"));
                }
                Some(Fault::ReadEndsAfter(count)) => messages.truncate(count),
                Some(Fault::ReadInSilence) => pending().await,
                Some(
                    Fault::Unavailable
                    | Fault::AppendThenUnavailable
                    | Fault::AppendThenSilence
                    | Fault::NotLeader
                    | Fault::Denied,
                )
                | None => {}
            }
            let messages: Vec<_> = messages.into_iter().map(Ok).chain(failure.map(Err)).collect();
            Ok(Response::new(tokio_stream::iter(messages)))
        })
    }
}

struct Delete {
    shared: Shared,
    for_good: bool,
}

impl UnaryService<DeleteReq> for Delete {
    type Response = DeleteResp;
    type Future = Answer<DeleteResp>;

    fn call(&mut self, request: Request<DeleteReq>) -> Self::Future {
        let (shared, for_good) = (self.shared.clone(), self.for_good);
        Box::pin(async move {
            let options = request.into_inner().options.unwrap_or_default();
            let name = options.stream_identifier.unwrap_or_default().stream_name;
            let position = shared.streams().delete(&name, for_good).map_err(|status| *status)?;
            Ok(Response::new(DeleteResp { position: Some(position) }))
        })
    }
}

struct Features;

impl UnaryService<Empty> for Features {
    type Response = SupportedMethods;
    type Future = Answer<SupportedMethods>;

    fn call(&mut self, _: Request<Empty>) -> Self::Future {
        let methods = SupportedMethods { event_store_server_version: VERSION.to_owned() };
        Box::pin(async move { Ok(Response::new(methods)) })
    }
}

type Served = Pin<Box<dyn Future<Output = Result<http::Response<BoxBody>, Infallible>> + Send>>;

#[derive(Clone)]
struct StreamsService(Shared);

impl NamedService for StreamsService {
    const NAME: &'static str = "event_store.client.streams.Streams";
}

impl Service<http::Request<BoxBody>> for StreamsService {
    type Response = http::Response<BoxBody>;
    type Error = Infallible;
    type Future = Served;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<BoxBody>) -> Served {
        let shared = self.0.clone();
        Box::pin(async move {
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            Ok(match method.as_str() {
                "Append" => Grpc::new(ProstCodec::default()).client_streaming(Append(shared), request).await,
                "Read" => Grpc::new(ProstCodec::default()).server_streaming(Read(shared), request).await,
                "Delete" | "Tombstone" => {
                    let delete = Delete { shared, for_good: method == "Tombstone" };
                    Grpc::new(ProstCodec::default()).unary(delete, request).await
                }
                _ => Status::unimplemented("not in this server").into_http(),
            })
        })
    }
}

#[derive(Clone)]
struct FeaturesService;

impl NamedService for FeaturesService {
    const NAME: &'static str = "event_store.client.server_features.ServerFeatures";
}

impl Service<http::Request<BoxBody>> for FeaturesService {
    type Response = http::Response<BoxBody>;
    type Error = Infallible;
    type Future = Served;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<BoxBody>) -> Served {
        Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).unary(Features, request).await) })
    }
}
