"""A wrong setting is one line that names the variable and says what is allowed."""

from pathlib import Path

import pytest

from checkout.runtime.settings import SettingsError, load_settings, unknown_variables


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("CHECKOUT_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("HTTP_PORT", "eighty", "'eighty', needed: a port number, 1 to 65535"),
        ("HTTP_PORT", "70000", "'70000', needed: a port number, 1 to 65535"),
        ("TEMPORAL_PORT", "0", "'0', needed: a port number"),
        ("TTL_MINUTES", "-1", "'-1', needed: minutes, more than 0"),
        ("MAX_TTL_MINUTES", "1441", "at most 1440"),
        ("PRICE_DRIFT_TOLERANCE", "0.5", "a whole number from 0"),
        ("PAYMENT_GATEWAY", "paypal", "needed: simulated or stripe"),
        ("STRIPE_SECRET_KEY", "pk_test_123", "sk_test_…, sk_live_…, or a restricted rk_…"),
        ("STRIPE_SECRET_KEY", "whsec_123", "sk_test_…, sk_live_…, or a restricted rk_…"),
        ("STRIPE_SECRET_KEY", "sk_test_", "sk_test_…, sk_live_…, or a restricted rk_…"),
        ("STRIPE_PUBLISHABLE_KEY", "sk_test_123", "pk_test_… or pk_live_…"),
        ("STRIPE_WEBHOOK_SECRET", "sk_test_123", "whsec_…"),
        ("STRIPE_API_BASE", "api.stripe.com", "an https URL; with a test key also http"),
        ("PAYMENT_AUTH_TIMEOUT", "0", "whole seconds, 1 to 86400"),
        ("CORS_ORIGINS", "https://shop.example,shop.example", "origins such as https://shop.example"),
        ("CORS_ORIGINS", "https://shop.example/path", "origins such as https://shop.example"),
        ("GATEWAY_URL", "localhost:8001", "an http or https URL"),
        ("GATEWAY_URL", "http://", "an http or https URL"),
        ("GATEWAY_URL", "http://gate way:8001", "an http or https URL"),
        ("GATEWAY_URL", "http://gateway:80010", "an http or https URL"),
        ("TEMPORAL_ADDRESS", "localhost", "host:port"),
        ("TEMPORAL_ADDRESS", "localhost:0", "host:port"),
        ("TEMPORAL_ADDRESS", "localhost:72330", "host:port"),
        ("TEMPORAL_ADDRESS", "http://localhost:7233", "host:port"),
        ("HOST", "http://127.0.0.1", "an IP address or a host name"),
        ("HOST", "127.0.0.1:8000", "an IP address or a host name"),
        ("HOST", f"{'x' * 64}.example", "an IP address or a host name"),
        ("DATA_DIR", "", "'', needed: a directory"),
        ("MAIL_TEMPLATES", "", "'', needed: a directory that exists"),
        ("MAIL_TEMPLATES", "x" * 5000, f"'{'x' * 100}…', needed: a directory that exists"),
        ("TEMPORAL_TLS", "perhaps", "true or false"),
        ("TEMPORAL_TLS_CA", "/does/not/exist.pem", "a file that exists"),
        ("TEMPORAL_TLS_CA", "x" * 5000, "a file that exists"),
        ("TEMPORAL_NAMESPACE", "", "a text that is not empty"),
        ("RATE_LIMIT", "5", "'5', needed: a number, 1 to 1000, then /second, /minute, /hour or /day"),
        ("RATE_LIMIT", "0/minute", "a number, 1 to 1000"),
        ("RATE_LIMIT_ADDRESS", "1001/minute", "a number, 1 to 1000"),
        ("RATE_LIMIT_START", "5/fortnight", "such as 5/minute; or off"),
        ("RATE_LIMIT_PAYMENT", "", "such as 5/minute; or off"),
        ("MAX_RUNNING_CHECKOUTS", "0", "a number, 1 to 100000, or off"),
        ("MAX_RUNNING_CHECKOUTS_ADDRESS", "many", "a number, 1 to 100000, or off"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "networks such as 10.0.0.0/8, or addresses"),
        ("TRUSTED_PROXIES", "10.0.0.1,proxy", "networks such as 10.0.0.0/8, or addresses"),
        ("STARTS_AT_ONCE", "0", "'0', needed: a number, 1 to 1000"),
        ("LOG_LEVEL", "loud", "debug, info, warning or error"),
    ],
)
def test_a_wrong_value_is_one_line(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str) -> None:
    monkeypatch.setenv(f"CHECKOUT_{variable}", value)

    with pytest.raises(SettingsError) as error:
        load_settings()

    assert len(error.value.lines) == 1
    assert str(error.value).startswith(f"CHECKOUT_{variable} is ")
    assert says in str(error.value)


def test_each_wrong_value_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKOUT_HTTP_PORT", "x")
    monkeypatch.setenv("CHECKOUT_GATEWAY_PORT", "y")

    with pytest.raises(SettingsError) as error:
        load_settings()

    assert [line.split(" ")[0] for line in error.value.lines] == ["CHECKOUT_HTTP_PORT", "CHECKOUT_GATEWAY_PORT"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SECRET_KEY", "hunter2"),
        ("ADMIN_TOKEN", "hunter2"),
        ("DATABASE_URL", "mysql://shop:hunter2@db/shop"),
        ("DATABASE_URL", "postgresql://shop:hunter2@[db/shop"),
        ("DATABASE_URL", "postgresql://shop:hunter2@db/shop?sslmod=require"),
        ("REDIS_URL", "http://:hunter2@cache"),
        ("REDIS_URL", "redis://:hunter2@cache:port"),
        ("REDIS_URL", "redis://:hunter2@cache/first"),
    ],
)
def test_a_wrong_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(f"CHECKOUT_{variable}", value)

    with pytest.raises(SettingsError, match=f"CHECKOUT_{variable} is wrong") as error:
        load_settings()

    assert "hunter2" not in str(error.value)


