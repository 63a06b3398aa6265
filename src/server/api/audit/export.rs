//! `GET /audit/export`: everything a question finds, in the order of the log, however much it is.
//!
//! The log is read page by page, by position, as fast as the reader takes it: nothing is locked meanwhile, and a page is
//! all that is in memory. That it is exported is recorded before the first byte leaves.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Bytes, Data},
};
use app::{AuditExport, Context, Fault};
use domain::Permission;
use flate2::{Compression, write::GzEncoder};
use futures_util::{TryStreamExt as _, stream};
use projections::audit_trail::{self, AuditPage};
use serde::Deserialize;
use store::Position;
use utoipa::ToSchema;

use super::{
    disclosed,
    parameters::{self, filtered},
    question::Question,
    standing::demand_again,
};
use crate::{
    api::clients::get::Include,
    export::{self, ExportError, Exporter, Format},
    extract::{Read, accepts_gzip},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::{AuditEvent, audit::corrupt},
    service::Service,
};

/// What it is called in the records of exports and of opened private parts.
const WHAT: &str = "audit.export";
/// How often it is asked whether the reader may go on. Not for each page: thousands of them are read in a second.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(250);
/// Events that are read at a time.
const PAGE: usize = 200;

/// What it is written as.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum FormatName {
    #[default]
    Ndjson,
    Csv,
    CloudEvents,
    Ocsf,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Ndjson => Self::Ndjson,
            FormatName::Csv => Self::Csv,
            FormatName::CloudEvents => Self::CloudEvents,
            FormatName::Ocsf => Self::Ocsf,
        }
    }
}

filtered! {
    /// Which events, and how; all that is given must hold.
    struct Parameters {
        /// `ndjson` if left out.
        #[serde(default)]
        #[param(inline)]
        format: FormatName,
        /// The id of the client that it is about; what was refused for it is exported too.
        #[param(value_type = Option<String>, format = Uuid)]
        client: Option<domain::ClientId>,
        /// The stream that it is about, in place of `client`.
        #[param(example = "environment-sandbox")]
        subject: Option<String>,
        /// Who holds audit:read in one environment alone must name that one.
        environment: Option<String>,
        /// `private` opens private parts; needs audit:read_private, and is recorded.
        #[param(inline)]
        include: Option<Include>,
    }
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Export the audit, in the order of the log; the last record proves that it is whole")
        .parameters::<Parameters>()
        .text(&[Format::Ndjson.content_type(), Format::Csv.content_type()], "One record a line; the format says which. The last one counts the events and has the SHA-256 of all before it")
        .problems(&[Kind::ViewsBehind])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    if read.parameters.include.is_some() {
        read.demand(Permission::AuditReadPrivate).await?;
    }
    let Read { http, service, mut parameters, context, .. } = read;
    let subject = parameters::subject(parameters.client, parameters.subject.take())?;
    let environment = parameters.environment.take();
    let question = parameters.question(subject, environment)?;
    question.demand(&service, &context).await?;
    let format = Format::from(parameters.format);
    let until = service.app.log().head().await.map_err(Fault::from)?;
    if !question.is_empty() && !service.views_at(until).await {
        // What is missing in a view would be missing in the export, and its end would say that it is whole.
        return Err(Problem::new(Kind::ViewsBehind));
    }
    let mut pages = Pages {
        service: Data::clone(&service),
        http: http.clone(),
        looked_at: Instant::now(),
        context: context.clone(),
        private: parameters.include.is_some(),
        question,
        after: Position::ORIGIN,
        until,
    };
    let asked = pages.question.recorded_as(WHAT, None);
    // A filter that names nothing there is has to be told before anything is recorded or sent.
    let first = pages.read().await?;
    let recorded = AuditExport {
        format: format.as_str(),
        include_private: pages.private,
        after: Position::ORIGIN,
        until,
    };
    service.app.record_audit_export(&context, asked, recorded).await?;
    let source = export::source(service.public_url());
    let zipped = accepts_gzip(&http);
    let writer = Writer {
        exporter: Some(Exporter::new(format, source, Position::new(1), until)),
        gzip: zipped.then(|| GzEncoder::new(Vec::new(), Compression::fast())),
        begun: false,
    };
    let request_id = context.request_id.clone();
    let body = stream::try_unfold((pages, writer, Some(first)), |(mut pages, mut writer, page)| async move {
        let page = match page {
            Some(page) => page,
            None => pages.read().await?,
        };
        let bytes = writer.write(&mut pages, page).await?;
        Ok(bytes.map(|bytes| (Bytes::from(bytes), (pages, writer, None))))
    });
    let body = body.map_err(move |problem: Problem| {
        // The answer has begun: all that can still be done is to end it without its last record.
        tracing::error!(request_id, cause = problem.cause(), "an export broke off");
        std::io::Error::other(problem.to_string())
    });
    let name = format!("attachment; filename=\"muniment-audit-{until}.{}\"", format.extension());
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, format.content_type()))
        .insert_header((header::CONTENT_DISPOSITION, name))
        .insert_header((header::VARY, "Accept-Encoding"));
    if zipped {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    Ok(response.streaming(body))
}

