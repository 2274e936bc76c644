//! Endpoint ids, and the address of every service.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use reqwest::Method;
use url::{Host, Url};

use crate::error::{Error, Result};

/// The name of a callable model or app, such as `fal-ai/flux/dev` (docs/protocol.md §3.1).
///
/// `[namespace/]owner/alias[/path]`, where a namespace is `workflows` or `comfy`. The old form
/// `123-abc` is read as `123/abc`. Surrounding slashes are dropped; case is kept. An address, such
/// as `https://fal.run/fal-ai/flux/dev`, is refused with an error that shows the id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndpointId {
    text: String,
    app_len: usize,
}

/// The host that renews the tokens of a login.
pub const AUTH_HOST: &str = "auth.fal.ai";

/// The REST host by its old name, which the CLI and older pages use (docs/protocol.md §16.37, 38).
const OLD_REST_HOST: &str = "rest.alpha.fal.ai";

/// The path of the keys that webhooks are signed with, on the REST host (docs/protocol.md §10.3).
pub(crate) const JWKS: &str = ".well-known/jwks.json";

/// A host that stands in for one of fal's own (docs/protocol.md §13.4).
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

const NAMESPACES: [&str; 2] = ["workflows", "comfy"];

impl EndpointId {
    /// The whole id, with its path.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `[namespace/]owner/alias`, without the path: what the queue's addresses are made of.
    pub fn app(&self) -> &str {
        &self.text[..self.app_len]
    }

    /// What follows the app, without its leading slash; empty if there is nothing.
    pub fn path(&self) -> &str {
        self.text[self.app_len..].trim_start_matches('/')
    }

    /// The name of the app within its owner's.
    pub fn alias(&self) -> &str {
        self.app().rsplit('/').next().unwrap_or_default()
    }

    /// The account or team that the app belongs to.
    pub fn owner(&self) -> &str {
        let mut segments = self.app().rsplit('/');
        segments.next();
        segments.next().unwrap_or_default()
    }
}

impl FromStr for EndpointId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(named) = id_in(text) {
            return Err(address_for_id(text, named));
        }
        let trimmed = text.trim_matches('/');
        let text = match trimmed.contains('/') {
            true => trimmed.to_owned(),
            false => {
                legacy(trimmed).ok_or_else(|| malformed_id(text, "the form is owner/alias"))?
            }
        };
        let mut ends = text.split('/').scan(0, |end, segment| {
            *end += segment.len() + 1;
            Some((*end - 1, segment))
        });
        for (_, segment) in ends.clone() {
            check_segment(segment).map_err(|what| malformed_id(&text, what))?;
        }
        let namespaced = ends
            .clone()
            .next()
            .is_some_and(|(_, first)| NAMESPACES.contains(&first));
        let app_len = ends
            .nth(if namespaced { 2 } else { 1 })
            .map(|(end, _)| end)
            .ok_or_else(|| malformed_id(&text, "owner or alias is missing"))?;
        Ok(EndpointId { text, app_len })
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What an address of one of fal's own hosts has in the place of an id, if the text is one, with
/// its scheme or without: the id as far as one can tell. It is not taken for the id, because the
/// client may be meant to use other hosts than the address says.
fn id_in(text: &str) -> Option<&str> {
    let text = text.trim().trim_start_matches('/');
    let lower = text.to_ascii_lowercase();
    let bare = ["https://", "http://", "wss://"]
        .iter()
        .find_map(|scheme| lower.starts_with(scheme).then_some(scheme.len()));
    let bare = &text[bare.unwrap_or_default()..];
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let path = path
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .trim_matches('/');
    let (id, ends): (_, &[&str]) = match host.to_ascii_lowercase().as_str() {
        "fal.run" | "queue.fal.run" | "ws.fal.run" => (path, &[]),
        "fal.ai" | "www.fal.ai" => (
            path.strip_prefix("models/").unwrap_or_default(),
            &["/api", "/playground", "/examples", "/llms.txt"],
        ),
        _ => return None,
    };
    let id = id.split("/requests/").next().unwrap_or_default();
    Some(
        ends.iter()
            .find_map(|end| id.strip_suffix(end))
            .unwrap_or(id),
    )
}

fn address_for_id(text: &str, named: &str) -> Error {
    // An address in an address is none either, and is not looked into: there may be thousands.
    let id = if id_in(named).is_none() {
        named.parse::<EndpointId>().ok()
    } else {
        None
    };
    match id {
        Some(id) => malformed_id(text, "it is an address")
            .with_remedy(format!("Give the id alone: \"{id}\".")),
        None => malformed_id(text, "it is an address, and not one of a model"),
    }
}

