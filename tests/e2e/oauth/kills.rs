//! `kill -9` while clients ask for tokens: what was answered stands in the activity log, and nothing is good twice.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use tests::{
    Service,
    oauth::{Application, encoded},
};

use super::steps::{Form, part, redemption, remembered, tokens};

const KILLS: usize = 10;
/// Codes that a member has allowed before each kill.
const CODES: usize = 12;
/// Fewer than a page of the activity log has.
const MOST: usize = 400;

/// A client that goes on asking until nobody answers.
#[derive(Clone)]
struct Asking {
    http: reqwest::Client,
    endpoint: String,
    application: Application,
}

impl Asking {
    fn of(service: &Service, application: &Application) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        Self { http, endpoint: format!("{}/sandbox/token", service.base), application: application.clone() }
    }

    /// The tokens, or `None` if the answer did not come.
    async fn tokens(&self, form: &Form<'_>) -> Option<Value> {
        let request =
            self.http.post(&self.endpoint).basic_auth(&self.application.id, Some(&self.application.secret));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(encoded(form.iter().copied())).send().await.ok()?;
        let status = answer.status();
        let body = answer.json().await.ok()?;
        assert_eq!(status, StatusCode::OK, "{body}");
        Some(body)
    }

    /// Asks for itself, again and again; answers the ids of the tokens that it got.
    async fn for_itself(self) -> Vec<String> {
        let mut got = Vec::new();
        while got.len() < MOST
            && let Some(body) = self.tokens(&vec![("grant_type", "client_credentials")]).await
        {
            got.push(id(&body));
        }
        got
    }

    /// Renews a token, again and again; answers the ids of what it got, and the token that it renewed last without an answer.
    async fn renewing(self, mut refresh_token: String) -> (Vec<String>, String) {
        let mut got = Vec::new();
        while got.len() < MOST
            && let Some(body) =
                self.tokens(&vec![("grant_type", "refresh_token"), ("refresh_token", &refresh_token)]).await
        {
            got.push(id(&body));
            refresh_token = body["refresh_token"].as_str().expect("another one").to_owned();
        }
        (got, refresh_token)
    }

    /// Redeems one code after the other; answers the ids of what it got.
    async fn redeeming(self, codes: Vec<String>) -> Vec<String> {
        let mut got = Vec::new();
        for code in &codes {
            let Some(body) = self.tokens(&redemption(code)).await else { break };
            got.push(id(&body));
        }
        got
    }
}

/// The id of an access token.
fn id(body: &Value) -> String {
    let claims = part(body["access_token"].as_str().expect("a token"), 1);
    claims["jti"].as_str().expect("an id").to_owned()
}

/// The ids of the tokens that a client got, as the activity log has them; those that were answered are among them, and of those
/// that were not, one at most.
async fn recorded(service: &Service, application: &Application, answered: &[String]) -> usize {
    let path = format!("/api/v1/activity?client={}&kind=token&outcome=done&limit=500", application.id);
    let found = service.get(&path).await.expect(200);
    let items = found.body["items"].as_array().expect("records");
    let ids: Vec<_> = items.iter().filter_map(|item| item["token_id"].as_str()).collect();
    for id in answered {
        assert!(ids.contains(&id.as_str()), "{id} was answered and is not recorded");
    }
    assert!(ids.len() <= answered.len() + 1, "{} records of {} answers", ids.len(), answered.len());
    ids.len()
}

#[tokio::test]
async fn oauth_26_47_kills_under_tokens_lose_none_that_was_answered_and_let_nothing_be_used_twice() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut service = Service::start_without_a_proxy().await;
    let email = service.visitor("Ines Duarte").await.email;
    let mut unanswered_and_recorded = 0;
    for round in 0..KILLS {
        let machine = service.application(&format!("Machine {round}")).await;
        let renewing = service.application(&format!("Renewing {round}")).await;
        let redeeming = service.application(&format!("Redeeming {round}")).await;
        let ines = tests::oauth::Visitor::new(&service, email.clone());
        remembered(&ines, &renewing).await;
        remembered(&ines, &redeeming).await;
        let first = tokens(&service, &ines, &renewing).await;
        let refresh_token = first.text_of("/refresh_token").to_owned();
        let mut codes = Vec::new();
        for _ in 0..CODES {
            codes.push(ines.allow(&redeeming.request()).await);
        }

        let by_itself = Asking::of(&service, &machine).for_itself();
        let renewed = Asking::of(&service, &renewing).renewing(refresh_token);
        let redeemed = Asking::of(&service, &redeeming).redeeming(codes.clone());
        let killed = async {
            tokio::time::sleep(Duration::from_millis(random.u64(5..120))).await;
            service.kill().await;
        };
        let (by_itself, (mut renewed, last), redeemed, ()) =
            tokio::join!(by_itself, renewed, redeemed, killed);
        service.launch().await;

        recorded(&service, &machine, &by_itself).await;
        // What was spent without an answer is spent; what was not is as good as before.
        renewed.push(id(&first.body));
        let count = recorded(&service, &renewing, &renewed).await;
        let was_spent = count > renewed.len();
        let form = [("grant_type", "refresh_token"), ("refresh_token", last.as_str())];
        service.token(&renewing, &form).await.expect(if was_spent { 400 } else { 200 });
        let ended = service.history_of(&renewing).await.contains(&"grant.refresh_token_reused".to_owned());
        assert_eq!(ended, was_spent);
        let count = recorded(&service, &redeeming, &redeemed).await;
        // Those that are good come first: one that comes twice ends the grant.
        let (spent, good) = codes.split_at(count);
        for (codes, status) in [(good, 200), (spent, 400)] {
            for code in codes {
                service.redeem(&redeeming, code).await.expect(status);
            }
        }
        unanswered_and_recorded += usize::from(was_spent) + usize::from(count > redeemed.len());
        service.verify();
    }
    println!("{unanswered_and_recorded} were recorded without an answer");
    service.finish().await;
}
