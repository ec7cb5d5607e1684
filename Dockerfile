# The service in a container: not root, and nothing is written but what lies under /tmp.
#
# CUDA or CPU: on Linux pip picks PyTorch's CUDA build, which also runs without a GPU but makes the
# image several gigabytes larger. For a CPU-only image give the address of PyTorch's own CPU wheel
# index (pytorch.org, "Get started", names it):
#   docker build --build-arg TORCH_INDEX_URL=... .
FROM python:3.12-slim

ARG TORCH_INDEX_URL=""
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

WORKDIR /app
# First and alone, so that a change of code does not install everything again. Every package is
# held to the hash of the lock file, but for PyTorch's CPU wheels: their index serves PyTorch and
# nothing else, and is asked for these two alone, so that it can replace no other package.
COPY requirements.txt requirements.lock ./
RUN if [ -n "$TORCH_INDEX_URL" ]; then \
      grep -E '^torch(vision)?==' requirements.txt > /tmp/torch.txt \
      && pip install --no-deps --index-url "$TORCH_INDEX_URL" -r /tmp/torch.txt \
      && awk '/==/ {skip = /^(torch|torchvision|triton|nvidia-|cuda-)/} !skip' requirements.lock > /tmp/rest.lock; \
    else \
      cp requirements.lock /tmp/rest.lock; \
    fi \
    && pip install --require-hashes -r /tmp/rest.lock \
    && rm -f /tmp/torch.txt /tmp/rest.lock
# .dockerignore admits only what the service needs, and `weights/` if there is one.
COPY . ./

RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin app
USER 10001:10001

# All that is ever written: uploads and answers, and caches of libraries. Mount a tmpfs or a
# volume there and the rest of the file system may be read-only, as in compose.yaml.
ENV HOME=/tmp \
    TMPDIR=/tmp \
    GRADIO_TEMP_DIR=/tmp/gradio \
    GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860
EXPOSE 7860

HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:7860/healthz', timeout=4)"]
CMD ["python", "app.py"]
