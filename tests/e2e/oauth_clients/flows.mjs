// What an application does with its library, and the member's part of it: `<script> <modules> <what there is, as JSON>`.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, given] = process.argv.slice(2);
/** The issuer, a member who can sign in, a client for each way to authenticate, and what registers further ones. */
export const { issuer, redirect_uri: redirectUri, member, applications, initial_access_token: initial } = JSON.parse(given);
const { post_logout_redirect_uri: byeUri } = JSON.parse(given);
/** A package out of those that are installed for the tests. */
export const library = (name) => import(pathToFileURL(createRequire(`${modules}/`).resolve(name)));

const SCOPE = "openid profile email offline_access matters:read";

/** The key that a client signs its assertions with. */
export const signingKey = (pkcs8) =>
  crypto.subtle.importKey("pkcs8", Buffer.from(pkcs8, "base64url"), { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);

/** A browser that nobody has used. */
class Browser {
  #cookies = new Map();

  async #ask(url, form) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const body = form && new URLSearchParams(form);
    const response = await fetch(url, { method: form ? "POST" : "GET", body, headers: { cookie }, redirect: "manual" });
    for (const set of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(set);
      this.#cookies.set(name, value);
    }
    return { page: await response.text(), url, status: response.status, location: response.headers.get("location") };
  }

  /** Goes where the application sends it, as the member who decides, until it is sent back: to what address. */
  async visit(url, decision = "allow", back = redirectUri) {
    let answer = await this.#ask(url);
    while (!answer.location?.startsWith(`${back}?`)) {
      if (answer.status === 303) {
        answer = await this.#ask(new URL(answer.location, answer.url));
        continue;
      }
      assert.equal(answer.status, 200, answer.page);
      const form = {};
      for (const [, name, value] of answer.page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)) {
        form[name] = value.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replaceAll("&amp;", "&");
      }
      const signsIn = answer.page.includes('name="password"');
      Object.assign(form, signsIn ? { email: member.email, password: member.password } : { decision });
      answer = await this.#ask(new URL(/<form[^>]* action="([^"]*)"/.exec(answer.page)[1], answer.url), form);
    }
    return new URL(answer.location);
  }
}

/** Expects the library to fail with this error of the protocol, in a body, an address or a challenge, or of its own. */
async function refused(expected, asked) {
  const error = await asked.then(() => assert.fail(`it was not refused with ${expected}`), (error) => error);
  const challenged = Array.isArray(error.cause);
  const told = challenged ? (error.cause[0].parameters.error ?? (await error.response.json()).error) : error.error;
  assert.equal(told ?? error.cause?.code ?? error.code, expected, String(error));
}

/**
 * The application registers itself by the library: `register(metadata, token)` answers what it was registered as. Then it does
 * with that all that members are asked for.
 */
export async function registersItself(connect, register) {
  for (const method of ["client_secret_basic", "client_secret_post", "none"]) {
    const metadata = {
      client_name: `Night sync by ${method}`,
      redirect_uris: [redirectUri],
      post_logout_redirect_uris: [byeUri],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: method,
      scope: SCOPE,
      contacts: ["ops@night.example"],
    };
    const registered = await register(metadata, initial);
    for (const [name, value] of Object.entries(metadata)) {
      assert.deepEqual(name === "scope" ? words(registered.scope) : registered[name], name === "scope" ? words(SCOPE) : value);
    }
    const { client_id: id, client_secret: secret } = registered;
    assert.equal(secret === undefined, method === "none");
    await members(await connect(method, { id, secret }), id, method !== "none");

    // What it manages its registration with is an address and a token.
    const { registration_client_uri: own, registration_access_token: token } = registered;
    const manage = (method) => fetch(own, { method, headers: { authorization: `Bearer ${token}` } });
    assert.equal((await (await manage("GET")).json()).client_name, metadata.client_name);
    assert.equal((await manage("DELETE")).status, 204);
    assert.equal((await manage("GET")).status, 401);
    await refused("invalid_redirect_uri", register({ ...metadata, redirect_uris: ["http://app.example.com/"] }, initial));
    await refused("invalid_client_metadata", register({ ...metadata, scope: "matters:burn" }, initial));
    await refused("invalid_token", register(metadata, "of nobody"));
  }
}

const words = (scope) => scope.split(" ").sort();

/**
 * Every flow, by a library: `connect(method, application)` configures it from discovery alone. What that answers has
 * `begin(parameters)`, which answers the `url` to go to with `state`, `nonce` and `verifier`, `redeem(returned, begun)`,
 * `claims(tokens)`, `userinfo(tokens, subject)`, `refresh(token)`, `ownTokens(scope)`, `introspect(token)`, `revoke(token)`,
 * `tokenType` if that is another than `Bearer`, and `signOut(parameters)` if the library knows that.
 */