def test_secrets_are_not_shown_by_repr() -> None:
    settings = load_settings(secret_key="k" * 40, admin_token="t" * 40)

    assert "kkkk" not in repr(settings)
    assert "tttt" not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HOST", "0.0.0.0"),
        ("HOST", "::1"),
        ("HOST", "shop-1.internal"),
        ("TEMPORAL_ADDRESS", "[::1]:7233"),
        ("TEMPORAL_ADDRESS", "temporal:7233"),
        ("TEMPORAL_ADDRESS", "shop.a1b2c.tmprl.cloud:7233"),
        ("GATEWAY_URL", "http://[::1]:8001/base"),
        ("RETURN_URL", "https://shop.example/done?checkout={checkout_id}"),
        ("DATABASE_URL", "postgresql:///shop?host=/run/postgresql"),
        ("DATABASE_URL", "postgres://shop:p%40ss@db-1,db-2/shop?target_session_attrs=read-write"),
    ],
)
def test_addresses_that_are_right(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(f"CHECKOUT_{variable}", value)

    assert getattr(load_settings(), variable.lower()) == value


def test_there_is_no_default_secret() -> None:
    with pytest.raises(SettingsError) as error:
        load_settings().require("secret_key", "admin_token", "gateway_api_key", "gateway_webhook_secret")

    assert [line.split(" ")[0] for line in error.value.lines] == [
        "CHECKOUT_SECRET_KEY",
        "CHECKOUT_ADMIN_TOKEN",
        "CHECKOUT_GATEWAY_API_KEY",
        "CHECKOUT_GATEWAY_WEBHOOK_SECRET",
    ]


def test_a_missing_database_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="CHECKOUT_DATABASE_URL is not set"):
        load_settings(data_dir=tmp_path).require_database_url()


def test_settings_that_contradict_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKOUT_TTL_MINUTES", "20")
    monkeypatch.setenv("CHECKOUT_MAX_TTL_MINUTES", "10")

    with pytest.raises(SettingsError) as error:
        load_settings()

    assert error.value.lines == ("CHECKOUT_TTL_MINUTES is 20, more than CHECKOUT_MAX_TTL_MINUTES, 10",)


def test_a_client_certificate_needs_its_key(tmp_path: Path) -> None:
    certificate = tmp_path / "client.pem"
    certificate.write_text("-----BEGIN CERTIFICATE-----")

    with pytest.raises(SettingsError, match="CHECKOUT_TEMPORAL_TLS_CERT and CHECKOUT_TEMPORAL_TLS_KEY need each other"):
        load_settings(temporal_tls_cert=certificate)


def test_minutes_are_offered_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKOUT_TTL_MINUTES", "0.5")

    settings = load_settings()

    assert (settings.ttl, settings.max_ttl) == (30, 3600)


def test_origins_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKOUT_CORS_ORIGINS", " https://a.example/ , http://localhost:3000,")

    assert load_settings().cors_origins == ("https://a.example", "http://localhost:3000")


def test_a_misspelt_variable_is_told_the_right_name() -> None:
    assert unknown_variables({"CHECKOUT_HTTPPORT": "1", "CHECKOUT_HTTP_PORT": "2", "HOME": "/"}) == [
        "CHECKOUT_HTTPPORT is not a setting; CHECKOUT_HTTP_PORT is"
    ]


@pytest.mark.parametrize(
    ("secret", "other", "value", "says"),
    [
        (
            "sk_live_1",
            "STRIPE_PUBLISHABLE_KEY",
            "pk_test_1",
            "is of live mode and CHECKOUT_STRIPE_PUBLISHABLE_KEY",
        ),
        (
            "rk_test_1",
            "STRIPE_PUBLISHABLE_KEY",
            "pk_live_1",
            "is of test mode and CHECKOUT_STRIPE_PUBLISHABLE_KEY",
        ),
        (
            "sk_live_1",
            "STRIPE_API_BASE",
            "http://127.0.0.1:8420",
            "is of live mode and CHECKOUT_STRIPE_API_BASE is not https",
        ),
    ],
)
def test_test_and_live_do_not_mix(
    monkeypatch: pytest.MonkeyPatch, secret: str, other: str, value: str, says: str
) -> None:
    monkeypatch.setenv("CHECKOUT_STRIPE_SECRET_KEY", secret)
    monkeypatch.setenv(f"CHECKOUT_{other}", value)

    with pytest.raises(SettingsError) as error:
        load_settings()

    assert len(error.value.lines) == 1
    assert str(error.value).startswith("CHECKOUT_STRIPE_SECRET_KEY ")
    assert says in str(error.value)
    assert secret not in str(error.value)


def test_keys_of_one_mode_are_taken_and_not_shown() -> None:
    settings = load_settings(stripe_secret_key="sk_live_abc", stripe_publishable_key="pk_live_abc")

    assert settings.secret("stripe_secret_key") == "sk_live_abc"
    assert "sk_live_abc" not in repr(settings)