/// What the question finds, page by page.
struct Pages {
    service: Data<Service>,
    /// Whose token is looked at again and again: a revoked one must not go on reading.
    http: HttpRequest,
    /// When that was.
    looked_at: Instant,
    context: Context,
    private: bool,
    question: Question,
    /// The last position that was looked at.
    after: Position,
    /// The last one to be looked at.
    until: Position,
}

impl Pages {
    /// The next events; there can be none in a page that is not the last.
    async fn read(&mut self) -> Result<Vec<AuditEvent>, Problem> {
        if self.looked_at.elapsed() > LOOKED_AT_EVERY {
            demand_again(&self.service, &self.http, &self.context, &self.question, self.private).await?;
            self.looked_at = Instant::now();
        }
        let (events, seen) = if self.question.is_empty() {
            let mut found = self.service.app.log().read_all(self.after, PAGE).await?;
            found.retain(|event| event.position <= self.until);
            let seen = found.last().map_or(self.until, |event| event.position);
            let events = found.into_iter().map(|event| AuditEvent::new(event.position, &event.entry));
            (events.collect::<Result<Vec<_>, _>>()?, seen)
        } else {
            let page = AuditPage {
                order: audit_trail::Order::Ascending,
                after: Some(self.after),
                before: Some(self.until.next()),
                limit: PAGE,
            };
            let (items, found) = self.question.search(&self.service, &self.context, page).await?;
            // Views that were damaged meanwhile are folded anew, and know nothing yet: that must not look like the end.
            if found.end < self.until {
                return Err(Problem::new(Kind::ViewsBehind));
            }
            let events = items.into_iter().map(|item| AuditEvent::new(item.position, &item.entry));
            (events.collect::<Result<Vec<_>, _>>()?, found.rest.unwrap_or(self.until))
        };
        self.after = seen;
        Ok(events)
    }

    fn ended(&self) -> bool {
        self.after >= self.until
    }
}

/// Turns pages into bytes.
struct Writer {
    /// Gone once the last record is written.
    exporter: Option<Exporter>,
    gzip: Option<GzEncoder<Vec<u8>>>,
    begun: bool,
}

impl Writer {
    /// The bytes of a page; with the last record, if it was the last page. `None` once that is out.
    async fn write(&mut self, pages: &mut Pages, page: Vec<AuditEvent>) -> Result<Option<Vec<u8>>, Problem> {
        let Some(mut exporter) = self.exporter.take() else { return Ok(None) };
        let mut bytes = if self.begun { Vec::new() } else { exporter.begin()? };
        self.begun = true;
        let page = if pages.private {
            disclosed(&pages.service, pages.context.clone(), WHAT, None, page).await?
        } else {
            page
        };
        for event in page {
            let private = event.private.as_ref().map(serde_json::value::to_raw_value).transpose();
            let private = private.map_err(corrupt)?;
            bytes.extend(exporter.event(event.position, event.entry.get().as_bytes(), private.as_deref())?);
        }
        if pages.ended() {
            bytes.extend(exporter.end()?);
        } else {
            self.exporter = Some(exporter);
        }
        self.packed(&bytes).map(Some).map_err(corrupt)
    }

    /// The bytes as they are sent.
    fn packed(&mut self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let Some(mut gzip) = self.gzip.take() else { return Ok(bytes.to_vec()) };
        gzip.write_all(bytes)?;
        if self.exporter.is_none() {
            return gzip.finish();
        }
        gzip.flush()?;
        let packed = std::mem::take(gzip.get_mut());
        self.gzip = Some(gzip);
        Ok(packed)
    }
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        corrupt(error)
    }
}