export async function everyFlow(connect) {
  for (const [method, application] of Object.entries(applications)) {
    const client = await connect(method, application);
    await members(client, application.id, method !== "none");
    if (method === "none") {
      await refused("unauthorized_client", client.ownTokens("matters:read"));
    } else {
      await machines(client, application.id);
      const wrong = application.another_key ?? `${application.secret}x`;
      const impostor = await connect(method, { ...application, secret: wrong });
      await refused("invalid_client", impostor.ownTokens("matters:read"));
      await refused("invalid_client", impostor.introspect("of nobody"));
      await refused("invalid_client", impostor.revoke("of nobody"));
    }
  }
}

async function members(client, clientId, mayIntrospect) {
  const browser = new Browser();
  const begin = (more) => client.begin({ scope: SCOPE, redirect_uri: redirectUri, ...more });
  const allowed = async () => {
    const begun = await begin();
    return [await browser.visit(begun.url), begun];
  };

  // A member signs in; the application learns who that is, and stays in touch.
  const first = await client.redeem(...(await allowed()));
  const { iss, aud, sub, auth_time: signedIn } = client.claims(first);
  assert.deepEqual([iss, aud], [issuer, clientId]);
  assert.ok(Math.abs(signedIn - Date.now() / 1000) < 60, "the member has just signed in");
  const { name, email } = member;
  assert.deepEqual(await client.userinfo(first, sub), { sub, name, email });
  assert.deepEqual(words(first.scope), words(SCOPE));
  const second = await client.refresh(first.refresh_token);
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.notEqual(second.access_token, first.access_token);
  assert.equal((await client.userinfo(second, sub)).sub, sub);
  if (mayIntrospect) {
    const { active, client_id, scope, ...known } = await client.introspect(second.access_token);
    assert.deepEqual([active, client_id, known.sub, known.iss], [true, clientId, sub, issuer]);
    assert.deepEqual(words(scope), words(SCOPE));
  } else {
    await refused("invalid_client", client.introspect(second.access_token));
  }

  // A refresh token that comes twice was stolen once: it ends what came of its grant.
  await refused("invalid_grant", client.refresh(first.refresh_token));
  await refused("invalid_grant", client.refresh(second.refresh_token));
  await refused("invalid_token", client.userinfo(second, sub));

  // What the application gives up is worth nothing.
  const third = await client.redeem(...(await allowed()));
  await client.revoke(third.access_token);
  await refused("invalid_token", client.userinfo(third, sub));
  await client.revoke(third.refresh_token);
  await refused("invalid_grant", client.refresh(third.refresh_token));
  await client.revoke("of nobody");

  // A code is for one address and one verifier, once.
  const [returned, begun] = await allowed();
  await refused("invalid_grant", client.redeem(new URL(returned.search, "https://app.example.com/other"), begun));
  const [another, itsOwn] = await allowed();
  await refused("invalid_grant", client.redeem(another, { ...itsOwn, verifier: begun.verifier }));
  const used = await allowed();
  const fourth = await client.redeem(...used);
  await refused("invalid_grant", client.redeem(...used));
  await refused("invalid_token", client.userinfo(fourth, sub));

  // What the library makes sure of is there to be made sure of.
  const [confused, its] = await allowed();
  await refused("OAUTH_JWT_CLAIM_COMPARISON_FAILED", client.redeem(confused, { ...its, nonce: "another" }));

  // The member says no, or nobody is there who could say anything.
  const denied = await begin();
  await refused("access_denied", client.redeem(await browser.visit(denied.url, "deny"), denied));
  const silent = await begin({ prompt: "none" });
  await refused("consent_required", client.redeem(await browser.visit(silent.url), silent));
  const again = await begin({ prompt: "none" });
  await refused("login_required", client.redeem(await new Browser().visit(again.url), again));
  const beyond = async () => {
    const begun = await begin({ scope: "openid matters:burn" });
    return client.redeem(await browser.visit(begun.url), begun);
  };
  await refused("invalid_scope", beyond());

  // The member signs out, and comes back to the application.
  if (!client.signOut) return;
  const [last, itself] = await allowed();
  const { id_token: hint } = await client.redeem(last, itself);
  const leave = { id_token_hint: hint, post_logout_redirect_uri: byeUri, state: "a b&c" };
  const left = await browser.visit(client.signOut(leave), undefined, byeUri);
  assert.equal(left.searchParams.get("state"), "a b&c");
  const anew = await begin({ prompt: "none" });
  await refused("login_required", client.redeem(await browser.visit(anew.url), anew));
}

async function machines(client, clientId) {
  const own = await client.ownTokens("matters:read");
  assert.deepEqual([own.scope, own.refresh_token, own.id_token], ["matters:read", undefined, undefined]);
  const { active, client_id, sub, token_type } = await client.introspect(own.access_token);
  assert.deepEqual([active, client_id, sub, token_type], [true, clientId, clientId, client.tokenType ?? "Bearer"]);
  await refused("insufficient_scope", client.userinfo(own, clientId));
  await client.revoke(own.access_token);
  assert.deepEqual(await client.introspect(own.access_token), { active: false });
  await refused("invalid_scope", client.ownTokens("matters:burn"));
}
