//! The pages that people see, in the browser that they use.

use server::pages::samples;
use tests::browser;

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_right_for_everybody_on_a_desk_and_on_a_phone() {
    let (address, serving) = samples::serve().expect("a port");
    let pages: Vec<_> = samples::names().into_iter().map(|name| (name, format!("/pages/{name}"))).collect();
    let base = format!("http://{address}");
    tokio::select! {
        () = browser::look(&base, &pages) => {}
        ended = serving => ended.expect("pages are served"),
    }
}
