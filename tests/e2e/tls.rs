//! TLS: what is spoken, how the certificate is changed under a running service, and what is said of bad files.

use std::{path::Path, sync::Arc, time::Duration};

use rustix::process::Signal;
use tests::{Service, muniment};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore, SupportedProtocolVersion,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
        version::{TLS12, TLS13},
    },
};

const SETTINGS: &str = "[tls]\ncertificate_file = \"certificate.pem\"\nprivate_key_file = \"key.pem\"\n";

/// A new certificate for `localhost` in the files that the settings name.
fn certify(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(folder.join("certificate.pem"), made.cert.pem()).expect("a file");
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("a file");
    made.cert.der().clone()
}

async fn connect(
    service: &Service,
    root: &CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address = service.base.strip_prefix("https://").expect("the service says that it speaks TLS");
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("a request");
    let mut answer = Vec::new();
    while !answer.ends_with(b"alive\n") {
        let read = stream.read_buf(&mut answer).await.expect("an answer");
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn a_certificate_is_renewed_without_dropping_a_connection() {
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::write(folder.path().join("muniment.toml"), SETTINGS).expect("a file");
    let first = certify(folder.path());
    let mut service = Service::start_in(folder).await;
    let mut standing = connect(&service, &first, &TLS13).await.expect("TLS 1.3");
    let answer = ask(&mut standing).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age="), "{answer}");
    ask(&mut connect(&service, &first, &TLS12).await.expect("TLS 1.2")).await;

    let second = certify(service.folder());
    service.signal(Signal::HUP);
    let mut renewed = None;
    for _ in 0..200 {
        renewed = connect(&service, &second, &TLS13).await.ok();
        if renewed.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    ask(&mut renewed.expect("new connections are shown the new certificate")).await;
    assert!(connect(&service, &first, &TLS13).await.is_err(), "and not the old one");
    ask(&mut standing).await;

    std::fs::write(service.folder().join("key.pem"), "no key at all").expect("a file");
    service.signal(Signal::HUP);
    for _ in 0..200 {
        if service.stderr().contains("stays as it is") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(service.stderr().contains("key.pem"), "{}", service.stderr());
    ask(&mut connect(&service, &second, &TLS13).await.expect("the certificate that was good")).await;
    // The host's own commands need no certificate.
    let status = service.muniment(["api", "GET", "/api/v1/projections"]);
    assert!(status.status.success(), "{status:?}");
    certify(service.folder());
    service.stop().await;
    service.finish().await;
}

#[test]
fn bad_files_are_named_and_nothing_is_served() {
    let folder = tempfile::tempdir().expect("a directory");
    certify(folder.path());
    let key = folder.path().join("key.pem");
    let good = std::fs::read_to_string(&key).expect("a key");
    let serve = |settings: &str| {
        std::fs::write(folder.path().join("muniment.toml"), settings).expect("a file");
        let refused = muniment(folder.path(), ["serve", "--data-dir", "data", "--listen", "127.0.0.1:0"]);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        String::from_utf8_lossy(&refused.stderr).into_owned()
    };
    let half = serve("[tls]\ncertificate_file = \"certificate.pem\"\n");
    assert!(half.contains("go together"), "{half}");
    std::fs::remove_file(&key).expect("a key");
    let missing = serve(SETTINGS);
    assert!(missing.contains("key.pem"), "{missing}");
    certify(folder.path());
    std::fs::write(&key, good).expect("a file");
    let mismatched = serve(SETTINGS);
    assert!(mismatched.contains("key.pem") && mismatched.contains("certificate.pem"), "{mismatched}");
    assert!(!folder.path().join("data").exists(), "nothing was made");
}
