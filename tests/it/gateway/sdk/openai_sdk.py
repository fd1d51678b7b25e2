"""The official OpenAI client against the gateways at argv[1], at argv[2], where answers break off, and at argv[3], where they
break off at some and others can go on."""

import json
import sys

import openai
from pydantic import BaseModel

from seam import is_joined, wish

MODEL = "anthropic/claude-sonnet-4"
RESUMABLE = "anthropic/claude-haiku-4.5"
METADATA = {"x-openmux-metadata": "enabled"}
GEMINI = "google/gemini-3.5-flash:google"
HELLO = [{"role": "user", "content": "Hello!"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "weather", "description": "Tells the weather.", "parameters": SCHEMA}


class Answer(BaseModel):
    city: str
    days: int


def chat(client):
    response = client.chat.completions.create(
        model="anthropic/claude-sonnet-4", messages=[{"role": "user", "content": "Hello!"}]
    )
    assert response.choices[0].message.content.startswith("[sandbox]"), response
    assert response.choices[0].finish_reason == "stop" and response.usage.cost > 0, response
    assert response._request_id == response.id.removeprefix("chatcmpl-"), response


def chat_streamed(client):
    usage, text = None, ""
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, stream_options=options):
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
        usage = chunk.usage or usage
    assert text.startswith("[sandbox]") and usage.completion_tokens > 0, (text, usage)


def chat_tools(client, model=MODEL, signed=False):
    asked = {"model": model, "messages": HELLO, "tools": [{"type": "function", "function": FUNCTION}]}
    response = client.chat.completions.create(**asked)
    with client.chat.completions.stream(**asked) as stream:
        final = stream.get_final_completion()
    for told in (response, final):
        assert told.choices[0].finish_reason == "tool_calls", told
        call = told.choices[0].message.tool_calls[0]
        assert call.function.name == "weather" and "city" in json.loads(call.function.arguments), told
        assert ("__signed__" in call.id) == signed, call
        result = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
        goes_on = [*HELLO, told.choices[0].message.to_dict(), result]
        assert client.chat.completions.create(**{**asked, "messages": goes_on}).choices[0].finish_reason


def chat_structured(client):
    response = client.chat.completions.parse(model="openai/gpt-5", messages=HELLO, response_format=Answer)
    assert isinstance(response.choices[0].message.parsed, Answer), response


def responses(client):
    for model in (MODEL, "openai/gpt-5"):
        response = client.responses.create(model=model, instructions="Be brief.", input="Hello!")
        assert response.output_text.startswith("[sandbox]") and response.status == "completed", response
        assert response.usage.output_tokens > 0 and response.usage.cost > 0 and response.store is False, response
        goes_on = [{"role": "user", "content": "Hello!"}, *response.output, {"role": "user", "content": "Go on."}]
        response = client.responses.create(model=model, input=goes_on, store=True)
        assert response.output_text.startswith("[sandbox]"), response


def responses_streamed(client):
    with client.responses.stream(model=MODEL, input="Hello!") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_text.startswith("[sandbox]") and final.status == "completed", final
    first, last = kinds[:4], kinds[-1]
    assert first[:2] == ["response.created", "response.in_progress"] and last == "response.completed", kinds
    numbers = [event.sequence_number for event in client.responses.create(model=MODEL, input="Hello!", stream=True)]
    assert numbers == list(range(len(numbers))), numbers
    cut = client.responses.create(model=MODEL, input="Hello!", max_output_tokens=16)
    assert cut.status == "incomplete" and cut.incomplete_details.reason == "max_output_tokens", cut


def responses_tools(client, model=MODEL, signed=False):
    tools = [{"type": "function", **FUNCTION, "strict": False}]
    response = client.responses.create(model=model, input="Hello!", tools=tools)
    with client.responses.stream(model=model, input="Hello!", tools=tools) as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()
    for told in (response, final):
        call = told.output[-1]
        assert call.type == "function_call" and "city" in json.loads(call.arguments), told
        assert ("__signed__" in call.call_id) == signed, call
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
        goes_on = [{"role": "user", "content": "Hello!"}, *told.output, result]
        assert client.responses.create(model=model, input=goes_on, tools=tools).status == "completed"


def tools_of_gemini(client):
    chat_tools(client, GEMINI, signed=True)
    responses_tools(client, GEMINI, signed=True)


