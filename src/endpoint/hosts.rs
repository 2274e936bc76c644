//! The hosts of fal's services, and which of them receive the key.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use reqwest::Method;
use url::{Host, Url};

use super::id::{EndpointId, abbreviate};
use crate::error::{Error, Result};

/// The host that renews the access tokens of logins.
pub const AUTH_HOST: &str = "auth.fal.ai";

/// The old name of the REST host. The CLI and older pages use it (docs/protocol.md §16.37, 38).
const OLD_REST_HOST: &str = "rest.alpha.fal.ai";

/// The path of the keys that verify webhooks, on the REST host (docs/protocol.md §10.3).
pub(crate) const JWKS: &str = ".well-known/jwks.json";

/// A backup of one of fal's hosts (docs/protocol.md §13.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backup {
    Run,
    Queue,
}

impl Backup {
    pub(crate) const COUNT: usize = 2;

    pub(crate) fn host(self) -> &'static str {
        match self {
            Backup::Run => "falrun.com",
            Backup::Queue => "queue.falrun.com",
        }
    }
}

/// The hosts of fal's services (docs/protocol.md §1.1), each a host name with an optional port.
///
/// Requests use https. Only `run`, `queue`, `ws`, `rest` and `platform` receive the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    pub(crate) run: String,
    pub(crate) queue: String,
    /// HTTP over WebSocket (docs/protocol.md §8).
    pub(crate) ws: String,
    pub(crate) rest: String,
    pub(crate) platform: String,
    pub(crate) cdn: String,
    pub(crate) emulator: Option<SocketAddr>,
    /// A server of the program's vendor, which adds the key and forwards requests to fal
    /// (docs/protocol.md §11).
    pub(crate) proxy: Option<Url>,
}

/// The kind of service behind a URL, which decides whether a request carries the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A service that authenticates by key.
    Key,
    /// fal's host that renews logins. It receives a refresh token in the body, and never a key.
    Login,
    /// fal's file hosts. They never receive a key (docs/protocol.md §9.6).
    Files,
    /// Any other host.
    Foreign,
}

impl Default for Hosts {
    fn default() -> Self {
        Hosts {
            run: "fal.run".into(),
            queue: "queue.fal.run".into(),
            ws: "ws.fal.run".into(),
            rest: "rest.fal.ai".into(),
            platform: "api.fal.ai".into(),
            cdn: "v3.fal.media".into(),
            emulator: None,
            proxy: None,
        }
    }
}

