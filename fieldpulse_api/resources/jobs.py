"""Jobs and projects, with their statuses, subtasks, comments and timesheets."""

from __future__ import annotations

from .model import LIST_ONLY, Evidence, Filter, Resource, WritableResource
from .shorthand import (
    ASSIGNMENTS,
    PURCHASE_ORDER_TYPE,
    STATUS_EVENTS,
    derived_from,
    fields_of,
    row_of,
    tags_by_title,
    time_range,
    user_by_email,
)
from .write_model import CodeLabels, Field, FieldType, ParentLookup, Reference, WriteSpec

# 1, 4 and 6 are verified, the others documented or inferred (API facts 4.4).
JOB_STATUS_LABELS = CodeLabels(
    "status",
    ((1, "New"), (2, "In Progress"), (3, "Pending"), (4, "Completed"), (5, "Canceled"), (6, "On The Way")),
)
_WORKFLOW = ParentLookup(
    field="status_workflow_id",
    stream="job_status_workflows",
    ids_column="status_ids",
    preferred_column="is_default",
    name_column="name",
)
# The documented values of the list's filter; `subtasks` is a plural there.
_COMMENTABLE = {
    "customer": "customer",
    "job": "job",
    "project": "project",
    "subtask": "subtasks",
    "invoice": "invoice",
    "purchase_order": PURCHASE_ORDER_TYPE,
}


JOBS = WritableResource(
    name="jobs",
    path="/jobs",
    item_path="/jobs/{id}",
    title="Jobs (visits, work orders)",
    sort_by=("created_at", "updated_at"),
    supports_count=False,
    custom_field_object="job",
    with_custom_fields_params=(("with_custom_fields", "true"),),
    code_labels=(JOB_STATUS_LABELS,),
    filters=(
        Filter(name="status", columns=("status",), query_param="filter"),
        Filter(
            name="status",
            columns=("status_id",),
            stream="job_statuses",
            name_columns=("name",),
            query_param="status_id",
        ),
        Filter(
            name="assignee",
            columns=("assignments.user_id",),
            stream="users",
            name_columns=("email", "first_name last_name"),
            query_param="asn[0][assigned_members]",
        ),
        Filter(
            name="team",
            columns=("assignments.team_id",),
            stream="teams",
            name_columns=("title",),
            query_param="asn[0][team_id]",
        ),
        *time_range("scheduled", "start_time"),
        *time_range("created", "created_at", query_params=("created_from", "created_to")),
    ),
    derived_columns=(*derived_from("status_id", "status"), *derived_from("assignments", "assignment_count")),
    webhook_events=(*STATUS_EVENTS, "Start Time Update", "End Time Update"),
    evidence=Evidence.VERIFIED,
    source="complete list rows from 2024 and 2026",
    write_spec=WriteSpec(
        fields=(
            *fields_of(FieldType.TEXT, "job_type subtitle", 150),
            *fields_of(FieldType.INTEGER, "customer_id billing status_id status_workflow_id"),
            Field(
                "status",
                FieldType.INTEGER,
                allowed_values=tuple(JOB_STATUS_LABELS.by_code),
                code_labels=JOB_STATUS_LABELS,
            ),
            *fields_of(FieldType.TIME, "start_time end_time due_date"),
            *fields_of(FieldType.TIME, "customer_arrival_window_start_time customer_arrival_window_end_time"),
            *fields_of(FieldType.INTEGER, "location_id customer_contact_id project_id"),
            Field("notes", max_length=20000),
            Field("field_notes"),
            *fields_of(FieldType.JSON, "tags assignments customfields"),
        ),
        references=(
            row_of("customer"),
            row_of("location"),
            row_of("customer_contact"),
            row_of("project"),
            Reference(
                field="status_id",
                stream="job_statuses",
                name_property="job_status",
                column="name",
                code_labels=JOB_STATUS_LABELS,
                parent=_WORKFLOW,
            ),
            *ASSIGNMENTS,
            tags_by_title("job"),
        ),
        required=("customer_id", "job_type", "billing"),
        always_resend=("customer_id", "job_type", "billing"),
        defaults=(("billing", 1),),  # 1 in all live rows (verified); its meaning is unknown
        fingerprint_fields=("customer_id", "job_type", "subtitle"),
    ),
)

JOB_STATUS_WORKFLOWS = Resource(
    name="job_status_workflows",
    path="/jobs/status-workflows",
    title="Workflows of job statuses, with their statuses",
    operations=LIST_ONLY,
    supports_page=False,
    updated_column=None,
    evidence=Evidence.VERIFIED,
    source="a response from 2024",
    has_office_names=True,
)

