// Every flow through openid-client.

import { everyFlow, issuer, library, registersItself, signingKey } from "./flows.mjs";

const oidc = await library("openid-client");

const authentications = {
  client_secret_basic: oidc.ClientSecretBasic,
  client_secret_post: oidc.ClientSecretPost,
  none: oidc.None,
  private_key_jwt: oidc.PrivateKeyJwt,
};

async function connect(method, { id, secret }) {
  // The signature of an ID token is checked too, though it came from where it was asked for.
  const execute = [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks];
  // Who has a key also hands its requests in, and has its tokens bound to a key.
  const byKey = method === "private_key_jwt";
  const authentication = authentications[method](byKey ? await signingKey(secret) : secret);
  const config = await oidc.discovery(new URL(issuer), id, {}, authentication, { execute });
  const bound = byKey ? { DPoP: oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair("ES256")) } : {};
  const address = (parameters) =>
    byKey
      ? oidc.buildAuthorizationUrlWithPAR(config, parameters, bound)
      : oidc.buildAuthorizationUrl(config, parameters);
  return {
    tokenType: byKey ? "DPoP" : "Bearer",
    async begin(parameters) {
      const [verifier, state, nonce] = [oidc.randomPKCECodeVerifier(), oidc.randomState(), oidc.randomNonce()];
      const challenge = await oidc.calculatePKCECodeChallenge(verifier);
      const pkce = { code_challenge: challenge, code_challenge_method: "S256" };
      return { url: await address({ ...parameters, ...pkce, state, nonce }), verifier, state, nonce };
    },
    redeem: (returned, { verifier, state, nonce }) =>
      oidc.authorizationCodeGrant(
        config,
        returned,
        { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true },
        {},
        bound,
      ),
    claims: (tokens) => tokens.claims(),
    userinfo: (tokens, subject) => oidc.fetchUserInfo(config, tokens.access_token, subject, bound),
    refresh: (token) => oidc.refreshTokenGrant(config, token, {}, bound),
    ownTokens: (scope) => oidc.clientCredentialsGrant(config, { scope }, bound),
    introspect: (token) => oidc.tokenIntrospection(config, token),
    revoke: (token) => oidc.tokenRevocation(config, token),
    signOut: (parameters) => oidc.buildEndSessionUrl(config, parameters),
  };
}

await everyFlow(connect);
await registersItself(connect, async (metadata, initialAccessToken) => {
  const options = { initialAccessToken, execute: [oidc.allowInsecureRequests] };
  const config = await oidc.dynamicClientRegistration(new URL(issuer), metadata, undefined, options);
  return config.clientMetadata();
});
