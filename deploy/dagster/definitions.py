"""Many FieldPulse accounts, each a partition of one Dagster asset: docs/operations/many-accounts.md.

The code location needs only the package `dagster`. A run is a process, `fieldpulse meltano run …`, in the folder of a
Meltano project. Neither Dagster nor its runs know an API key: the tap reads it from the account's file.
"""

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import GRPC_INFO_TAG, PARTITION_NAME_TAG

ACCOUNTS = Path(os.environ.get("FIELDPULSE_ACCOUNTS", "accounts.txt"))
"""A line for each account: its name, which is also its schema in the warehouse, and the name of its key file."""
KEYS = Path(os.environ.get("FIELDPULSE_KEYS", "/run/secrets/fieldpulse"))
CRON = os.environ.get("FIELDPULSE_CRON", "0 * * * *")
RETRY_SECONDS = float(os.environ.get("FIELDPULSE_RETRY_SECONDS", "60"))
"""The pause before the first retry. It doubles with each."""
PROJECT = Path(os.environ.get("MELTANO_PROJECT_ROOT", "."))
PIPELINE = ("fieldpulse", "meltano", "run", "tap-fieldpulse", "target-postgres")

JOB = "fieldpulse"
MAX_RETRIES = 3
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
STORES = ("public", "fieldpulse")
"""Schemas that may hold the stores of all accounts; removing an account drops its schema."""
STATUS_TAG = "fieldpulse/exit_status"
QUOTA = 3
FINAL = {
    2: "A person must change settings, key or streams.",
    QUOTA: "The month's requests are used up. The schedule leaves the account out until the next month (UTC).",
    4: "A safety limit stopped the run, or another run uses the store.",
    129: "The run was stopped.",
    130: "The run was stopped.",
    143: "The run was stopped.",
}
"""Exit statuses after which the run is not tried again. After every other failure it is."""

accounts = dg.DynamicPartitionsDefinition(name="fieldpulse_accounts")