JOB_STATUSES = Resource(
    name="job_statuses",
    path="/jobs/status-workflow-statuses",
    title="Job statuses that the account defined; jobs.status_id refers to them",
    operations=LIST_ONLY,
    supports_page=False,
    updated_column=None,
    evidence=Evidence.VERIFIED,
    source="a response from 2024",
    has_office_names=True,
)

SUBTASKS = WritableResource(
    name="subtasks",
    path="/subtasks",
    item_path="/subtasks/{id}",
    title="Subtasks of jobs, projects and customers",
    sort_by=("due_date", "status", "title"),
    evidence=Evidence.INFERRED,
    source="the documented write body; no response was ever published",
    write_spec=WriteSpec(
        fields=(
            *fields_of(FieldType.TEXT, "title description"),
            Field("status", FieldType.INTEGER),
            Field("due_date", FieldType.TIME),
            *fields_of(FieldType.INTEGER, "customer_id job_id project_id recurring_job_id"),
            *fields_of(FieldType.BOOLEAN, "is_template is_required_for_job"),
            Field("assignments", FieldType.JSON),
        ),
        references=(
            row_of("customer"),
            row_of("job"),
            row_of("project"),
            Reference(field="recurring_job_id", stream="jobs", external_id_property="recurring_job_external_id"),
            *ASSIGNMENTS,
        ),
        required=("title",),
        fingerprint_fields=("title", "customer_id", "job_id", "project_id", "due_date"),
    ),
)

PROJECTS = WritableResource(
    name="projects",
    path="/projects",
    item_path="/projects/{id}",
    title="Projects: several jobs for one customer",
    sort_by=("cuid", "name", "status_id", "completion_percentage"),
    custom_field_object="project",
    evidence=Evidence.INFERRED,
    source="the documented write body; no response was ever published",
    write_spec=WriteSpec(
        fields=(
            *fields_of(FieldType.INTEGER, "customer_id status status_id status_workflow_id location_id"),
            *fields_of(FieldType.TEXT, "name description location notes job_notes"),
            *fields_of(FieldType.TIME, "start_time end_time"),
            Field("completion_percentage", FieldType.DECIMAL),
            # Inferred from other entities: the documented body of projects lacks these.
            *fields_of(FieldType.JSON, "assignments tags customfields"),
        ),
        references=(row_of("customer"), row_of("location"), *ASSIGNMENTS, tags_by_title()),
        required=("name",),
        fingerprint_fields=("name", "customer_id"),
    ),
)

COMMENTS = WritableResource(
    name="comments",
    path="/comments",
    item_path="/comments/{id}",
    title="Comments on jobs, customers, projects, subtasks, invoices and purchase orders",
    evidence=Evidence.VERIFIED,
    source="11 live rows from 2026",
    write_spec=WriteSpec(
        fields=(
            Field("text"),
            Field("commentable_id", FieldType.INTEGER),
            Field("commentable_type", FieldType.OBJECT_TYPE, object_types=tuple(_COMMENTABLE.values())),
        ),
        references=tuple(row_of(kind, "commentable_id", commentable_type=name) for kind, name in _COMMENTABLE.items()),
        required=("text", "commentable_id", "commentable_type"),
        fingerprint_fields=("text", "commentable_id", "commentable_type"),
    ),
)

TIMESHEETS = WritableResource(
    name="timesheets",
    path="/timesheets",
    item_path="/timesheets/{id}",
    title="Clock-in and clock-out entries",
    supports_page=False,
    evidence=Evidence.INFERRED,
    source="the documented write body; no response was ever published",
    write_spec=WriteSpec(
        fields=(
            Field("user_id", FieldType.INTEGER),
            *fields_of(FieldType.TEXT, "clock_in_title clock_out_title", 255),
            *fields_of(FieldType.TEXT, "clock_in_method clock_out_method"),
            *fields_of(FieldType.TEXT_TIME, "clock_in_time clock_out_time"),
            *fields_of(FieldType.TEXT, "clock_in_notes clock_out_notes clock_in_location clock_out_location"),
            *fields_of(FieldType.INTEGER, "job_id subtask_id"),
            Field("type"),
            Field("is_historical", FieldType.BOOLEAN),
        ),
        references=(user_by_email("user_id", "user_email"), row_of("job"), row_of("subtask")),
        required=("user_id", "clock_in_title", "clock_in_time"),
        defaults=(("clock_in_method", "manual"),),  # required, `automatic` or `manual` (API facts 4.8)
        fingerprint_fields=("user_id", "clock_in_time", "job_id", "subtask_id"),
    ),
)
