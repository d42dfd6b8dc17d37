# Make .venv hold exactly what requirements.txt says, and this package. Returns at once when it already does.
set -u

fail() {
    printf '\n%s\n' "$@" >&2
    exit 1
}

# The first Python on the PATH that is new enough; PYTHON=... names another.
python=
for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$name
        break
    fi
done
if [ -z "$python" ]; then
    found=$("${PYTHON:-python3}" --version 2>/dev/null || echo none)
    fail "This book needs Python 3.11 or later; found: $found." \
        "Install one (https://www.python.org/downloads, or your system's package manager), or name it: make book PYTHON=/path/to/python3"
fi

# The key changes when the pins, the package's metadata, the interpreter or the place of this checkout change.
key=$({ cat requirements.txt pyproject.toml tools/env.sh _ext/katex.lock; "$python" --version; pwd; } | cksum)
[ -x .venv/bin/python ] && [ "$(cat .venv/key 2>/dev/null)" = "$key" ] && exit 0

if [ "$(cat .venv/place 2>/dev/null)" != "$(pwd) $("$python" --version)" ]; then
    echo "Making .venv with $("$python" --version)"
    rm -rf .venv
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        # Debian and Ubuntu ship Python without these two; as root we can fetch them.
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            echo "This Python has no venv: installing $package"
            apt-get update -qq && apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
                fail "Could not install $package, which this Python needs to make an environment."
        else
            fail "This Python cannot make an environment (no venv or ensurepip)." \
                "On Debian or Ubuntu: sudo apt install $package     then run make again."
        fi
    fi
    "$python" -m venv .venv || fail "Could not make .venv: see the message above."
    echo "$(pwd) $("$python" --version)" > .venv/place
fi

echo "Installing the pinned packages of requirements.txt into .venv"
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }
pip install --quiet --no-compile -r requirements.txt ||
    fail "The packages could not be installed. If the network was down, run make again: it goes on where it stopped."
pip install --quiet --no-deps --no-build-isolation --editable . || fail "mvnlib itself could not be installed."
# KaTeX sets the formulas while the book is built. It is an npm package, and deno is a client of npm; the lock file
# holds its release and checksum.
DENO_DIR="$PWD/.venv/deno" .venv/bin/python -m deno cache --quiet --no-config --node-modules-dir=none \
    --lock=_ext/katex.lock --frozen npm:katex@0.16.22 ||
    fail "KaTeX, which sets the formulas, could not be fetched. If the network was down, run make again."
echo "$key" > .venv/key