def reasoning(client):
    """As OpenRouter's clients ask for thoughts, hear of them, and send them back."""
    asked = {"model": "anthropic/claude-sonnet-5:anthropic", "messages": HELLO, "max_tokens": 4000}
    wish = {"reasoning": {"effort": "low"}}
    told = client.chat.completions.create(**asked, extra_body=wish).choices[0].message
    assert told.reasoning and told.reasoning_details[0]["signature"], told
    goes_on = [*HELLO, told.to_dict(), {"role": "user", "content": "Go on."}]
    client.chat.completions.create(**{**asked, "messages": goes_on}, extra_body=wish)
    thoughts = ""
    for chunk in client.chat.completions.create(**asked, extra_body=wish, stream=True):
        thoughts += "".join(getattr(choice.delta, "reasoning", None) or "" for choice in chunk.choices)
    assert thoughts, thoughts
    hidden = client.chat.completions.create(**asked, extra_body={"reasoning": {"effort": "low", "exclude": True}})
    assert not hasattr(hidden.choices[0].message, "reasoning_details"), hidden


def responses_structured(client):
    response = client.responses.parse(model="openai/gpt-5", input="Hello!", text_format=Answer)
    assert isinstance(response.output_parsed, Answer), response


def errors(client):
    for call, kind in [
        (lambda: client.chat.completions.create(model="acme/none", messages=HELLO), openai.NotFoundError),
        (lambda: client.responses.create(model="acme/none", input="Hello!"), openai.NotFoundError),
        (lambda: client.responses.create(model=MODEL, input="x", previous_response_id="resp_1"), openai.BadRequestError),
        (lambda: client.responses.create(model=MODEL, input="x", background=True), openai.BadRequestError),
    ]:
        try:
            call()
        except kind as error:
            assert error.body["owner"] == "your request" and error.body["message"], error.body
        else:
            raise AssertionError("that cannot be answered")


def cancelled(client):
    for stream in (
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=True),
        client.responses.create(model=MODEL, input="Hello!", stream=True),
    ):
        next(iter(stream))
        stream.close()
    chat(client)


def broken(client):
    text = ""
    try:
        for chunk in client.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
    except openai.APIError as error:
        assert text and error.body["class"] == "stream_broken", error.body
    else:
        raise AssertionError("half an answer is no answer")
    *_, last = client.responses.create(model="openai/gpt-5", input="Hello!", stream=True)
    assert last.type == "response.failed" and last.response.error.message, last


def resumed(client):
    """One whole answer, over a seam that no client stumbles over."""
    text, told, finish = "", None, None
    asked = {"stream": True, "extra_body": wish("anthropic"), "extra_headers": METADATA}
    for chunk in client.chat.completions.create(model=RESUMABLE, messages=HELLO, **asked):
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
        finish = next((choice.finish_reason for choice in chunk.choices), None) or finish
        told = getattr(chunk, "openmux", None) or told
    assert finish == "stop", finish
    is_joined(text, told, "anthropic")
    asked = {"extra_body": wish("openrouter"), "extra_headers": METADATA}
    with client.responses.stream(model=RESUMABLE, input="Hello!", **asked) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert final.status == "completed" and final.output_text == text, final
    is_joined(text, final.openmux, "openrouter")


def models(client):
    listed = client.models.list().data
    assert any(model.id == "anthropic/claude-sonnet-5" for model in listed), len(listed)
    assert client.models.retrieve("anthropic/claude-sonnet-5").id == "anthropic/claude-sonnet-5"


def main(address, breaking, seams):
    client = openai.OpenAI(base_url=f"http://{address}/v1", api_key="any", max_retries=0)
    below_api = openai.OpenAI(base_url=f"http://{address}/api/v1", api_key="any", max_retries=0)
    chat(below_api)
    for step in (
        chat,
        chat_streamed,
        chat_tools,
        chat_structured,
        responses,
        responses_streamed,
        responses_tools,
        responses_structured,
        tools_of_gemini,
        reasoning,
        errors,
        cancelled,
        models,
    ):
        step(client)
        print("ok", step.__name__)
    broken(openai.OpenAI(base_url=f"http://{breaking}/v1", api_key="any", max_retries=0))
    resumed(openai.OpenAI(base_url=f"http://{seams}/v1", api_key="any", max_retries=0))
    print("all good")


main(*sys.argv[1:])
