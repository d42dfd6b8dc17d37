# Renew requirements.txt: the whole set of pinned packages for Python 3.11 and later, on every platform.
# Pins that still fit are kept; delete requirements.txt first to take the newest of everything.
set -e
.venv/bin/python -m pip install --quiet uv
.venv/bin/python -m uv pip compile --quiet --universal --python-version 3.11 --all-extras \
    --no-header --no-emit-index-url --no-annotate pyproject.toml -o requirements.txt > /dev/null
{
    echo '# Every package the book and its tests install, pinned. Made by "make lock" from the extras in pyproject.toml.'
    grep -v '^#' requirements.txt
} > requirements.tmp
mv requirements.tmp requirements.txt
git diff --stat -- requirements.txt
