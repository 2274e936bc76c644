//! The steps that an input of `emulator/realtime` requests in its field `emulator`.

use std::time::Duration;

use rmpv::Value;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::realtime::NO_INPUTS;

/// The largest frame that an input can request, in bytes: 256 MiB.
const LARGEST_FRAME: u64 = 256 << 20;

/// One step of the app.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Wait(Duration),
    Binary(Vec<u8>),
    Text(String),
    /// Sends an `x-fal-error` with this error and reason, then closes.
    Fail(String, String),
    Unauthorized,
    Close(u16, String),
    /// Ends the connection without a close frame.
    Drop,
}

/// An input: a MessagePack map.
pub(super) struct Input {
    /// The fields without `emulator`.
    fields: Vec<(Value, Value)>,
    script: Vec<(Value, Value)>,
}

impl Input {
    /// Reads an input. The codec of a standard endpoint accepts only maps in binary frames (§7.3).
    pub(super) fn read(message: &Message) -> Result<Self, &'static str> {
        let Message::Binary(bytes) = message else {
            return Err("the input is not a binary frame");
        };
        let mut rest = bytes.as_ref();
        let value =
            rmpv::decode::read_value(&mut rest).map_err(|_| "the input is not MessagePack")?;
        let Value::Map(fields) = value else {
            return Err("the input is not a map");
        };
        if !rest.is_empty() {
            return Err("the input is more than one MessagePack value");
        }
        let (script, fields) = fields
            .into_iter()
            .partition(|(name, _)| name.as_str() == Some("emulator"));
        let script: Vec<(Value, Value)> = script;
        let script = script.into_iter().filter_map(|(_, value)| match value {
            Value::Map(script) => Some(script),
            _ => None,
        });
        Ok(Self {
            fields,
            script: script.flatten().collect(),
        })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.script
            .iter()
            .find(|(known, _)| known.as_str() == Some(name))
            .map(|(_, value)| value)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.as_u64()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name)?.as_str().map(str::to_owned)
    }

    fn is(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// The steps for this input, in order.
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let pause = Duration::from_millis(self.number("ms").unwrap_or_default());
        let outputs = self.number("outputs");
        for index in 0..outputs.unwrap_or(1) {
            if !pause.is_zero() {
                steps.push(Step::Wait(pause));
            }
            let mut fields = self.fields.clone();
            if outputs.is_some() {
                fields.push(("index".into(), index.into()));
            }
            steps.push(Step::Binary(packed(&Value::Map(fields))));
        }
        if let Some(size) = self.number("bytes") {
            let data = vec![0x5a; size.min(LARGEST_FRAME) as usize];
            steps.push(Step::Binary(packed(&Value::Map(vec![(
                "data".into(),
                Value::Binary(data),
            )]))));
        }
        if let Some(bytes) = self.get("raw").and_then(Value::as_slice) {
            steps.push(Step::Binary(bytes.to_vec()));
        }
        steps.extend(self.text("text").map(Step::Text));
        if self.is("timings") {
            let timings = json!({ "type": "x-fal-message", "action": "timings", "timing": 0.125 });
            steps.push(Step::Text(timings.to_string()));
        }
        if let Some(error) = self.text("error") {
            let usual = if error == "TIMEOUT" {
                NO_INPUTS
            } else {
                "the input asked for it"
            };
            let reason = self.text("reason").unwrap_or_else(|| usual.into());
            steps.push(Step::Fail(error, reason));
        }
        if self.is("unauthorized") {
            steps.push(Step::Unauthorized);
        }
        if let Some(code) = self
            .number("close")
            .and_then(|code| u16::try_from(code).ok())
        {
            steps.push(Step::Close(code, self.text("reason").unwrap_or_default()));
        }
        if self.is("drop") {
            steps.push(Step::Drop);
        }
        steps
    }
}

fn packed(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = rmpv::encode::write_value(&mut bytes, value);
    bytes
}