@dg.asset(partitions_def=accounts, group_name="fieldpulse")
def fieldpulse_account(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """All lists of one FieldPulse account, in the schema of its name."""
    account = context.partition_key
    problem = _problem(account)
    status = 2 if problem else _run(account)
    context.instance.add_run_tags(context.run_id, {STATUS_TAG: str(status)})
    if status == 0:
        return dg.MaterializeResult()
    if status in FINAL:
        raise _failure(status, problem or FINAL[status])
    if context.retry_number == MAX_RETRIES:
        raise _failure(status, f"{MAX_RETRIES} retries did not help. The next run of the schedule goes on from here.")
    raise dg.RetryRequested(max_retries=MAX_RETRIES, seconds_to_wait=RETRY_SECONDS * 2**context.retry_number)


def _problem(account: str) -> str | None:
    """Return why the account cannot be run at all."""
    if not NAME.fullmatch(account):
        return f"{ACCOUNTS} has a wrong name, {account!r}: small letters, digits and _, at most 63, a letter first."
    if account in STORES:
        return f"{ACCOUNTS} has the name {account!r}. The schema of this name is for the stores: choose another name."
    if not (KEYS / account).is_file():
        return f"The account has no key file: {KEYS / account}"
    return None


def _run(account: str) -> int:
    """Run the pipeline of an account, and return its exit status. What ends this process ends the pipeline."""
    variables = {
        "TAP_FIELDPULSE_API_KEY_FILE": str((KEYS / account).absolute()),
        "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": account,
        # Runs of one extractor share its folder there, with state.json, whatever their state ids are.
        "MELTANO_SYS_DIR_ROOT": str((PROJECT / ".meltano" / "accounts" / account).absolute()),
    }
    process = subprocess.Popen(
        [*PIPELINE, "--state-id-suffix", account], cwd=PROJECT, env=os.environ | variables, stdin=subprocess.DEVNULL
    )
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise


def _failure(status: int, reason: str) -> dg.Failure:
    return dg.Failure(f"Exit status {status}. {reason}", metadata={"exit_status": status}, allow_retries=False)


fieldpulse = dg.define_asset_job(JOB, selection=[fieldpulse_account], partitions_def=accounts)


@dg.schedule(job=fieldpulse, cron_schedule=CRON, default_status=dg.DefaultScheduleStatus.RUNNING)
def every_account(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Run every account of the list whose last run has ended, unless its month's requests are used up."""
    names = _update_partitions(context.instance)
    _fail_lost_runs(context.instance)
    busy = _partitions(_runs(context.instance, statuses=_UNFINISHED))
    without_quota = _without_quota(context.instance)
    for kind, left_out in (("their last run has not ended", busy), ("the month's requests are used up", without_quota)):
        if found := sorted(left_out & set(names)):
            context.log.info("%d left out, %s: %s", len(found), kind, ", ".join(found))
    due = [name for name in names if name not in busy | without_quota]
    if not due:
        yield dg.SkipReason(f"No account is due: {len(busy)} run, {len(without_quota)} wait for the next month.")
    for name in due:
        yield dg.RunRequest(run_key=f"{context.scheduled_execution_time:%FT%RZ} {name}", partition_key=name)


_LAUNCHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_UNFINISHED = [
    status
    for status in dg.DagsterRunStatus
    if status not in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
]


def _update_partitions(instance: dg.DagsterInstance) -> list[str]:
    """Give each line of the list a partition, also a wrong one: its run fails and says why. Return the names."""
    lines = (re.sub(r"\.{3,}|[\0-\x1f]", "?", line.strip()) for line in ACCOUNTS.read_text("utf-8-sig").splitlines())
    names = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    before = set(instance.get_dynamic_partitions("fieldpulse_accounts"))
    instance.add_dynamic_partitions("fieldpulse_accounts", [name for name in names if name not in before])
    for name in before - set(names):
        instance.delete_dynamic_partition("fieldpulse_accounts", name)
    return names


def _fail_lost_runs(instance: dg.DagsterInstance) -> None:
    """Fail runs whose server is gone, as after a restart of the machine.

    A server of Dagster watches the processes of its runs. Nothing watches the server: its runs would go on for ever in
    Dagster's eyes, and their accounts would wait for them.
    """
    for run in _runs(instance, statuses=_LAUNCHED):
        path = json.loads(run.tags.get(GRPC_INFO_TAG, "{}")).get("socket")
        if path and not _is_listening(path):
            instance.report_run_failed(run, "The server that watched this run has ended, and the run with it.")


def _is_listening(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(path) == 0


def _without_quota(instance: dg.DagsterInstance) -> set[str]:
    """Return the accounts whose last run ended for want of requests, in this month (UTC)."""
    month = datetime.now(timezone.utc).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    candidates = _partitions(_runs(instance, tags={STATUS_TAG: str(QUOTA)}, created_after=month))
    return {name for name in candidates if _last_status(instance, name) == str(QUOTA)}


def _last_status(instance: dg.DagsterInstance, name: str) -> str | None:
    runs = _runs(instance, limit=1, tags={PARTITION_NAME_TAG: name})
    return runs[0].tags.get(STATUS_TAG) if runs else None


def _runs(instance: dg.DagsterInstance, limit: int | None = None, **filters: object) -> list[dg.DagsterRun]:
    """Return runs of accounts, the newest first. "Materialize" runs the asset in a job of Dagster's own."""
    runs = instance.get_runs(dg.RunsFilter(**filters), limit=limit)
    return [run for run in runs if run.job_name == JOB or fieldpulse_account.key in (run.asset_selection or ())]


def _partitions(runs: list[dg.DagsterRun]) -> set[str]:
    return {run.tags[PARTITION_NAME_TAG] for run in runs if PARTITION_NAME_TAG in run.tags}


definitions = dg.Definitions(
    assets=[fieldpulse_account], jobs=[fieldpulse], schedules=[every_account], executor=dg.in_process_executor
)
