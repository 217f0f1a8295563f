# engine.sh: the engine, the image, and the walls of every container. Sourced by check, comment and image.
# shellcheck shell=bash

# What holds for every container of ours; the network, memory and files are said where it is started.
# shellcheck disable=SC2034
walls=(--rm --pull never --label org.audacitorch.action --read-only --cap-drop ALL --security-opt no-new-privileges
  --pids-limit 512 --log-driver none --tmpfs /tmp:rw,noexec,nosuid,nodev,size=64m)

# get_image IMAGE: sets image. `build` is a checkout without a release: its image is built from the Dockerfile beside
# action.yml. Anything else is exactly that image, here or pulled, and nothing is ever built in its place.
get_image() {
  local runner=$'runs-on: ubuntu-24.04   # has Docker; on a runner of your own, install it and let its user use it'
  command -v docker >/dev/null || stop 3 "Docker is missing on this runner: models run in a container." "$runner"
  docker version >/dev/null 2>&1 || stop 3 "No Docker engine answers on this runner: $(docker version 2>&1 >/dev/null | tail -n 1)" "$runner"
  case $1 in
    build) build_image ;;
    *) pull_image "$1" ;;
  esac
}

pull_image() {
  local said
  image=$1
  if docker image inspect "$image" >/dev/null 2>&1; then return; fi
  echo "::group::Pulling $(one_line "$image")"
  if said=$(docker pull --quiet "$image" 2>&1); then
    echo "::endgroup::"
    return
  fi
  printf '%s\n' "$(one_line "$said")"
  echo "::endgroup::"
  stop 3 "The image “$image” can't be pulled: $(one_line "${said##*$'\n'}" | sed 's/%25/%/g'). No other image is run in its place." ""
}

build_image() {
  local started=$SECONDS
  say_notice "This checkout of the action has no release, so its image is built from the Dockerfile: this takes some minutes."
  echo "::group::Building the image"
  if ! DOCKER_BUILDKIT=1 docker build --quiet --build-arg "TORCH=${AUDACITORCH_TORCH:-cpu}" --iidfile "$work/image" "$action" 2>&1; then
    echo "::endgroup::"
    stop 3 "This checkout of the action has no release, and building its image from the Dockerfile failed: see the log." ""
  fi
  echo "::endgroup::"
  image=$(cat "$work/image")
  printf 'The image was built from the Dockerfile, because this checkout of the action has no release (%s s).\n\n' \
    "$((SECONDS - started))" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
}

# The image that this checkout's action.yml names for those who name none.
default_image() { sed -n '/^  image:$/,/^$/s/^    default: \([^ ]*\).*$/\1/p' "$action/action.yml"; }
