"""Pulumi's passphrase secrets provider: PBKDF2-SHA256 with a million rounds, AES-256-GCM.

The salt in `Pulumi.<stack>.yaml` (`encryptionsalt`) reads `v1:<salt>:v1:<nonce>:<ciphertext of "pulumi">`;
a ciphertext reads `v1:<nonce>:<ciphertext>`.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from mldeploy.engine.base.errors import PassphraseError

ROUNDS = 1_000_000
_CHECK = "pulumi"
_SALT_BYTES = 8
_NONCE_BYTES = 12
_keys: dict[tuple[str, bytes], bytes] = {}

# What to do about a missing or wrong one.
PASSPHRASE_HINT = "set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE to a file that holds it"  # noqa: S105


class Crypter:
    """Encrypts and decrypts values with one key."""

    def __init__(self, key: bytes) -> None:
        # Imported here: it costs more than the rest of the engine, and a stack without secrets needs none.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._aes = AESGCM(key)

    def encrypt(self, plaintext: str) -> str:
        """`v1:<nonce>:<ciphertext>` with a fresh nonce."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._aes.encrypt(nonce, plaintext.encode(), None)
        return f"v1:{_b64(nonce)}:{_b64(sealed)}"

    def decrypt(self, ciphertext: str) -> str:
        """The plaintext. Raises PassphraseError when key and ciphertext do not belong together."""
        from cryptography.exceptions import InvalidTag

        version, _, rest = ciphertext.partition(":")
        nonce, sep, sealed = rest.partition(":")
        if version != "v1" or not sep:
            raise PassphraseError("a secret in the state is malformed: expected v1:<nonce>:<ciphertext>")
        try:
            return self._aes.decrypt(base64.b64decode(nonce), base64.b64decode(sealed), None).decode()
        except (InvalidTag, ValueError):
            raise PassphraseError(f"incorrect passphrase; {PASSPHRASE_HINT}") from None


class SecretsManager:
    """A stack's secrets provider: type, public state and the crypter, made when first needed."""

    type = "passphrase"

    def __init__(self, salt: str, passphrase: str | None) -> None:
        """Raises PassphraseError for a salt that cannot be one, also where there is nothing to decrypt yet."""
        _salt_parts(salt)
        self.salt = salt
        self._passphrase = passphrase
        self._crypter: Crypter | None = None

    @property
    def crypter(self) -> Crypter:
        """The crypter for the salt. Raises PassphraseError without the right passphrase."""
        if self._crypter is None:
            if self._passphrase is None:
                raise PassphraseError(f"passphrase needed to read or write secrets; {PASSPHRASE_HINT}")
            self._crypter = _open(self._passphrase, self.salt)
        return self._crypter


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _key(passphrase: str, salt: bytes) -> bytes:
    known = _keys.get((passphrase, salt))
    if known is None:
        known = _keys[passphrase, salt] = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, ROUNDS, 32)
    return known


def _open(passphrase: str, state: str) -> Crypter:
    salt, check = _salt_parts(state)
    crypter = Crypter(_key(passphrase, salt))
    if crypter.decrypt(check) != _CHECK:
        raise PassphraseError(f"incorrect passphrase; {PASSPHRASE_HINT}")
    return crypter


def _salt_parts(state: str) -> tuple[bytes, str]:
    """The salt and the sealed check. A salt that was cut or mistyped must not look like a wrong passphrase."""
    version, _, rest = state.partition(":")
    salt, _, check = rest.partition(":")
    check_version, _, sealed = check.partition(":")
    nonce, _, ciphertext = sealed.partition(":")
    try:
        sizes = [len(base64.b64decode(part, validate=True)) for part in (salt, nonce, ciphertext)]
    except ValueError:
        sizes = []
    # The check is the text and AES-GCM's tag of 16 bytes.
    if version != "v1" or check_version != "v1" or sizes != [_SALT_BYTES, _NONCE_BYTES, len(_CHECK) + 16]:
        raise PassphraseError(
            f"encryptionsalt {state!r} is damaged: expected v1:<salt>:v1:<nonce>:<check>, as the stack was"
            " created with; take it from a backup or from version control"
        )
    return base64.b64decode(salt), check


def fits(passphrase: str, salt: str) -> bool:
    """Whether the passphrase made this `encryptionsalt`."""
    try:
        _open(passphrase, salt)
    except PassphraseError:
        return False
    return True


def new_salt(passphrase: str) -> str:
    """A fresh `encryptionsalt` for the passphrase."""
    salt = os.urandom(_SALT_BYTES)
    return f"v1:{_b64(salt)}:{Crypter(_key(passphrase, salt)).encrypt(_CHECK)}"


def passphrase_from_environment(environ: Mapping[str, str] = os.environ) -> str | None:
    """The passphrase the environment names, or None. Raises PassphraseError for an unreadable file."""
    if "PULUMI_CONFIG_PASSPHRASE" in environ:
        return environ["PULUMI_CONFIG_PASSPHRASE"]
    file = environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    if not file:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise PassphraseError(
            f"PULUMI_CONFIG_PASSPHRASE_FILE: cannot read {file!r}: {error.strerror}"
        ) from None
