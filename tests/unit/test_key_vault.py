"""How a job keeps its caller's key, and the keys that it is kept under."""

import json

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from common.caller_keys import CallerKey, KeyVault
from common.encryption_keys import encryption_keys
from common.errors import CallerKeyUnusable
from common.inference import CallOptions
from common.jobs import Claim
from common.masked_settings import masked
from common.providers.base import UpstreamCall
from common.settings import SettingsError, load_settings
from tests.support.fakes import FakeProvider, inference_on
from worker.calling import JobCaller

MINE = "sk-key-of-a-caller"
ENCRYPTION_KEY = "B" * 42 + "A="


class TestVault:
    """What is stored, and when it is of no use any more."""

    key = CallerKey("up", SecretStr(MINE))

    def test_a_new_key_is_put_first_and_the_old_still_opens(self):
        old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
        sealed = KeyVault([old]).seal("job", self.key)
        assert MINE.encode() not in sealed
        assert KeyVault([new, old]).open("job", sealed) == self.key
        assert KeyVault([new]).open("job", KeyVault([new, old]).seal("job", self.key)) == self.key

    @pytest.mark.parametrize("vault", [KeyVault([Fernet.generate_key().decode()]), KeyVault()])
    def test_what_was_sealed_with_a_key_that_is_gone_is_unusable(self, vault):
        sealed = KeyVault([ENCRYPTION_KEY]).seal("job", self.key)
        with pytest.raises(CallerKeyUnusable) as caught:
            vault.open("job", sealed)
        assert (caught.value.code, caught.value.retryable) == ("caller_key_unusable", False)

    def test_it_is_of_no_use_in_another_jobs_record(self):
        vault = KeyVault([ENCRYPTION_KEY])
        with pytest.raises(CallerKeyUnusable):
            vault.open("another", vault.seal("job", self.key))

    def test_it_shows_no_key(self):
        assert MINE not in repr(self.key)


def test_a_job_whose_key_is_gone_is_not_run_with_another() -> None:
    provider = FakeProvider()
    options = CallOptions(has_caller_key=True).to_json()
    claim = Claim("job", "token", 1, b'{"model": "m"}', options, 0, 0, 0, 0, 60)
    caller = JobCaller(None, inference_on(provider), None, None, KeyVault([ENCRYPTION_KEY]))
    with pytest.raises(CallerKeyUnusable):
        caller.answer(claim, UpstreamCall())
    assert provider.requests == []


class TestEncryptionKeys:
    @pytest.mark.parametrize("between", [",", " ", ", ", "\n"])
    def test_a_list_is_read(self, between):
        keys = [Fernet.generate_key().decode() for _ in range(2)]
        assert encryption_keys(between.join(keys)) == tuple(keys)

    def test_the_ordinary_alphabet_will_do(self):
        (key,) = encryption_keys("+/" + "A" * 41 + "=")
        Fernet(key)

    @pytest.mark.parametrize("text", ["short", ENCRYPTION_KEY[:-1], f"{ENCRYPTION_KEY},x"])
    def test_a_wrong_one_is_refused_at_the_start_without_showing_it(self, text):
        with pytest.raises(SettingsError) as caught:
            load_settings({"MUNINN_ENCRYPTION_KEYS": text})
        said = str(caught.value)
        assert said.startswith("MUNINN_ENCRYPTION_KEYS: key ")
        assert text not in said
        assert ENCRYPTION_KEY not in said

    def test_the_configuration_shows_none(self):
        settings = load_settings({"MUNINN_ENCRYPTION_KEYS": ENCRYPTION_KEY})
        assert ENCRYPTION_KEY not in repr(settings) + json.dumps(masked(settings))
