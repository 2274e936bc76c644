"""fal_client loses what an answer says, or cannot bear it."""

import zlib

import pytest
from hostile import events, reply

STREAMED = """
    import fal_client
    try:
        for item in fal_client.stream("fal-ai/any-llm", {}):
            print(item["text"])
        print("ended")
    except Exception as error:
        print(f"{type(error).__name__}: {getattr(error, 'status_code', None)}: {error}")
"""


@pytest.mark.fault("SSEError: None: Expected response header")
def test_a_refused_stream_says_why(hostile, programs):
    fal = hostile(lambda request: reply({"detail": "the prompt is too long"}, 422))
    said = programs.output(STREAMED, **fal.variables)
    assert "422" in said and "the prompt is too long" in said, said
    assert fal.count() == 1


ONE, TWO = 'id: 1\ndata: {"text": "one"}\n\n', 'data: {"text": "two"}\n\n'


@pytest.mark.fault("JSONDecodeError")
@pytest.mark.parametrize(
    "stream, items",
    [(f"{ONE}: ping\n\n{TWO}", ["one", "two"]), (f"{ONE}retry: 3000\n\n{TWO}", ["one", "two"]), (f"{ONE}data: [DONE]\n\n", ["one"])],
    ids=["comment", "retry", "done"],
)
def test_what_is_no_item_ends_no_stream(hostile, programs, stream, items):
    fal = hostile(lambda request: events(stream))
    said = programs.output(STREAMED, **fal.variables)
    assert said.split() == [*items, "ended"], said


@pytest.mark.fault("the list of parts is")
def test_parts_are_listed_in_order(hostile, programs):
    """The first of eleven parts is answered when all have arrived."""

    place = "https://v3b.fal.media/files/b/1/file.bin"
    base = "https://v3b.fal.media"
    token = {"token": "fake-cdn-token", "token_type": "Bearer", "base_url": base, "expires_at": "2099-01-01T00:00:00+00:00"}
    # The first two are for an upload with a token, the last one for an upload to a signed URL.
    begun = {
        "/storage/auth/token": token,
        "/files/upload/multipart": {"access_url": place, "uploadId": "upload-1"},
        "/storage/upload/initiate-multipart": {"file_url": place, "upload_url": f"{place}/multipart/upload-1"},
    }

    def answer(request):
        if request.path in begun:
            return reply(begun[request.path])
        if request.method == "PUT":
            number = int(request.path.rpartition("/")[2])
            sizes[number] = request.length
            if number == 1:
                assert fal.has_arrived(11, "PUT")
            return reply(b"", ETag=f'"{number}"')
        listed.extend(part["partNumber"] for part in request.json["parts"])
        return reply({})

    sizes, listed = {}, []
    fal = hostile(answer)
    code = "import fal_client; print(fal_client.upload(bytes(101 << 20), 'application/octet-stream', repository='fal_v3'))"
    assert programs.output(code, **fal.variables) == place
    assert sum(sizes.values()) == 101 << 20
    assert listed == sorted(sizes), f"the list of parts is {listed}"


@pytest.mark.fault("the program used [0-9]+ MiB")
def test_a_compressed_answer_has_a_limit(hostile, programs):
    """Less than a megabyte arrives, and is 120 MiB."""
    packer = zlib.compressobj(1, wbits=31)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(120)) + packer.flush()
    fal = hostile(lambda request: reply(packed, 422, Content_Encoding="gzip"))
    code = """
        import resource, fal_client
        try:
            fal_client.run("fal-ai/flux/dev", {})
        except fal_client.FalClientError as error:
            assert error.status_code == 422
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    """
    used = int(programs.output(code, **fal.variables))
    assert used < 150, f"the program used {used} MiB"
