//! Times in a definition: milliseconds, or a template of them.

use std::time::Duration;

use serde_json::Value;
use toml::Spanned;

use super::Wrong;
use super::files::Maker;
use super::node::Node;
use super::template::{Problem, Scope};

/// The longest time in milliseconds: a day.
const LONGEST: u64 = 86_400_000;

#[derive(Debug)]
pub(in crate::apps) struct Time(Spanned<Node>);

impl Time {
    pub(in crate::apps) fn read(node: Spanned<Node>) -> Result<Self, Wrong> {
        if !matches!(node.get_ref(), Node::Text(_)) {
            of(&node.get_ref().plain()).map_err(|message| (node.span(), message))?;
        }
        Ok(Self(node))
    }

    pub(super) fn part(&self) -> &Spanned<Node> {
        &self.0
    }

    pub(super) fn value<'a>(
        &'a self,
        scope: &Scope<'a>,
        maker: &mut Maker<'_>,
    ) -> Result<Duration, Problem> {
        of(&self.0.get_ref().value(scope, maker)?)
    }
}

fn of(value: &Value) -> Result<Duration, Problem> {
    let ms = value.as_f64().map(f64::round);
    ms.filter(|ms| (0.0..=LONGEST as f64).contains(ms))
        .map(|ms| Duration::from_millis(ms as u64))
        .ok_or_else(|| format!("a time must be 0 to {LONGEST} ms, not {value}"))
}
