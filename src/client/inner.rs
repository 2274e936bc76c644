//! What clones of a client share.

struct Inner {
    credential_cache: ArcSwap<CredentialCache>,
    timeout: Option<Duration>,
    strict_scopes: bool,
    scopes: Scopes,
    transport: Arc<Transport>,
    slots: Slots,
}

/// The credential that a request carries, if it is the client's.
struct SentCredential(Option<Arc<ActiveCredential>>);

impl SentCredential {
    fn credential(&self) -> &Credential {
        self.0
            .as_ref()
            .map_or(&Credential::Anonymous, |active| &active.credential)
    }
}

pub(super) fn deadline(timeout: Duration) -> Result<Instant> {
    const LONGEST: Duration = Duration::from_secs(1 << 30);
    Instant::now()
        .checked_add(timeout.min(LONGEST))
        .ok_or_else(|| Error::invalid("the timeout is too long"))
}

impl Inner {
    pub(super) async fn perform(
        &self,
        credential_cache: &Arc<CredentialCache>,
        call: &Call,
        progress: &Arc<Progress>,
    ) -> Result<Response> {
        let transport = &self.transport;
        let send = |active: SentCredential| async move {
            transport.send(call, active.credential(), progress).await
        };
        self.authorized(credential_cache, call, progress, send)
            .await
    }

    /// Sends a call with this credential, which is renewed once if it is refused and can be.
    async fn authorized<T, F>(
        &self,
        credential_cache: &Arc<CredentialCache>,
        call: &Call,
        progress: &Progress,
        send: impl Fn(SentCredential) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        if call.authorization != Authorization::Credential {
            return send(SentCredential(None)).await;
        }
        call.endpoint
            .iter()
            .filter(|_| call.idempotency.leaves_doubt())
            .for_each(|endpoint| progress.calls(endpoint));
        let mut active = credential_cache.active(None, &self.transport).await?;
        let platform = self
            .transport
            .hosts
            .is_platform(&call.url)
            .then(|| (call.method.as_str(), call.url.path()));
        if let Some(asked) = platform {
            self.allow(asked, &active)?;
        }
        let mut outcome = send(SentCredential(Some(active.clone()))).await;
        let refused = outcome
            .as_ref()
            .err()
            .filter(|error| error.refuses_credential());
        match refused.map(|error| !error.may_have_executed() && !call.body.is_spent()) {
            // What was refused was not executed, so it can be sent once more with a new credential.
            Some(true) => {
                progress.pausing();
                if let Some(another) = credential_cache.another(&active, &self.transport).await? {
                    active = another;
                    outcome = send(SentCredential(Some(active.clone()))).await;
                }
            }
            // Who refused what is not certain, or there is nothing left to send: a new one is for
            // the next request.
            Some(false) => drop(credential_cache.another(&active, &self.transport).await),
            None => {}
        }
        if let Some(asked) = platform {
            self.scopes.observe(asked, &active.credential, &outcome);
        }
        let (resolution, credential) = (&active.resolution, &active.credential);
        outcome.map_err(|error| match self.transport.hosts.proxied(&call.url) {
            Some(proxy) => denied::by_proxy(error, proxy, &call.url),
            None => denied::explain(
                error,
                call.endpoint.as_ref(),
                platform,
                resolution,
                credential,
            ),
        })
    }

    /// Refuses, where the caller asked for strictness, what the key in use is known not to be
    /// allowed.
    fn allow(&self, (method, path): (&str, &str), active: &ActiveCredential) -> Result<()> {
        let known = if self.strict_scopes {
            self.scopes.known(&active.credential)
        } else {
            None
        };
        match (openapi::needed_scope(method, path), known) {
            (Some(needed), Some(scope)) if !scope.allows(needed) => Err(denied::beforehand(
                (method, path),
                needed,
                scope,
                &active.resolution,
                &active.credential,
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn call(&self, request: Request, deadline: Instant) -> Result<Call> {
        let idempotency = request.idempotency();
        let hosts = &self.transport.hosts;
        let (url, endpoint) = match request.target {
            Target::Endpoint(ref id) => (request.address(hosts.run_url(id)?, ""), Some(id.clone())),
            Target::Of(id, url) => (url, Some(id)),
            Target::Address(url) => (url, None),
            Target::Platform(path) => (hosts.platform_url(&path)?, None),
        };
        let of_app = endpoint.is_some() || hosts.is_run(&url) || hosts.is_queue(&url);
        let watch = if of_app { Watch::Nothing } else { Watch::Body };
        let mut headers = request.headers;
        let body = match request.body {
            Body::Empty => Bytes::new().into(),
            // Never sent half: whoever makes the call has to resolve it first.
            Body::Content(_) => return Err(Error::invalid("the body was not opened")),
            Body::Json(_) if !request.inputs.is_empty() => {
                return Err(Error::invalid("the input's files were not uploaded"));
            }
            Body::Bytes(_) | Body::Source(_)
                if hosts.proxy.is_some()
                    && hosts.origin(&url) == Origin::Key
                    && !is_json(&headers) =>
            {
                return Err(bytes_by_proxy());
            }
            Body::Bytes(bytes) => bytes.into(),
            Body::Source(source) => Payload::Source(source),
            // A safe method takes no input: fal's clients send none either (docs/protocol.md §4).
            Body::Json(_) if idempotency == Idempotency::Safe && endpoint.is_some() => {
                Bytes::new().into()
            }
            Body::Json(value) => {
                headers
                    .entry(CONTENT_TYPE)
                    .or_insert(HeaderValue::from_static("application/json"));
                Bytes::from(json::written(&value)?).into()
            }
        };
        Ok(Call {
            method: request.method,
            url,
            endpoint,
            headers,
            body,
            authorization: Authorization::Credential,
            idempotency,
            deadline,
            longest_pause: Duration::MAX,
            most: usize::MAX,
            watch,
        })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    declared
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The proxy declares every body to be JSON (docs/protocol.md §11.2), so that bytes would arrive as
/// something else.
fn bytes_by_proxy() -> Error {
    Error::invalid("bytes cannot be sent through a server proxy, which forwards JSON only")
        .with_remedy("Send JSON, or upload the bytes and send their URL.")
}
/// A proxy holds the key, so none is looked for.
pub(super) fn for_hosts(options: credentials::Options, hosts: &Hosts) -> credentials::Options {
    match hosts.proxy.is_some() && options.is_empty() {
        true => options.anonymous(true),
        false => options,
    }
}