/// `123-my-app` is `123/my-app`.
fn legacy(text: &str) -> Option<String> {
    let (number, name) = text.split_once('-')?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (digits && named).then(|| format!("{number}/{name}"))
}

/// An id becomes part of an address: nothing that could change the address's meaning gets in.
pub(crate) fn check_segment(segment: &str) -> std::result::Result<(), &'static str> {
    if segment.is_empty() {
        return Err("it has an empty segment");
    }
    if segment == "." || segment == ".." {
        return Err("it has a dot segment");
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~@:+,=!$()*".contains(&b);
    match segment.bytes().all(plain) {
        true => Ok(()),
        false => Err("it has a character that no endpoint id has"),
    }
}

fn malformed_id(text: &str, what: &str) -> Error {
    Error::invalid(format!(
        "{:?} is not an endpoint id: {what}",
        abbreviate(text)
    ))
    .with_remedy("Give an id such as \"fal-ai/flux/dev\": [workflows/]owner/alias[/path].")
}

pub(crate) fn abbreviate(text: &str) -> String {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The hosts of fal's services (docs/protocol.md §1.1), each a host name with an optional port.
///
/// Requests go to them over https. The key is sent to `run`, `queue`, `ws`, `rest` and `platform`
/// only.
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
    /// A server of the host's maker that holds the key and forwards (docs/protocol.md §11).
    pub(crate) proxy: Option<Url>,
}

