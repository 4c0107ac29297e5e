"""What a run closes with: where its scores are, and what is next."""

from types import SimpleNamespace
from typing import Any

from flows.links import Links
from flows.summary import NEXT, tell_registration

COMMAND = "mlflow ui --backend-store-uri sqlite:////r/mlflow.db"


def test_what_is_next_is_told_where_no_server_shows_the_run() -> None:
    facts = {
        "name": "burnish", "version": "1", "champion_moved": False,
        "uri": "sqlite:////r/mlflow.db", "reason": "Not the champion: it is slow.",
    }  # fmt: skip
    model: Any = SimpleNamespace(champion="", registration=SimpleNamespace(facts=facts))
    bare = tell_registration(model, Links("", "", "", COMMAND))
    assert f"which `{COMMAND}` shows" in bare
    assert bare.endswith(NEXT)
    served = tell_registration(model, Links("http://p/run", "http://m/run", "http://m/v", ""))
    assert "which are [here](http://m/run)" in served
    assert NEXT not in served
