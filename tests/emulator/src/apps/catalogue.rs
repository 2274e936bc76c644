//! All endpoints: the built-in ones, and those that a user has defined.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde_json::Value;

use super::{App, Endpoint};
use crate::gateway;
use crate::prices::Price;

type List = Arc<Vec<Arc<Endpoint>>>;

pub(crate) struct Catalogue {
    /// The endpoints at the start, which a reset keeps.
    initial: List,
    /// All endpoints. No two have the same id.
    all: RwLock<List>,
    /// How often each definition has run, by its address and the id in the path.
    runs: Mutex<HashMap<usize, Runs>>,
}

struct Runs {
    /// Kept, so that no other definition gets its address.
    of: Arc<Endpoint>,
    counts: HashMap<String, u64>,
}

fn address(endpoint: &Arc<Endpoint>) -> usize {
    Arc::as_ptr(endpoint).addr()
}

impl Catalogue {
    pub(crate) fn new(endpoints: impl IntoIterator<Item = Arc<Endpoint>>) -> Self {
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
            runs: Mutex::default(),
        }
    }

    /// Adds endpoints. One with the id of a known endpoint replaces it.
    pub(crate) fn define(&self, endpoints: impl IntoIterator<Item = Endpoint>) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        *all = with(&all, endpoints.into_iter().map(Arc::new));
        self.forget_runs(&all);
    }

    /// Removes what has been defined since the start.
    pub(crate) fn clear(&self) {
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&self.initial);
        self.forget_runs(&self.initial);
    }

    /// Counts a run of a definition at an id, and returns how many there have been.
    pub(super) fn count(&self, endpoint: &Arc<Endpoint>, id: &str) -> u64 {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = runs.entry(address(endpoint)).or_insert_with(|| Runs {
            of: Arc::clone(endpoint),
            counts: HashMap::new(),
        });
        let count = runs.counts.entry(id.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// Forgets the runs of definitions that no longer count.
    fn forget_runs(&self, all: &List) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if !runs.is_empty() {
            let all: HashSet<usize> = all.iter().map(address).collect();
            runs.retain(|_, runs| all.contains(&address(&runs.of)));
        }
    }

    /// All endpoints in the order of their definition.
    pub(crate) fn all(&self) -> List {
        Arc::clone(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn to_json(&self) -> Vec<Value> {
        let all = self.all();
        all.iter().map(|endpoint| endpoint.to_json()).collect()
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

fn with(known: &List, defined: impl IntoIterator<Item = Arc<Endpoint>>) -> List {
    let mut all: Vec<Arc<Endpoint>> = known.iter().cloned().chain(defined).collect();
    let mut seen = HashSet::new();
    all.reverse();
    all.retain(|endpoint| seen.insert(endpoint.id.clone()));
    all.reverse();
    Arc::new(all)
}
