//! Generated files, which other programs decode.

use std::io::Cursor;

use fal_emulator::Emulator;
use image::{GenericImageView, ImageFormat};
use serde_json::{Value, json};
use shiguredo_mp4::TrackKind;
use shiguredo_mp4::demux::{Input, Mp4FileDemuxer};

use crate::client::Request;

const APPS: &str = r#"
    [[endpoint]]
    id = "acme/media"
    [endpoint.output]
    images = { media = "image", count = "{{ input.num_images or 1 }}", width = "{{ input.width or 64 }}", height = 48 }
    jpeg = { media = "image", format = "jpeg", width = 33, height = 17 }
    webp = { media = "image", format = "webp", width = 33, height = 17 }
    video = { media = "video", width = 65, height = 49, seconds = 2.5 }
    audio = { media = "audio", seconds = 1.5 }
    weights = { media = "file", text = "{{ input.prompt }}!", content_type = "application/json", file_name = "../../etc/we ights.json" }
    link = { media = "image", as = "url", width = 8, height = 8 }
    inline = { media = "image", as = "inline", width = 8, height = 8 }
"#;

fn emulator() -> Emulator {
    Emulator::builder().define(APPS).unwrap().start().unwrap()
}

fn output(emulator: &Emulator, input: &Value) -> Value {
    let request = Request::run("acme/media", input).key(emulator.api_key());
    let response = request.send(emulator);
    assert_eq!(
        response.status,
        200,
        "{}",
        String::from_utf8_lossy(&response.body)
    );
    response.json()
}

fn fetch(emulator: &Emulator, url: &Value, content_type: &str) -> Vec<u8> {
    let path = url
        .as_str()
        .unwrap()
        .strip_prefix("https://v3b.fal.media")
        .unwrap();
    let response = Request::get("v3b.fal.media", path).send(emulator);
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some(content_type));
    response.body
}

#[test]
fn pictures_decode_in_each_format() {
    let emulator = emulator();
    let made = output(
        &emulator,
        &json!({"prompt": "a cat", "seed": 5, "num_images": 3}),
    );
    let images = made["images"].as_array().unwrap();
    assert_eq!(images.len(), 3);
    let files: Vec<Vec<u8>> = images
        .iter()
        .map(|image| fetch(&emulator, &image["url"], "image/png"))
        .collect();
    assert_ne!(files[0], files[1]);
    let reader = png::Decoder::new(Cursor::new(&files[0]))
        .read_info()
        .unwrap();
    assert_eq!((reader.info().width, reader.info().height), (64, 48));
    assert_eq!(
        (&images[0]["width"], &images[0]["height"]),
        (&json!(64), &json!(48))
    );
    for (name, content_type, format) in [
        ("jpeg", "image/jpeg", ImageFormat::Jpeg),
        ("webp", "image/webp", ImageFormat::WebP),
    ] {
        let file = &made[name];
        assert_eq!(file["content_type"], content_type);
        let bytes = fetch(&emulator, &file["url"], content_type);
        let picture = image::load_from_memory_with_format(&bytes, format).unwrap();
        assert_eq!(picture.dimensions(), (33, 17));
        let colors: std::collections::BTreeSet<_> =
            picture.pixels().map(|(_, _, pixel)| pixel.0).collect();
        assert!(colors.len() > 5, "{name}");
    }
    let again = output(&emulator, &json!({"prompt": "a cat", "seed": 5}));
    assert_eq!(
        fetch(&emulator, &again["images"][0]["url"], "image/png"),
        files[0]
    );
    assert_eq!(
        fetch(&emulator, &made["link"], "image/png")[..4],
        *b"\x89PNG"
    );
    assert!(
        made["inline"]["url"]
            .as_str()
            .unwrap()
            .starts_with("data:image/png;base64,iVBOR")
    );
}

