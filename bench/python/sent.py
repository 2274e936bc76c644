"""What all clients send."""

INPUT = {"prompt": "a lighthouse at dusk", "num_images": 1}
KEY = "fake-id:fake-secret-of-the-benchmark"
HEADERS = {"authorization": f"Key {KEY}", "content-type": "application/json"}


def parts(url):
    """The host and the endpoint of a URL."""
    return url.removeprefix("http://").split("/", 1)
