"""What secrets look like when somebody writes them in clear: by the name of a value, and by its form.

The manifest's rules and the policy pack have the same file, as the pack stands alone; a test holds them together. The
rules are our own: detect-secrets brings `requests` along for what are these few lines, and its entropy detectors take
every digest for a key.
"""

from __future__ import annotations

import re
from typing import Final

_FORMS: Final = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("an account key", re.compile(r"(AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{20,}")),
    ("an account key", re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{86}==(?![A-Za-z0-9+/=])")),
    ("a shared access signature", re.compile(r"[?&;]sig=[A-Za-z0-9%+/=]{20,}")),
    ("a password in a URL", re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@")),
    (
        "a password in a connection string",
        re.compile(r"(^|;)\s*(pwd|password)\s*=\s*[^;\s]+(;|$)", re.IGNORECASE),
    ),
    ("a client secret of Entra", re.compile(r"(?<![\w~.-])[\w~.-]{3}[78]Q~[\w~.-]{31,34}(?![\w~.-])")),
    ("a GitHub token", re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})")),
    (
        "an access token",
        re.compile(
            r"\b(AKIA[0-9A-Z]{16}|AIza[A-Za-z0-9_-]{35}|xox[abpr]-[A-Za-z0-9-]{20,}|hf_[A-Za-z0-9]{30,}"
            r"|sk-[A-Za-z0-9_-]{24,}|[sr]k_(live|test)_[A-Za-z0-9]{20,}|dapi[0-9a-f]{32}|glpat-[A-Za-z0-9_-]{20,}"
            r"|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}|SG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,})"
        ),
    ),
    ("a JSON web token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.")),
)
# One of them is in each form: most texts have none, and are not looked at any closer.
_MARKS: Final = re.compile(
    r"-----B|Key=|==|sig=|://|Q~|gh|AKIA|AIza|xox|hf_|sk-|k_live|k_test|dapi|glpat|npm_|pypi-|SG\.|eyJ"
    r"|(?i:pwd|password)\s*="
)
_END: Final = r"(_?(v?[0-9]+|primary|secondary|prod|production|dev|test|staging|value|b64|base64))?$"
_SECRET: Final = re.compile(
    r"(password|passwd|passphrase|secret|credentials?|connection_?string|conn_?str(ing)?"
    r"|(^|_)(pwd|pass|sas|pat|jwt|bearer))" + _END
)
_KEY: Final = re.compile(r"(^|_)([a-z0-9]*)_?key" + _END)
_TOKEN: Final = re.compile(r"(^|_)([a-z0-9]*)_?token" + _END)
# Keys and tokens that unlock nothing: of tables, messages, caches and vocabularies.
_PLAIN_KEYS: Final = re.compile(
    "business|cache|column|config|data|dedup|dict|entity|feature|foreign|group|hash|id|index|input|join|json|label|lookup|map"
    "|message|metric|natural|object|output|partition|public|range|record|routing|row|sort|surrogate|tag|target|time"
)
_PLAIN_TOKENS: Final = re.compile(
    "bos|cls|end|eos|image|mask|max|min|n|next|num|pad|sep|special|start|stop|unk"
)
_PATH: Final = re.compile(r"(/|\./|~/)[\w.@-]+(/[\w.@-]+)+/?|[\w.-]+\.(pem|crt|key|json|ya?ml|txt|env)")
_NO_SECRET: Final = re.compile(
    r"|[0-9]{1,6}|true|false|none|null|<[^<>]{1,20}>|\[[A-Z]{1,10}\]", re.IGNORECASE
)


def secret_form(text: str) -> str | None:
    """What kind of secret ``text`` looks like, by its own form."""
    if not _MARKS.search(text):
        return None
    return next((what for what, expression in _FORMS if expression.search(text)), None)


def is_secret_name(name: str) -> bool:
    """Whether a value called ``name`` is most likely a secret: ``DB_PASSWORD``, ``OPENAI_KEY``, ``hfToken``."""
    words = _words(name)
    if _SECRET.search(words):
        return True
    key, token = _KEY.search(words), _TOKEN.search(words)
    if key is not None and not _PLAIN_KEYS.fullmatch(key[2]):
        return True
    return token is not None and not _PLAIN_TOKENS.fullmatch(token[2])


def clear_secret(name: str, value: str) -> str | None:
    """What kind of secret stands in clear under a name, by either; None when it looks like none.

    A path is where a secret is. Of a key or a token also a small number, a truth value or a word of a vocabulary is
    none, but a password can be anything.
    """
    found = secret_form(value)
    if found:
        return found
    if not value or " " in value or not is_secret_name(name) or _PATH.fullmatch(value):
        return None
    if not _SECRET.search(_words(name)) and _NO_SECRET.fullmatch(value):
        return None
    return "a secret"


def _words(name: str) -> str:
    """``dbPassword`` and ``db-password`` as ``db_password``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[.\- ]", "_", name).lower()
