"""Every flow through Authlib, in an application of Flask: `authlib_flask.py <what there is, as JSON>`."""

import base64
import html
import json
import os
import re
import sys
import time
from urllib.parse import urlencode, urljoin

import requests
from authlib.integrations.flask_client import OAuth, OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from flask import Flask, jsonify, request
from joserfc.jwk import ECKey

GIVEN = json.loads(sys.argv[1])
ISSUER, REDIRECT_URI, MEMBER = GIVEN["issuer"], GIVEN["redirect_uri"], GIVEN["member"]
SCOPE = "openid profile email offline_access matters:read"


class Browser:
    """A browser that nobody has used."""

    def __init__(self):
        self.session = requests.Session()
        self.session.trust_env = False

    def visit(self, url, decision="allow"):
        """Goes where the application sends it, as the member who decides, until it is sent back: to what address."""
        answer = self.session.get(url, allow_redirects=False)
        while not answer.headers.get("location", "").startswith(f"{REDIRECT_URI}?"):
            if answer.status_code == 303:
                answer = self.session.get(urljoin(answer.url, answer.headers["location"]), allow_redirects=False)
                continue
            assert answer.status_code == 200, answer.text
            fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', answer.text)
            form = {name: html.unescape(value) for name, value in fields}
            if 'name="password"' in answer.text:
                form |= {"email": MEMBER["email"], "password": MEMBER["password"]}
            else:
                form["decision"] = decision
            action = urljoin(answer.url, re.search(r'<form[^>]* action="([^"]*)"', answer.text)[1])
            answer = self.session.post(action, data=form, allow_redirects=False)
        return answer.headers["location"]


class Application:
    """What a developer writes with Authlib, configured from discovery alone, and who uses it."""

    def __init__(self, method, client_id, secret):
        self.flask = Flask("application")
        self.flask.secret_key = os.urandom(16)
        self.settings = {
            "scope": SCOPE,
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": method,
            "revocation_endpoint_auth_method": method,
        }
        self.library = OAuth(self.flask).register(
            "muniment",
            client_id=client_id,
            client_secret=secret or None,
            server_metadata_url=f"{ISSUER}/.well-known/openid-configuration",
            client_kwargs=self.settings,
        )
        self.metadata = self.library.load_server_metadata()
        self.flask.add_url_rule("/login", view_func=self.login)
        self.flask.add_url_rule("/callback", view_func=self.callback)
        self.flask.register_error_handler(OAuthError, lambda error: (jsonify(error=error.error), 400))
        self.client = self.flask.test_client()
        self.browser = Browser()

    def login(self):
        return self.library.authorize_redirect(REDIRECT_URI, **request.args)

    def callback(self):
        return jsonify(self.library.authorize_access_token())

    def visit(self, decision="allow", browser=None, **parameters):
        sent = self.client.get(f"/login?{urlencode(parameters)}")
        return (browser or self.browser).visit(sent.location, decision)

    def sign_in(self, *arguments, **parameters):
        """What the application gets of a member: tokens, or an error."""
        returned = self.visit(*arguments, **parameters)
        return self.client.get("/callback?" + returned.partition("?")[2]).json

    def code(self):
        """What of a code is for the token endpoint, before the library sends it there."""
        with self.flask.test_request_context():
            begun = self.library.create_authorization_url(REDIRECT_URI)
            returned = self.browser.visit(begun["url"])
        code = re.search(r"[?&]code=([^&]+)", returned)[1]
        return {"code": code, "code_verifier": begun["code_verifier"], "redirect_uri": REDIRECT_URI}

    def redeem(self, **parameters):
        with self.flask.test_request_context():
            return self.library.fetch_access_token(**parameters)

    def session(self):
        return OAuth2Session(self.library.client_id, self.library.client_secret, **self.settings, **self.metadata)

    def refresh(self, token):
        return self.session().refresh_token(refresh_token=token)

    def own_tokens(self, scope):
        return self.session().fetch_token(grant_type="client_credentials", scope=scope)

    def introspect(self, token):
        return self.session().introspect_token(self.metadata["introspection_endpoint"], token=token)

    def revoke(self, token, hint=None):
        return self.session().revoke_token(self.metadata["revocation_endpoint"], token=token, token_type_hint=hint)

    def userinfo(self, tokens):
        with self.flask.test_request_context():
            return self.library.userinfo(token=tokens)


def refused(error, call, *arguments, **parameters):
    try:
        call(*arguments, **parameters)
    except OAuthError as refusal:
        assert refusal.error == error, refusal
        assert refusal.description or error == "invalid_client", refusal
        return
    raise AssertionError(f"{call} was not refused with {error}")


