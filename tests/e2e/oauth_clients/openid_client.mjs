// Every flow through openid-client.

import { everyFlow, issuer, library } from "./flows.mjs";

const oidc = await library("openid-client");

const authentications = {
  client_secret_basic: oidc.ClientSecretBasic,
  client_secret_post: oidc.ClientSecretPost,
  none: oidc.None,
};

async function connect(method, { id, secret }) {
  // The signature of an ID token is checked too, though it came from where it was asked for.
  const execute = [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks];
  const config = await oidc.discovery(new URL(issuer), id, {}, authentications[method](secret), { execute });
  return {
    async begin(parameters) {
      const [verifier, state, nonce] = [oidc.randomPKCECodeVerifier(), oidc.randomState(), oidc.randomNonce()];
      const challenge = await oidc.calculatePKCECodeChallenge(verifier);
      const pkce = { code_challenge: challenge, code_challenge_method: "S256" };
      return { url: oidc.buildAuthorizationUrl(config, { ...parameters, ...pkce, state, nonce }), verifier, state, nonce };
    },
    redeem: (returned, { verifier, state, nonce }) =>
      oidc.authorizationCodeGrant(config, returned, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      }),
    claims: (tokens) => tokens.claims(),
    userinfo: (tokens, subject) => oidc.fetchUserInfo(config, tokens.access_token, subject),
    refresh: (token) => oidc.refreshTokenGrant(config, token),
    ownTokens: (scope) => oidc.clientCredentialsGrant(config, { scope }),
    introspect: (token) => oidc.tokenIntrospection(config, token),
    revoke: (token) => oidc.tokenRevocation(config, token),
  };
}

await everyFlow(connect);
