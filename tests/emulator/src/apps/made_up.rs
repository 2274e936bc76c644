//! Endpoints that are not defined, for the setting `any_endpoint`.

use std::sync::{Arc, LazyLock};

use hyper::header::HeaderValue;
use serde_json::{Map, Value};

use super::{App, Call, Does, Endpoint, file};
use crate::answer::Answer;
use crate::gateway;

/// The header that says that an answer is made up, and of which kind.
const HEADER: &str = "x-fal-emulator-made-up";

const KINDS: [&str; 4] = ["image", "video", "audio", "text"];

static ANSWERS: LazyLock<Vec<Endpoint>> =
    LazyLock::new(|| file::read(include_str!("made_up.toml")).unwrap_or_default());

static ANY: LazyLock<Arc<Endpoint>> = LazyLock::new(|| Arc::new(Endpoint::of_any_id()));

/// The app that `path` would name, if it were there.
pub(crate) fn app(path: &str) -> Option<App> {
    let (name, _) = gateway::split(path);
    let fit = ANY.fit(path.trim_matches('/'))?;
    let (id, rest) = (fit.id.to_owned(), fit.rest.to_owned());
    name.contains('/').then(|| App::new(name, id, rest, &ANY))
}

pub(super) async fn run(call: &Call<'_>) -> Result<Answer, Answer> {
    let kind = kind(&call.app.id, &call.input()?);
    let wanted = ANSWERS.get(kind).map(|endpoint| &endpoint.does);
    let Some(Does::Answers(answers)) = wanted else {
        return Err(call.path_not_found());
    };
    Ok(marked(answers.run(call).await?, KINDS[kind]))
}

/// The answer with the header that says how it was made up.
pub(super) fn marked(answer: Answer, kind: &'static str) -> Answer {
    answer.header(HEADER, HeaderValue::from_static(kind))
}

/// The number in [`KINDS`] of the likely output.
fn kind(id: &str, input: &Map<String, Value>) -> usize {
    let id = id.to_lowercase();
    let has = |names: &[&str]| names.iter().any(|name| input.contains_key(*name));
    let says = |words: &[&str]| words.iter().any(|word| id.contains(word));
    // Of `image-to-video` the end counts.
    let end = id.rsplit_once("-to-").map(|(_, end)| end.split('/').next());
    match end.flatten().unwrap_or_default() {
        "image" => return 0,
        "video" => return 1,
        "audio" | "music" | "speech" => return 2,
        "text" => return 3,
        _ => {}
    }
    if says(&[
        "llm", "chat", "whisper", "wizper", "transcri", "caption", "ocr",
    ]) {
        3
    } else if says(&["tts", "speech", "audio", "music", "voice", "sound"]) {
        2
    } else if says(&["video", "veo", "kling", "sora", "wan/", "hailuo", "lipsync"]) {
        1
    } else if has(&["messages", "system_prompt", "audio_url", "max_tokens"]) {
        3
    } else if has(&["voice", "voice_id", "lyrics"]) {
        2
    } else if has(&["duration", "fps", "num_frames", "video_url"]) {
        1
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_or_an_input_tells_the_kind() {
        assert_eq!(ANSWERS.len(), KINDS.len());
        for (id, input, expected) in [
            ("fal-ai/anything", json!({}), "image"),
            (
                "fal-ai/kling-video/v2/master/image-to-video",
                json!({}),
                "video",
            ),
            ("fal-ai/veo3/fast", json!({}), "video"),
            ("fal-ai/minimax/speech-02-hd", json!({}), "audio"),
            ("fal-ai/elevenlabs/speech-to-text", json!({}), "text"),
            ("fal-ai/dia-tts", json!({}), "audio"),
            ("fal-ai/mmaudio-v2", json!({"video_url": ""}), "audio"),
            ("fal-ai/any-llm/vision", json!({}), "text"),
            ("acme/thing", json!({"messages": []}), "text"),
            ("acme/thing", json!({"duration": 5}), "video"),
            ("acme/thing", json!({"voice": "x"}), "audio"),
        ] {
            let found = kind(id, input.as_object().unwrap());
            assert_eq!(KINDS[found], expected, "{id}");
        }
    }
}
