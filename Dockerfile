# syntax=docker/dockerfile:1
#
# leakwatch as a container: one process, no root, nothing written outside /var/lib/leakwatch and /tmp.
#   docker build -t leakwatch .
#   docker run --rm leakwatch --help
# See compose.yaml for a hardened way to run it.
#
# Not tested anywhere yet: there was no container engine where this was written. The steps inside RUN were tried in a
# plain virtual environment (install, trimming, reading Gmail's discovery document from the trimmed set), the rest of
# this file was not. If a line fails for you, that is a bug: please report it.

ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
RUN python -m venv /opt/leakwatch
COPY requirements-image.lock .
RUN /opt/leakwatch/bin/pip install --no-compile --require-hashes --requirement requirements-image.lock
COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY jobs jobs
COPY salesforce salesforce
COPY src src
RUN /opt/leakwatch/bin/pip install --no-compile --no-deps --no-build-isolation .
# Of 600 discovery documents we use three (-109 MB); the Graph SDK carries an API dump nobody reads (-37 MB).
# All but the Graph SDK is byte-compiled: it would add 200 MB for modules of which a few hundred are ever imported.
RUN set -eu; \
    site=$(/opt/leakwatch/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'); \
    find "$site/googleapiclient/discovery_cache/documents" -name '*.json' \
        ! -name 'gmail.v1.json' ! -name 'calendar.v3.json' ! -name 'admin.directory_v1.json' -delete; \
    find "$site/msgraph" -name 'kiota-dom-export.txt' -delete; \
    /opt/leakwatch/bin/pip uninstall --yes --quiet hatchling pathspec pluggy trove-classifiers; \
    /opt/leakwatch/bin/python -m compileall -q -j 0 -x '/msgraph/' "$site"; \
    /opt/leakwatch/bin/leakwatch --help > /dev/null

FROM python:${PYTHON}-slim-bookworm
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="leakwatch" \
      org.opencontainers.image.description="Finds the money a sales team loses quietly in Salesforce, and tells the person who can mend it." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --gid 10001 leakwatch \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/leakwatch --shell /usr/sbin/nologin leakwatch \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/leakwatch
COPY --from=build /opt/leakwatch /opt/leakwatch
# The state folder is the only place written to, so the root file system may be read-only.
ENV PATH=/opt/leakwatch/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LEAKWATCH_STORE__FOLDER=/var/lib/leakwatch \
    LEAKWATCH_REPORT__FOLDER=/var/lib/leakwatch/reports
USER 10001:10001
WORKDIR /var/lib/leakwatch
VOLUME ["/var/lib/leakwatch"]
STOPSIGNAL SIGTERM
# Healthy = the daemon holds its lock and its heartbeat is fresh. A container that runs one command (audit, report)
# ends before the first check.
HEALTHCHECK --interval=60s --timeout=15s --start-period=60s --retries=3 CMD ["leakwatch", "status", "--probe"]
ENTRYPOINT ["leakwatch"]
CMD ["run"]
