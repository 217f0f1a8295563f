# The image in which models run: Python 3.9, Torch 1.9.0, audacitorch; for x86-64 and arm64. docs/action.md tells its use.
#
#   docker build -t audacitorch .                          with PyTorch's smaller build for the CPU
#   docker build -t audacitorch --build-arg TORCH=pypi .   with the package index's build, which has CUDA
#
# Needs BuildKit. What changes rarely comes first: after a change of code, seconds of work are left.

ARG BASE=python:3.9-slim-bookworm

# The package as a wheel, in a stage that the image does not keep.
FROM ${BASE} AS wheel
WORKDIR /source
RUN --mount=type=bind,source=requirements/build.txt,target=/requirements/build.txt \
    pip install --no-cache-dir --require-hashes -r /requirements/build.txt
COPY pyproject.toml ./
COPY audacitorch audacitorch
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

# Torch with its arithmetic, without what only building on it, its tests, a GPU or a debugger would use. PyTorch's own
# wheel page has a smaller build for x86-64; the package index's build for arm64 is small itself.
FROM ${BASE} AS torch
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
RUN python -m venv --without-pip /torch
WORKDIR /torch/lib/python3.9/site-packages
ARG TORCH=cpu
RUN --mount=type=bind,source=requirements/torch.txt,target=/requirements/torch.txt \
    --mount=type=bind,source=requirements/torch-cpu.txt,target=/requirements/torch-cpu.txt \
    case $TORCH-$(uname -m) in \
      cpu-x86_64) pip --python /torch install --no-cache-dir --no-deps --no-index -r /requirements/torch-cpu.txt \
             --find-links https://download.pytorch.org/whl/cpu/torch_stable.html ;; \
      cpu-aarch64 | pypi-*) ;; \
      *) echo "TORCH is cpu or pypi, not $TORCH" >&2; exit 1 ;; \
    esac \
    && pip --python /torch install --no-cache-dir --require-hashes -r /requirements/torch.txt \
    && rm -rf caffe2 torch/include torch/share torch/test torch/bin/protoc* torch/bin/test_* \
         torch/lib/libcaffe2_* torch/lib/libnvrtc* \
    && find torch numpy \( -name tests -type d -o -name '*.a' -o -name '*.pxd' -o -name '*.pyi' \) -prune -exec rm -rf {} + \
    && find torch/lib -name 'lib*.so' -exec strip --strip-unneeded {} + \
    && /torch/bin/python -c 'import torch'

FROM ${BASE}
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /usr/local/lib/python3.9/site-packages
COPY --from=torch /torch/lib/python3.9/site-packages ./

# What the check needs beside Torch.
RUN --mount=type=bind,source=requirements/check.txt,target=/requirements/check.txt \
    pip install --no-cache-dir --require-hashes -r /requirements/check.txt \
    && find . -name tests -type d ! -path './pip/*' ! -path './setuptools/*' ! -path './pkg_resources/*' \
         -prune -exec rm -rf {} +

RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-deps --no-index /wheels/*.whl \
    && pip check

# Reports tell by this that a container was around the model; what it forbade is measured.
ENV AUDACITORCH_CONTAINER=1 \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /model
USER 10001:10001
ENTRYPOINT ["audacitorch"]
CMD ["--help"]

ARG VERSION=1.0.0
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="audacitorch" \
      org.opencontainers.image.description="Checks PyTorch audio models for Audacity, under Torch 1.9.0" \
      org.opencontainers.image.url="https://github.com/audacitorch/action" \
      org.opencontainers.image.documentation="https://github.com/audacitorch/action/blob/main/docs/action.md" \
      org.opencontainers.image.source="https://github.com/audacitorch/action" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/library/python:3.9-slim-bookworm"
