//! `PATCH /api/v2/oauth/clients/{client_id}`: a JSON Patch (RFC 6902), bare or with a comment beside it.

use actix_web::{HttpResponse, http::StatusCode};
use app::{Channel, ClientEdit};
use crypto::Personal;
use domain::{ClientId, Rule, Violation, client::Registration};
use json_patch::{Patch, PatchOperation};
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type},
    },
};
use uuid::Uuid;

use super::Unread;
use crate::{
    answer,
    compatibility::{account_id, acting_in, representation::Client},
    extract::{Command, CommandBody, Salvaged, json_value, path, wrong},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// What can be changed here.
const CHANGEABLE: [&str; 3] = ["/name", "/description", "/redirectUri"];
/// More than any real patch has.
const MOST_OPERATIONS: usize = 100;

/// A patch, and why.
#[derive(Debug)]
pub(crate) struct PatchBody {
    patch: Patch,
    comment: Option<Personal<String>>,
}

impl CommandBody for PatchBody {
    fn read(bytes: &[u8]) -> Result<Salvaged<Self>, Problem> {
        read(json_value(bytes)?).map(Salvaged::sound).map_err(Problem::of_violations)
    }

    fn of_nothing() -> Option<Self> {
        None
    }

    fn take_why(&mut self) -> (Option<Personal<String>>, Option<String>) {
        (self.comment.take(), None)
    }
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Change a client by a JSON Patch, in the words of another product")
        .body::<PatchBody>()
        .json::<Client>(StatusCode::OK, "The client, without its secret")
        .problems(&[Kind::NotFound, Kind::Taken])
        .patch_may_fail()
}

pub(crate) async fn handle(command: Command<PatchBody, Unread>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, if_match, body, .. } = command;
    let (environment, client_id) = (acting_in(&context)?, path::client_id(&http)?);
    let account_id = account_id(&service, &environment).await?;
    let edit = move |client: &Registration| edited(account_id, client_id, client, &body.patch);
    let client = service
        .app
        .edit_client(context, environment, client_id, if_match, Channel::Compatibility, edit)
        .await?;
    let shown = Client::new(account_id, client_id, &client.registration);
    Ok(answer::to_command(&service, StatusCode::OK, &client).await.json(shown))
}

fn read(body: Value) -> Result<PatchBody, Vec<Violation>> {
    let refused = |pointer: &str, rule, detail: &str| Err(vec![Violation::new(pointer, rule, detail)]);
    let (comment, operations) = match body {
        Value::Array(operations) => (None, operations),
        Value::Object(mut fields) => {
            let comment = match fields.remove("comment") {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(Personal::new(text)),
                Some(_) => return refused("/comment", Rule::WrongType, "must be a string"),
            };
            match fields.remove("patch") {
                Some(Value::Array(operations)) => (comment, operations),
                Some(_) => return refused("/patch", Rule::WrongType, "must be an array"),
                None => return refused("/patch", Rule::Required, "must be given"),
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let detail = "must be an array of operations, or an object with `patch` and `comment`";
            return refused("", Rule::WrongType, detail);
        }
    };
    if operations.len() > MOST_OPERATIONS {
        return refused("/patch", Rule::TooMany, "has too many operations: at most 100");
    }
    let mut faults = Vec::new();
    let mut patch = Vec::with_capacity(operations.len());
    for (place, operation) in operations.into_iter().enumerate() {
        match serde_json::from_value(operation) {
            Ok(operation) => match check(&operation) {
                Ok(()) => patch.push(operation),
                Err(detail) => {
                    faults.push(Violation::new(format!("/{place}/path"), Rule::Unsupported, detail));
                }
            },
            Err(error) => {
                let fault = wrong(&error.to_string());
                let field = fault.field.map(|field| format!("`{field}` ")).unwrap_or_default();
                faults.push(Violation::new(
                    format!("/{place}"),
                    fault.rule,
                    format!("{field}{}", fault.detail),
                ));
            }
        }
    }
    if faults.is_empty() { Ok(PatchBody { patch: Patch(patch), comment }) } else { Err(faults) }
}

/// Whether an operation leaves alone what must stay as it is. A `test` may look at anything; nothing may be made of the
/// whole client, for copies of copies would grow without end.
fn check(operation: &PatchOperation) -> Result<(), &'static str> {
    let changeable = |pointer: &str| CHANGEABLE.contains(&pointer);
    let (changed, read) = match operation {
        PatchOperation::Test(_) => return Ok(()),
        PatchOperation::Add(add) => (vec![&add.path], None),
        PatchOperation::Replace(replace) => (vec![&replace.path], None),
        PatchOperation::Remove(remove) => (vec![&remove.path], None),
        PatchOperation::Move(of) => (vec![&of.path, &of.from], None),
        PatchOperation::Copy(of) => (vec![&of.path], Some(&of.from)),
    };
    if read.is_some_and(|from| from.as_str().is_empty()) {
        return Err("cannot copy the whole client");
    }
    if changed.iter().any(|pointer| pointer.as_str().starts_with("/_")) {
        return Err("cannot change a field that begins with `_`");
    }
    if changed.iter().all(|pointer| changeable(pointer.as_str())) {
        Ok(())
    } else {
        Err("can change /name, /description and /redirectUri alone")
    }
}

