"""Secrets in texts: the forms in which they are found there, and taking them out. Pure; nothing is looked up here.

Secrets are found in the forms in which tools print them: plain, URL-encoded, escaped for JSON, Python, shells or HTML, in
base64 at each of the three alignments, in hexadecimal. The last two are also found where white space breaks them up
(`base64` begins a new line after 76 characters), and all of them where a part is left of a text that was cut. Passwords in
URLs and `Authorization` headers are masked whether or not they are declared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from batchwork.text import jsontext
from batchwork.text.jsontext import Json
from batchwork.text.patterns import pattern

MASK = "***"

SHORTEST = 4
"""Secrets of fewer characters are not masked: they would be found by chance everywhere."""

_SHORTEST_FORM = 5
_SHORTEST_LINE = 8
_SHORTEST_PART = 4
_SHORTEST_CODED = 12
_SHORTEST_TOKEN = 16  # of URLs, looked for in other texts; shorter ones may be names of people
_CUTS_MAX = 100
_SPACE = r"(?:\s|\\+[nrt]){0,8}+"  # as it is, or in a JSON text
_cut = pattern(r"(?:\s|\\n)?(?:…|\\u2026)(?: [\d,]+ (?:bytes|characters) left out (?:…|\\u2026))?(?:\s|\\n)?")

# Both begin at a rare text and have bounded repeats, so that they are linear on any text.
_url_password = pattern(r"(://[^\s/?#@:\"'<>\\]{0,256}):([^\s/\"'<>]{1,1024})@")
_url_signature = pattern(
    r"([?&](?:[\w.-]{0,40}(?:signature|secret)|sig|password|passwd|api[-_]?key"
    r"|(?:[\w.-]{0,40}(?:security|session|access|auth|api|sas|private)[-_.]?)?token)=)([^\s&#\"'<>\\{}]{16,4096})",
    re.IGNORECASE,
)
_url_token = pattern(
    r"((?:https?|wss?)://)([^\s/?#@:\"'<>\\{}]{8,1024})(?=(?::(?:x-oauth-basic|x)?)?@)",
    re.IGNORECASE,
)
"""The user of a URL that is a token: there is no password, or one that says so."""
_url_user = pattern(r"\A([^/?#@]{1,100}://)[^/?#@:]{1,1024}@")
_authorization = pattern(
    r"(uthorization\\*[\"']?\s{0,8}(?:[:=]|,\s{0,8}(?=\\*[\"']))\s{0,8}\\*[\"']?"
    r"(?:(?:basic|bearer|token|digest|negotiate|apikey|bot)\s{1,8})?+)(?!\{\{|\*\*\*)[^\s\"',;\\]{1,4096}",
    re.IGNORECASE,
)


class Masker:
    """Takes secrets out of texts. Those that are too short are left."""

    __slots__ = ("_broken", "_coded", "_forms")

    def __init__(self, secrets: Mapping[str, str], further: Iterable[str] = ()) -> None:
        """`secrets` are values by name; `further` values have no name (passwords of URLs)."""
        values = [value for value in (*secrets.values(), *further) if len(value.strip()) >= SHORTEST]
        forms = {form for value in values for form in _forms_of(value)}
        self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        coded = {form for value in values for form in _coded(value.strip())}
        self._coded = tuple(sorted(form for form in coded if len(form) >= _SHORTEST_CODED))
        self._broken: re.Pattern[str] | None = None

    def __call__(self, text: str) -> str:
        """The text with every secret replaced by `***`; JSON stays JSON."""
        cleaned = self._in_text(text)
        return cleaned if cleaned is text or cleaned == text else self._still_json(text, cleaned)

    def finds(self, text: str) -> bool:
        """Whether there is a secret in the text."""
        return self._in_text(text) != text

    def _in_text(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        if self._coded and len(text) > _SHORTEST_CODED:
            text = self._without_broken(text)
        if self._forms and ("…" in text or "\\u2026" in text):
            text = _without_parts(text, self._forms, self._coded)
        return _without_credentials(text)

    def _without_broken(self, text: str) -> str:
        """The text without coded secrets that white space breaks up. Looking for them is quick, finding them is not."""
        joined = "".join(text.replace("\\n", "").split()).replace("\\", "")
        if len(joined) == len(text) or not any(form in joined for form in self._coded):
            return text
        if self._broken is None:
            self._broken = re.compile("|".join(_SPACE.join(map(re.escape, form)) for form in self._coded))
        return self._broken.sub(MASK, text)

    def _still_json(self, text: str, cleaned: str) -> str:
        """A secret such as `1234` may have been part of a number: what was JSON is then masked value by value."""
        if not text[:1].strip() or text[0] not in '{["-0123456789tfn' or _is_json(cleaned) or not _is_json(text):
            return cleaned
        return jsontext.encode(self._masked(jsontext.decode(text)))

    def _masked(self, value: Json) -> Json:
        if isinstance(value, str):
            return self._in_text(value)
        if isinstance(value, list):
            return [self._masked(part) for part in value]
        if isinstance(value, dict):
            return {self._in_text(name): self._masked(part) for name, part in value.items()}
        if value is None or isinstance(value, bool):
            return value
        number = jsontext.encode(value)
        return value if self._in_text(number) == number else MASK


def masker(names: Iterable[str], environ: Mapping[str, str], further: Iterable[str] = ()) -> Masker:
    """What masks the secrets of these names, `further` ones without, and the passwords of URLs in the environment."""
    named = {name: environ[name] for name in names if environ.get(name)}
    return Masker(named, [*url_passwords(environ.values()), *further])


def too_short(names: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """The names of the secrets that are too short to be masked."""
    return [name for name in names if environ.get(name) and len(environ[name].strip()) < SHORTEST]


def unmistakable(names: Iterable[str], environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """The secrets, by name, that are long enough not to be found in a text by chance."""
    return [(name, environ[name]) for name in names if len(environ.get(name, "").strip()) >= _SHORTEST_LINE]


def url_passwords(texts: Iterable[str]) -> list[str]:
    """The passwords, tokens and signatures in the URLs of these texts, as written and decoded."""
    found: list[str] = []
    for text in texts:
        if "://" in text and ("@" in text or "=" in text):
            from urllib.parse import unquote

            for match in (*_url_password.finditer(text), *_url_signature.finditer(text), *_long_tokens(text)):
                found += {match[2], unquote(match[2])}
    return found


def _long_tokens(text: str) -> list[re.Match[str]]:
    return [match for match in _url_token.finditer(text) if len(match[2]) >= _SHORTEST_TOKEN]


def shown_url(url: str) -> str:
    """A URL as it may be seen: without password, token and signature."""
    url = _url_signature.sub(rf"\1{MASK}", _without_credentials(url))
    return _url_user.sub(rf"\1{MASK}@", url)


def _without_credentials(text: str) -> str:
    """The text without passwords and tokens in URLs and in `Authorization` headers."""
    if "://" in text and "@" in text:
        text = _url_password.sub(rf"\1:{MASK}@", _url_token.sub(rf"\1{MASK}", text))
    if "uthorization" in text or "UTHORIZATION" in text:
        text = _authorization.sub(rf"\1{MASK}", text)
    return text


# ---------------------------------------------------------------- texts that were cut


def _without_parts(text: str, forms: Sequence[str], coded: Sequence[str]) -> str:
    """The text without the beginnings of forms before, and their ends after, what was left out of it."""
    longest, done = len(forms[0]), 0
    pieces: list[str] = []
    for match in _cuts(text):
        start, stop = match.span()
        if start < done:
            continue
        before, after = text[max(done, start - 2 * longest) : start], text[stop : stop + 2 * longest]
        first = start - max(_beginning(before, forms), _spread(before[::-1], _beginning(_joined(before), coded)))
        last = stop + max(_end(after, forms), _spread(after, _end(_joined(after), coded)))
        pieces += [text[done:first], MASK * (first < start), text[start:stop], MASK * (last > stop)]
        done = last
    return "".join([*pieces, text[done:]])


def _cuts(text: str) -> list[re.Match[str]]:
    """Where something was left out: places that say how much, and of those that may be an author's own `…` not too many."""
    found = list(_cut.finditer(text))
    if len(found) <= _CUTS_MAX:
        return found
    half = _CUTS_MAX // 2
    said = [match for match in found[half:-half] if "left out" in match[0]]
    return [*found[:half], *said[:_CUTS_MAX], *found[-half:]]


