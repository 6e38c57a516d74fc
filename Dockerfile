# One image for the API, the workers, the sandbox host, the small embedding model, the migrations and the `locum` command.
#
#   docker build -t locum .
#
# A package index of your own is named by the builder's environment, as pip reads it:
#
#   docker build --build-arg PIP_INDEX_URL --build-arg PIP_EXTRA_INDEX_URL -t locum .
#
# Those arguments belong to the first stage. The image knows nothing of them.

# Any Debian-like image with Python 3.11 or newer and its venv module.
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS build

ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_NO_INDEX
ARG PIP_TRUSTED_HOST
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

# pip stays here, and what builds the package: the environment that is handed on has only what Locum runs on.
COPY docker/requirements.txt docker/build-requirements.txt /pins/
RUN python3 -m venv /pip && python3 -m venv --without-pip /opt/locum \
 && /pip/bin/pip install --no-deps --require-hashes --requirement /pins/build-requirements.txt

# The dependencies are a layer of their own: a change of Locum's code does not install them again.
RUN /pip/bin/pip --python /opt/locum/bin/python install --no-deps --require-hashes --requirement /pins/requirements.txt

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY workers workers
COPY sandbox sandbox
COPY migrations migrations
RUN /pip/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /pip/bin/pip --python /opt/locum/bin/python install --no-deps --no-index /wheels/*.whl \
 && /pip/bin/pip --python /opt/locum/bin/python check
COPY scripts/healthcheck.py /opt/locum/


FROM ${BASE_IMAGE}

# The number is fixed, so that the owner of a mounted folder can be named.
RUN groupadd --system --gid 10001 locum \
 && useradd --system --uid 10001 --gid locum --home-dir /var/lib/locum --no-create-home --shell /usr/sbin/nologin locum \
 && install --directory --owner=locum --group=locum --mode=0750 /var/lib/locum

COPY --from=build /opt/locum /opt/locum

ENV PATH=/opt/locum/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LOCUM_HOST=0.0.0.0 \
    LOCUM_PORT=8080 \
    LOCUM_DATA_DIR=/var/lib/locum \
    LOCUM_LOG_FORMAT=json

USER 10001:10001
WORKDIR /var/lib/locum
EXPOSE 8080

# Of the API. The others are asked for by `healthcheck.py worker` and so on (docker-compose.yml).
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["python", "/opt/locum/healthcheck.py", "api"]

ENTRYPOINT ["locum"]
CMD ["api"]
