//! HTTP and SOCKS proxies, and the certificates that are trusted.

use std::sync::Arc;

use reqwest::{ClientBuilder, NoProxy, Proxy};
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use url::Url;
use zeroize::Zeroizing;

use super::tls::{tls_error, versions};
use crate::credentials::{Environment, Variable};
use crate::error::{Error, Result};

/// The proxy and certificate settings of a client. They may contain the password of a proxy, so
/// there is no `Debug`.
#[derive(Clone, Default)]
pub(crate) struct Network {
    proxy: ProxyMode,
    /// The hosts that are reached without the proxy, in the form of `NO_PROXY`.
    direct: Option<String>,
    /// Certificates that are trusted in addition to the system's.
    roots: Vec<CertificateDer<'static>>,
    /// Verifies certificates instead of the system.
    #[cfg(test)]
    pub(crate) verifier: Option<Arc<dyn ServerCertVerifier>>,
}

#[derive(Clone, Default)]
enum ProxyMode {
    /// The settings of macOS or Windows; on other systems no proxy.
    #[default]
    System,
    Direct,
    Proxy(Arc<Zeroizing<String>>),
}

impl Network {
    /// Reads `HTTPS_PROXY` or else `ALL_PROXY`, and `NO_PROXY`, in upper or lower case. Every
    /// service of fal uses https, so `HTTP_PROXY` is ignored.
    pub(crate) fn read(&mut self, environment: &Environment) -> Result<()> {
        let read = |name: &str| {
            [name.to_owned(), name.to_ascii_lowercase()]
                .iter()
                .find_map(|name| match environment.variable(name) {
                    Variable::Set(value) => Some(value),
                    _ => None,
                })
        };
        self.direct = read("NO_PROXY").map(|list| list.to_string());
        if matches!(self.proxy, ProxyMode::System) {
            let mut names = ["HTTPS_PROXY", "ALL_PROXY"].into_iter();
            if let Some((name, url)) = names.find_map(|name| Some((name, read(name)?))) {
                self.proxy =
                    parse(&url).map_err(|e| Error::invalid(format!("{name}: {}", e.message())))?;
            }
        }
        // On macOS, reqwest reads the environment of the process beside the settings, which must
        // not override the environment that the host gave.
        if matches!(self.proxy, ProxyMode::System) && !environment.has_system_settings() {
            self.proxy = ProxyMode::Direct;
        }
        Ok(())
    }

    /// Sets the proxy. An empty URL means no proxy.
    pub(crate) fn set_proxy(&mut self, url: &str) -> Result<()> {
        self.proxy = match url.trim() {
            "" => ProxyMode::Direct,
            url => parse(url)?,
        };
        Ok(())
    }

    /// Trusts the certificates in `pem` in addition to the system's.
    pub(crate) fn add_roots(&mut self, pem: &[u8]) -> Result<()> {
        let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match found {
            Ok(found) if !found.is_empty() => self.roots.extend(found),
            Ok(_) => return Err(Error::invalid("the text contains no PEM certificate")),
            Err(e) => return Err(Error::invalid(format!("the certificates are not PEM: {e}"))),
        }
        Ok(())
    }

    /// Sets the proxy. Returns `None` if all connections are direct.
    pub(super) fn proxied(&self, builder: ClientBuilder) -> Result<Option<ClientBuilder>> {
        match &self.proxy {
            #[cfg(windows)]
            ProxyMode::System => by_the_settings(builder, self.direct.as_deref()),
            #[cfg(target_os = "macos")]
            ProxyMode::System => Ok(Some(builder)),
            #[cfg(not(any(windows, target_os = "macos")))]
            ProxyMode::System => Ok(None),
            ProxyMode::Direct => Ok(None),
            ProxyMode::Proxy(address) => {
                through(builder, address, self.direct.as_deref()).map(Some)
            }
        }
    }

    /// Returns the host and the port of the proxy, without its password.
    pub(super) fn proxy_name(&self) -> Option<Arc<str>> {
        let ProxyMode::Proxy(address) = &self.proxy else {
            return None;
        };
        let url = Url::parse(address).ok()?;
        let host = url.host_str()?;
        Some(match url.port_or_known_default() {
            Some(port) => format!("{host}:{port}").into(),
            None => host.into(),
        })
    }

