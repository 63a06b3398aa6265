//! `/{environment}/second_factor`: what a member signs in with beside its password.
//!
//! Who has signed in a moment ago changes it at once, else by its password. An environment that asks for a second factor sends
//! a member here who has none, with the request that it came for; that is judged anew when it goes on.

use actix_web::{HttpRequest, HttpResponse};
use app::{
    BegunEnrolment, BegunPasskey, CommandError, HeldFactor, IssuedRecoveryCodes, RegisterPasskeyRequest,
    Session,
};
use crypto::{ExposeSecret, Personal, SecretString};
use domain::{EnvironmentName, MemberError, Rule, SecretId, Violation};

use super::{
    authorize::{Judged, SIGNED_IN, judge},
    browser::{self, Shown, forged, keep_session, place, see_other},
    form::Form,
    passkey::{self, Asked},
};
use crate::{
    pages::{
        Done, Factor, Moment, NewPasskey, PasskeyRow, Question, RecoveryCodes, SecondFactors, SignInRefusal,
        TotpEnrolment,
    },
    problem::Problem,
    service::Service,
};

/// The form.
const FORM: &str = "second_factor";
/// The page.
pub(super) const PAGE: &str = "second_factor";

/// What a passkey is called whose name is damaged.
const UNREADABLE: &str = "a passkey that cannot be read";

/// Where a member adds a second factor before its request goes on.
pub(super) fn before(judged: &Judged) -> String {
    format!("{PAGE}?continue={}", encoded(&judged.carried()))
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

pub(crate) mod get {
    use actix_web::{HttpRequest, HttpResponse, web::Data};

    use super::{Done, Form, PAGE, Question, SIGNED_IN, Visit, see_other};
    pub(crate) use crate::oauth::undocumented as document;
    use crate::{oauth::browser, problem::Problem, service::Service};

    pub(crate) async fn handle(http: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
        let environment = match browser::environment(&service, &http).await? {
            Ok(environment) => environment,
            Err(page) => return Ok(page),
        };
        let form = Form::parse(http.query_string().as_bytes());
        let Some(session) = browser::session(&service, &http).await? else {
            // The request that sent somebody here asks them to sign in, and sends them here again.
            return Ok(see_other(&match form.get("continue") {
                Some(query) => format!("authorize?{}", Form::parse(query.as_bytes()).without(SIGNED_IN)),
                None => format!("sign_in?next={PAGE}"),
            }));
        };
        let visit = match Visit::of(&http, &service, &environment, &session, &form).await? {
            Ok(visit) => visit,
            Err(answer) => return Ok(answer),
        };
        let question = form.get("remove").map(|removed| match removed {
            "authenticator" => Question::RemoveAuthenticator,
            id => Question::RemovePasskey(id),
        });
        let done = form.get("done").and_then(|done| match done {
            "removed_authenticator" => Some(Done::RemovedAuthenticator),
            "removed_passkey" => Some(Done::RemovedPasskey),
            "added_passkey" => Some(Done::AddedPasskey),
            _ => None,
        });
        visit.page(question, done, None).await
    }
}

pub(crate) mod post {
    use actix_web::{
        HttpRequest, HttpResponse,
        web::{Data, Payload},
    };

    use app::ProtocolEndpoint;

    use super::{FORM, Form, Visit, forged};
    pub(crate) use crate::oauth::undocumented as document;
    use crate::{
        extract::bytes_of,
        oauth::{browser, refusal::Asking},
        problem::Problem,
        service::Service,
    };

    pub(crate) async fn handle(
        http: HttpRequest,
        service: Data<Service>,
        payload: Payload,
    ) -> Result<HttpResponse, Problem> {
        let environment = match browser::environment(&service, &http).await? {
            Ok(environment) => environment,
            Err(page) => return Ok(page),
        };
        let asking = Asking {
            service: &service,
            http: &http,
            endpoint: ProtocolEndpoint::SecondFactor,
            environment: &environment,
        };
        let form = Form::parse(&bytes_of(&service, &http, payload).await?);
        let Some(session) = browser::session(&service, &http).await? else {
            return forged(asking).await;
        };
        if !service.app.is_form_proof(FORM, &session.id.0, form.get("csrf").unwrap_or_default()) {
            return forged(asking).await;
        }
        let visit = match Visit::of(&http, &service, &environment, &session, &form).await? {
            Ok(visit) => visit,
            Err(answer) => return Ok(answer),
        };
        match form.get("do").unwrap_or_default() {
            "add_authenticator" => visit.add_authenticator().await,
            "confirm_authenticator" => visit.confirm_authenticator().await,
            "remove_authenticator" => visit.remove_authenticator().await,
            "add_passkey" => visit.add_passkey().await,
            "register_passkey" => visit.register_passkey().await,
            "remove_passkey" => visit.remove_passkey().await,
            "make_codes" => visit.make_codes().await,
            _ => forged(asking).await,
        }
    }
}

/// A member who looks at how it signs in, or changes it.
struct Visit<'v> {
    http: &'v HttpRequest,
    service: &'v Service,
    environment: &'v EnvironmentName,
    session: &'v Session,
    form: &'v Form,
    /// What goes on afterwards.
    judged: Option<Judged>,
}

