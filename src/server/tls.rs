//! TLS: the certificate that is shown, and how it is changed under a running service.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use serde::{Deserialize, Serialize};

/// `[tls]`: both files or none; with them the service speaks nothing but TLS.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM: the service's certificate, then those that lead to the root.
    pub certificate_file: Option<PathBuf>,
    /// PEM: the private key of the first of them.
    pub private_key_file: Option<PathBuf>,
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Only one of the files is named.
    #[error("tls.certificate_file and tls.private_key_file go together: set both, or none")]
    Half,
    /// A file cannot be read, or is no PEM.
    #[error("reading `{}`", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// There is no certificate in the file.
    #[error("reading `{}`: there is no certificate in it", .0.display())]
    NoCertificate(PathBuf),
    /// The key cannot be used, or is not that of the certificate.
    #[error("using the certificate of `{}` with the key of `{}`", certificate.display(), key.display())]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

/// The certificate that new connections are shown.
#[derive(Debug)]
pub struct Certificates {
    certificate_file: PathBuf,
    private_key_file: PathBuf,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl TlsConfig {
    /// Whether the service is to speak TLS.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.certificate_file.is_some() || self.private_key_file.is_some()
    }

    /// Reads the files; `None` if TLS is not wanted.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(&self) -> Result<Option<Arc<Certificates>>, TlsError> {
        let (certificate_file, private_key_file) = match (&self.certificate_file, &self.private_key_file) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            (Some(_), None) | (None, Some(_)) => return Err(TlsError::Half),
        };
        let provider = Arc::new(ring::default_provider());
        let current = RwLock::new(Arc::new(read(&certificate_file, &private_key_file, &provider)?));
        Ok(Some(Arc::new(Certificates { certificate_file, private_key_file, provider, current })))
    }
}

impl Certificates {
    /// Reads the files again. Connections that stand go on; new ones are shown the new certificate.
    ///
    /// # Errors
    /// See [`TlsError`]; then everything stays as it is.
    pub fn reload(&self) -> Result<(), TlsError> {
        let read = read(&self.certificate_file, &self.private_key_file, &self.provider)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
        Ok(())
    }

    /// What the server speaks: TLS 1.2 and 1.3.
    pub(crate) fn server_config(self: &Arc<Self>) -> io::Result<rustls::ServerConfig> {
        let config = rustls::ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(io::Error::other)?;
        Ok(config.with_no_client_auth().with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let in_file = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::File { path, source }
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(in_file(certificate))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    }
    let private_key = PrivateKeyDer::from_pem_file(key).map_err(in_file(key))?;
    CertifiedKey::from_der(chain, private_key, provider).map_err(|source| TlsError::Unusable {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })
}
