"""What a person asks for: the pipeline's flows and its command."""

import logging
import os

# Before Prefect is imported, whichever module is the first. What a person has set stays.
# A first start migrates Prefect's database, which takes longer than its default on small machines.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "300")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "tasks,flows")
os.environ.setdefault("PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW", "ignore")
# The shortest that Prefect takes: a run that was killed is told by its silence.
os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "30")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

# What stages say of themselves belongs to a run's page: by default Prefect hands on warnings alone.
for _logger in map(logging.getLogger, ("flows", "tasks")):
    if _logger.level == logging.NOTSET:
        _logger.setLevel((os.environ.get("PREFECT_LOGGING_LEVEL") or "INFO").upper())