impl<'v> Visit<'v> {
    /// The visit, unless the request that is to go on afterwards cannot be granted.
    async fn of(
        http: &'v HttpRequest,
        service: &'v Service,
        environment: &'v EnvironmentName,
        session: &'v Session,
        form: &'v Form,
    ) -> Result<Result<Self, HttpResponse>, Problem> {
        let judged = match form.get("continue") {
            None => None,
            Some(query) => match judge(http, service, environment, query).await? {
                Ok(judged) => Some(judged),
                Err(answer) => return Ok(Err(answer)),
            },
        };
        Ok(Ok(Self { http, service, environment, session, form, judged }))
    }

    async fn page(
        &self,
        question: Option<Question<'_>>,
        done: Option<Done>,
        refusal: Option<SignInRefusal>,
    ) -> Result<HttpResponse, Problem> {
        let Self { service, session, environment, .. } = *self;
        let member = Shown::of(service, session.member_id).await?;
        let held = service.app.second_factors(session).await?;
        let now = service.app.log().now();
        let moment = |at| Moment { at, now };
        let shown = |factor: &HeldFactor| Factor {
            added_at: moment(factor.since),
            last_used_at: factor.last_used_at.map(moment),
        };
        let passkeys: Vec<_> = held
            .passkeys
            .iter()
            .map(|passkey| PasskeyRow {
                id: &passkey.id.0,
                label: passkey.label.as_ref().map_or(UNREADABLE, |label| label.expose()),
                factor: shown(&passkey.held),
            })
            .collect();
        let page = SecondFactors {
            passkeys: &passkeys,
            offers_passkeys: service.relying_party().is_some(),
            place: place(service, environment),
            member: member.person(),
            client_name: self.client_name().filter(|_| !session.has_second_factor()),
            continue_query: &self.carried(),
            authenticator: held.totp.as_ref().map(shown),
            recovery_codes: held.recovery_codes.map(|codes| moment(codes.since)),
            needs_password: !session.is_recent(now),
            question,
            done,
            refusal,
            csrf: &service.app.form_proof(FORM, &session.id.0),
        };
        Ok(page.respond())
    }

    async fn add_authenticator(&self) -> Result<HttpResponse, Problem> {
        let context = browser::context(self.service, self.http, self.session, "BeginTotp")?;
        let begun = self.service.app.begin_totp(context, self.session.member_id, self.password()).await;
        match self.judged(begun)? {
            Ok(begun) => self.enrolment(&begun, None).await,
            Err(refusal) => self.page(None, None, Some(refusal)).await,
        }
    }

    async fn confirm_authenticator(&self) -> Result<HttpResponse, Problem> {
        let context = browser::context(self.service, self.http, self.session, "EnrolTotp")?;
        let enrolment_id = self.form.owned("enrolment_id").unwrap_or_default();
        let request = app::ConfirmTotpRequest {
            enrolment_id: enrolment_id.clone(),
            code: self.form.owned("code").unwrap_or_default(),
        };
        let issued = self.service.app.confirm_totp(context, self.session.member_id, request).await;
        match self.judged(issued)? {
            Ok(issued) => self.codes(&issued).await,
            Err(refusal) => match self.service.app.totp_enrolment(self.session, &enrolment_id).await? {
                Some(begun) => self.enrolment(&begun, Some(refusal)).await,
                None => self.page(None, None, Some(SignInRefusal::TookTooLong)).await,
            },
        }
    }