def _joined(text: str) -> str:
    return "".join(text.split())


def _spread(text: str, count: int) -> int:
    """How many characters from the first on hold `count` that are no white space."""
    for position, character in enumerate(text):
        if not count:
            return position
        count -= not character.isspace()
    return len(text)


def _beginning(text: str, forms: Sequence[str]) -> int:
    """How many characters at the end of `text` are the beginning of a form."""
    most = 0
    for form in forms:
        at = text.find(form[:_SHORTEST_PART], max(0, len(text) - len(form) + 1))
        while 0 <= at < len(text) - most:
            if form.startswith(text[at:]):
                most = len(text) - at
                break
            at = text.find(form[:_SHORTEST_PART], at + 1)
    return most


def _end(text: str, forms: Sequence[str]) -> int:
    """How many characters at the beginning of `text` are the end of a form."""
    most = 0
    for form in forms:
        at = text.rfind(form[-_SHORTEST_PART:], 0, len(form) - 1)
        while at >= 0 and at + _SHORTEST_PART > most:
            if form.endswith(text[: at + _SHORTEST_PART]):
                most = at + _SHORTEST_PART
                break
            at = text.rfind(form[-_SHORTEST_PART:], 0, at + _SHORTEST_PART - 1)
    return most


# ---------------------------------------------------------------- forms


