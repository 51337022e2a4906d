# The page in a browser, on the CPU:  docker build -t sdg . && docker run --rm -p 127.0.0.1:7860:7860 sdg
# Any other command:  docker run --rm -v "$PWD/outputs:/work/outputs" sdg draw "a smiling face" output_dir=outputs/a
FROM python:3.13-slim
WORKDIR /work
COPY pyproject.toml constraints.txt README.md LICENSE CHANGELOG.md /sdg/
COPY train.py sample.py evaluate.py /sdg/
COPY sdg /sdg/sdg
COPY conf /sdg/conf
COPY checkpoints /sdg/checkpoints
RUN pip install --no-cache-dir uv \
    && uv pip install --system --no-cache --torch-backend cpu -c /sdg/constraints.txt "/sdg[play]"
RUN useradd --create-home user && chown user /work
USER user
EXPOSE 7860
ENTRYPOINT ["sdg"]
CMD ["play", "--host", "0.0.0.0"]
