# workflow.sh: what is wrong with the caller's workflow, and what to paste. Sourced by check and image.
# shellcheck shell=bash

# One line that the runner will not take for a command, whatever a name in it holds.
one_line() { printf %s "$1" | tr -d '\000-\037\177' | sed 's/%/%25/g' | cut -c 1-1000; }

say_notice() { printf '::notice title=audacitorch::%s\n' "$(one_line "$1")"; }

say_warning() { printf '::warning title=audacitorch::%s\n' "$(one_line "$1")"; }

# describe MESSAGE SNIPPET: a part of the report about the workflow, and an annotation that says the same in a line.
describe() {
  local fence='````'
  {
    printf '## ⚠️ Something to change in the workflow\n\n%s\n\n' "$(one_line "$1" | sed 's/[][<>@`&|*_\\]/\\&/g')"
    if [ -n "$2" ]; then printf '%syaml\n%s\n%s\n\n' "$fence" "$2" "$fence"; fi
    printf 'More: https://github.com/audacitorch/action/blob/main/docs/action.md\n\n'
  } >>"$report/workflow.md"
  printf '::error title=audacitorch::%s%%0A%s\n' "$(one_line "$1")" "$(printf %s "$2" | sed ':a;N;$!ba;s/\n/%0A/g')"
}

# stop STATUS MESSAGE SNIPPET: end the check here; the report says why.
stop() {
  status=$1 verdict=unknown
  describe "$2" "$3"
  exit 90
}

# Folders that hold a model, seen from the checkout's root.
model_folders() {
  (cd "${GITHUB_WORKSPACE:-.}" && find . -maxdepth 5 -name .git -prune -o -name model.pt -printf '%h\n') |
    sed 's|^\./||' | tr -cd '[:alnum:]._/ \n-' | sort | head -n 10
}

stop_no_folder() {
  local found snippet first
  if [ -z "$(ls -A "${GITHUB_WORKSPACE:-.}")" ]; then
    snippet=$'- uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1\n  with:\n    lfs: true\n    persist-credentials: false\n- uses: audacitorch/action@v1'
    stop 2 "There is nothing here to check: the job has no checkout step before this one." "$snippet"
  fi
  found=$(model_folders)
  first=${found%%$'\n'*}
  snippet=$'- uses: audacitorch/action@v1\n  with:\n    path: '${first:-folder/with/model}
  if [ -n "$found" ]; then
    stop 2 "path is “$INPUT_PATH”, and there is no such folder. A model.pt is in: ${found//$'\n'/, }." "$snippet"
  fi
  stop 2 "path is “$INPUT_PATH”, and there is no such folder; no folder here holds a model.pt." "$snippet"
}

# After a check that found no model, or not the real one: why that is so, where the workflow is why.
look_at_workflow() {
  local folder=$1 found snippet
  if is_pointer "$folder/model.pt" || is_pointer "$folder/metadata.json"; then
    snippet=$'- uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1\n  with:\n    lfs: true\n    persist-credentials: false'
    if [ -n "$INPUT_REPO_ID" ]; then return; fi
    describe "The checkout left a Git LFS pointer where the file should be: let it fetch what is in LFS storage." "$snippet"
  elif [ ! -e "$folder/model.pt" ] && [ -z "$INPUT_REPO_ID" ]; then
    found=$(model_folders)
    if [ -n "$found" ]; then
      snippet=$'- uses: audacitorch/action@v1\n  with:\n    path: '${found%%$'\n'*}
      describe "There is no model.pt in “$INPUT_PATH”. There is one in: ${found//$'\n'/, }." "$snippet"
    elif [ ! -e "$folder/metadata.json" ]; then
      snippet=$'- run: python export.py        # ends with audacitorch.utils.save_model(model, metadata, Path("exported"))\n- uses: audacitorch/action@v1\n  with:\n    path: exported'
      describe "No model has been exported yet: commit model.pt and metadata.json, or export them in the job, before this step." "$snippet"
    fi
  fi
}

is_pointer() { [ -f "$1" ] && [ "$(head -c 42 "$1" | tr -d '\0')" = 'version https://git-lfs.github.com/spec/v1' ]; }
