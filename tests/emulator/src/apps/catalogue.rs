//! All endpoints: the built-in ones, and those that a user has defined.

use std::sync::{Arc, PoisonError, RwLock};

use super::{App, Endpoint};
use crate::gateway;
use crate::prices::Price;

type List = Arc<Vec<Arc<Endpoint>>>;

pub(crate) struct Catalogue {
    /// The endpoints at the start, which a reset keeps.
    initial: List,
    /// All endpoints. No two have the same id.
    all: RwLock<List>,
}

impl Catalogue {
    pub(crate) fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self::of(with(&List::default(), endpoints))
    }

    /// A catalogue as this one was at the start.
    pub(crate) fn anew(&self) -> Self {
        Self::of(Arc::clone(&self.initial))
    }

    fn of(initial: List) -> Self {
        Self {
            all: RwLock::new(Arc::clone(&initial)),
            initial,
        }
    }

    /// All endpoints in the order of their definition.
    pub(crate) fn all(&self) -> List {
        Arc::clone(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The app that a path names, with its endpoint there. Of the endpoints that fit, the most
    /// specific one counts, of several such the last.
    pub(crate) fn resolve(&self, path: &str) -> Option<App> {
        let (name, below) = gateway::split(path);
        if !name.contains('/') {
            return None;
        }
        let whole = match below {
            "" => name.to_owned(),
            below => format!("{name}/{below}"),
        };
        let all = self.all();
        let best = all
            .iter()
            .filter_map(|endpoint| Some((endpoint, endpoint.fit(&whole)?)))
            .max_by_key(|(_, fit)| fit.rank);
        let Some((endpoint, fit)) = best else {
            let some = all.iter().rev().find(|endpoint| endpoint.may_be_of(name))?;
            return Some(App::without_endpoint(name, whole, some));
        };
        let (id, rest) = (fit.id.to_owned(), fit.rest.to_owned());
        Some(App::new(name, id, rest, endpoint))
    }

    /// The price of one unit of an endpoint.
    pub(crate) fn price(&self, id: &str) -> Price {
        let app = self.resolve(id);
        app.map_or_else(Price::default, |app| app.price())
    }
}

fn with(known: &List, endpoints: impl IntoIterator<Item = Endpoint>) -> List {
    let mut all = Vec::clone(known);
    for endpoint in endpoints {
        all.retain(|known| known.id != endpoint.id);
        all.push(Arc::new(endpoint));
    }
    Arc::new(all)
}