#[test]
fn a_video_has_a_track_of_its_length() {
    let emulator = emulator();
    let made = output(&emulator, &json!({"prompt": "a cat"}));
    let file = fetch(&emulator, &made["video"]["url"], "video/mp4");
    let mut demuxer = Mp4FileDemuxer::new();
    while let Some(wanted) = demuxer.required_input() {
        let start = usize::try_from(wanted.position).unwrap();
        let end = wanted
            .size
            .map_or(file.len(), |size| (start + size).min(file.len()));
        let input = Input {
            position: wanted.position,
            data: &file[start..end],
        };
        demuxer.handle_input(input);
    }
    let track = demuxer.tracks().unwrap()[0].clone();
    assert_eq!(track.kind, TrackKind::Video);
    assert_eq!(track.duration, 2500);
    let mut frames = 0;
    while let Some(sample) = demuxer.next_sample().unwrap() {
        let from = usize::try_from(sample.data_offset).unwrap();
        let frame = &file[from..from + sample.data_size];
        // One slice of a picture that needs no other.
        assert_eq!(
            frame[..4],
            u32::try_from(frame.len() - 4).unwrap().to_be_bytes()
        );
        assert_eq!(frame[4] & 0x1f, 5);
        frames += 1;
    }
    assert_eq!(frames, 3);
}

#[test]
fn a_sound_has_its_length() {
    let emulator = emulator();
    let made = output(&emulator, &json!({"prompt": "a cat"}));
    let file = fetch(&emulator, &made["audio"]["url"], "audio/wav");
    let mut reader = hound::WavReader::new(Cursor::new(file)).unwrap();
    assert_eq!(reader.duration(), 24_000);
    assert_eq!(reader.spec().sample_rate, 16_000);
    let loudest = reader
        .samples::<i16>()
        .map(|sample| sample.unwrap().abs())
        .max();
    assert!(loudest > Some(1000));
}

#[test]
fn the_name_of_a_file_cannot_leave_its_folder() {
    let emulator = emulator();
    let made = output(&emulator, &json!({"prompt": "weights"}));
    let url = made["weights"]["url"].as_str().unwrap();
    assert!(
        url.ends_with("_we_ights.json") && !url.contains(".."),
        "{url}"
    );
    assert_eq!(made["weights"]["file_size"], 8);
    assert_eq!(
        fetch(&emulator, &made["weights"]["url"], "application/json"),
        b"weights!"
    );
}

#[test]
fn a_size_from_the_input_is_checked() {
    let emulator = emulator();
    for (width, words) in [
        (json!(100_000), "width must be 1 to 4096"),
        (json!("wide"), "expected u32"),
    ] {
        let request = Request::run("acme/media", &json!({"width": width})).key(emulator.api_key());
        let response = request.send(&emulator);
        assert_eq!(response.status, 500);
        assert!(String::from_utf8_lossy(&response.body).contains(words));
    }
}

#[test]
fn a_large_file_within_an_output_blocks_no_other_request() {
    let emulator = Emulator::builder()
        .define(
            r#"
            [[endpoint]]
            id = "acme/film"
            output.video = { media = "video", as = "inline", width = 1280, height = 720, seconds = 10 }
            stream.events = [{ video = { media = "video", as = "inline", width = 16, height = 16 } }]
            "#,
        )
        .unwrap()
        .start()
        .unwrap();
    std::thread::scope(|scope| {
        let film = scope.spawn(|| {
            Request::run("acme/film", &json!({}))
                .key(emulator.api_key())
                .send(&emulator)
        });
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !emulator.arrivals().first().is_some_and(|one| one.executed) {
            assert!(std::time::Instant::now() < end);
        }
        let began = std::time::Instant::now();
        let echo = Request::run("emulator/echo", &json!({})).key(emulator.api_key());
        assert_eq!(echo.send(&emulator).status, 200);
        let waited = began.elapsed();
        let film = film.join().unwrap().json();
        assert!(waited < began.elapsed() / 2, "{waited:?}");
        let url = film["video"]["url"].as_str().unwrap();
        assert!(
            url.starts_with("data:video/mp4;base64,AAAA"),
            "{}",
            &url[..60]
        );
    });
    let streamed = Request::run("acme/film/stream", &json!({}))
        .key(emulator.api_key())
        .send(&emulator);
    let text = String::from_utf8(streamed.body).unwrap();
    assert!(text.contains("data:video/mp4;base64,AAAA"), "{text}");
}
