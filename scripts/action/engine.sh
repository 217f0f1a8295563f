# engine.sh: the engine, the image, and the walls of every container. Sourced by check and comment.
# shellcheck shell=bash

# What holds for every container of ours; the network, memory and files are said where it is started.
# shellcheck disable=SC2034
walls=(--rm --pull never --label org.audacitorch.action --read-only --cap-drop ALL --security-opt no-new-privileges
  --pids-limit 512 --log-driver none --tmpfs /tmp:rw,noexec,nosuid,nodev,size=64m)

# Sets image: the one that is here, or can be pulled, or can be built from the Dockerfile beside action.yml.
get_image() {
  local runner=$'runs-on: ubuntu-latest   # has Docker; on a runner of your own, install it and let its user use it'
  command -v docker >/dev/null || stop 3 "Docker is missing on this runner: models run in a container." "$runner"
  image=$INPUT_IMAGE
  if docker image inspect "$image" >/dev/null 2>&1; then return; fi
  docker version >/dev/null 2>&1 || stop 3 "No Docker engine answers on this runner: $(docker version 2>&1 >/dev/null | tail -n 1)" "$runner"
  echo "::group::The image $(one_line "$image")"
  if docker pull --quiet "$image" 2>&1; then
    echo "::endgroup::"
    return
  fi
  if [ "${image%%[@:]*}" != ghcr.io/audacitorch/action ]; then
    echo "::endgroup::"
    stop 3 "The image “$image” is not here and can't be pulled." ""
  fi
  echo "It can't be pulled, so it is built from the Dockerfile of the action."
  if ! DOCKER_BUILDKIT=1 docker build --quiet --build-arg "TORCH=${AUDACITORCH_TORCH:-cpu}" --iidfile "$work/image" "$action" 2>&1; then
    echo "::endgroup::"
    stop 3 "The image “$image” can't be pulled, and building it failed: see the log." ""
  fi
  echo "::endgroup::"
  image=$(cat "$work/image")
}
