# Sourced by the other scripts in the repository's root. `make_environment [extra]`
# leaves rote, its pinned dependencies and those of the extra in .venv, and does nothing where they
# are already. An install that was interrupted is started afresh by the next call.

python=.venv/bin/python
stamp=.venv/rote-install # "unfinished", or the fingerprint of the last install and its extras
new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

trap 'exit 130' INT # a command that handles Ctrl-C itself must not let the next one start

say() { echo "${0##*/}: $*" >&2; }

have_uv() { command -v uv >/dev/null 2>&1; }

# A working Python >= 3.11. Each candidate is run, because a name on PATH may be a broken shim.
find_python() {
  local candidate version without_pip=""
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    "$candidate" -c "$new_enough" >/dev/null 2>&1 || continue
    if have_uv || "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
    without_pip=$candidate
  done
  if [ -n "$without_pip" ]; then
    say "$without_pip lacks ensurepip, so it cannot make an environment:" \
      "install uv or its venv package (apt install python3-venv), then run this again"
  else
    version=$(python3 -c 'import platform; print(platform.python_version())' 2>/dev/null) ||
      version=missing
    say "needs Python 3.11 or newer, and python3 here is $version: install one (from your system's" \
      "packages, python.org, or with: uv python install 3.13), put it on PATH, then run this again"
  fi
  return 1
}

# What an install depends on: the pins, the interpreter, and the place (the install is editable).
fingerprint() {
  "$python" -c '
import hashlib, pathlib, sys
digest = hashlib.sha256(f"{sys.version} {pathlib.Path.cwd()}".encode())
for name in ("pyproject.toml", "constraints.txt"):
    digest.update(pathlib.Path(name).read_bytes())
print(digest.hexdigest())'
}

# Whether an install can go into .venv: not half made, its Python works, and there is an installer.
usable() {
  [ "$(cat "$stamp" 2>/dev/null)" != unfinished ] &&
    "$python" -c "$new_enough" >/dev/null 2>&1 &&
    { have_uv || "$python" -c 'import pip' >/dev/null 2>&1; }
}

make_environment() {
  local extra=${1:-} extras="" base wanted install previous=unfinished installer=pip
  if usable; then
    wanted=$(fingerprint)
    previous=$(cat "$stamp" 2>/dev/null) || true
    if [[ $previous == "$wanted"* ]]; then
      extras=${previous#"$wanted"} # they add to one another
      [[ -z $extra || "$extras " == *" $extra "* ]] && return
    fi
    echo unfinished >"$stamp"
  else
    base=$(find_python) || exit 1
    rm -rf .venv
    mkdir .venv
    echo unfinished >"$stamp"
    if have_uv; then
      uv venv --quiet --allow-existing --python "$base" .venv
    else
      "$base" -m venv .venv
    fi
    wanted=$(fingerprint)
  fi
  install=("$python" -m pip install)
  if have_uv; then
    installer=uv
    install=(uv pip install --python "$python")
  fi
  say "installing rote and its pinned dependencies into .venv with $installer" \
    "(once, about a minute: 1 GB$([ "$extra" != bench ] || echo ", and PyTorch and Flax"))"
  "${install[@]}" --quiet --constraint constraints.txt --editable ".${extra:+[$extra]}" || {
    echo "$previous" >"$stamp"
    say "the install failed for the reason above; run this again when that is mended"
    exit 1
  }
  echo "$wanted$extras${extra:+ $extra}" >"$stamp"
}
