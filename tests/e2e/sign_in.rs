//! Signing in at the pages, as a member sees it.

use tests::{
    Service,
    oauth::{PASSWORD, Visitor},
};

#[tokio::test]
async fn oauth_22_a_wrong_password_and_nobody_are_one_answer_and_guesses_are_stopped() {
    let service = Service::start().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let nobody = Visitor::new(&service, "nobody@members.example".to_owned());
    let mut pages = Vec::new();
    for visitor in [&ines, &nobody] {
        let page = visitor.authorize(&application.request()).await.expect(200);
        let refused = visitor.try_password(&page, "a wrong guess").await.expect(422);
        assert!(!visitor.cookies().keys().any(|name| name.ends_with("muniment")));
        let own = [visitor.email.as_str()];
        let said = own.iter().fold(refused.text.clone(), |text, own| text.replace(own, ""));
        pages.push(without_proofs(&said));
    }
    assert_eq!(pages[0], pages[1]);
    let page = ines.authorize(&application.request()).await.expect(200);
    for _ in 0..9 {
        ines.try_password(&page, "a wrong guess").await.expect(422);
    }
    let throttled = ines.try_password(&page, PASSWORD).await.expect(429);
    assert!(throttled.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds <= 900));
    assert!(throttled.text.contains("Too many attempts."), "{}", throttled.text);
    let deeds = service.get("/api/v1/activity?kind=sign_in&limit=100").await.expect(200);
    assert!(deeds.text.contains("unknown_member") && deeds.text.contains("wrong_password"));
    service.finish().await;
}

/// A page without what is another one each time.
fn without_proofs(page: &str) -> String {
    page.lines().filter(|line| !line.contains("csrf")).collect()
}
