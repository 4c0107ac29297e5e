"""The command: its help is quick and whole, and every mistake gets a line that says what to do."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flows.command import parse, run
from flows.settings import RetrainConfig


def fails(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command, which must end with status 1, and return the line it ends with."""
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    assert ended.value.code == 1
    return capsys.readouterr().err.rpartition("\nburnish: ")[2]


def test_help_names_every_setting_without_importing_what_is_heavy() -> None:
    code = (
        "import sys\nfrom flows.command import run\n"
        "try: run(['retrain', '--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'mlflow', 'sentence_transformers', 'faiss'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for told in ("--train.learning-rate", "Folder of judged questions", "--mine.max-ratio"):
        assert told in ended.stdout


def test_the_module_tells_as_much_as_the_command() -> None:
    command = [sys.executable, "-m", "flows.retrain", "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Folder of judged questions" in ended.stdout


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--train.lerning-rate=1", "lerning-rate"),
        ("--train.learning-rate=-1", "greater than 0"),
        ("--synthesize.generator=magic", "'structure', 'local' or 'endpoint'"),
    ],
)
def test_a_wrong_option_is_named(
    option: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["retrain", option])
    assert ended.value.code != 0
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sources"),
    [
        (["--sources", "a, b/*.md", "--sources=c"], ("a, b/*.md", "c")),
        (["--sources=x,y"], ("x,y",)),
        (["--sources", '["a","b"]'], ("a", "b")),
        (["--sources", "C:\\docs\\"], ("C:\\docs\\",)),
        (["--sources", "s.parquet#id=key&text=body"], ("s.parquet#id=key&text=body",)),
    ],
)
def test_a_comma_in_a_source_is_part_of_its_name(
    arguments: list[str], sources: tuple[str, ...]
) -> None:
    parsed = parse(["retrain", *arguments])
    assert isinstance(parsed, RetrainConfig)
    assert parsed.sources == sources


def test_none_empties_an_option() -> None:
    parsed = parse(["retrain", "--mine.max-ratio", "none"])
    assert isinstance(parsed, RetrainConfig)
    assert parsed.mine.max_ratio is None


def test_a_missing_folder(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = fails(["retrain", *options, "--sources=/no/such/folder", f"--root={tmp_path}/r"], capsys)
    assert "/no/such/folder" in told


def test_an_empty_folder(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    told = fails(
        ["retrain", *options, f"--sources={tmp_path}/empty", f"--root={tmp_path}/r"], capsys
    )
    assert "empty" in told and "document" in told


def test_a_base_that_is_not_there(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = fails(["retrain", *options, "--base=no-such-model", f"--root={tmp_path}/r"], capsys)
    assert "The base model 'no-such-model' is not there" in told


def test_questions_about_unknown_documents(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "q" / "qrels").mkdir(parents=True)
    (tmp_path / "q" / "queries.jsonl").write_text(json.dumps({"_id": "a", "text": "what is it"}))
    (tmp_path / "q" / "qrels" / "test.tsv").write_text("query\tdoc\tscore\na\tnowhere\t1\n")
    told = fails(["retrain", *options, f"--questions={tmp_path}/q", f"--root={tmp_path}/r"], capsys)
    assert "nowhere" in told or "unknown" in told


def test_an_endpoint_that_is_down(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = fails(
        ["retrain", *options, f"--root={tmp_path}/r", "--synthesize.generator=endpoint",
         "--synthesize.endpoint.base-url=http://127.0.0.1:9/v1", "--synthesize.endpoint.model=m",
         "--synthesize.endpoint.max-retries=0"],
        capsys,
    )  # fmt: skip
    assert "http://127.0.0.1:9/v1" in told


def test_a_root_that_cannot_be_written(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = fails(["retrain", *options, "--root=/proc/burnish"], capsys)
    assert "/proc/burnish" in told and "--root" in told


def test_searching_before_anything_was_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = fails(["search", "what", f"--root={tmp_path}"], capsys)
    assert "Run `burnish retrain` first" in told