impl Hosts {
    /// Reads the hosts from variables, usually of the environment: `FAL_RUN_HOST`,
    /// `FAL_QUEUE_RUN_HOST`, `FAL_REST_HOST`, `FAL_PLATFORM_HOST`, `FAL_CDN_HOST` and
    /// `FAL_EMULATOR_HOST` (docs/protocol.md §1.2). `lookup` returns the value of a variable. Where
    /// a variable is unset or empty, fal's own host remains.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut hosts = Hosts::default();
        let read = |name: &str| {
            let value = lookup(name)
                .map(|v| v.trim().to_owned())
                .filter(|v| !v.is_empty());
            value.map(|v| named(name, &v, host)).transpose()
        };
        if let Some(run) = read("FAL_RUN_HOST")? {
            // The official clients derive the host of the queue from the run host.
            hosts.queue = format!("queue.{run}");
            hosts.ws = format!("ws.{run}");
            hosts.run = run;
        }
        for (name, slot) in [
            ("FAL_QUEUE_RUN_HOST", &mut hosts.queue),
            ("FAL_REST_HOST", &mut hosts.rest),
            ("FAL_PLATFORM_HOST", &mut hosts.platform),
            ("FAL_CDN_HOST", &mut hosts.cdn),
        ] {
            if let Some(value) = read(name)? {
                *slot = value;
            }
        }
        let emulator = lookup("FAL_EMULATOR_HOST").filter(|v| !v.trim().is_empty());
        if let Some(value) = emulator {
            hosts.emulator = Some(named("FAL_EMULATOR_HOST", value.trim(), loopback)?);
        }
        Ok(hosts)
    }

    /// Returns the URL of the run host.
    pub(crate) fn run_host(&self) -> Result<Url> {
        url(&self.run, "")
    }

    pub(crate) fn run_url(&self, id: &EndpointId) -> Result<Url> {
        url(&self.run, id.as_str())
    }

    /// Returns a URL of the Platform API (docs/protocol.md §14.1). `path` begins with `/v1`.
    pub(crate) fn platform_url(&self, path: &str) -> Result<Url> {
        url(&self.platform, path)
    }

    pub(crate) fn queue_url(&self, path: &str) -> Result<Url> {
        url(&self.queue, path)
    }

    pub(crate) fn ws_url(&self, id: &EndpointId) -> Result<Url> {
        url(&self.ws, id.as_str())
    }

    pub(crate) fn rest_url(&self, path: &str) -> Result<Url> {
        url(&self.rest, path)
    }

    /// Whether a URL belongs to the REST service, by its current or its old name.
    pub(crate) fn is_rest(&self, url: &Url) -> bool {
        is_at(&self.rest, url) || is_at(OLD_REST_HOST, url)
    }

    pub(crate) fn cdn_url(&self, path: &str) -> Result<Url> {
        url(&self.cdn, path)
    }

    pub(crate) fn login_url(&self, path: &str) -> Result<Url> {
        url(AUTH_HOST, path)
    }

    /// Returns the server proxy for requests to a URL. `None` if the request does not use it.
    pub(crate) fn proxied(&self, url: &Url) -> Option<&Url> {
        self.proxy.as_ref().filter(|_| self.is_service(url))
    }

    /// Returns the backup of the host of `url`. Only two of fal's own hosts have one.
    pub(crate) fn backup(&self, url: &Url) -> Option<Backup> {
        let host = url
            .host_str()
            .filter(|_| self.is_service(url) && url.port().is_none());
        match host? {
            "fal.run" => Some(Backup::Run),
            "queue.fal.run" => Some(Backup::Queue),
            _ => None,
        }
    }

    pub(crate) fn is_run(&self, url: &Url) -> bool {
        is_at(&self.run, url)
    }

    pub(crate) fn is_queue(&self, url: &Url) -> bool {
        is_at(&self.queue, url)
    }

    /// Whether a URL is for the status or the cancellation of a job. The queue itself responds
    /// there. To a request for the result, the app of the job responds.
    pub(crate) fn is_about_job(&self, url: &Url) -> bool {
        let path = url.path().trim_end_matches('/');
        self.is_queue(url) && (path.ends_with("/status") || path.ends_with("/cancel"))
    }

    /// Whether a URL accepts short-lived tokens. Only third-party sources say so about the host of
    /// HTTP over WebSocket (docs/protocol.md §8).
    pub(crate) fn takes_tokens(&self, url: &Url) -> bool {
        is_at(&self.run, url) || is_at(&self.ws, url)
    }

    /// Whether the response from a URL may come from an app, and not only from a service of fal.
    pub(crate) fn answers_by_app(&self, url: &Url) -> bool {
        self.takes_tokens(url) || (self.is_queue(url) && !self.is_about_job(url))
    }

    /// Whether a URL belongs to a service that accepts the key, possibly through a server proxy.
    pub(crate) fn is_service(&self, url: &Url) -> bool {
        self.origin(url) == Origin::Key
    }

    /// Whether fal's gateway responds at a URL. Its successful responses always have a request id
    /// (§4, §5.5), so a web page without one is not from fal.
    pub(crate) fn answers_with_id(&self, url: &Url) -> bool {
        self.is_run(url) || self.is_queue(url)
    }

    /// Whether a successful response must be JSON by fal's protocol. `false` where an app chooses
    /// the format, or a file is downloaded.
    pub(crate) fn answers_json(&self, url: &Url, method: &Method) -> bool {
        let path = url.path();
        let begins = |starts: &[&str]| starts.iter().any(|start| path.starts_with(start));
        if !self.is_service(url) || self.is_run(url) {
            return false;
        }
        if self.is_platform(url) {
            // §14.9.
            return !begins(&["/v1/serverless/files/", "/v1/serverless/logs/stream"]);
        }
        match self.is_queue(url) {
            // Submit, status and cancel (§5). The app chooses the format of the result.
            true => *method == Method::POST || self.is_about_job(url),
            // §7.1, §9, §10.3.
            false => begins(&["/tokens", "/storage/", "/.well-known/"]),
        }
    }

    pub(crate) fn is_platform(&self, url: &Url) -> bool {
        is_at(&self.platform, url)
    }

    /// Returns the kind of service behind a URL. Scheme, host and port decide; the path does not.
    pub(crate) fn origin(&self, url: &Url) -> Origin {
        if !url.username().is_empty() || url.password().is_some() {
            return Origin::Foreign;
        }
        let services = [
            &self.run,
            &self.queue,
            &self.ws,
            &self.rest,
            &self.platform,
            OLD_REST_HOST,
        ];
        if services.iter().any(|host| is_at(host, url)) {
            return Origin::Key;
        }
        if is_at(AUTH_HOST, url) {
            return Origin::Login;
        }
        let fal_media = url.scheme() == "https"
            && url.port().is_none()
            && url
                .host_str()
                .is_some_and(|h| h == "fal.media" || h.ends_with(".fal.media"));
        match fal_media || is_at(&self.cdn, url) {
            true => Origin::Files,
            false => Origin::Foreign,
        }
    }
}

