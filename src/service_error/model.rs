//! The errors of models, by the `type` of an entry of `detail` (docs/protocol.md §12.2).

use super::table::{Again, Execution, Named};

/// A refusal of the input.
const fn refused(
    name: &'static str,
    context: &'static [&'static str],
    remedy: &'static str,
) -> Named {
    Named {
        name,
        status: 422,
        again: Again::No,
        reached: Execution::Answered,
        context,
        remedy,
        source: "§12.2",
    }
}

/// A failure of the model that a retry may not meet (fal: "may be").
const fn failed(name: &'static str, status: u16, remedy: &'static str) -> Named {
    Named {
        status,
        again: Again::Depends,
        ..refused(name, &[], remedy)
    }
}

const LATER: &str = "Retry if the error says that it makes sense; otherwise report the request id to support@fal.ai.";
const SMALLER_FILE: &str = "Give a smaller file.";
const NUMBER: &str = "Give a number within the limits.";
const LENGTH: &str = "Change the length of the text or list.";
const LOADABLE: &str =
    "Check that the URL leads to the file itself, without a login, and that the file is complete.";
const ARCHIVE: &str = "Give an archive with a number and kinds of files that the model takes.";
const DURATION: &str = "Give a recording of a length that the model takes.";
const FORMAT: &str = "Convert the file to a format that the model takes.";

#[rustfmt::skip]
pub(super) static MODEL: &[Named] = &[
    failed("internal_server_error", 500, LATER),
    failed("generation_timeout", 504, "Ask for less at once, such as fewer steps or a smaller size, or retry."),
    // fal's documentation has 400 in one place and 500 in another (§16.14).
    failed("downstream_service_error", 500, LATER),
    failed("downstream_service_unavailable", 500, LATER),
    refused("content_policy_violation", &[], "Change the prompt or the file: a content checker refused it."),
    refused("no_media_generated", &[], "Change the prompt: the model generated no media for it."),
    refused("image_too_small", &["min_height", "min_width"], "Give a larger image."),
    refused("image_too_large", &["max_height", "max_width"], "Give a smaller image."),
    refused("image_load_error", &[], LOADABLE),
    refused("file_download_error", &[], LOADABLE),
    refused("face_detection_error", &[], "Give an image in which one face is clearly visible."),
    refused("file_too_large", &["max_size"], SMALLER_FILE),
    refused("greater_than", &["gt"], NUMBER),
    refused("greater_than_equal", &["ge"], NUMBER),
    refused("less_than", &["lt"], NUMBER),
    refused("less_than_equal", &["le"], NUMBER),
    refused("multiple_of", &["multiple_of"], NUMBER),
    refused("sequence_too_short", &["min_length"], LENGTH),
    refused("sequence_too_long", &["max_length"], LENGTH),
    refused("one_of", &["expected"], "Give one of the values that the model takes."),
    refused("feature_not_supported", &[], "Leave the feature out, or use another model."),
    refused("invalid_archive", &["supported_extensions"], "Give an archive that can be unpacked, of a kind that the model takes."),
    refused("archive_file_count_below_minimum", &["min_count", "provided_count", "supported_extensions"], ARCHIVE),
    refused("archive_file_count_exceeds_maximum", &["max_count", "provided_count", "supported_extensions"], ARCHIVE),
    refused("audio_duration_too_long", &["max_duration", "provided_duration"], DURATION),
    refused("audio_duration_too_short", &["min_duration", "provided_duration"], DURATION),
    refused("video_duration_too_long", &["max_duration", "provided_duration"], DURATION),
    refused("video_duration_too_short", &["min_duration", "provided_duration"], DURATION),
    refused("unsupported_audio_format", &["supported_formats"], FORMAT),
    refused("unsupported_image_format", &["supported_formats"], FORMAT),
    refused("unsupported_video_format", &["supported_formats"], FORMAT),
];
