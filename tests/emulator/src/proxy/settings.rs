//! The options of the server proxy (docs/protocol.md §11.2).

use hyper::Method;
use serde::{Deserialize, Serialize};

/// The framework in which the proxy runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adapter {
    /// `express`
    #[default]
    Express,
    /// `hono`
    Hono,
    /// `nextjs-page-router`
    NextjsPageRouter,
    /// `nextjs-app-router`
    NextjsAppRouter,
    /// `remix`
    Remix,
    /// `svelte-app-router`
    SvelteAppRouter,
}

impl Adapter {
    /// The value of `x-fal-client-proxy`.
    pub(super) fn client_proxy(self) -> &'static str {
        match self {
            Self::Express => "@fal-ai/server-proxy/express",
            Self::Hono => "@fal-ai/server-proxy/hono",
            Self::NextjsPageRouter => "@fal-ai/server-proxy/nextjs-page-router",
            Self::NextjsAppRouter => "@fal-ai/server-proxy/nextjs-app-router",
            Self::Remix => "@fal-ai/server-proxy/remix",
            Self::SvelteAppRouter => "@fal-ai/server-proxy/svelte-app-router",
        }
    }

    /// The methods that the adapter accepts; `None` means all.
    fn methods(self) -> Option<&'static [&'static str]> {
        match self {
            Self::NextjsAppRouter | Self::SvelteAppRouter => Some(&["GET", "POST", "PUT"]),
            _ => None,
        }
    }

    /// Whether a missing header reads as null. Otherwise it is undefined, which the default check
    /// takes for a credential.
    fn knows_missing_headers(self) -> bool {
        matches!(
            self,
            Self::NextjsAppRouter | Self::Remix | Self::SvelteAppRouter
        )
    }
}

/// The options of the server proxy. The default is that of the official package, with a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxySettings {
    /// `allowedUrlPatterns`: globs of host, path and query; `None` means the package's list.
    pub allowed_url_patterns: Option<Vec<String>>,
    /// `allowedEndpoints`: globs of the paths that POST may target outside `fal.ai`; empty allows
    /// all.
    pub allowed_endpoints: Vec<String>,
    /// `allowUnauthorizedRequests`.
    pub allow_unauthorized_requests: bool,
    /// The result of `isAuthenticated`; `None` means the package's own check.
    pub is_authenticated: Option<bool>,
    /// Whether the proxy has a key: the emulator's first key of scope API.
    pub has_key: bool,
    /// The framework in which the proxy runs.
    pub adapter: Adapter,
    /// The accepted methods; `None` means those of the adapter.
    pub methods: Option<Vec<String>>,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            allowed_url_patterns: None,
            allowed_endpoints: Vec::new(),
            allow_unauthorized_requests: true,
            is_authenticated: None,
            has_key: true,
            adapter: Adapter::default(),
            methods: None,
        }
    }
}

impl ProxySettings {
    /// The accepted methods, for an `Allow` header, if `method` is not one of them.
    pub(super) fn refuses(&self, method: &Method) -> Option<String> {
        let exposed = match &self.methods {
            Some(chosen) => chosen.join(", "),
            None => self.adapter.methods()?.join(", "),
        };
        (!exposed.split(", ").any(|known| known == method.as_str())).then_some(exposed)
    }

    pub(super) fn admits(&self, has_authorization: bool) -> bool {
        self.allow_unauthorized_requests
            || self
                .is_authenticated
                .unwrap_or(has_authorization || !self.adapter.knows_missing_headers())
    }
}
