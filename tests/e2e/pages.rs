//! The pages that people see, in the browser that they use.

use server::pages::samples;
use tests::browser::{self, Elsewhere};

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_right_for_everybody_on_a_desk_and_on_a_phone() {
    let (address, serving) = samples::serve().expect("a port");
    let pages: Vec<_> = samples::names().into_iter().map(|name| (name, format!("/pages/{name}"))).collect();
    let base = format!("http://{address}");
    tokio::select! {
        faults = browser::faults(&base, &pages) => assert!(faults.is_empty(), "{}", faults.join("\n")),
        ended = serving => ended.expect("pages are served"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_wrong_is_found_out() {
    let other = Elsewhere::start("").await;
    let page = format!(
        "<!doctype html><title>Wrong</title><input><script>1</script><p style=\"width: 2000px\">Wide</p>\
         <img alt=\"\" src=\"{}/\">",
        other.base
    );
    let wrong = Elsewhere::start(&page).await;
    let faults = browser::faults(&wrong.base, &[("wrong", "/".to_owned())]).await.join("\n");
    for found in [
        "Content Security Policy directive 'script-src 'self''",
        &format!("asks for {}/", other.base),
        "pixels wider than a window of 1280",
        "pixels wider than a window of 320",
        "html-has-lang: ",
        "label: ",
    ] {
        assert!(faults.contains(found), "{found}: {faults}");
    }
}
