//! The API is what its description says.

use tests::{Service, schemathesis};

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_drawn_from_the_description_is_answered_within_it() {
    let service = Service::start().await;
    schemathesis::draw(&service, 24).await;
    service.finish().await;
}
