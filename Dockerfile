# One image for every process of the shop: migration job, worker, API and the simulated gateway differ by their command.
#   docker build -t durable-checkout .                                       on the default base
#   docker build --build-arg PYTHON_IMAGE=registry.example/python:3.12 .     on another (Python 3.11 or newer)
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/checkout
ENV PATH=/opt/checkout/bin:$PATH
WORKDIR /build
# Dependencies first, in a layer of their own: a change of the code does not install them again. The lock serves as
# constraints, so that the run-time dependencies come at their pins and the extras (dev servers, tests) stay out.
COPY pyproject.toml requirements.lock deploy/dependencies.py ./
RUN python3 dependencies.py pyproject.toml > dependencies.txt \
 && pip install --only-binary :all: --constraint requirements.lock --requirement dependencies.txt
COPY README.md LICENSE ./
COPY src src
RUN pip install --no-deps . && python3 -m compileall -q /opt/checkout/lib

FROM ${PYTHON_IMAGE}
# A number that no user of the host is likely to have; nothing in the image belongs to it, so that it can change nothing.
RUN groupadd --gid 10001 checkout && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin checkout
COPY --from=build /opt/checkout /opt/checkout
COPY deploy/answers.py /opt/checkout/
ENV PATH=/opt/checkout/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CHECKOUT_HOST=0.0.0.0
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000 8001
STOPSIGNAL SIGTERM
ENTRYPOINT ["checkout"]
CMD ["--help"]