def _forms_of(secret: str) -> set[str]:
    texts = {secret, secret.strip()}
    texts.update(line.strip() for line in secret.splitlines() if len(line.strip()) >= _SHORTEST_LINE)
    forms: set[str] = set()
    for text in texts:
        forms.add(text)
        forms.update(form for form in _encoded(text) if len(form) >= _SHORTEST_FORM)
    # What is printed as JSON may itself be a text in a JSON result.
    for _ in range(2):
        forms.update({json.dumps(form)[1:-1] for form in forms}, {_plain_json(form) for form in forms})
    return forms


def _plain_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _encoded(text: str) -> Iterator[str]:
    import html
    import shlex
    from urllib.parse import quote, quote_plus  # all of them late: most runs have no secrets

    yield from (json.dumps(text)[1:-1], _plain_json(text), json.dumps(text)[1:-1].replace("/", "\\/"))
    yield from (
        repr(text)[1:-1],
        ascii(text)[1:-1],
        shlex.quote(text),
        html.escape(text),
        html.escape(text, quote=False),
    )
    octets = text.encode("utf-8", "surrogateescape")
    yield repr(octets)[2:-1]
    yield from _coded(text)
    for encoded in (quote(octets, safe=""), quote(octets), quote_plus(octets)):
        yield encoded
        yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)


def _coded(text: str) -> Iterator[str]:
    """In hexadecimal and base64."""
    import base64

    octets = text.encode("utf-8", "surrogateescape")
    yield from (octets.hex(), octets.hex().upper())
    for before in range(3):
        padded = bytes(before) + octets
        # Only the characters that do not depend on what stands before and after.
        start, stop = -(-before * 8 // 6), len(padded) * 8 // 6
        yield base64.b64encode(padded).decode()[start:stop]
        yield base64.urlsafe_b64encode(padded).decode()[start:stop]


def _is_json(text: str) -> bool:
    try:
        jsontext.decode(text)
    except (ValueError, RecursionError):
        return False
    return True
