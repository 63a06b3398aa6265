// A whole flow through the official TypeScript client of another product: `<modules> <base URL> <token>`.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [modules, host, token] = process.argv.slice(1);
const { Configuration, OAuth2ClientsApi } = createRequire(`${modules}/`)("launchdarkly-api-typescript");

const api = (apiKey = token) => new OAuth2ClientsApi(new Configuration({ apiKey, basePath: host }));

async function refused(status, code, asked) {
  const error = await asked.then(() => assert.fail("it was not refused"), (error) => error);
  assert.deepEqual([error.response?.status, error.response?.data.code], [status, code], String(error));
  assert.equal(error.response.data.id, error.response.headers["x-request-id"]);
}

const redirectUri = "https://app.example.com/callback";
const created = await api().createOAuth2Client({ name: "Matter sync", redirectUri, description: "Keeps them in step" });
assert.equal(created.status, 201);
const { _clientSecret: secret, ...shown } = created.data;
assert.match(secret, /^mcs_/);
assert.deepEqual(Object.keys(shown).sort(), [
  "_accountId",
  "_clientId",
  "_creationDate",
  "_links",
  "description",
  "name",
  "redirectUri",
]);
const id = shown._clientId;
assert.deepEqual((await api().getOAuthClientById(id)).data, shown);
const listed = (await api().getOAuthClients()).data;
assert.deepEqual(listed.items, [shown]);
assert.equal(listed._links.self.href, "/api/v2/oauth/clients");

const patched = await api().patchOAuthClient(id, [
  { op: "test", path: "/name", value: "Matter sync" },
  { op: "replace", path: "/name", value: "Matter export" },
]);
assert.deepEqual(patched.data, { ...shown, name: "Matter export" });
await refused(422, "patch_failed", api().patchOAuthClient(id, [{ op: "test", path: "/name", value: "Matter sync" }]));
await refused(400, "invalid_request", api().createOAuth2Client({ name: "Other", redirectUri: `${redirectUri}?x=1` }));
await refused(409, "conflict", api().createOAuth2Client({ name: "Matter export", redirectUri }));
await refused(401, "unauthorized", api("mpt_wrong").getOAuthClients());
await refused(404, "not_found", api().getOAuthClientById("a/b c"));

const deleted = await api().deleteOAuthClient(id);
assert.equal(deleted.status, 204);
await refused(404, "not_found", api().getOAuthClientById(id));
