"""Makes chat/vectors.json: conversations rendered by transformers with chat templates in the manner of the named families.

The templates are written here, each with the constructs that family's uses (ChatML with a default system message; Llama 3's headers, trim and
date; Qwen3's namespace, reversed walk, split and thinking block; errors raised by the template). transformers hands templates a clock; here none
is given, so its `strftime_now` is taken away.
Run: python test/golden/text/make-chat-vectors.py
"""
import json
import pathlib

import transformers
from transformers.utils import chat_template_utils

TEMPLATES = {
    "chatml": "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe brief.<|im_end|>\n' }}{% endif %}"
              "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
              "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "headers": """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "1 Jan 2025" %}
    {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|head|>system<|/head|>\\n\\nDate: " + date_string + "\\n\\n" }}
{{- system_message + "<|eot|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|head|>' + message['role'] + '<|/head|>\\n\\n' + message['content'] | trim + '<|eot|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|head|>assistant<|/head|>\\n\\n' }}
{%- endif %}
""",
    "thinking": """{%- if tools %}
    {{- 'tools: ' }}{% for tool in tools %}{{ tool | tojson }}{% endfor %}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(searching=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.searching and message.role == "user" and message.content is string and not(message.content.startswith('<tool>') and message.content.endswith('</tool>')) %}
        {%- set ns.searching = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.role == "user" or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set content = message.content %}
        {%- set thought = '' %}
        {%- if '</think>' in content %}
            {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or thought) %}
            {{- '<|im_start|>assistant\\n<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' + content }}
        {%- else %}
            {{- '<|im_start|>assistant\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if quick is defined and quick is false %}{{ '<think>' }}{% endif %}
{%- endif %}
""",
    "strict": "{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system message here') }}{% endif %}"
              "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Turns must alternate') }}{% endif %}"
              "{{ '[INST] ' ~ m.content ~ ' [/INST]' if m.role == 'user' else m.content ~ eos_token }}{% endfor %}",
}
user = lambda text: {"role": "user", "content": text}
assistant = lambda text: {"role": "assistant", "content": text}
system = lambda text: {"role": "system", "content": text}
CONVERSATIONS = [
    [user("What is 3 + 4?")],
    [system("  Answer in one word. \n"), user("Umlauts: äöü, 漢字, 🐝\n\tindented")],
    [user("First"), assistant("<think>\nhm\n</think>\n\nSecond"), user("{{ not a template }} {% nor this %}")],
    [system("S"), user("A"), assistant("B"), user("C"), assistant("<think>\nlong\n</think>\nD")],
    [user("")],
    [assistant("starts wrongly"), user("x")],
]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}

original = chat_template_utils._compile_jinja_template


def without_clock(template):
    compiled = original(template)
    compiled.globals.pop("strftime_now", None)
    compiled.environment.globals.pop("strftime_now", None)
    return compiled


cases = []
for name, template in TEMPLATES.items():
    for messages in CONVERSATIONS:
        for opens in (True, False):
            try:
                compiled = without_clock(template)
                text, error = compiled.render(messages=messages, tools=None, documents=None, add_generation_prompt=opens, **TOKENS), None
            except Exception as failure:
                text, error = None, str(failure)
            cases.append({"template": name, "messages": messages, "opensAnswer": opens, "text": text, "error": error})
target = pathlib.Path(__file__).parent / "chat" / "vectors.json"
target.write_text(json.dumps({"madeBy": f"transformers {transformers.__version__}, python test/golden/text/make-chat-vectors.py",
                              "config": TOKENS, "templates": TEMPLATES, "cases": cases}, ensure_ascii=False) + "\n")
print(len(cases), "cases,", sum(case["error"] is not None for case in cases), "refused")
