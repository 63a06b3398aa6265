//! TLS to the database: every connection speaks it, and who answers is checked.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use store::testing::{PostgresServer, TestDatabase};
use tests::{Service, backend, muniment};

const PASSWORD: &str = "hunter2";

/// Who certifies servers.
struct Authority(Issuer<'static, KeyPair>, String);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self(Issuer::new(params, key), certificate)
    }

    /// The server speaks TLS from its next start on, as `localhost`, and answers over nothing else.
    fn certify(&self, server: &PostgresServer) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        server.write("server.crt", &certificate.pem());
        server.write("server.key", &key.serialize_pem());
        server.write("postgresql.auto.conf", "ssl = on\n");
        server.write("pg_hba.conf", "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n");
    }

    fn write(&self, folder: &Path, name: &str) -> String {
        let file = folder.join(name);
        std::fs::write(&file, &self.1).expect("a file");
        file.display().to_string()
    }
}

/// The address of the database with a password, on `localhost`, with what else it says.
fn address(url: &str, rest: &str) -> String {
    let (role, place) = url.split_once('@').expect("a role");
    format!("{role}:{PASSWORD}@{}?{rest}", place.replace("127.0.0.1", "localhost"))
}

/// How many connections of nodes there are, and how many of them are open to whoever listens.
fn connections(database: &TestDatabase<'_>) -> (usize, usize) {
    let told = database.psql(
        "SELECT count(*), count(*) FILTER (WHERE NOT ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE application_name = 'muniment'",
    );
    let (all, open) = told.split_once('|').expect("two columns");
    (all.parse().expect("a number"), open.parse().expect("a number"))
}

#[tokio::test]
async fn every_connection_to_the_database_speaks_tls_and_who_answers_is_checked() {
    let folder = tempfile::tempdir().expect("a directory");
    let (authority, other) = (Authority::new("ours"), Authority::new("theirs"));
    let root = authority.write(folder.path(), "ca.pem");
    let other_root = other.write(folder.path(), "other.pem");
    let server = PostgresServer::start();
    let database = server.empty_database();
    for role in ["muniment_owner", "muniment_app"] {
        database.psql(&format!("ALTER ROLE {role} PASSWORD '{PASSWORD}'"));
    }
    authority.certify(&server);
    server.stop();
    server.resume();

    let checked = format!("sslmode=verify-full&sslrootcert={root}");
    let migrated = muniment(folder.path(), ["migrate", "--log", &address(&database.owner_url(), &checked)]);
    assert!(migrated.status.success(), "{migrated:?}");
    let url = address(&database.url(), &checked);
    let mut node = Service::start_with_environment(vec![(backend::LOG_URL, url.into())]).await;
    let (id, created) = node.create_client("Matter sync").await;
    let client = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let own = client.get(format!("{}/sandbox/client", node.base));
    let authenticated = own.basic_auth(id, Some(created.text_of("/client_secret"))).send().await;
    assert_eq!(authenticated.expect("an answer").status(), 200);
    assert_eq!(node.get("/readyz").await.status, 200);
    // The log's writer, the head's reader, who listens, who leads, the pool, and the writer of activity.
    let (all, open) = connections(&database);
    assert!(all >= 5 && open == 0, "{all} connections, {open} of them open");
    let listening = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE query LIKE 'LISTEN%' AND ssl";
    assert_eq!(database.psql(listening), "1");
    server.stop();
    server.resume();
    tests::http::at_last(async || node.get("/api/v1/activity").await).await.expect(200);
    let (all, open) = connections(&database);
    assert!(all >= 1 && open == 0, "{all} connections, {open} of them open");
    assert!(node.muniment(["doctor"]).status.success());
    node.stop().await;

    let refused = |rest: &str| {
        let url = address(&database.url(), rest);
        let arguments = ["serve", "--data-dir", "data", "--listen", "127.0.0.1:0", "--log", &url];
        let refused = muniment(folder.path(), arguments);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{rest}: {said}");
        assert!(!said.contains(PASSWORD), "{said}");
        said
    };
    for mode in ["verify-full", "verify-ca", "require"] {
        let said = refused(&format!("sslmode={mode}&sslrootcert={other_root}"));
        assert!(said.contains("certificate") && said.contains("UnknownIssuer"), "{said}");
    }
    let said = refused("sslmode=verify-full");
    assert!(said.contains("UnknownIssuer"), "{said}");
    let said = refused("sslmode=verify-full&sslrootcert=missing.pem");
    assert!(said.contains("sslrootcert") && said.contains("missing.pem"), "{said}");
    let said = refused("sslmode=disable");
    assert!(said.contains("no encryption"), "{said}");
    let url = address(&database.url(), &checked).replace("localhost", "127.0.0.1");
    let named = muniment(folder.path(), ["doctor", "--data-dir", "data", "--log", &url]);
    let said = String::from_utf8_lossy(&named.stdout).into_owned();
    assert!(said.contains("certificate") && said.contains("localhost") && !said.contains(PASSWORD), "{said}");

    // Who names no root asks for a secret way, to whomever it leads.
    let unchecked = node.join_by(&address(&database.url(), "sslmode=require")).await;
    assert_eq!(unchecked.get("/readyz").await.status, 200);
    assert_eq!(connections(&database).1, 0);
    unchecked.finish().await;
    node.finish().await;

    // A server that has no TLS is none that was asked for.
    server.write("postgresql.auto.conf", "");
    server.write("pg_hba.conf", "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
    server.stop();
    server.resume();
    let said = refused(&checked);
    assert!(said.contains("server does not support TLS"), "{said}");
}