    async fn remove_authenticator(&self) -> Result<HttpResponse, Problem> {
        let context = browser::context(self.service, self.http, self.session, "RemoveTotp")?;
        let removed = self.service.app.remove_totp(context, self.session.member_id, self.password()).await;
        match self.judged(removed)? {
            Ok(_) => Ok(see_other(&self.link("removed_authenticator"))),
            Err(refusal) => self.page(Some(Question::RemoveAuthenticator), None, Some(refusal)).await,
        }
    }

    async fn add_passkey(&self) -> Result<HttpResponse, Problem> {
        let context = browser::context(self.service, self.http, self.session, "BeginPasskey")?;
        let begun = self.service.app.begin_passkey(context, self.session.member_id, self.password()).await;
        match self.judged(begun)? {
            Ok(begun) => self.registration(&begun).await,
            Err(refusal) => self.page(None, None, Some(refusal)).await,
        }
    }

    async fn register_passkey(&self) -> Result<HttpResponse, Problem> {
        let Some(party) = self.service.relying_party() else {
            return self.page(None, None, Some(SignInRefusal::WrongPasskey)).await;
        };
        let context = browser::context(self.service, self.http, self.session, "RegisterPasskey")?;
        let request = RegisterPasskeyRequest {
            registration_id: self.form.owned("registration_id").unwrap_or_default(),
            party,
            label: Personal::new(self.form.owned("label").unwrap_or_default()),
            creation: passkey::creation(self.form),
        };
        let member_id = self.session.member_id;
        match self.judged(self.service.app.register_passkey(context, member_id, request).await)? {
            Ok(issued) if issued.codes.is_some() => self.codes(&issued).await,
            Ok(issued) => {
                let location = match &self.judged {
                    Some(_) => self.next(&issued),
                    None => self.link("added_passkey"),
                };
                let mut response = see_other(&location);
                self.keep(&mut response, &issued);
                Ok(response)
            }
            Err(refusal) => self.page(None, None, Some(refusal)).await,
        }
    }

    async fn remove_passkey(&self) -> Result<HttpResponse, Problem> {
        let context = browser::context(self.service, self.http, self.session, "RemovePasskey")?;
        let id = self.form.owned("passkey_id").unwrap_or_default();
        let (member_id, passkey_id) = (self.session.member_id, SecretId(id.clone()));
        let removed = self.service.app.remove_passkey(context, member_id, passkey_id, self.password()).await;
        match self.judged(removed)? {
            Ok(_) => Ok(see_other(&self.link("removed_passkey"))),
            Err(refusal) => self.page(Some(Question::RemovePasskey(&id)), None, Some(refusal)).await,
        }
    }

    async fn make_codes(&self) -> Result<HttpResponse, Problem> {
        let context = browser::context(self.service, self.http, self.session, "IssueRecoveryCodes")?;
        let member_id = self.session.member_id;
        let issued = self.service.app.issue_recovery_codes(context, member_id, self.password()).await;
        match self.judged(issued)? {
            Ok(issued) => self.codes(&issued).await,
            Err(refusal) => self.page(None, None, Some(refusal)).await,
        }
    }

    /// The page with the key of a device, and a field for its code.
    async fn enrolment(
        &self,
        begun: &BegunEnrolment,
        refusal: Option<SignInRefusal>,
    ) -> Result<HttpResponse, Problem> {
        let member = Shown::of(self.service, self.session.member_id).await?;
        let page = TotpEnrolment {
            place: place(self.service, self.environment),
            member: member.person(),
            continue_query: &self.carried(),
            enrolment_id: &begun.enrolment_id.0,
            otpauth: begun.uri.expose_secret(),
            secret: begun.secret.expose_secret(),
            csrf: &self.service.app.form_proof(FORM, &self.session.id.0),
            refusal,
        };
        Ok(page.respond())
    }

