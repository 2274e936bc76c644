//! Resolves host names with the system's resolver, on helper threads that nothing else uses.

use std::net::{SocketAddr, ToSocketAddrs};
use std::task::{Context, Poll};
use std::vec::IntoIter;

use futures_util::future::{BoxFuture, FutureExt, TryFutureExt};
use hyper_util::client::legacy::connect::dns;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower_service::Service;

use super::handshakes::BoxError;
use crate::runtime::blocking::{Kind, blocking};

#[derive(Clone)]
pub(super) struct SystemResolver;

/// The connector replaces the port.
async fn resolve(name: String) -> Result<IntoIter<SocketAddr>, BoxError> {
    Ok(blocking(Kind::Names, move || (name.as_str(), 0).to_socket_addrs()).await??)
}

impl Service<dns::Name> for SystemResolver {
    type Response = IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: dns::Name) -> Self::Future {
        resolve(name.as_str().to_owned()).boxed()
    }
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = resolve(name.as_str().to_owned());
        found.map_ok(|found| Box::new(found) as Addrs).boxed()
    }
}
