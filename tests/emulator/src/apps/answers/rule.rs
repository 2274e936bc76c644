//! When an endpoint fails, and how.

use serde_json::{Map, Value, json};
use toml::Spanned;

use super::Wrong;
use super::node::Node;
use super::template::{self, Problem, Scope};
use crate::answer::Answer;
use crate::apps::programs::fail;
use crate::failures;

/// `"FAILURE when CONDITION"`, or a table with `when` and an input of `emulator/fail`.
#[derive(Debug)]
pub(in crate::apps) struct Rule {
    when: Option<String>,
    /// An input of `emulator/fail`.
    failure: Map<String, Value>,
}

impl Rule {
    pub(in crate::apps) fn read(node: &Spanned<Node>) -> Result<Self, Wrong> {
        let wrong = |message: String| (node.span(), message);
        let rule = match node.get_ref().plain() {
            Value::String(text) => Self::short(&text).map_err(wrong)?,
            Value::Object(mut table) => {
                let when = match table.remove("when") {
                    None => None,
                    Some(Value::String(when)) => Some(when),
                    Some(_) => return Err(wrong("when must be a string".into())),
                };
                Self {
                    when,
                    failure: table,
                }
            }
            _ => return Err(wrong("a failure must be a string or a table".into())),
        };
        if let Some(when) = &rule.when {
            template::check_condition(when).map_err(wrong)?;
        }
        if let Err(refusal) = fail::asked_for(&rule.failure, &Map::new()) {
            return Err(wrong(format!("not a failure: {}", refusal.first_message())));
        }
        Ok(rule)
    }

    fn short(text: &str) -> Result<Self, Problem> {
        let (what, when) = match text.split_once(" when ") {
            Some((what, when)) => (what.trim(), Some(when.trim().to_owned())),
            None => (text.trim(), None),
        };
        let [model, platform, app] = failures::names();
        let failure = if let Ok(status) = what.parse::<u16>() {
            json!({ "status": status })
        } else if model.contains(&what) {
            json!({ "type": what })
        } else if platform.contains(&what) {
            json!({ "error_type": what })
        } else if app.contains(&what) {
            json!({ "framework": what })
        } else {
            return Err(format!("{what:?} is no status and no name of a failure"));
        };
        let Value::Object(failure) = failure else {
            return Err("not a table".into());
        };
        Ok(Self { when, failure })
    }

    pub(super) fn applies<'a>(&'a self, scope: &Scope<'a>) -> Result<bool, Problem> {
        self.when
            .as_ref()
            .map_or(Ok(true), |when| scope.holds(when))
    }

    pub(super) fn answer(&self, input: &Map<String, Value>) -> Result<Answer, Answer> {
        Ok(fail::asked_for(&self.failure, input)?.answer)
    }
}
