"""Mapping templates: the part of Velocity that is text with references, compiled once.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html. Supported:
`$input.body`, `$input.json('$.a')`, `$input.path('$.a')`, `$input.params('name')`, `$input.params().KIND.name`,
`$context.NAME`, `$stageVariables.NAME`, `$util.escapeJavaScript/urlEncode/urlDecode/base64Encode/base64Decode(...)`,
braces, `$!`, and comments. Directives (`#set`, `#if`, `#foreach` …) are refused by name when a template is stored.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus, unquote_plus

import orjson

MAX_TEMPLATE_CHARS: Final = 300_000
DIRECTIVES: Final = re.compile(
    r"#\{?(set|if|elseif|else|end|foreach|define|macro|parse|include|stop|break|evaluate)\b|#\[\[|#@"
)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STRING: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_INDEX: Final = re.compile(r"\d+")
ROOTS: Final = frozenset({"input", "context", "stageVariables", "util"})


class BadTemplate(Exception):
    """The template uses what is not supported; the text names it."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What references read. `context` gives `$context.a.b` by its dotted name, empty when unknown."""

    body: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    context: Callable[[str], str]
    stage_variables: Mapping[str, str] = field(default_factory=dict)

    def params(self, name: str) -> str:
        """A parameter: of the path, else of the query string, else a header (any case)."""
        for source in (self.path, self.query, self.headers):
            if name in source:
                return source[name]
        return self.headers.get(name.lower(), "")

    def parsed(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


Part = Callable[[Inputs], str]


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template."""

    parts: tuple[Part, ...]

    def render(self, inputs: Inputs) -> str:
        """The text it gives."""
        return "".join(part(inputs) for part in self.parts)


def compile_template(text: str) -> Template:
    """Compile; raises BadTemplate."""
    if len(text) > MAX_TEMPLATE_CHARS:
        raise BadTemplate("the template is too long")
    return Template(tuple(_Parser(text).parts()))


def json_path(document: Any, path: str) -> Any:
    """The value at `$.a.b[0]['c']`, or None; raises BadTemplate for other forms of JSONPath."""
    if not path.startswith("$"):
        raise BadTemplate(f"the JSONPath {path} must start with $")
    at = 1
    while at < len(path):
        match = re.compile(r"\.([A-Za-z_][\w-]*)|\[(\d+)\]|\['([^']*)'\]").match(path, at)
        if match is None:
            raise BadTemplate(f"the JSONPath {path} is not supported")
        name = match[1] if match[1] is not None else match[3]
        if name is not None:
            document = document.get(name) if isinstance(document, dict) else None
        else:
            index = int(match[2])
            document = document[index] if isinstance(document, list) and index < len(document) else None
        at = match.end()
    return document


def _text_of(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def escape_javascript(text: str) -> str:
    """As `$util.escapeJavaScript`: fit for a JSON string, single quotes escaped too."""
    return orjson.dumps(text).decode()[1:-1].replace("'", "\\'").replace("/", "\\/")


UTILS: Final[Mapping[str, Callable[[str], str]]] = {
    "escapeJavaScript": escape_javascript,
    "urlEncode": quote_plus,
    "urlDecode": unquote_plus,
    "base64Encode": lambda text: base64.b64encode(text.encode()).decode(),
    "base64Decode": lambda text: base64.b64decode(text).decode("utf-8", "replace"),
}


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def parts(self) -> list[Part]:
        found: list[Part] = []
        literal: list[str] = []
        while self._at < len(self._text):
            if self._text.startswith("##", self._at):
                end = self._text.find("\n", self._at)
                self._at = len(self._text) if end < 0 else end + 1
            elif self._text.startswith("#*", self._at):
                end = self._text.find("*#", self._at)
                self._at = len(self._text) if end < 0 else end + 2
            elif directive := DIRECTIVES.match(self._text, self._at):
                raise BadTemplate(f"the directive {directive[0]} is not supported by this cloud")
            elif self._text[self._at] == "$" and (part := self._reference()) is not None:
                if literal:
                    found.append(_constant("".join(literal)))
                    literal = []
                found.append(part)
            else:
                literal.append(self._text[self._at])
                self._at += 1
        if literal:
            found.append(_constant("".join(literal)))
        return found

    def _reference(self) -> Part | None:
        """A reference at the dollar sign, or None when it is only a dollar sign."""
        start = self._at
        self._at += 1
        if self._peek() == "!":
            self._at += 1
        braced = self._peek() == "{"
        if braced:
            self._at += 1
        name = self._take(_NAME)
        if name is None:
            self._at = start
            return None
        if name not in ROOTS:
            raise BadTemplate(f"the reference ${name} is not supported by this cloud")
        part = getattr(self, f"_{name}")()
        if braced:
            self._expect("}")
        return part  # type: ignore[no-any-return]

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return match[0]

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            raise BadTemplate(
                f"a reference lacks its {character} near {self._text[max(0, self._at - 20) : self._at]!r}"
            )
        self._at += 1

    def _member(self) -> str:
        self._expect(".")
        name = self._take(_NAME)
        if name is None:
            raise BadTemplate("a reference ends with a full stop")
        return name

    def _arguments(self) -> list[Part]:
        self._expect("(")
        found: list[Part] = []
        while True:
            self._take(re.compile(r"[\s,]*"))
            if self._peek() == ")":
                self._at += 1
                return found
            if self._peek() == "$":
                part = self._reference()
                if part is None:
                    raise BadTemplate("an argument is not supported")
                found.append(part)
                continue
            text = self._take(_STRING)
            if text is None:
                raise BadTemplate("an argument is neither text nor a reference")
            found.append(_constant(text[1:-1]))

    def _one(self, what: str) -> Part:
        arguments = self._arguments()
        if len(arguments) != 1:
            raise BadTemplate(f"{what} takes one argument")
        return arguments[0]

    def _key(self) -> str | None:
        """`.name`, `.get('name')` or `['name']`, if one follows."""
        if self._peek() == "[":
            self._at += 1
            text = self._take(_STRING)
            if text is None:
                raise BadTemplate("only text may stand between brackets")
            self._expect("]")
            return text[1:-1]
        if self._peek() != "." or not _NAME.match(self._text, self._at + 1):
            return None
        name = self._member()
        if name == "get" and self._peek() == "(":
            return self._one("get")(_NOTHING)
        return name

    def _input(self) -> Part:
        name = self._member()
        if name == "body":
            return lambda inputs: inputs.body
        if name == "params":
            return self._params()
        if name not in ("json", "path"):
            raise BadTemplate(f"$input.{name} is not supported by this cloud")
        path = self._one(f"$input.{name}")(_NOTHING)
        json_path(None, path)
        if name == "json":
            return lambda inputs: orjson.dumps(_or_empty(json_path(inputs.parsed(), path))).decode()
        keys: list[str] = []
        while (key := self._key()) is not None:
            keys.append(key)
        return lambda inputs: _text_of(_walk(json_path(inputs.parsed(), path), keys))

    def _params(self) -> Part:
        arguments = self._arguments()
        if len(arguments) == 1:
            name = arguments[0]
            return lambda inputs: inputs.params(name(inputs))
        kind, key = self._key(), self._key()
        if kind not in ("path", "querystring", "header") or key is None:
            raise BadTemplate("$input.params() must be followed by path, querystring or header, and a name")
        if kind == "header":
            return lambda inputs: inputs.headers.get(key, inputs.headers.get(key.lower(), ""))
        if kind == "path":
            return lambda inputs: inputs.path.get(key, "")
        return lambda inputs: inputs.query.get(key, "")

    def _context(self) -> Part:
        names = [self._member()]
        while self._peek() == "." and _NAME.match(self._text, self._at + 1):
            names.append(self._member())
        dotted = ".".join(names)
        return lambda inputs: inputs.context(dotted)

    def _stageVariables(self) -> Part:
        key = self._key()
        if key is None:
            raise BadTemplate("$stageVariables must be followed by a name")
        return lambda inputs: inputs.stage_variables.get(key, "")

    def _util(self) -> Part:
        name = self._member()
        function = UTILS.get(name)
        if function is None:
            raise BadTemplate(f"$util.{name} is not supported by this cloud")
        argument = self._one(f"$util.{name}")
        return lambda inputs: function(argument(inputs))


def _constant(text: str) -> Part:
    return lambda _: text


def _or_empty(value: Any) -> Any:
    return "" if value is None else value


def _walk(value: Any, keys: list[str]) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


_NOTHING: Final = Inputs("", {}, {}, {}, lambda _: "")
