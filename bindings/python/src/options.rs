//! The options of a client and of its credential, as `libfal/_client.py` passes them: one dict
//! whose members have the names of the public keyword arguments.

use std::path::PathBuf;

use fal::credentials::Options;
use fal::{ClientBuilder, HostRole};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;

use crate::callbacks::{asking, level, sink};
use crate::dict::from_dict;
use crate::values::{count, seconds};

from_dict! {
    /// The options of the credential. `credential` and `notebook` are numbers of Python functions.
    pub(crate) struct CredentialOptions {
        key: Option<PyBackedStr>,
        profile: Option<PyBackedStr>,
        app_token: Option<PyBackedStr>,
        credential: Option<u64>,
        anonymous: bool,
        keyring: Option<bool>,
        config_path: Option<PathBuf>,
        notebook: Option<u64>,
    }
}

impl From<CredentialOptions> for Options {
    fn from(given: CredentialOptions) -> Options {
        let mut options = Options::new().anonymous(given.anonymous);
        if let Some(number) = given.notebook {
            options = options.notebook(asking(number));
        }
        if let Some(key) = given.key {
            options = options.key(&*key);
        }
        if let Some(profile) = given.profile {
            options = options.profile(&*profile);
        }
        if let Some(token) = given.app_token {
            options = options.app_token(&*token);
        }
        if let Some(number) = given.credential {
            options = options.callback(asking(number));
        }
        if let Some(keyring) = given.keyring {
            options = options.keyring(keyring);
        }
        if let Some(path) = given.config_path {
            options = options.config_path(path);
        }
        options
    }
}

from_dict! {
    /// The options of a client without its credential. `log` is the number of a Python function.
    pub(crate) struct ClientOptions {
        proxy: Option<PyBackedStr>,
        timeout: Option<f64>,
        max_attempts: Option<i64>,
        max_response_bytes: Option<i64>,
        user_agent: Option<PyBackedStr>,
        run_host: Option<PyBackedStr>,
        queue_host: Option<PyBackedStr>,
        rest_host: Option<PyBackedStr>,
        platform_host: Option<PyBackedStr>,
        cdn_host: Option<PyBackedStr>,
        emulator_host: Option<PyBackedStr>,
        strict_scopes: bool,
        log: Option<u64>,
        log_level: PyBackedStr,
    }
}

impl ClientOptions {
    pub(crate) fn builder(&self) -> fal::Result<ClientBuilder> {
        let level = level(&self.log_level)?;
        let mut builder = fal::Client::builder().strict_scopes(self.strict_scopes);
        if let Some(timeout) = self.timeout {
            builder = builder.timeout(seconds("timeout", timeout)?);
        }
        if let Some(most) = self.max_attempts {
            builder = builder.max_attempts(count("max_attempts", most)?)?;
        }
        if let Some(most) = self.max_response_bytes {
            builder = builder.max_response_bytes(count("max_response_bytes", most)?);
        }
        if let Some(product) = &self.user_agent {
            builder = builder.user_agent(product)?;
        }
        for (role, host) in [
            (HostRole::Run, &self.run_host),
            (HostRole::Queue, &self.queue_host),
            (HostRole::Rest, &self.rest_host),
            (HostRole::Platform, &self.platform_host),
            (HostRole::Cdn, &self.cdn_host),
            (HostRole::Emulator, &self.emulator_host),
        ] {
            if let Some(host) = host {
                builder = builder.host(role, host)?;
            }
        }
        if let Some(url) = &self.proxy {
            builder = builder.proxy(url)?;
        }
        if let Some(number) = self.log {
            builder = builder.log(level, sink(number));
        }
        Ok(builder)
    }
}
