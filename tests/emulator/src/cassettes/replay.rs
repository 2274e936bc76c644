//! Answers from recordings.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::StatusCode;

use super::capture::DATA_FILE;
use super::input::{self, Input};
use super::masking::Mask;
use super::notation::{self, Layout, Part};
use super::shelf::{Loaded, Shelf};
use super::tape::{self, Media, Way};
use super::urls;
use crate::answer::Answer;
use crate::server::Request;
use crate::state::State;
use crate::storage;

/// How fast recordings answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplayPace {
    /// At once.
    #[default]
    Instant,
    /// After the times that were recorded, for queued requests, streams and responses.
    Recorded,
}

/// Recordings that answer in place of the models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaying {
    /// The folder of the recordings.
    pub folder: PathBuf,
    /// How fast they answer.
    pub pace: ReplayPace,
}

impl Replaying {
    /// Answers from the recordings in a folder, at once.
    pub fn from(folder: impl Into<PathBuf>) -> Self {
        let (folder, pace) = (folder.into(), ReplayPace::default());
        Self { folder, pace }
    }
}

/// The recordings, and which of them have answered.
pub(crate) struct Replay {
    shelf: Arc<Shelf>,
    pub(super) pace: ReplayPace,
    used: Mutex<HashSet<usize>>,
    mask: Mask,
}

/// A recording that answers a request.
#[derive(Clone)]
pub(crate) struct Chosen {
    pub(super) replay: Arc<Replay>,
    pub(super) loaded: Arc<Loaded>,
    /// The URLs of the uploaded files in the input, by the SHA-256 of their content.
    uploads: Vec<(String, String)>,
}

impl Replay {
    pub(crate) fn new(replaying: &Replaying) -> io::Result<Self> {
        Ok(Self::with(
            Arc::new(Shelf::read(&replaying.folder)?),
            replaying.pace,
        ))
    }

    fn with(shelf: Arc<Shelf>, pace: ReplayPace) -> Self {
        Self {
            shelf,
            pace,
            used: Mutex::default(),
            mask: Mask::default(),
        }
    }

    /// The same recordings, of which none has answered.
    pub(crate) fn anew(&self) -> Self {
        Self::with(Arc::clone(&self.shelf), self.pace)
    }

    /// Whether there is a recording of the app `owner/alias`.
    pub(crate) fn knows(&self, app: &str) -> bool {
        self.shelf.tapes.iter().any(|loaded| {
            let rest = loaded.tape.endpoint.strip_prefix(app);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// The recording that answers a request, or the response that says why there is none. Recordings
    /// of the same input answer in their order, and the last one from then on.
    pub(crate) fn choose(
        self: &Arc<Self>,
        state: &State,
        request: &Request,
        way: Way,
    ) -> Result<Chosen, Answer> {
        let endpoint = request.path.trim_matches('/');
        let mut uploads = Vec::new();
        let given = Input::of(request, &self.mask, &mut |url| {
            let hash = storage::uploaded_hash(state, &urls::file_path(url)?)?;
            uploads.push((hash.clone(), url.to_owned()));
            Some(hash)
        });
        let all = self.shelf.tapes.iter().enumerate();
        let of_endpoint: Vec<_> = all
            .filter(|(_, loaded)| loaded.tape.endpoint == endpoint)
            .map(|(index, loaded)| (index, loaded, given.differences(&loaded.input)))
            .collect();
        let fitting = |any_way: bool| {
            let fits = of_endpoint.iter().filter(move |(_, loaded, differences)| {
                differences.is_empty() && (any_way || loaded.tape.way == way)
            });
            fits.map(|(index, loaded, _)| (*index, Arc::clone(loaded)))
                .collect::<Vec<_>>()
        };
        let mut fits = fitting(false);
        if fits.is_empty() {
            fits = fitting(true);
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = fits.iter().find(|(index, _)| !used.contains(index));
        if let Some((index, loaded)) = unused.or(fits.last()) {
            used.insert(*index);
            return Ok(Chosen {
                replay: Arc::clone(self),
                loaded: Arc::clone(loaded),
                uploads,
            });
        }
        let nearest = of_endpoint
            .iter()
            .min_by_key(|(_, _, differences)| differences.len());
        Err(match nearest {
            Some((_, loaded, differences)) => miss(format!(
                "no recording of {endpoint} fits this input; the nearest is {}, which differs in {}",
                loaded.name,
                input::shown(differences)
            )),
            None => self.unknown(endpoint),
        })
    }

    /// 404 for an endpoint of an app of which there is no recording.
    pub(crate) fn unknown(&self, path: &str) -> Answer {
        let endpoint = path.trim_matches('/');
        miss(format!(
            "there is no recording of {endpoint}, but of {}",
            self.endpoints()
        ))
    }

    fn endpoints(&self) -> String {
        let all: BTreeSet<&str> = self
            .shelf
            .tapes
            .iter()
            .map(|one| one.tape.endpoint.as_str())
            .collect();
        let shown: Vec<&str> = all.iter().take(10).copied().collect();
        let more = if all.len() > shown.len() {
            " and others"
        } else {
            ""
        };
        format!("{}{more}", shown.join(", "))
    }

    /// The recorded file at a path of the CDN, with its media type.
    pub(crate) fn file(&self, path: &str) -> Option<Result<(Bytes, String), Answer>> {
        let download = self.shelf.downloads.get(path)?;
        let bytes = self.read(&download.media);
        Some(bytes.map(|bytes| (bytes, download.content_type.clone())))
    }

    /// The content of a file of a recording.
    pub(super) fn read(&self, media: &Media) -> Result<Bytes, Answer> {
        let Some(file) = &media.file else {
            let why = media.left_out.as_deref().unwrap_or("it was removed");
            return Err(miss(format!(
                "the recording leaves out these {} bytes: {why}",
                media.size
            )));
        };
        fs::read(self.shelf.media(file))
            .map(Bytes::from)
            .map_err(|error| miss(format!("cannot read the recorded file {file}: {error}")))
    }
}

/// 404 in fal's shape.
fn miss(what: String) -> Answer {
    Answer::detail(StatusCode::NOT_FOUND, format!("fal-emulator: {what}")).unknown("no recording")
}

impl Chosen {
    /// A JSON text of the recording as it was sent, with the files of this request.
    pub(super) fn json(&self, json: &serde_json::value::RawValue, spaced: bool) -> String {
        let layout = if spaced {
            Layout::Spaced
        } else {
            Layout::Compact
        };
        notation::written(json.get(), layout, &mut |part| {
            let (Part::Name(text) | Part::Text(text, _)) = part else {
                return None;
            };
            if text.starts_with("data:") && text.contains(DATA_FILE) {
                return self.data(text);
            }
            let named = self.text(text);
            (named != text).then_some(named)
        })
    }

    /// A text of the recording with the URLs of this request's uploads.
    pub(super) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (hash, url) in &self.uploads {
            text = text.replace(&format!("{}{hash}", input::UPLOADED), url);
        }
        text
    }

    fn data(&self, text: &str) -> Option<String> {
        let (head, file) = text.split_once(DATA_FILE)?;
        let media = Media {
            file: Some(file.to_owned()).filter(|file| tape::is_media_name(file)),
            left_out: None,
            size: 0,
        };
        let bytes = self.replay.read(&media).ok()?;
        Some(format!("{head};base64,{}", STANDARD.encode(bytes)))
    }
}
