"""Who may reach the servers: nobody else without a password, and the password stays hidden."""

from pathlib import Path

import pytest

from deployments.access import (
    find_login,
    keep_key,
    protect_mlflow,
    protect_prefect,
    require_login_beyond_loopback,
)
from tasks.contracts import BurnishError

GIVEN = {"PREFECT_SERVER_API_AUTH_STRING": "ann:correct horse: battery"}


def test_a_login_is_read_from_the_environment() -> None:
    assert find_login({}, is_wanted=False) is None
    assert find_login(GIVEN, is_wanted=False) == ("ann", "correct horse: battery")


@pytest.mark.parametrize("given", ["", "ann", "ann:", "ann:short", ":correct horse battery"])
def test_a_login_without_a_name_or_a_long_password_is_refused(given: str) -> None:
    with pytest.raises(BurnishError, match="NAME:PASSWORD") as refused:
        find_login({"PREFECT_SERVER_API_AUTH_STRING": given}, is_wanted=True)
    assert "short" not in str(refused.value)


def test_no_other_machine_is_let_in_without_a_password() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "box.example.org"):
        with pytest.raises(BurnishError, match="--auth"):
            require_login_beyond_loopback(host, None)
        require_login_beyond_loopback(host, find_login(GIVEN, is_wanted=True))
    for host in ("127.0.0.1", "::1", "localhost"):
        require_login_beyond_loopback(host, None)


def test_what_mlflow_reads_from_a_file_holds_no_password(tmp_path: Path) -> None:
    login = find_login(GIVEN, is_wanted=True)
    variables = protect_mlflow(login, tmp_path, ["mlflow.example.org:*"])
    assert "horse" not in "".join(file.read_text() for file in tmp_path.iterdir())
    assert variables["MLFLOW_AUTH_ADMIN_PASSWORD"] == "correct horse: battery"
    assert variables["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")[0] == "mlflow.example.org:*"
    assert "127.0.0.1:*" in variables["MLFLOW_SERVER_ALLOWED_HOSTS"]  # our own workers
    assert protect_mlflow(None, tmp_path, []) == {}


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    key = keep_key(tmp_path / "key")
    assert keep_key(tmp_path / "key") == key
    assert len(key) == 64
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_pages_of_other_websites_get_no_answer_from_prefect() -> None:
    told = protect_prefect(None, "http://127.0.0.1:4200")
    assert told == {
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "http://127.0.0.1:4200,http://localhost:4200"
    }
