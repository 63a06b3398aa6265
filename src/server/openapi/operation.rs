//! What the document says of one route: most of it follows from the route's row in the table, the rest an endpoint
//! adds.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::{Method, StatusCode};
use serde_json::json;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        ContentBuilder, Header, HeaderBuilder, Ref, RefOr, Required, Response, ResponseBuilder,
        extensions::ExtensionsBuilder,
        path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        schema::{ObjectBuilder, Schema, Type},
        security::SecurityRequirement,
    },
};

use super::{CLIENT_SECURITY, SECURITY};
use crate::{
    compatibility::{
        self,
        error::{self, ErrorBody, PATCH_FAILED, Told},
    },
    problem::{self, Kind, ProblemBody},
    routes::{Access, Audit, Route},
};

/// What the document says of one route.
pub(crate) struct Operation {
    builder: OperationBuilder,
    command: bool,
    /// Whether errors are told in the dialect of the compatibility API.
    compatible: bool,
    patch: bool,
    /// Whether `Idempotency-Key` names it.
    repeatable: bool,
    reads_views: bool,
    schemas: Vec<(String, RefOr<Schema>)>,
    problems: Vec<Kind>,
}

impl Operation {
    /// What follows from the row: names, path, who may ask, the headers and problems that this brings with it.
    pub(crate) fn of(route: &Route) -> Self {
        let mut extensions =
            ExtensionsBuilder::new().add("x-audit", route.audit.as_str()).add("x-command", route.command);
        extensions = match route.access {
            Access::Anyone => extensions.add("x-access", "anyone"),
            Access::Client => extensions.add("x-access", "client"),
            Access::Protocol => extensions.add("x-access", "protocol"),
            Access::SignedIn => extensions.add("x-access", "signed_in"),
            Access::Needs(permission) => {
                extensions.add("x-access", "permission").add("x-permission", permission.as_str())
            }
            Access::NeedsWhereItActs(permission) => extensions
                .add("x-access", "permission_where_it_acts")
                .add("x-permission", permission.as_str()),
            Access::NeedsWhereAsked(permission) => {
                extensions.add("x-access", "permission_where_asked").add("x-permission", permission.as_str())
            }
            Access::NeedsWhereFound(permission) => {
                extensions.add("x-access", "permission_where_found").add("x-permission", permission.as_str())
            }
            Access::NeedsEither(permission, other) => extensions
                .add("x-access", "either_permission")
                .add("x-permission", permission.as_str())
                .add("x-other-permission", other.as_str()),
            Access::OneselfOr(permission) => {
                extensions.add("x-access", "oneself_or_permission").add("x-permission", permission.as_str())
            }
        };
        let mut builder = OperationBuilder::new()
            .operation_id(Some(route.operation))
            .tag(tag(route.path))
            .extensions(Some(extensions.build()));
        for name in path_parameters(route.path) {
            builder = builder.parameter(parameter(name, ParameterIn::Path, Required::True, string()));
        }
        let command = route.audit == Audit::Everything;
        let mut operation = Self {
            builder,
            command,
            compatible: compatibility::is_spoken_at(route.path),
            patch: false,
            repeatable: command && route.access != Access::Anyone,
            reads_views: false,
            schemas: Vec::new(),
            problems: vec![Kind::RateLimited],
        };
        if matches!(route.access, Access::Anyone | Access::Protocol) {
            return operation;
        }
        if route.access == Access::Client {
            let own = SecurityRequirement::new(CLIENT_SECURITY, [] as [&str; 0]);
            operation.builder = operation.builder.security(own);
            return operation.problems(&[Kind::NotFound]);
        }
        operation.builder = operation.builder.security(SecurityRequirement::new(SECURITY, [] as [&str; 0]));
        operation.header(
            "X-Request-Id",
            "The caller's own id of the request, which the answer and the log carry too",
        );
        operation.problems.extend([Kind::Unauthenticated, Kind::InvalidHeader, Kind::InvalidParameter]);
        operation.problems.extend([Kind::Internal, Kind::Unavailable]);
        if route.access != Access::SignedIn {
            operation.problems.push(Kind::PermissionDenied);
        }
        if command {
            operation.problems.extend([Kind::MalformedRequest, Kind::RequestTimeout, Kind::BodyTooLarge]);
            operation.problems.extend([Kind::UnsupportedMediaType, Kind::InvalidRequest]);
            operation.problems.push(Kind::Contended);
        } else if route.method == Method::GET {
            operation.header("Muniment-Position", "A position that the answer must have seen");
            operation.problems.push(Kind::ViewsBehind);
        }
        operation
    }

