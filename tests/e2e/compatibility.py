"""Whole flows through the official client of another product: `compatibility.py <base URL> <token> <flow>`."""

import json
import sys

from launchdarkly_api import ApiClient, ApiException, Configuration, OauthClientPost, PatchOperation
from launchdarkly_api.api.o_auth2_clients_api import OAuth2ClientsApi

HOST, TOKEN, FLOW = sys.argv[1:]
NOBODY = "0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e"


def api(token=TOKEN):
    return OAuth2ClientsApi(ApiClient(Configuration(host=HOST, api_key={"ApiKey": token})))


def refused(status, code, call, *arguments):
    try:
        call(*arguments)
    except ApiException as error:
        body = json.loads(error.body)
        assert (error.status, body["code"]) == (status, code), error
        assert body["id"] == error.headers["X-Request-Id"], error
        return body["message"]
    raise AssertionError(f"{call} was not refused")


def post(name, redirect_uri="https://app.example.com/callback", **more):
    return api().create_o_auth2_client(OauthClientPost(name=name, redirectUri=redirect_uri, **more))


def patch(client_id, *operations):
    return api().patch_o_auth_client(client_id, [PatchOperation(**operation) for operation in operations])


def life():
    assert api().get_o_auth_clients().items == []
    created = post("Matter sync", description="Keeps matters in step")
    client_id = created.client_id
    assert created.client_secret.startswith("mcs_"), "the secret is shown once"
    assert created.links["self"].href == f"/api/v2/oauth/clients/{client_id}"
    assert created.links["parent"].type == "application/json"
    plain = post("Deposition search")
    assert plain.description is None and plain.account_id == created.account_id

    got = api().get_o_auth_client_by_id(client_id)
    assert got.client_secret is None
    shown = created.to_dict()
    del shown["_clientSecret"]
    assert got.to_dict() == shown
    listed = api().get_o_auth_clients()
    assert [client.name for client in listed.items] == ["Deposition search", "Matter sync"]
    assert all(client.client_secret is None for client in listed.items)
    assert listed.links["self"].href == "/api/v2/oauth/clients"

    changed = patch(
        client_id,
        {"op": "test", "path": "/_clientId", "value": client_id},
        {"op": "replace", "path": "/name", "value": "Matter export"},
        {"op": "replace", "path": "/redirectUri", "value": "https://app.example.com/other"},
        {"op": "remove", "path": "/description"},
    )
    assert (changed.name, changed.redirect_uri) == ("Matter export", "https://app.example.com/other")
    assert changed.description is None and changed.creation_date == created.creation_date
    described = patch(plain.client_id, {"op": "replace", "path": "/description", "value": "Finds them"})
    assert described.description == "Finds them", "also where there was none"

    assert api().delete_o_auth_client(client_id) is None
    refused(404, "not_found", api().get_o_auth_client_by_id, client_id)
    refused(404, "not_found", api().delete_o_auth_client, client_id)
    assert [client.client_id for client in api().get_o_auth_clients().items] == [plain.client_id]


def errors():
    client = post("Matter sync")
    message = refused(400, "invalid_request", api().create_o_auth2_client, OauthClientPost())
    assert "name: must not be empty" in message and "redirectUri: must not be empty" in message, message
    for wrong, told in [
        ("http://app.example.com/cb", "must be https"),
        ("/cb", "must be absolute"),
        ("https://app.example.com/cb?x=1", "must not have a query"),
    ]:
        assert told in refused(400, "invalid_request", post, "Other", wrong), wrong
    assert "name" in refused(409, "conflict", post, "MATTER SYNC")
    refused(401, "unauthorized", api("mpt_wrong").get_o_auth_clients)
    refused(404, "not_found", api().get_o_auth_client_by_id, NOBODY)
    refused(404, "not_found", api().get_o_auth_client_by_id, "a/b c")
    rename = {"op": "replace", "path": "/name", "value": "Renamed"}
    for operation in [
        {"op": "replace", "path": "/_clientId", "value": NOBODY},
        {"op": "replace", "path": "/_clientSecret", "value": "known"},
        {"op": "add", "path": "/scope", "value": "matters:write"},
        {"op": "remove", "path": "/redirectUri"},
        {"op": "replace", "path": "/redirectUri", "value": "http://localhost/cb"},
        {"op": "replace", "path": "/name", "value": 42},
        {"op": "shout", "path": "/name", "value": "Loud"},
    ]:
        refused(400, "invalid_request", patch, client.client_id, rename, operation)
    failing = {"op": "test", "path": "/name", "value": "Another one"}
    refused(422, "patch_failed", patch, client.client_id, rename, failing)
    assert api().get_o_auth_client_by_id(client.client_id).name == "Matter sync", "all or nothing"


def forbidden():
    message = refused(403, "forbidden", post, "Matter sync")
    assert "clients:write" in message, message
    refused(403, "forbidden", api().delete_o_auth_client, NOBODY)


{"life": life, "errors": errors, "forbidden": forbidden}[FLOW]()