/// Which services may see the key, and where a request really goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A service that authenticates by key.
    Key,
    /// Where logins are renewed: fal's own, but with a token of its own in the body and never with
    /// a key.
    Login,
    /// fal's file hosts: fal's own, but never with a key (docs/protocol.md §9.6).
    Files,
    /// Anything else.
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
    /// The hosts that `lookup`, usually the environment, names: `FAL_RUN_HOST`,
    /// `FAL_QUEUE_RUN_HOST`, `FAL_REST_HOST`, `FAL_PLATFORM_HOST`, `FAL_CDN_HOST` and
    /// `FAL_EMULATOR_HOST` (docs/protocol.md §1.2); fal's own for the rest.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut hosts = Hosts::default();
        let read = |name: &str| {
            let value = lookup(name)
                .map(|v| v.trim().to_owned())
                .filter(|v| !v.is_empty());
            value.map(|v| named(name, &v, host)).transpose()
        };
        if let Some(run) = read("FAL_RUN_HOST")? {
            // The official clients derive the queue's host from the run host.
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

    pub(crate) fn run_url(&self, id: &EndpointId) -> Result<Url> {
        self.url(&self.run, id.as_str())
    }

    /// An address of the Platform API (docs/protocol.md §14.1): `path` begins with `/v1`.
    pub(crate) fn platform_url(&self, path: &str) -> Result<Url> {
        self.url(&self.platform, path.trim_start_matches('/'))
    }

    pub(crate) fn queue_url(&self, path: &str) -> Result<Url> {
        self.url(&self.queue, path.trim_start_matches('/'))
    }

    pub(crate) fn ws_url(&self, id: &EndpointId) -> Result<Url> {
        self.url(&self.ws, id.as_str())
    }

    pub(crate) fn rest_url(&self, path: &str) -> Result<Url> {
        self.url(&self.rest, path.trim_start_matches('/'))
    }

    /// Whether an address is one of the service that takes files and makes tokens, by either name.
    pub(crate) fn is_rest(&self, url: &Url) -> bool {
        let same = |host: &str| {
            self.url(host, "")
                .is_ok_and(|rest| rest.origin() == url.origin())
        };
        same(&self.rest) || same(OLD_REST_HOST)
    }

    pub(crate) fn cdn_url(&self, path: &str) -> Result<Url> {
        self.url(&self.cdn, path.trim_start_matches('/'))
    }

    pub(crate) fn login_url(&self, path: &str) -> Result<Url> {
        self.url(AUTH_HOST, path.trim_start_matches('/'))
    }

    /// The proxy that a request to this address goes through, if it does.
    pub(crate) fn proxied(&self, url: &Url) -> Option<&Url> {
        self.proxy
            .as_ref()
            .filter(|_| self.origin(url) == Origin::Key)
    }

    /// The host that stands in for the one of `url` when that cannot be reached; only fal's own
    /// have one.
    pub(crate) fn backup(&self, url: &Url) -> Option<Backup> {
        let host = url
            .host_str()
            .filter(|_| self.origin(url) == Origin::Key && url.port().is_none());
        match host? {
            "fal.run" => Some(Backup::Run),
            "queue.fal.run" => Some(Backup::Queue),
            _ => None,
        }
    }

    pub(crate) fn run_host(&self) -> &str {
        &self.run
    }

    pub(crate) fn is_run(&self, url: &Url) -> bool {
        self.url(&self.run, "")
            .is_ok_and(|run| run.origin() == url.origin())
    }

    pub(crate) fn is_queue(&self, url: &Url) -> bool {
        self.queue_url("")
            .is_ok_and(|queue| queue.origin() == url.origin())
    }

    /// Whether the queue is asked here about a job or told to cancel it. The result, and what
    /// stands for it, is the job's own.
    pub(crate) fn is_about_job(&self, url: &Url) -> bool {
        let path = url.path().trim_end_matches('/');
        self.is_queue(url) && (path.ends_with("/status") || path.ends_with("/cancel"))
    }

    /// Whether short-lived tokens open this address. That they open the host of HTTP over WebSocket
    /// is third parties' word (docs/protocol.md §8).
    pub(crate) fn takes_tokens(&self, url: &Url) -> bool {
        let matches = |host: &str| {
            self.url(host, "")
                .is_ok_and(|ours| ours.origin() == url.origin())
        };
        matches(&self.run) || matches(&self.ws)
    }

    /// Whether an app may be who answers here: not where only the queue itself, or another service,
    /// does.
    pub(crate) fn answers_by_app(&self, url: &Url) -> bool {
        self.takes_tokens(url) || (self.is_queue(url) && !self.is_about_job(url))
    }

    /// Whether the address is one of fal's services, perhaps behind a server proxy.
    pub(crate) fn is_service(&self, url: &Url) -> bool {
        self.origin(url) == Origin::Key
    }

    /// Whether fal's gateway answers here, which names its request id in every success (§4, §5.5).
    /// A web page without one is not fal's.
    pub(crate) fn answers_with_id(&self, url: &Url) -> bool {
        self.is_run(url) || self.is_queue(url)
    }

    /// Whether fal's protocol has nothing but JSON as the answer of a success: not where an app may
    /// answer what it likes, or a file is fetched.
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
            // Submit, status and cancel (§5); the result is the app's.
            true => *method == Method::POST || self.is_about_job(url),
            // §7.1, §9, §10.3.
            false => begins(&["/tokens", "/storage/", "/.well-known/"]),
        }
    }

    pub(crate) fn is_platform(&self, url: &Url) -> bool {
        self.platform_url("")
            .is_ok_and(|platform| platform.origin() == url.origin())
    }

    fn url(&self, host: &str, path: &str) -> Result<Url> {
        Url::parse(&format!("https://{host}/{path}"))
            .map_err(|e| Error::invalid(format!("the address of host {host:?} is malformed: {e}")))
    }

    /// Whose address this is. Host, port and scheme count; the path does not.
    pub(crate) fn origin(&self, url: &Url) -> Origin {
        let matches = |host: &String| {
            let ours = Url::parse(&format!("https://{host}/"));
            ours.is_ok_and(|ours| ours.origin() == url.origin())
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Origin::Foreign;
        }
        let old_rest = OLD_REST_HOST.to_owned();
        if [
            &self.run,
            &self.queue,
            &self.ws,
            &self.rest,
            &self.platform,
            &old_rest,
        ]
        .into_iter()
        .any(matches)
        {
            return Origin::Key;
        }
        if self
            .login_url("")
            .is_ok_and(|login| login.origin() == url.origin())
        {
            return Origin::Login;
        }
        let fal_media = url.scheme() == "https"
            && url.port().is_none()
            && url
                .host_str()
                .is_some_and(|h| h == "fal.media" || h.ends_with(".fal.media"));
        match fal_media || matches(&self.cdn) {
            true => Origin::Files,
            false => Origin::Foreign,
        }
    }
}

fn named<T>(name: &str, value: &str, parse: impl Fn(&str) -> Result<T>) -> Result<T> {
    parse(value)
        .map_err(|e| Error::invalid(format!("{name}: {}", e.message())).with_remedy(e.remedy()))
}

/// `name` or `name:port`; a scheme, a path or a user is refused.
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
        None => Err(Error::invalid(format!("{:?} is not a host", abbreviate(text)))
            .with_remedy("Give a host name, with a port if need be: \"fal.run\" or \"gateway.example:8443\".")),
    }
}