fn url(host: &str, path: &str) -> Result<Url> {
    let text = ["https://", host, "/", path.trim_start_matches('/')].concat();
    Url::parse(&text).map_err(|e| Error::invalid(format!("{host:?} is not a host: {e}")))
}

/// Whether a URL has the scheme https and this host and port.
fn is_at(host: &str, other: &Url) -> bool {
    // A host is stored as `Url` writes it, so the texts can be compared: parsing it here would cost
    // a fifth of a request's instructions.
    let port = host
        .rsplit_once(':')
        .and_then(|(name, port)| Some((name, port.parse().ok()?)));
    let (name, port) = port.unwrap_or((host, 443));
    other.scheme() == "https"
        && other.host_str() == Some(name)
        && other.port_or_known_default() == Some(port)
}

fn named<T>(name: &str, value: &str, parse: impl Fn(&str) -> Result<T>) -> Result<T> {
    parse(value)
        .map_err(|e| Error::invalid(format!("{name}: {}", e.message())).with_remedy(e.remedy()))
}

/// Parses `name` or `name:port`. A scheme, a path or a user name is an error.
pub(crate) fn host(text: &str) -> Result<String> {
    let bare = !text.contains(['/', '\\', '@', '?', '#']) && !text.contains(char::is_whitespace);
    let parsed = bare
        .then(|| Url::parse(&format!("https://{text}/")).ok())
        .flatten();
    let host = parsed
        .as_ref()
        .and_then(|url| Some((url.host_str()?, url.port())));
    match host {
        Some((host, None)) => Ok(host.to_owned()),
        Some((host, Some(port))) => Ok(format!("{host}:{port}")),
        None => Err(
            Error::invalid(format!("{:?} is not a host", abbreviate(text))).with_remedy(
                "Give a host name with an optional port: \"fal.run\" or \"gateway.example:8443\".",
            ),
        ),
    }
}

/// Parses the URL of a server proxy: https, or http on this machine for development.
pub(crate) fn proxy(text: &str) -> Result<Url> {
    https_or_local(text).map_err(|wrong| {
        Error::invalid(format!("the URL of the proxy {wrong}")).with_remedy(
            "Give the URL of the route that forwards to fal, such as https://app.example/api/fal/proxy.",
        )
    })
}

/// Parses an https URL, or an http URL on this machine, without user name and fragment. An error
/// says what is wrong, without the text: it may contain a password.
pub(crate) fn https_or_local(text: &str) -> std::result::Result<Url, &'static str> {
    let parsed = Url::parse(text).ok();
    let local = |url: &Url| match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let safe = |url: &Url| url.scheme() == "https" || (url.scheme() == "http" && local(url));
    let url = parsed.filter(safe).ok_or("is not an https URL")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must have no user name and no password");
    }
    match url.fragment() {
        Some(_) => Err("must have no fragment (the part from #)"),
        None => Ok(url),
    }
}