def no_userinfo(application, tokens, status, error):
    try:
        application.userinfo(tokens)
    except requests.HTTPError as refusal:
        assert refusal.response.status_code == status, refusal
        assert f'error="{error}"' in refusal.response.headers["www-authenticate"], refusal
        return
    raise AssertionError(f"not refused with {error}")


def members(application, client_id, may_introspect):
    # A member signs in; the application learns who that is, and stays in touch.
    first = application.sign_in()
    claims = first["userinfo"]
    subject = claims["sub"]
    assert (claims["iss"], claims["aud"]) == (ISSUER, client_id), claims
    assert abs(claims["auth_time"] - time.time()) < 60, claims
    assert application.userinfo(first) == {"sub": subject, "name": MEMBER["name"], "email": MEMBER["email"]}
    second = application.refresh(first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"] and second["access_token"] != first["access_token"]
    assert sorted(second["scope"].split()) == sorted(SCOPE.split()), second
    assert application.userinfo(second)["sub"] == subject
    known = application.introspect(second["access_token"])
    if may_introspect:
        known = known.json()
        assert (known["active"], known["client_id"], known["sub"]) == (True, client_id, subject), known
    else:
        assert (known.status_code, known.json()) == (401, {"error": "invalid_client"}), known.text

    # A refresh token that comes twice was stolen once: it ends what came of its grant.
    refused("invalid_grant", application.refresh, first["refresh_token"])
    refused("invalid_grant", application.refresh, second["refresh_token"])
    no_userinfo(application, second, 401, "invalid_token")

    # What the application gives up is worth nothing.
    third = application.sign_in()
    assert application.revoke(third["access_token"], "access_token").status_code == 200
    no_userinfo(application, third, 401, "invalid_token")
    assert application.revoke(third["refresh_token"], "refresh_token").status_code == 200
    refused("invalid_grant", application.refresh, third["refresh_token"])
    assert application.revoke("of nobody").status_code == 200

    # A code is for one address and one verifier, once.
    elsewhere = {"redirect_uri": "https://app.example.com/other"}
    refused("invalid_grant", application.redeem, **{**application.code(), **elsewhere})
    verifier = application.code()["code_verifier"]
    refused("invalid_grant", application.redeem, **{**application.code(), "code_verifier": verifier})
    code = application.code()
    fourth = application.redeem(**code)
    refused("invalid_grant", application.redeem, **code)
    no_userinfo(application, fourth, 401, "invalid_token")

    # The member says no, or nobody is there who could say anything.
    assert application.sign_in("deny") == {"error": "access_denied"}
    assert application.sign_in(prompt="none") == {"error": "consent_required"}
    assert application.sign_in(browser=Browser(), prompt="none") == {"error": "login_required"}
    assert application.sign_in(scope="openid matters:burn") == {"error": "invalid_scope"}


def machines(application, client_id):
    own = application.own_tokens("matters:read")
    assert own["scope"] == "matters:read" and "refresh_token" not in own and "id_token" not in own, own
    known = application.introspect(own["access_token"]).json()
    assert (known["active"], known["client_id"], known["sub"]) == (True, client_id, client_id), known
    no_userinfo(application, own, 403, "insufficient_scope")
    assert application.revoke(own["access_token"]).status_code == 200
    assert application.introspect(own["access_token"]).json() == {"active": False}
    refused("invalid_scope", application.own_tokens, "matters:burn")


def by_key(client_id, key):
    """A client that signs its assertions, and what it gets for itself."""
    der = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
    pem = f"-----BEGIN PRIVATE KEY-----\n{base64.b64encode(der).decode()}\n-----END PRIVATE KEY-----\n"
    metadata = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=10).json()
    method = PrivateKeyJWT(metadata["token_endpoint"], alg="ES256")
    session = OAuth2Session(client_id, ECKey.import_key(pem), token_endpoint_auth_method=method, **metadata)
    return session.fetch_token(grant_type="client_credentials", scope="matters:read")


for method, client in GIVEN["applications"].items():
    if method == "private_key_jwt":
        assert by_key(client["id"], client["secret"])["scope"] == "matters:read"
        refused("invalid_client", by_key, client["id"], client["another_key"])
        continue
    application = Application(method, client["id"], client["secret"])
    members(application, client["id"], method != "none")
    if method == "none":
        refused("unauthorized_client", application.own_tokens, "matters:read")
    else:
        machines(application, client["id"])
        impostor = Application(method, client["id"], client["secret"] + "x")
        refused("invalid_client", impostor.own_tokens, "matters:read")
        for refusal in [impostor.introspect("of nobody"), impostor.revoke("of nobody")]:
            assert (refusal.status_code, refusal.json()) == (401, {"error": "invalid_client"}), refusal.text
