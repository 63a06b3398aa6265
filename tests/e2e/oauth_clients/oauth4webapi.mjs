// Every flow through oauth4webapi.

import assert from "node:assert/strict";

import { applications, everyFlow, issuer, library, registersItself, signingKey } from "./flows.mjs";

const oauth = await library("oauth4webapi");

const authentications = {
  client_secret_basic: oauth.ClientSecretBasic,
  client_secret_post: oauth.ClientSecretPost,
  none: oauth.None,
  private_key_jwt: oauth.PrivateKeyJwt,
};
const insecure = { [oauth.allowInsecureRequests]: true };

async function connect(method, { id, secret }) {
  const url = new URL(issuer);
  const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, insecure));
  const client = { client_id: id };
  // Who has a key also hands its requests in, and has its tokens bound to a key.
  const byKey = method === "private_key_jwt";
  const proof = authentications[method](byKey ? await signingKey(secret) : secret);
  const keys = byKey && (await oauth.generateKeyPair("ES256"));
  const bound = byKey ? { ...insecure, DPoP: oauth.DPoP(client, keys) } : insecure;
  return {
    server,
    tokenType: byKey ? "DPoP" : "Bearer",
    async begin(parameters) {
      const verifier = oauth.generateRandomCodeVerifier();
      const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
      const address = new URL(server.authorization_endpoint);
      const request = new URLSearchParams({
        client_id: id,
        response_type: "code",
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
        state,
        nonce,
        ...parameters,
      });
      if (byKey) {
        const answer = await oauth.pushedAuthorizationRequest(server, client, proof, request, bound);
        const { request_uri } = await oauth.processPushedAuthorizationResponse(server, client, answer);
        address.search = new URLSearchParams({ client_id: id, request_uri });
      } else {
        address.search = request;
      }
      return { url: address, verifier, state, nonce };
    },
    async redeem(returned, { verifier, state, nonce }) {
      const parameters = oauth.validateAuthResponse(server, client, returned, state);
      const address = `${returned.origin}${returned.pathname}`;
      const sent = [parameters, address, verifier, bound];
      const answer = await oauth.authorizationCodeGrantRequest(server, client, proof, ...sent);
      const wanted = { expectedNonce: nonce, requireIdToken: true };
      const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, wanted);
      await oauth.validateApplicationLevelSignature(server, answer, insecure);
      return tokens;
    },
    claims: (tokens) => oauth.getValidatedIdTokenClaims(tokens),
    userinfo: async (tokens, subject) => {
      const answer = await oauth.userInfoRequest(server, client, tokens.access_token, bound);
      return oauth.processUserInfoResponse(server, client, subject, answer);
    },
    async refresh(token) {
      const answer = await oauth.refreshTokenGrantRequest(server, client, proof, token, bound);
      return oauth.processRefreshTokenResponse(server, client, answer);
    },
    async ownTokens(scope) {
      const answer = await oauth.clientCredentialsGrantRequest(server, client, proof, { scope }, bound);
      return oauth.processClientCredentialsResponse(server, client, answer);
    },
    async introspect(token) {
      const answer = await oauth.introspectionRequest(server, client, proof, token, insecure);
      return oauth.processIntrospectionResponse(server, client, answer);
    },
    async revoke(token) {
      await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, proof, token, insecure));
    },
  };
}

await everyFlow(connect);
await registersItself(connect, async (metadata, initialAccessToken) => {
  const url = new URL(issuer);
  const server = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, insecure));
  const options = { ...insecure, initialAccessToken };
  const answer = await oauth.dynamicClientRegistrationRequest(server, metadata, options);
  return oauth.processDynamicClientRegistrationResponse(answer);
});

// Whoever is called with an access token reads it without asking anybody but for the keys, and takes it for nobody else.
const application = applications.client_secret_basic;
const { server, ownTokens } = await connect("client_secret_basic", application);
const { access_token: token } = await ownTokens("matters:read");
const call = new Request("https://api.example.com/", { headers: { authorization: `Bearer ${token}` } });
const { client_id, scope } = await oauth.validateJwtAccessToken(server, call, issuer, insecure);
assert.deepEqual([client_id, scope], [application.id, "matters:read"]);
const elsewhere = oauth.validateJwtAccessToken(server, call, "https://api.example.com", insecure);
await assert.rejects(elsewhere, { code: "OAUTH_JWT_CLAIM_COMPARISON_FAILED" });
