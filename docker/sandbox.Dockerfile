# What code in the sandbox runs on, for LOCUM_SANDBOX_LAUNCHER=docker: Python, the data stack, and nothing of Locum.
#
#   docker build -f docker/sandbox.Dockerfile -t locum-sandbox .
#
# A package index of your own is named by the builder's environment, as for the image of Locum (Dockerfile).

# Any Debian-like image with Python 3.11 or newer and its venv module.
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS build

ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_NO_INDEX
ARG PIP_TRUSTED_HOST
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

RUN python3 -m venv /opt/locum-sandbox
COPY sandbox/constraints.txt /
RUN /opt/locum-sandbox/bin/pip install --no-deps --require-hashes --requirement /constraints.txt
# Fonts of the packages, and matplotlib's list of all, which it would make anew in each session.
COPY sandbox/inside/fonts.py /
RUN /opt/locum-sandbox/bin/python -I /fonts.py


FROM ${BASE_IMAGE}

COPY --from=build /opt/locum-sandbox /opt/locum-sandbox

# Where folders of the host are mounted, and where one in memory is, which takes its mode from this.
RUN mkdir -p /mnt/data /run/kernel /opt/locum && install --directory --mode=1777 /home/sandbox

# The host names user, command and limits of every container.
USER 65534:65534
WORKDIR /mnt/data
CMD ["/opt/locum-sandbox/bin/python"]