/// The address of a server proxy: https, or http on this machine for development.
pub(crate) fn proxy(text: &str) -> Result<Url> {
    https_or_local(text).ok_or_else(|| {
        Error::invalid("the address of the proxy is not an https URL").with_remedy(
            "Give the address of the route that forwards to fal, such as https://app.example/api/fal/proxy.",
        )
    })
}

/// An https address, or an http one on this machine; without user and fragment.
pub(crate) fn https_or_local(text: &str) -> Option<Url> {
    let parsed = Url::parse(text).ok();
    let local = |url: &Url| match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let safe = |url: &Url| url.scheme() == "https" || (url.scheme() == "http" && local(url));
    let plain = |url: &Url| {
        url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
    };
    parsed.filter(|url| safe(url) && plain(url))
}

/// `127.0.0.1:PORT`, `[::1]:PORT` or `localhost:PORT`: the emulator never leaves this machine.
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
    fn ids_split_into_app_and_path() {
        for (text, app, path, owner) in [
            ("fal-ai/flux/dev", "fal-ai/flux", "dev", "fal-ai"),
            ("fal-ai/flux", "fal-ai/flux", "", "fal-ai"),
            ("/fal-ai/flux/", "fal-ai/flux", "", "fal-ai"),
            (
                "workflows/fal-ai/sticker",
                "workflows/fal-ai/sticker",
                "",
                "fal-ai",
            ),
            ("comfy/me/flow/run", "comfy/me/flow", "run", "me"),
            (
                "fal-ai/wan/v2.2-a14b/text-to-video",
                "fal-ai/wan",
                "v2.2-a14b/text-to-video",
                "fal-ai",
            ),
            ("123-my-app", "123/my-app", "", "123"),
            ("me/app--staging", "me/app--staging", "", "me"),
        ] {
            let id: EndpointId = text.parse().unwrap();
            assert_eq!(
                (id.app(), id.path(), id.owner()),
                (app, path, owner),
                "{text}"
            );
        }
    }

    #[test]
    fn an_address_is_told_from_its_id() {
        for text in [
            "https://fal.run/fal-ai/flux/dev",
            "http://fal.run/fal-ai/flux/dev/",
            "HTTPS://FAL.RUN/fal-ai/flux/dev",
            "fal.run/fal-ai/flux/dev",
            "//fal.run/fal-ai/flux/dev",
            " https://queue.fal.run/fal-ai/flux/dev?fal_webhook=x ",
            "https://queue.fal.run/fal-ai/flux/dev/requests/764cabcf-b745-4b3e-ae38-1200304cf45b/status",
            "wss://ws.fal.run/fal-ai/flux/dev",
            "https://fal.ai/models/fal-ai/flux/dev",
            "https://www.fal.ai/models/fal-ai/flux/dev/playground#x",
            "https://fal.ai/models/fal-ai/flux/dev/api",
            "fal.ai/models/fal-ai/flux/dev",
        ] {
            let error = text.parse::<EndpointId>().unwrap_err();
            assert!(error.message().contains("an address"), "{error}");
            assert_eq!(
                error.remedy(),
                "Give the id alone: \"fal-ai/flux/dev\".",
                "{text}"
            );
        }
        for text in [
            "https://fal.run/",
            "https://fal.ai/pricing",
            "https://fal.ai/models",
            "fal.run",
            "https://fal.run/flux",
        ] {
            let error = text.parse::<EndpointId>().unwrap_err();
            assert!(
                error.message().contains("not one of a model")
                    && error.remedy().contains("owner/alias"),
                "{error}"
            );
        }
        let nested = "fal.run/"
            .repeat(100_000)
            .parse::<EndpointId>()
            .unwrap_err();
        assert!(nested.message().contains("not one of a model"), "{nested}");
        // An owner may have a name that looks like a host's.
        assert!("fal.example/app".parse::<EndpointId>().is_ok());
    }

    #[test]
    fn ids_that_would_change_the_address_are_refused() {
        for text in [
            "",
            "/",
            "flux",
            "abc-1",
            "123-",
            "workflows/me",
            "a//b",
            "a/..",
            "a/./b",
            "a/b?x=1",
            "a/b#c",
            "a/b c",
            "a/b%2f",
            "https://fal.run/a/b",
            "a\\b/c",
            "a/b\n",
            "a/ü",
        ] {
            assert!(text.parse::<EndpointId>().is_err(), "{text:?}");
        }
    }

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
}
