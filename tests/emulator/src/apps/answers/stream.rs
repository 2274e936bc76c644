//! The events of an endpoint's stream.

use serde_json::{Map, Value, json};
use toml::Spanned;

use super::broken;
use super::files::Maker;
use super::node::Node;
use super::template::{Problem, Scope};
use super::time::Time;
use crate::answer::Answer;
use crate::sse::{self, Script, Style};

/// Events as they are, or a text that grows by a word with each event.
#[derive(Debug)]
pub(in crate::apps) struct Stream {
    pub(in crate::apps) events: Vec<Spanned<Node>>,
    pub(in crate::apps) text: Option<Spanned<Node>>,
    /// The event for a text; `text` and `partial` are names in it.
    pub(in crate::apps) event: Option<Spanned<Node>>,
    /// Between two events.
    pub(in crate::apps) pause: Option<Time>,
}

impl Stream {
    pub(super) fn parts(&self) -> impl Iterator<Item = &Spanned<Node>> {
        let pause = self.pause.as_ref().map(Time::part);
        self.events
            .iter()
            .chain(&self.text)
            .chain(&self.event)
            .chain(pause)
    }

    pub(super) async fn answer(
        &self,
        names: &Map<String, Value>,
        maker: &mut Maker<'_>,
    ) -> Result<Answer, Answer> {
        let mut events = self.events(names, maker).map_err(broken)?;
        for event in &mut events {
            maker.fill(event).await?;
        }
        let style = Style::default();
        let written = events.iter().enumerate();
        let pieces = written
            .map(|(index, event)| style.write(index, &event.to_string()))
            .collect();
        let scope = Scope::new(names);
        let pause = self.pause.as_ref().map(|pause| pause.value(&scope, maker));
        let script = Script {
            pieces,
            pause: pause.transpose().map_err(broken)?.unwrap_or_default(),
            cut: false,
        };
        Ok(script.answer(sse::content_type()))
    }

    fn events(
        &self,
        names: &Map<String, Value>,
        maker: &mut Maker<'_>,
    ) -> Result<Vec<Value>, Problem> {
        let mut events = Vec::new();
        let scope = Scope::new(names);
        for event in &self.events {
            events.push(event.get_ref().value(&scope, maker)?);
        }
        if let Some(text) = self.full_text(&scope, maker)? {
            let ends = text.match_indices(' ').map(|(at, _)| at);
            for end in ends {
                events.push(self.event(names, &text[..end], true, maker)?);
            }
            events.push(self.event(names, &text, false, maker)?);
        }
        Ok(events)
    }

    /// The last event: the output of a run that is not streamed.
    pub(super) fn whole(
        &self,
        names: &Map<String, Value>,
        maker: &mut Maker<'_>,
    ) -> Result<Value, Problem> {
        let scope = Scope::new(names);
        if let Some(text) = self.full_text(&scope, maker)? {
            return self.event(names, &text, false, maker);
        }
        let last = self.events.last();
        last.map_or(Ok(json!({})), |event| event.get_ref().value(&scope, maker))
    }

    fn full_text<'a>(
        &'a self,
        scope: &Scope<'a>,
        maker: &mut Maker<'_>,
    ) -> Result<Option<String>, Problem> {
        let Some(text) = &self.text else {
            return Ok(None);
        };
        let value = text.get_ref().value(scope, maker)?;
        Ok(Some(match value {
            Value::String(text) => text,
            other => other.to_string(),
        }))
    }

    fn event(
        &self,
        names: &Map<String, Value>,
        text: &str,
        partial: bool,
        maker: &mut Maker<'_>,
    ) -> Result<Value, Problem> {
        let Some(event) = &self.event else {
            return Ok(json!({ "output": text, "partial": partial }));
        };
        let mut names = names.clone();
        names.insert("text".into(), text.into());
        names.insert("partial".into(), partial.into());
        event.get_ref().value(&Scope::new(&names), maker)
    }
}