/// Parses `127.0.0.1:PORT`, `[::1]:PORT` or `localhost:PORT`. The emulator runs on this machine
/// only.
pub(crate) fn loopback(text: &str) -> Result<SocketAddr> {
    let parsed = Url::parse(&format!("http://{text}/")).ok();
    let address = parsed.and_then(|url| {
        let port = url.port()?;
        let ip = match url.host()? {
            Host::Ipv4(ip) => IpAddr::V4(ip),
            Host::Ipv6(ip) => IpAddr::V6(ip),
            Host::Domain("localhost") => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Host::Domain(_) => return None,
        };
        (ip.is_loopback() && url.path() == "/" && url.username().is_empty())
            .then_some(SocketAddr::new(ip, port))
    });
    address.ok_or_else(|| {
        Error::invalid(format!("{:?} is not a loopback address with a port", abbreviate(text))).with_remedy(
            "Give the address that fal-emulator prints, such as 127.0.0.1:8080; only this machine is accepted.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_https_origins_see_the_key() {
        let hosts = Hosts {
            run: "gateway.example:8443".into(),
            ..Hosts::default()
        };
        let origin = |text: &str| hosts.origin(&Url::parse(text).unwrap());
        for ours in [
            "https://queue.fal.run/x",
            "https://ws.fal.run/x",
            "https://rest.fal.ai:443/",
            "https://api.fal.ai/v1/keys",
            "https://gateway.example:8443/a",
        ] {
            assert_eq!(origin(ours), Origin::Key, "{ours}");
        }
        for files in [
            "https://v3.fal.media/files/x",
            "https://v3b.fal.media/x",
            "https://fal.media/x",
        ] {
            assert_eq!(origin(files), Origin::Files, "{files}");
        }
        for foreign in [
            "http://queue.fal.run/x",
            "https://queue.fal.run:8443/",
            "https://fal.run/",
            "https://queue.fal.run.evil.example/",
            "https://evil.example/queue.fal.run",
            "https://user@queue.fal.run/",
            "https://gateway.example/",
            "https://xfal.media/",
            "http://v3.fal.media/",
            "https://queue.fal.run@evil.example/",
            "ws://fal.run/",
            "https://fal.run.:443/",
        ] {
            assert_eq!(origin(foreign), Origin::Foreign, "{foreign}");
        }
    }

    #[test]
    fn hosts_come_from_the_environment() {
        let hosts = Hosts::from_lookup(|name| match name {
            "FAL_RUN_HOST" => Some(" staging.fal.run ".into()),
            "FAL_REST_HOST" => Some(String::new()),
            "FAL_EMULATOR_HOST" => Some("localhost:99".into()),
            _ => None,
        })
        .unwrap();
        assert_eq!(hosts.run, "staging.fal.run");
        assert_eq!(
            (&*hosts.queue, &*hosts.ws),
            ("queue.staging.fal.run", "ws.staging.fal.run")
        );
        assert_eq!(hosts.rest, "rest.fal.ai");
        assert_eq!(hosts.emulator, Some("127.0.0.1:99".parse().unwrap()));
    }

    #[test]
    fn the_emulator_is_on_this_machine() {
        for bad in [
            "10.0.0.1:80",
            "example.com:80",
            "127.0.0.1",
            "127.0.0.1:80/x",
            "user@127.0.0.1:80",
            "",
            "0.0.0.0:80",
        ] {
            assert!(loopback(bad).is_err(), "{bad:?}");
        }
        for good in ["127.0.0.1:8080", "[::1]:8080", "127.9.9.9:1"] {
            assert!(loopback(good).is_ok(), "{good:?}");
        }
        for bad in ["https://fal.run", "fal.run/x", "a b", "user@fal.run", ""] {
            assert!(host(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_stored_host_compares_as_its_url_does() {
        for stored in [
            "fal.run",
            "FAL.run:443",
            "a.example:99",
            "127.0.0.1",
            "[::1]:8",
            "[::1]",
            "müller.example",
        ] {
            let stored = host(stored).unwrap();
            // As `from_lookup` derives the hosts of the queue; some are no hosts at all.
            let derived = format!("queue.{stored}");
            let derived_url = Url::parse(&format!("https://{derived}/a"));
            assert!(
                derived_url.is_err() || is_at(&derived, &derived_url.unwrap()),
                "{derived}"
            );
            let own = Url::parse(&format!("https://{stored}/")).unwrap();
            for text in [
                "https://fal.run/a",
                "https://fal.run:443/",
                "http://fal.run:443/",
                "http://fal.run/",
                "https://fal.run:444/",
                "wss://fal.run/",
                "https://fal.run./",
                "https://a.example:99/",
                "https://a.example/",
                "https://127.1/",
                "https://[::1]:8/",
                "https://[0:0::1]/",
                "https://m%C3%BCller.example/",
                "https://[::1]:443/",
                "file:///fal.run",
                "data:fal.run",
            ] {
                let url = Url::parse(text).unwrap();
                assert_eq!(
                    is_at(&stored, &url),
                    own.origin() == url.origin(),
                    "{stored}, {text}"
                );
            }
        }
    }
}
