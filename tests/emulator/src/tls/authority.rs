//! A certificate authority for fal's names, which exists only as long as the process.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// The only domains that the authority may certify, so that trusting it by mistake exposes no other
/// host.
const DOMAINS: [&str; 5] = [
    "fal.ai",
    "fal.run",
    "fal.media",
    "falrun.com",
    "storage.googleapis.com",
];

/// Creates a certificate for each name on first use.
pub(crate) struct Authority {
    pem: String,
    certificate: CertificateDer<'static>,
    /// The private key is kept only in memory.
    issuer: Issuer<'static, KeyPair>,
    servers: Mutex<HashMap<String, Arc<ServerConfig>>>,
}

impl Authority {
    pub(crate) fn new() -> io::Result<Self> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "fal-emulator");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let permitted_subtrees = DOMAINS
            .map(|domain| GeneralSubtree::DnsName(domain.into()))
            .to_vec();
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees,
            excluded_subtrees: Vec::new(),
        });
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        Ok(Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            servers: Mutex::default(),
        })
    }

    /// The certificate of the authority, as PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The TLS configuration for `name`, which prefers HTTP/2.
    pub(crate) fn server(&self, name: &str) -> io::Result<Arc<ServerConfig>> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = servers.get(name) {
            return Ok(Arc::clone(server));
        }
        let server = Arc::new(self.certify(name)?);
        servers.insert(name.to_owned(), Arc::clone(&server));
        Ok(server)
    }

    fn certify(&self, name: &str) -> io::Result<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let leaf = params
            .signed_by(&key, &self.issuer)
            .map_err(io::Error::other)?;
        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(chain, key.into())
            .map_err(io::Error::other)?;
        // If a session ticket arrives while another thread sends, Python's ssl module loses the
        // sent data. A ticket would not outlive the process anyway.
        server.send_tls13_tickets = 0;
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(server)
    }
}
