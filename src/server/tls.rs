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

const CERTIFICATE_FILE: &str = "tls.certificate_file";
const PRIVATE_KEY_FILE: &str = "tls.private_key_file";

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
    Half {
        /// The one that is.
        set: &'static str,
    },
    /// A file cannot be read, or is no PEM.
    #[error("reading `{}`", path.display())]
    File {
        /// The setting that names it.
        key: &'static str,
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

impl TlsError {
    /// The setting to look at.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Half { set } => set,
            Self::File { key, .. } => key,
            Self::NoCertificate(_) | Self::Unusable { .. } => CERTIFICATE_FILE,
        }
    }
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

    /// Everything that is wrong with the files, each on its own first.
    #[must_use]
    pub fn faults(&self) -> Vec<TlsError> {
        let (Some(certificate), Some(key)) = (&self.certificate_file, &self.private_key_file) else {
            return self.load().err().into_iter().collect();
        };
        let alone = [read_chain(certificate).err(), read_key(key).err()];
        let alone: Vec<_> = alone.into_iter().flatten().collect();
        if alone.is_empty() { self.load().err().into_iter().collect() } else { alone }
    }

    /// Reads the files; `None` if TLS is not wanted.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn load(&self) -> Result<Option<Arc<Certificates>>, TlsError> {
        let (certificate_file, private_key_file) = match (&self.certificate_file, &self.private_key_file) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            (Some(_), None) => return Err(TlsError::Half { set: CERTIFICATE_FILE }),
            (None, Some(_)) => return Err(TlsError::Half { set: PRIVATE_KEY_FILE }),
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
    let (chain, private_key) = (read_chain(certificate)?, read_key(key)?);
    CertifiedKey::from_der(chain, private_key, provider).map_err(|source| TlsError::Unusable {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(in_file(CERTIFICATE_FILE, file))?;
    if chain.is_empty() { Err(TlsError::NoCertificate(file.to_owned())) } else { Ok(chain) }
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(in_file(PRIVATE_KEY_FILE, file))
}

fn in_file(key: &'static str, path: &Path) -> impl FnOnce(pem::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::File { key, path, source }
}