    /// Configures rustls with the operating system's trust store, and the ALPN `protocols` in order
    /// of preference. The crypto provider is passed explicitly, because a process-wide default
    /// belongs to the host.
    pub(super) fn tls(&self, protocols: &[&str]) -> Result<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let verifier = match self.roots.is_empty() {
            true => Verifier::new(provider),
            false => Verifier::new_with_extra_roots(self.roots.iter().cloned(), provider),
        };
        let verifier: Arc<dyn ServerCertVerifier> = Arc::new(verifier.map_err(tls_error)?);
        #[cfg(test)]
        let verifier = self.verifier.clone().unwrap_or(verifier);
        // Not less safe than rustls's default, because the platform's verifier checks everything.
        let config = versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = config.with_no_client_auth();
        let protocols = protocols
            .iter()
            .map(|protocol| protocol.as_bytes().to_vec());
        config.alpn_protocols = protocols.collect();
        Ok(config)
    }
}

/// Uses the proxy of the Windows settings. reqwest reads only a single proxy there, not a list for
/// each scheme.
#[cfg(windows)]
fn by_the_settings(builder: ClientBuilder, direct: Option<&str>) -> Result<Option<ClientBuilder>> {
    let Some(found) = super::system_proxy::read() else {
        return Ok(None);
    };
    match parse(&found.address).map_err(|e| {
        Error::invalid(format!(
            "the proxy in the Windows settings: {}",
            e.message()
        ))
    })? {
        ProxyMode::Proxy(address) => {
            through(builder, &address, direct.or(Some(&found.direct))).map(Some)
        }
        ProxyMode::System | ProxyMode::Direct => Ok(None),
    }
}

fn through(builder: ClientBuilder, address: &str, direct: Option<&str>) -> Result<ClientBuilder> {
    let proxy = Proxy::all(address).map_err(|_| malformed())?;
    Ok(builder
        .no_proxy()
        .proxy(proxy.no_proxy(direct.and_then(NoProxy::from_string))))
}

/// Parses `[scheme://][user:password@]host[:port]`. The default scheme is http.
fn parse(text: &str) -> Result<ProxyMode> {
    let text = text.trim();
    let whole = Zeroizing::new(if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    });
    let url = Url::parse(&whole).map_err(|_| malformed())?;
    let known = matches!(
        url.scheme(),
        "http" | "https" | "socks5" | "socks5h" | "socks4" | "socks4a"
    );
    match known && url.has_host() {
        true => Ok(ProxyMode::Proxy(Arc::new(whole))),
        false => Err(malformed()),
    }
}

/// The message does not contain the URL, which may contain a password.
fn malformed() -> Error {
    Error::invalid("the URL of the HTTP proxy is malformed").with_remedy(
        "Give [scheme://][user:password@]host[:port], with the scheme http, https, socks4, socks4a, socks5 or socks5h.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&'static str, &'static str)]) -> Result<Network> {
        let mut network = Network::default();
        network.read(&Environment::from_variables(variables.iter().copied()))?;
        Ok(network)
    }

    fn proxy(network: &Network) -> Option<&str> {
        match &network.proxy {
            ProxyMode::Proxy(text) => Some(text),
            ProxyMode::System | ProxyMode::Direct => None,
        }
    }

    #[test]
    fn the_proxy_comes_from_the_usual_variables() {
        let all = [
            ("HTTPS_PROXY", "http://a:1"),
            ("ALL_PROXY", "http://b:1"),
            ("HTTP_PROXY", "http://c:1"),
        ];
        for (variables, expected) in [
            (&[][..], None),
            (&[("HTTP_PROXY", "http://a:1")], None),
            (&[("https_proxy", "a:1")], Some("http://a:1")),
            (&[("ALL_PROXY", "socks5h://a:1")], Some("socks5h://a:1")),
            (&all, Some("http://a:1")),
        ] {
            let found = read(variables).unwrap();
            assert_eq!(proxy(&found), expected, "{variables:?}");
        }
        let malformed = read(&[("HTTPS_PROXY", "ftp://user:fake-secret@a")]);
        let error = malformed.err().unwrap();
        assert!(
            error.message().contains("HTTPS_PROXY") && !error.message().contains("fake-secret"),
            "{error}"
        );
    }

    #[test]
    fn an_option_is_stronger_than_a_variable_and_may_say_none() {
        let environment = Environment::from_variables([("HTTPS_PROXY", "http://a:1")]);
        let mut network = Network::default();
        network.set_proxy("b:2").unwrap();
        network.read(&environment).unwrap();
        assert_eq!(proxy(&network), Some("http://b:2"));
        network.set_proxy("").unwrap();
        network.read(&environment).unwrap();
        assert_eq!(proxy(&network), None);
    }

    #[test]
    fn only_certificates_are_trusted() {
        let mut network = Network::default();
        let malformed = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        for pem in ["", malformed] {
            assert!(network.add_roots(pem.as_bytes()).is_err(), "{pem}");
        }
    }
}