    /// What it does, in a few words.
    pub(crate) fn summary(mut self, summary: &str) -> Self {
        self.builder = self.builder.summary(Some(summary));
        self
    }

    /// Asked twice it is done twice, whatever key names it. To be said before the answers.
    pub(crate) fn each_time(mut self) -> Self {
        self.repeatable = false;
        self
    }

    /// Its answer is read from the views. To be said before the answers.
    pub(crate) fn reads_views(mut self) -> Self {
        self.reads_views = true;
        self
    }

    /// The parameters of its query.
    pub(crate) fn parameters<P: IntoParams>(mut self) -> Self {
        for parameter in P::into_params(|| Some(ParameterIn::Query)) {
            self.builder = self.builder.parameter(parameter);
        }
        self
    }

    /// It needs `If-Match`.
    pub(crate) fn if_match(mut self) -> Self {
        let mut header = parameter("If-Match", ParameterIn::Header, Required::True, string());
        header.description = Some("The ETag of what was seen, or `*`".to_owned());
        self.builder = self.builder.parameter(header);
        self.problems(&[Kind::PreconditionFailed, Kind::PreconditionRequired])
    }

    /// It needs a body.
    pub(crate) fn body<T: ToSchema>(self) -> Self {
        self.body_of::<T>(Required::True)
    }

    /// It takes a body that may be left out.
    pub(crate) fn optional_body<T: ToSchema>(self) -> Self {
        self.body_of::<T>(Required::False)
    }

    fn body_of<T: ToSchema>(mut self, required: Required) -> Self {
        let content = ContentBuilder::new().schema(Some(self.schema::<T>())).build();
        let body =
            RequestBodyBuilder::new().content("application/json", content).required(Some(required)).build();
        self.builder = self.builder.request_body(Some(body));
        self
    }

    /// An answer in JSON.
    pub(crate) fn json<T: ToSchema>(mut self, status: StatusCode, description: &str) -> Self {
        let content = ContentBuilder::new().schema(Some(self.schema::<T>())).build();
        let response = self.answer(status, description).content("application/json", content).build();
        self.builder = self.builder.response(status.as_str(), response);
        self
    }

    /// An answer of text in one of these forms.
    pub(crate) fn text(mut self, content_types: &[&str], description: &str) -> Self {
        let mut response = self.answer(StatusCode::OK, description);
        for content_type in content_types {
            let content = ContentBuilder::new().schema(Some(string())).build();
            response = response.content(*content_type, content);
        }
        self.builder = self.builder.response(StatusCode::OK.as_str(), response.build());
        self
    }

    /// An answer that goes on, and what one of its events looks like.
    pub(crate) fn server_sent_events<T: ToSchema>(mut self, description: &str) -> Self {
        let content = ContentBuilder::new().schema(Some(self.schema::<T>())).build();
        let response = self.answer(StatusCode::OK, description).content("text/event-stream", content);
        self.builder = self.builder.response(StatusCode::OK.as_str(), response.build());
        self
    }

    /// An answer without a body.
    pub(crate) fn nothing(mut self, status: StatusCode, description: &str) -> Self {
        let response = self.answer(status, description).build();
        self.builder = self.builder.response(status.as_str(), response);
        self
    }

    /// It takes a patch that may not fit what is there.
    pub(crate) fn patch_may_fail(mut self) -> Self {
        self.patch = true;
        self
    }

    /// Problems of this route alone.
    pub(crate) fn problems(mut self, kinds: &[Kind]) -> Self {
        self.problems.extend(kinds);
        self
    }

