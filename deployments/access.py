"""Who may reach the servers: addresses, passwords, allowed hosts; secrets from the environment."""

import contextlib
import ipaddress
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tasks.contracts import BurnishError

PASSWORD_CHARACTERS = 12  # fewer MLflow refuses
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
GIVEN = ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING")


class Login(NamedTuple):
    """The name and the password of the one who may do everything."""

    name: str
    password: str


def find_login(environment: Mapping[str, str], *, is_wanted: bool) -> Login | None:
    """Return who may log in, as the environment says; none if anybody may.

    Args:
        environment: Where the password is; never on a command line, which others can read.
        is_wanted: Without a password it is an error.

    Raises:
        BurnishError: there is none, or it is too short.
    """
    given = environment.get(GIVEN[0], "")
    if not given and not is_wanted:
        return None
    name, _, password = given.partition(":")
    if not name or len(password) < PASSWORD_CHARACTERS:
        raise BurnishError(
            f"A login needs a name and a password of {PASSWORD_CHARACTERS} characters or more. Set "
            f"{GIVEN[0]}=NAME:PASSWORD in the environment; Prefect and MLflow both take it."
        )
    return Login(name, password)


def require_login_beyond_loopback(host: str, login: Login | None) -> None:
    """Refuse to let other machines in without a password.

    Raises:
        BurnishError: there is none.
    """
    if login is None and not is_loopback(host):
        raise BurnishError(
            f"--host {host} lets other machines in, who could then start runs and change models "
            f"without a password. Give --auth and set {GIVEN[0]}=NAME:PASSWORD in the environment, "
            "or keep --host 127.0.0.1."
        )


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine alone.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("box")
    (True, True, False, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def name_address(host: str, port: int) -> str:
    """Return the address of a server as it is reached from this machine.

    >>> name_address("0.0.0.0", 4200), name_address("::1", 5001)
    ('http://127.0.0.1:4200', 'http://[::1]:5001')
    """
    host = EVERYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def protect_prefect(login: Login | None, address: str) -> dict[str, str]:
    """Return what Prefect's server and its clients read of who may reach it.

    By default Prefect's server answers pages of any website that a browser shows; here its own.
    """
    own = ",".join({address: 0, address.replace("127.0.0.1", "localhost"): 0})
    variables = {"PREFECT_SERVER_CORS_ALLOWED_ORIGINS": own}
    if login is not None:
        told = f"{login.name}:{login.password}"
        variables |= dict.fromkeys(GIVEN, told)
    return variables


def protect_mlflow(login: Login | None, folder: Path, hosts: Sequence[str]) -> dict[str, str]:
    """Return what MLflow's server and its clients read of who may reach it, and by what name.

    Args:
        login: Who may do everything; none if anybody may.
        folder: Where MLflow's users and the key of its sessions are kept.
        hosts: Names that clients call the server by; none for MLflow's own rule, which is
            localhost and private addresses.
    """
    variables = {}
    if hosts:
        known = [*hosts, "localhost:*", "127.0.0.1:*"]
        variables["MLFLOW_SERVER_ALLOWED_HOSTS"] = ",".join(dict.fromkeys(known))
    if login is None:
        return variables
    file = folder / "mlflow-auth.ini"
    users = str(folder / "mlflow-users.db").replace("%", "%%")
    file.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{users}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    return variables | {
        "MLFLOW_AUTH_CONFIG_PATH": str(file),
        "MLFLOW_AUTH_ADMIN_USERNAME": login.name,
        "MLFLOW_AUTH_ADMIN_PASSWORD": login.password,
        "MLFLOW_TRACKING_USERNAME": login.name,
        "MLFLOW_TRACKING_PASSWORD": login.password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": keep_key(folder / "mlflow-key"),
    }


def keep_key(file: Path) -> str:
    """Return the key in a file that its owner alone can read, made if it is not there."""
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_hex(32))
    return file.read_text()
