//! Stylesheet, script and drawings. Each is compiled in, and its address has a digest of its content: whatever is kept
//! under an address stays right for ever.

use std::{io::Write as _, sync::LazyLock};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, ContentEncoding},
    web::Bytes,
};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest as _, Sha256};

use crate::{
    extract::{accepts_gzip, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// So many digits of the digest name a content.
const DIGITS: usize = 16;
/// A year, the longest that anybody keeps anything.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The files of the stylesheet, in the order of its layers.
const STYLES: &str = concat!(
    include_str!("assets/tokens.css"),
    include_str!("assets/base.css"),
    include_str!("assets/parts.css"),
    include_str!("assets/forms.css"),
    include_str!("assets/dialog.css"),
    include_str!("assets/frame.css"),
    include_str!("assets/pages.css"),
);

pub(super) static STYLESHEET: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("console", "css", "text/css; charset=utf-8", STYLES));
pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let scripts = concat!(include_str!("assets/console.js"), include_str!("assets/passkey.js"));
    Asset::new("console", "js", "text/javascript; charset=utf-8", scripts)
});
pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")));
pub(super) static TREE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("tree", "svg", "image/svg+xml", include_str!("assets/tree.svg")));

/// Something that pages refer to.
pub(super) struct Asset {
    name: String,
    content_type: &'static str,
    content: &'static str,
    /// The same compressed; none if that could not be done.
    zipped: Option<Bytes>,
}

impl Asset {
    fn new(name: &str, extension: &str, content_type: &'static str, content: &'static str) -> Self {
        let digest: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{name}-{}.{extension}", &digest[..DIGITS]);
        let mut zipper = GzEncoder::new(Vec::new(), Compression::best());
        let written = zipper.write_all(content.as_bytes());
        let zipped = written.and_then(|()| zipper.finish()).ok().map(Bytes::from);
        Self { name, content_type, content, zipped }
    }

    /// Its address, from a page.
    pub(super) fn link(&self) -> String {
        format!("../assets/{}", self.name)
    }
}

/// The name of one that there is.
#[cfg(test)]
pub(crate) fn example() -> &'static str {
    &STYLESHEET.name
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("What the pages for people are drawn with: stylesheet, script, images")
        .text(&["text/css", "text/javascript", "image/svg+xml"], "It never changes")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(http: HttpRequest) -> Result<HttpResponse, Problem> {
    let name = http.match_info().query("asset");
    let asset = [&STYLESHEET, &SCRIPT, &ICON, &TREE].into_iter().find(|asset| asset.name == name);
    let asset = asset.ok_or_else(|| path::not_found("asset"))?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, asset.content_type))
        .insert_header((header::CACHE_CONTROL, FOR_EVER))
        .insert_header((header::VARY, "Accept-Encoding"));
    Ok(match asset.zipped.clone().filter(|_| accepts_gzip(&http)) {
        Some(zipped) => response.insert_header(ContentEncoding::Gzip).body(zipped),
        None => response.body(asset.content),
    })
}
