"""Five endpoints as fal's guides call them, against the emulator and the definitions in this folder.

    fal-emulator exec --apps image_to_image.toml --apps video.toml --apps speech_to_text.toml \
        --apps llm.toml --apps training.toml -- python guides.py
"""

import io
import zipfile

import libfal as fal_client

PICTURE = "https://example.com/picture.png"


def show_logs(update):
    if isinstance(update, fal_client.InProgress):
        for log in update.logs:
            print("  log:", log["message"])


def image_to_image():
    result = fal_client.subscribe(
        "fal-ai/flux/dev/image-to-image",
        arguments={"image_url": PICTURE, "prompt": "a cat dressed as a wizard", "num_images": 2},
        with_logs=True,
        on_queue_update=show_logs,
    )
    for image in result["images"]:
        print("  image:", image["content_type"], image["width"], "x", image["height"])


def video():
    result = fal_client.subscribe(
        "fal-ai/kling-video/v2.1/master/image-to-video",
        arguments={"prompt": "snowflakes fall", "image_url": PICTURE, "duration": "10"},
        with_logs=True,
        on_queue_update=show_logs,
    )
    print("  video:", result["video"]["content_type"])


def speech_to_text():
    url = fal_client.upload(b"RIFF of a recording", "audio/wav", file_name="speech.wav")
    result = fal_client.subscribe("fal-ai/wizper", arguments={"audio_url": url, "task": "transcribe"})
    print("  text:", result["text"])
    for chunk in result["chunks"]:
        print("  chunk:", *chunk["timestamp"], chunk["text"])


def llm():
    arguments = {"model": "openai/gpt-4o", "prompt": "What is the meaning of life?"}
    event = {}
    for number, event in enumerate(fal_client.stream("fal-ai/any-llm", arguments=arguments), start=1):
        print(f"  event {number}:", event["output"])
    assert not event["partial"]


def training():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as pictures:
        pictures.writestr("1.png", b"a picture")
        pictures.writestr("1.txt", b"a caption")
    url = fal_client.upload(archive.getvalue(), "application/zip", file_name="images.zip")
    result = fal_client.subscribe(
        "fal-ai/flux-lora-fast-training",
        arguments={"images_data_url": url, "trigger_word": "sks", "steps": 200},
        with_logs=True,
        on_queue_update=show_logs,
    )
    print("  weights:", result["diffusers_lora_file"]["file_name"])
    print("  config:", result["config_file"]["file_name"], result["config_file"]["file_size"], "bytes")


if __name__ == "__main__":
    for example in (image_to_image, video, speech_to_text, llm, training):
        print(example.__name__)
        example()