    /// The page that has an authenticator make a passkey.
    async fn registration(&self, begun: &BegunPasskey) -> Result<HttpResponse, Problem> {
        let Some(party) = self.service.relying_party() else { return self.page(None, None, None).await };
        let member = Shown::of(self.service, self.session.member_id).await?;
        let asked = Asked::new(&party, &begun.challenge, &begun.held);
        let page = NewPasskey {
            place: place(self.service, self.environment),
            member: member.person(),
            member_id: &passkey::encoded(begun.member_id.0.as_bytes()),
            continue_query: &self.carried(),
            registration_id: &begun.registration_id.0,
            request: asked.request(),
            csrf: &self.service.app.form_proof(FORM, &self.session.id.0),
        };
        Ok(page.respond())
    }

    /// The page with new recovery codes; then whatever the member came for.
    async fn codes(&self, issued: &IssuedRecoveryCodes) -> Result<HttpResponse, Problem> {
        self.service.views_at(issued.member.position).await;
        let member = Shown::of(self.service, self.session.member_id).await?;
        let codes: Vec<_> = issued.codes.iter().flatten().map(ExposeSecret::expose_secret).collect();
        let page = RecoveryCodes {
            place: place(self.service, self.environment),
            member: member.person(),
            codes: &codes,
            next: &self.next(issued),
        };
        let mut response = page.respond();
        self.keep(&mut response, issued);
        Ok(response)
    }

    /// What the member came for, or else the page.
    fn next(&self, issued: &IssuedRecoveryCodes) -> String {
        let session_id = issued.session.as_ref().map_or(&self.session.id, |session| &session.session_id);
        match &self.judged {
            Some(judged) => judged.next(self.service, &self.session.id.0, &session_id.0),
            None => PAGE.to_owned(),
        }
    }

    /// Hands the browser the session that has proved more, if there is one.
    fn keep(&self, response: &mut HttpResponse, issued: &IssuedRecoveryCodes) {
        if let Some(session) = &issued.session {
            keep_session(self.service, response, &session.session);
        }
    }

    /// What was done, or why it was not if the member can do something about it on the page.
    fn judged<T>(&self, done: Result<T, CommandError>) -> Result<Result<T, SignInRefusal>, Problem> {
        let refusal = match &done {
            Err(CommandError::Throttled { retry_after_seconds }) => {
                Some(SignInRefusal::Wait { seconds: *retry_after_seconds })
            }
            Err(CommandError::Invalid(wrong)) => wrong.iter().find_map(refusal),
            Err(CommandError::Member(MemberError::TooManyPasskeys { .. })) => {
                Some(SignInRefusal::TooManyPasskeys)
            }
            Ok(_) | Err(_) => None,
        };
        match refusal {
            Some(refusal) => Ok(Err(refusal)),
            None => Ok(Ok(done?)),
        }
    }

    fn password(&self) -> Option<SecretString> {
        self.form.owned("current_password").map(SecretString::from)
    }

    fn client_name(&self) -> Option<&str> {
        Some(&self.judged.as_ref()?.authorization.registration.client_name)
    }

    /// What the pages carry of the request that goes on afterwards.
    fn carried(&self) -> String {
        self.judged.as_ref().map(Judged::carried).unwrap_or_default()
    }

    /// The page after something was done, with the request that goes on afterwards.
    fn link(&self, done: &str) -> String {
        let carried = self.carried();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("done", done);
        if !carried.is_empty() {
            query.append_pair("continue", &carried);
        }
        format!("{PAGE}?{}", query.finish())
    }
}

/// What a page says of a field that is at fault.
fn refusal(wrong: &Violation) -> Option<SignInRefusal> {
    match (wrong.pointer.as_str(), wrong.rule) {
        ("/current_password", Rule::WrongSecret | Rule::Required) => Some(SignInRefusal::WrongPassword),
        ("/code", _) => Some(SignInRefusal::WrongCode),
        ("/credential", _) => Some(SignInRefusal::WrongPasskey),
        ("/label", _) => Some(SignInRefusal::WrongLabel),
        ("/enrolment_id" | "/registration_id", _) => Some(SignInRefusal::TookTooLong),
        _ => None,
    }
}
