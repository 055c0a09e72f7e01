# docs/operations/on-a-server.md says how to run it. The last stage adds Meltano and a loader for PostgreSQL; for another
# runner: docker build --target plugins .
FROM python:3.13-slim-bookworm AS build-plugins
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY fieldpulse_api fieldpulse_api
COPY fieldpulse_cli fieldpulse_cli
COPY fieldpulse_plugin fieldpulse_plugin
COPY fieldpulse_sandbox fieldpulse_sandbox
COPY tap_fieldpulse tap_fieldpulse
COPY target_fieldpulse target_fieldpulse
RUN python -m venv /opt/fieldpulse \
    && /opt/fieldpulse/bin/pip install --no-cache-dir '.[postgres,redis,report,webhooks]'

FROM python:3.13-slim-bookworm AS build-meltano
# The versions with which the tests of this project have loaded every stream (docs/operations/works-with.md).
RUN python -m venv /opt/meltano \
    && /opt/meltano/bin/pip install --no-cache-dir 'meltano[postgres,s3]==4.4.1' \
    && python -m venv /opt/target-postgres \
    && /opt/target-postgres/bin/pip install --no-cache-dir meltanolabs-target-postgres==0.8.1 singer-sdk==0.54.9

FROM python:3.13-slim-bookworm AS plugins
# tini is process 1: it passes a signal on to every process of a run at once, and collects those that ended.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /project fieldpulse
COPY --from=build-plugins /opt/fieldpulse /opt/fieldpulse
ENV PATH=/opt/fieldpulse/bin:$PATH
USER 10001
WORKDIR /project
RUN mkdir --mode=700 output
ENTRYPOINT ["tini", "-g", "--"]
CMD ["fieldpulse", "status"]

FROM plugins AS meltano
COPY --from=build-meltano /opt/meltano /opt/meltano
COPY --from=build-meltano /opt/target-postgres /opt/target-postgres
COPY --chown=10001 deploy/meltano.yml meltano.yml
COPY --chown=10001 plugins/fieldpulse.meltano.yml plugins/
# The plugins are installed already: without `pip_url`, Meltano takes them from PATH.
RUN sed -i '/^ *pip_url:/d' plugins/fieldpulse.meltano.yml
# Meltano's logs are beside all else that it writes: the rest of the file system may be read-only.
ENV PATH=/opt/meltano/bin:/opt/target-postgres/bin:$PATH \
    MELTANO_SEND_ANONYMOUS_USAGE_STATS=false \
    MELTANO_CLI_DISABLE_VERSION_CHECK=true \
    XDG_STATE_HOME=/project/.meltano
CMD ["fieldpulse", "meltano", "run", "tap-fieldpulse", "target-postgres"]
