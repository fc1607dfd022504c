"""Settings: every fault at once, each with its place; secrets never shown; environment over file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from leakwatch import config
from leakwatch.cli.config_sample import sample
from leakwatch.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "leakwatch.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_fault_is_reported_at_once_with_its_place_and_the_nearest_key(tmp_path):
    path = write(
        tmp_path, "salesforce: {clientid: x}\ncapture: {backfill_days: soon}\ncompany: {time_zone: Mars/Base}\n"
    )
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    problems = caught.value.problems
    assert len(problems) == 3
    assert any("salesforce.clientid" in problem and "did you mean 'client_id'" in problem for problem in problems)
    assert any("capture.backfill_days" in problem and "'soon'" in problem for problem in problems)
    assert any("company.time_zone" in problem and "Europe/Istanbul" in problem for problem in problems)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"company: [", "line 2: not valid YAML"),
        (b"company: {language: tr}\nsalesforce: {}\ncompany: {currency: TRY}\n", "line 3: the key `company`.* twice"),
        (b"- a\n- b\n", "mapping"),
        ("company: {currency: İ}".encode("cp1254"), "UTF-8"),
        (b"x: " + b"y" * 1_000_001, "1,000,000"),
    ],
    ids=["broken YAML", "a key twice", "a list", "another encoding", "too large"],
)
def test_a_file_that_can_not_be_read_says_why(tmp_path, content, words):
    path = tmp_path / "leakwatch.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        config.load(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("company: {currency: TL}", "did you mean TRY"),
        ("company: {currency: XYZ}", "no currency code of ISO 4217"),
        ("company: {domains: acme.com}", r"is a list; write it as \[acme.com\]"),
    ],
)
def test_a_wrong_value_is_told_with_what_was_meant(tmp_path, content, words):
    with pytest.raises(ConfigError, match=words):
        config.load(write(tmp_path, content))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        config.load(tmp_path / "nowhere.yaml")


def test_the_environment_wins_over_the_file(tmp_path, monkeypatch):
    path = write(tmp_path, "company: {currency: EUR, language: tr}\n")
    monkeypatch.setenv("LEAKWATCH_COMPANY__CURRENCY", "TRY")
    settings = config.load(path)
    assert (settings.company.currency, settings.company.language) == ("TRY", "tr")


def test_nothing_may_be_written_unless_it_was_switched_on():
    writes = config.load(None).writes
    assert (writes.capture, writes.salesforce_task, writes.chatter_post) == (False, False, False)


def test_relative_paths_are_taken_from_the_file_and_not_from_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    settings = config.load(write(tmp_path, "store: {folder: state}\n"))
    assert settings.store.folder == tmp_path.resolve() / "state"


def test_a_key_given_as_text_is_never_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAKWATCH_SALESFORCE__PRIVATE_KEY", "-----BEGIN CANARY-----")
    assert "CANARY" not in repr(config.load(None))
    monkeypatch.setenv("LEAKWATCH_SALESFORCE__PRIVATE_KEYS", "-----BEGIN CANARY-----")
    with pytest.raises(ConfigError) as caught:
        config.load(None)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("enabled: true, client_secret: hush", "tenant_id and client_id are not set"),
        ("enabled: true, tenant_id: t, client_id: c", "set either certificate_file"),
        ("enabled: true, tenant_id: t, client_id: c, certificate_file: a.pem, client_secret: hush", "not both"),
        ("cloud: germany", "microsoft.cloud"),
        ("in_flight: 5", "microsoft.in_flight"),
        ("tenant: t", "did you mean 'tenant_id'"),
    ],
)
def test_what_is_amiss_with_microsoft_is_said_and_the_secret_is_not(tmp_path, given, words):
    with pytest.raises(ConfigError, match=words) as caught:
        config.load(write(tmp_path, f"microsoft: {{{given}}}\n"))
    assert "hush" not in str(caught.value)


def test_a_client_secret_of_microsoft_can_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAKWATCH_MICROSOFT__CLIENT_SECRET", "hush")
    settings = config.load(write(tmp_path, "microsoft: {enabled: true, tenant_id: t, client_id: c}\n"))
    assert settings.microsoft.client_secret is not None
    assert settings.microsoft.client_secret.get_secret_value() == "hush"
    assert "hush" not in repr(settings)


def test_google_without_a_service_account_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="service_account_file"):
        config.load(write(tmp_path, "google: {enabled: true}\n"))


def test_a_domain_without_a_letter_is_none(tmp_path):
    assert config.load(write(tmp_path, 'company: {domains: ["", " @ ", "@Acme.com"]}\n')).company.domains == (
        "acme.com",
    )


def test_notices_are_dates(tmp_path):
    settings = config.load(write(tmp_path, "capture: {notices: {a@x.example: 2026-01-05}}\n"))
    assert settings.capture.notices["a@x.example"] == date(2026, 1, 5)


def test_a_secret_file_that_others_can_read_is_a_problem(tmp_path):
    key = tmp_path / "key.pem"
    key.write_text("secret")
    key.chmod(0o644)
    assert "chmod 600" in config.check_secret_file(key, "salesforce.private_key_file")[0]
    key.chmod(0o600)
    assert config.check_secret_file(key, "salesforce.private_key_file") == []


def test_the_sample_configuration_is_current_and_loads():
    path = config.shipped("config") / "leakwatch.yaml"
    assert path.read_text(encoding="utf-8") == sample(), "run: leakwatch config sample > config/leakwatch.yaml"
    assert config.load(path).company == config.load(None).company


@pytest.mark.parametrize(("rates", "said"), [({"eur": "48"}, "ISO 4217"), ({"EUR": "0"}, "greater than 0")])
def test_an_exchange_rate_has_a_currency_code_and_is_above_zero(rates, said):
    with pytest.raises(ConfigError, match=said):
        config.load(None, {"company": {"exchange_rates": rates}})


def test_the_address_for_record_links_is_cut_to_the_org_and_anything_else_is_refused():
    given = config.load(None, {"report": {"record_url": "https://Acme.lightning.force.com/lightning/page/home"}})
    assert given.report.record_url == "https://acme.lightning.force.com"
    with pytest.raises(ConfigError, match="https address of your org"):
        config.load(None, {"report": {"record_url": "acme"}})
