"""The official Anthropic client against the gateways at argv[1], at argv[2], where answers break off, and at argv[3], where
they break off at some and others can go on."""

import sys

import anthropic
from pydantic import BaseModel

from seam import is_joined, wish

MODEL = "anthropic/claude-sonnet-5"
RESUMABLE = "anthropic/claude-haiku-4.5"
METADATA = {"x-openmux-metadata": "enabled"}
GEMINI = "google/gemini-3.5-flash:google"
HELLO = [{"role": "user", "content": "Hello!"}]
WEATHER = {
    "name": "weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class Answer(BaseModel):
    city: str
    days: int


def whole(client):
    message = client.messages.create(model=MODEL, max_tokens=200, system="Be brief.", messages=HELLO)
    assert message.content[0].text.startswith("[sandbox]"), message
    assert message.stop_reason == "end_turn" and message.usage.input_tokens > 0 < message.usage.output_tokens, message
    assert message.usage.cost > 0 and len(message.id) == 36, message
    assert message._request_id == message.id.removeprefix("msg_"), message


def streamed(client):
    with client.messages.stream(model=MODEL, max_tokens=200, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text.startswith("[sandbox]") and message.content[0].text == text, message
    assert message.stop_reason == "end_turn" and message.usage.input_tokens > 0 < message.usage.output_tokens, message


def tools(client, model=MODEL, signed=False):
    asked = [{"role": "user", "content": "What is the weather in Oslo?"}]
    for streams in (False, True):
        if streams:
            with client.messages.stream(model=model, max_tokens=200, messages=asked, tools=[WEATHER]) as stream:
                message = stream.get_final_message()
        else:
            message = client.messages.create(model=model, max_tokens=200, messages=asked, tools=[WEATHER])
        assert message.stop_reason == "tool_use", message
        call = message.content[-1]
        assert call.type == "tool_use" and call.name == "weather" and isinstance(call.input["city"], str), message
        assert ("__signed__" in call.id) == signed, call
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "rain"}
        goes_on = [*asked, {"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
        message = client.messages.create(model=model, max_tokens=200, messages=goes_on, tools=[WEATHER])
        assert message.content[-1].type in ("text", "tool_use"), message


def tools_of_gemini(client):
    tools(client, GEMINI, signed=True)


def cached(client):
    kept = {"type": "ephemeral", "ttl": "1h"}
    system = [{"type": "text", "text": "Be brief. " * 500, "cache_control": kept}]
    usages = []
    for _ in range(2):
        message = client.messages.create(model=f"{MODEL}:anthropic", max_tokens=200, system=system, messages=HELLO)
        usages.append(message.usage)
    assert usages[0].cache_creation_input_tokens > 0 < usages[1].cache_read_input_tokens, usages


def structured(client):
    message = client.messages.parse(model=MODEL, max_tokens=200, messages=HELLO, output_format=Answer)
    assert isinstance(message.parsed_output, Answer), message


def thinking(client):
    adaptive, low = {"type": "adaptive"}, {"effort": "low"}
    message = client.messages.create(
        model=MODEL, max_tokens=4000, messages=HELLO, thinking=adaptive, output_config=low
    )
    assert message.content[-1].type == "text", message
    goes_on = [*HELLO, {"role": "assistant", "content": message.content}, {"role": "user", "content": "Go on."}]
    message = client.messages.create(model=MODEL, max_tokens=4000, messages=goes_on, thinking=adaptive)
    assert message.content[-1].type == "text", message


def errors(client):
    for model, kind, told in [
        ("anthropic/claude-sonet-5", anthropic.NotFoundError, "not_found_error"),
        ("", anthropic.BadRequestError, "invalid_request_error"),
    ]:
        try:
            client.messages.create(model=model, max_tokens=200, messages=HELLO)
        except kind as error:
            assert error.body["error"]["type"] == told and error.body["error"]["owner"] == "your request", error.body
        else:
            raise AssertionError(f"{model} is no model")


def cancelled(client):
    with client.messages.stream(model=MODEL, max_tokens=200, messages=HELLO) as stream:
        for _ in stream.text_stream:
            break
    whole(client)


def broken(client):
    try:
        with client.messages.stream(model=MODEL, max_tokens=200, messages=HELLO) as stream:
            text = ""
            for piece in stream.text_stream:
                text += piece
    except anthropic.APIStatusError as error:
        assert text and error.body["error"]["class"] == "stream_broken", error.body
    else:
        raise AssertionError("half an answer is no answer")


def resumed(client):
    """One whole answer, over a seam that no client stumbles over."""
    asked = {"extra_body": wish("anthropic"), "extra_headers": METADATA}
    told = None
    with client.messages.stream(model=RESUMABLE, max_tokens=200, messages=HELLO, **asked) as stream:
        text = ""
        for event in stream:
            text += event.text if event.type == "text" else ""
            told = getattr(event, "openmux", None) or told
        message = stream.get_final_message()
    assert message.stop_reason == "end_turn" and message.content[0].text == text, message
    is_joined(text, told, "anthropic")


def counted(client):
    counted = client.messages.count_tokens(model=MODEL, messages=HELLO)
    assert counted.input_tokens > 0, counted
    routed = client.messages.count_tokens(model=MODEL, messages=HELLO, extra_body={"provider": {"only": ["anthropic"]}})
    assert routed.input_tokens == counted.input_tokens, routed


def main(address, breaking, seams):
    by_key = anthropic.Anthropic(base_url=f"http://{address}", api_key="any", max_retries=0)
    below_api = anthropic.Anthropic(base_url=f"http://{address}/api", auth_token="any", max_retries=0)
    zenmux = anthropic.Anthropic(base_url=f"http://{address}/api/anthropic", api_key="any", max_retries=0)
    for client in (by_key, below_api, zenmux):
        whole(client)
    for step in (streamed, tools, tools_of_gemini, structured, thinking, cached, errors, cancelled, counted):
        step(by_key)
        print("ok", step.__name__)
    broken(anthropic.Anthropic(base_url=f"http://{breaking}", api_key="any", max_retries=0))
    resumed(anthropic.Anthropic(base_url=f"http://{seams}", api_key="any", max_retries=0))
    print("all good")


main(*sys.argv[1:])