    /// The operation, and the schemas that it refers to.
    pub(crate) fn into_parts(mut self) -> (utoipa::openapi::path::Operation, Vec<(String, RefOr<Schema>)>) {
        if self.repeatable {
            self.header(
                crate::extract::IDEMPOTENCY_KEY,
                "Names the command, so that asking twice does it once",
            );
            self.problems.push(Kind::IdempotencyMismatch);
        }
        let Self {
            mut builder,
            problems,
            mut schemas,
            reads_views,
            compatible,
            patch,
            command: _,
            repeatable: _,
        } = self;
        let mut by_status: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
        let told = problems.into_iter().map(|kind| match compatible {
            true => Told::of(kind).as_pair(),
            false => (kind.status(), kind.slug()),
        });
        for (status, name) in told.chain(patch.then(|| PATCH_FAILED.as_pair())) {
            by_status.entry(status.as_u16()).or_default().insert(name);
        }
        if compatible {
            schemas.push((ErrorBody::name().into_owned(), ErrorBody::schema()));
        }
        for (status, slugs) in by_status {
            let mut response =
                if compatible { compatible_response(&slugs) } else { problem_response(&slugs) };
            if reads_views && [StatusCode::NOT_FOUND, StatusCode::GONE].iter().any(|seen| *seen == status) {
                response.headers.insert("Muniment-Views".to_owned(), RefOr::T(views_behind()));
            }
            builder = builder.response(status.to_string(), response);
        }
        (builder.build(), schemas)
    }

    fn header(&mut self, name: &str, description: &str) {
        let mut header = parameter(name, ParameterIn::Header, Required::False, string());
        header.description = Some(description.to_owned());
        self.builder = std::mem::take(&mut self.builder).parameter(header);
    }

    /// An answer with the headers that go with every one of this kind.
    fn answer(&self, status: StatusCode, description: &str) -> ResponseBuilder {
        let mut response = ResponseBuilder::new().description(description);
        if self.command {
            response = response
                .header("ETag", header(string(), "The revision, in quotes"))
                .header("Muniment-Position", header(integer(), "The position of what the command did"))
                .header("Muniment-Views", header(string(), "`behind` if a read may not see it yet"));
        }
        if self.repeatable {
            let replayed = header(string(), "`true` if the command took place earlier");
            response = response.header("Idempotent-Replayed", replayed);
        }
        if self.reads_views {
            response = response
                .header(
                    "Muniment-Position",
                    header(integer(), "A position that the answer has seen at least"),
                )
                .header("Muniment-Views", views_behind());
        }
        if status == StatusCode::CREATED || status == StatusCode::ACCEPTED {
            response = response.header("Location", header(string(), "Where it is"));
        }
        response
    }

    /// A reference to the schema of `T`, which is put among the components with all that it refers to.
    fn schema<T: ToSchema>(&mut self) -> RefOr<Schema> {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        Ref::from_schema_name(T::name()).into()
    }
}

fn header(schema: RefOr<Schema>, description: &str) -> Header {
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}

/// What an answer from the views has, if the log has more.
fn views_behind() -> Header {
    header(string(), "`behind` if the log had more than the view that was read")
}

/// A problem of any of these slugs.
fn problem_response(slugs: &BTreeSet<&str>) -> Response {
    error_response(slugs, "x-problems", &ProblemBody::name(), problem::CONTENT_TYPE)
}

/// An error of the compatibility API with any of these codes.
fn compatible_response(codes: &BTreeSet<&str>) -> Response {
    error_response(codes, "x-codes", &ErrorBody::name(), error::CONTENT_TYPE)
}

fn error_response(slugs: &BTreeSet<&str>, listed_as: &str, schema: &str, content_type: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    let description = slugs.iter().map(|slug| format!("`{slug}`")).collect::<Vec<_>>().join(", ");
    ResponseBuilder::new()
        .description(description)
        .content(content_type, content)
        .extensions(Some(ExtensionsBuilder::new().add(listed_as, json!(slugs)).build()))
        .build()
}

/// The names between braces in a pattern.
fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

/// The part of the API that a path belongs to.
fn tag(path: &str) -> &'static str {
    let tags = [
        ("/activity", "audit"),
        ("/clients", "clients"),
        ("/{environment}/client", "oauth"),
        ("/audit", "audit"),
        ("/members", "members"),
        ("/roles", "members"),
        ("/me", "members"),
        ("/environments", "environments"),
        ("/client_types", "catalog"),
        ("/scopes", "catalog"),
    ];
    tags.into_iter().find(|(part, _)| path.contains(part)).map_or("service", |(_, tag)| tag)
}

fn parameter(name: &str, place: ParameterIn, required: Required, schema: RefOr<Schema>) -> Parameter {
    ParameterBuilder::new().name(name).parameter_in(place).required(required).schema(Some(schema)).build()
}

fn string() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).into()
}

fn integer() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Integer).into()
}