/// What the patch makes of a client: all of it or nothing.
fn edited(
    account_id: Uuid,
    client_id: ClientId,
    client: &Registration,
    patch: &Patch,
) -> Result<ClientEdit, Vec<Violation>> {
    let unfit = |pointer: &str, detail: &str| vec![Violation::new(pointer, Rule::PatchFailed, detail)];
    let shown = serde_json::to_value(Client::new(account_id, client_id, client));
    let Ok(Value::Object(mut fields)) = shown else { return Err(unfit("", "the client cannot be shown")) };
    // What is left out of the answer can be replaced all the same.
    fields.entry("description").or_insert(Value::Null);
    let mut patched = Value::Object(fields.clone());
    json_patch::patch(&mut patched, patch)
        .map_err(|error| unfit(&format!("/{}", error.operation), &error.kind.to_string()))?;
    let (name, description, redirect_uri) =
        (text(&patched, "name"), text(&patched, "description"), text(&patched, "redirectUri"));
    let mut wrong = Vec::new();
    let mut keep = |pointer: &str, read: Result<Option<String>, ()>, needed: bool| match read {
        Ok(None) if needed => {
            wrong.push(Violation::new(pointer, Rule::Required, "cannot be removed"));
            None
        }
        Ok(text) => text,
        Err(()) => {
            wrong.push(Violation::new(pointer, Rule::WrongType, "must be a string"));
            None
        }
    };
    let name = keep("/client_name", name, true);
    let description = keep("/description", description, false);
    let redirect_uri = keep("/redirect_uris/0", redirect_uri, true);
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let is_other = |uri: &String| fields.get("redirectUri").and_then(Value::as_str) != Some(uri);
    Ok(ClientEdit {
        client_name: name,
        description: Some(description),
        redirect_uris: redirect_uri.filter(is_other).map(|uri| with_first(uri, client)),
    })
}

/// A text member; nothing if it is null or not there.
fn text(object: &Value, name: &str) -> Result<Option<String>, ()> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => Err(()),
    }
}

/// The redirect URIs with another one in the place of the first, which is the one that is shown here.
fn with_first(first: String, client: &Registration) -> Vec<String> {
    let others = client.redirect_uris.iter().skip(1).map(ToString::to_string);
    let others: Vec<_> = others.filter(|uri| *uri != first).collect();
    [first].into_iter().chain(others).collect()
}

impl ToSchema for PatchBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "CompatiblePatch".into()
    }
}

impl PartialSchema for PatchBody {
    fn schema() -> RefOr<Schema> {
        let string = || ObjectBuilder::new().schema_type(Type::String);
        let operation = ObjectBuilder::new()
            .property("op", string().enum_values(Some(["add", "remove", "replace", "move", "copy", "test"])))
            .property("path", string().description(Some("RFC 6901 pointer")))
            .property("from", string())
            .property("value", ObjectBuilder::new().schema_type(SchemaType::AnyValue))
            .required("op")
            .required("path")
            .build();
        let operations = || ArrayBuilder::new().items(operation.clone());
        let comment = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("Why, in free text; sealed"));
        let commented = ObjectBuilder::new()
            .property("comment", comment)
            .property("patch", operations())
            .required("patch");
        OneOfBuilder::new().item(operations()).item(commented).into()
    }
}

#[cfg(test)]
mod tests;
